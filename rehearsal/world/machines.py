"""The machines of the Talos cluster: power, boot stage, address, what is on their disks.

Owns the walk off → firmware → dhcp → image → maintenance → installing → booting → running and what each machine
remembers. It refuses to own what Talos answers once it runs (``talos``), and time (``clock``): a machine advances when
somebody looks at it, and only a slow one is not there yet when what switched it on is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.world import hardware, netboot
from rehearsal.world.errors import Refusal
from rehearsal.world.hardware import Machine, read_machine

if TYPE_CHECKING:
    from rehearsal.world import World


class Machines:
    """``section("machines")``: name → ``{hardware, power, stage, reason, address, image, config, …}``.

    New nodes of the environment are racked and switched on when the World starts; nodes that left it stay as they are,
    as metal does.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.records: dict[str, dict[str, Any]] = world.section("machines")
        for machine in hardware.machines(world.environment):
            record = self.records.get(machine.name)
            if record is None:
                self.records[machine.name] = _racked(machine)
                self.boots(machine.name)
            else:
                # The owner may have replaced or re-cabled it; what is on its disks stays.
                record["hardware"] = machine.record()

    def machine(self, name: str) -> Machine:
        """The metal of ``name``; ``KeyError`` when there is no such machine."""
        return read_machine(self.records[name]["hardware"])

    def names(self) -> list[str]:
        """Every machine there is, in the order in which they were racked."""
        return list(self.records)

    def at(self, address: str) -> str | None:
        """The machine that answers at ``address`` now, having let every machine boot as far as it can."""
        for name in self.names():
            self.settle(name)
        return next((name for name, record in self.records.items() if record["address"] == address), None)

    def settle(self, name: str) -> None:
        """Let ``name`` boot as far as its surroundings allow."""
        record, machine = self.records[name], self.machine(name)
        now = self.world.clock.now
        cut_off = self.world.faults.outage(f"machine/{name}", now)
        if record.get("stops_at") is not None and now >= record["stops_at"]:
            self.boots(name)
        if not record["power"]:
            _stand(record, "off", "it is switched off")
        elif cut_off is not None:
            _stand(record, "unreachable", cut_off)
        elif now < record.get("ready_at", 0.0):
            _stand(record, "booting", f"it is slow, and boots for another {record['ready_at'] - now:.0f} s")
        elif record["config"] is not None:
            record["address"] = record["installed_address"] or self._leased(machine)
            self.world.talos.boot_installed(name)
        elif machine.flashed:
            self._to_maintenance(record, machine, {"by": "flashed"})
        else:
            found = netboot.boot(self.world, machine)
            if found.image is None:
                _stand(record, found.stage, found.reason)
                return
            image = {"by": "netboot", "schematic": found.image.schematic, "version": found.image.version}
            self._to_maintenance(record, machine, image, found.arguments)

    def _to_maintenance(
        self, record: dict[str, Any], machine: Machine, image: dict[str, Any], arguments: tuple[str, ...] = ()
    ) -> None:
        record["address"] = self._first_address(machine, arguments)
        arrived = record["stage"] != "maintenance"
        record.update(stage="maintenance", reason="", image=image)
        if arrived:
            kind = f"machines.{machine.firmware}.{image['by']}"
            self.world.journal("boot into maintenance", kind="machines", subject=machine.name, duration_of=kind)

    def _first_address(self, machine: Machine, arguments: tuple[str, ...]) -> str | None:
        """The address a machine has before it has a configuration, by how its owner arranged to reach it."""
        for argument in arguments:
            if argument.startswith("ip="):
                return argument.removeprefix("ip=").split(":")[0]
        if machine.reach == "static" and machine.flashed:
            return machine.address
        return self._leased(machine)

    def _leased(self, machine: Machine) -> str | None:
        reserved = hardware.reservations(self.world.environment).get(machine.mac)
        own = netboot.reserved_by_dnsmasq(self.world, machine.mac) if machine.reach == "our-reservation" else None
        if reserved or own:
            return reserved or own
        taken = {record["address"] for record in self.records.values()}
        return next((each for each in hardware.lease_pool(self.world.environment) if each not in taken), None)

    def switch(self, name: str, *, on: bool) -> None:
        """Somebody presses the button; what ran is gone, what is on disk stays."""
        self.records[name].update(power=on, stops_at=None)
        _stand(self.records[name], "firmware" if on else "off", "" if on else "it is switched off")
        if on:
            self.boots(name)
            self.settle(name)

    def stops(self, name: str, takes: float) -> None:
        """``name`` is told to boot again: it goes on answering for ``takes`` seconds, then it is away."""
        if takes:
            self.records[name]["stops_at"] = self.world.clock.now + takes
        else:
            self.boots(name)

    def boots(self, name: str) -> None:
        """``name`` begins to boot. The usual time of it is journaled; a slow machine is not there after that."""
        record = self.records[name]
        record["stops_at"] = None
        record["ready_at"] = self.world.clock.now + self.world.faults.slowness(f"machine/{name}")
        if record.get("etcd") == "left":
            record["etcd"] = None  # it starts anew and joins; one that was removed cannot, with its old data
        if record["pending"] is not None:
            self.world.talos.take_up_staged(record)

    def ready_at(self) -> list[float]:
        """The moments of World time, past ones too, at which machines were or will be done stopping or booting."""
        stops = [record["stops_at"] for record in self.records.values() if record.get("stops_at") is not None]
        return [*stops, *(record.get("ready_at", 0.0) for record in self.records.values())]

    def wipe(self, name: str) -> None:
        """The disks lose what Talos put there; the machine is as it was racked."""
        self.records[name].update(
            config=None, installed_address=None, pending=None, image=None, hostname=None, etcd=None
        )

    def explain(self, address: str) -> str:
        """Why nobody answers at ``address``, for who must go and look."""
        meant = [name for name in self.names() if self.machine(name).address == address]
        if not meant:
            return f"no machine was ever meant to have {address}"
        record = self.records[meant[0]]
        has = f", its address is {record['address']}" if record["address"] else ""
        return f"{meant[0]} stands at '{record['stage']}'{has}: {record['reason'] or 'up, but not at this address'}"


def _racked(machine: Machine) -> dict[str, Any]:
    if len({disk.serial for disk in machine.disks}) != len(machine.disks):
        raise Refusal(f"{machine.name}: two of its disks have one serial number")
    return {
        "hardware": machine.record(),
        "power": True,
        "stage": "firmware",
        "reason": "",
        "address": None,
        "image": None,
        "config": None,
        "pending": None,
        "hostname": None,
        "installed_address": None,
    }


def _stand(record: dict[str, Any], stage: str, reason: str) -> None:
    record.update(stage=stage, reason=reason, address=None)
