"""Laws of cables: MAC addresses, serials and switch ports belong to one machine each.

Owns what is plugged where. Refuses watts (`power`).
"""

import re
from collections.abc import Iterator

from model.ea import Switch
from model.environment import Environment
from model.laws.claims import Machine, machines, repeated, switches
from model.laws.registry import Breach, law
from model.laws.words import nearest

PORT = re.compile(r"([a-z0-9-]+)/([1-9][0-9]{0,3})")


@law("network-mac-duplicate")
def mac_once(env: Environment) -> Iterator[Breach]:
    """A MAC address belongs to one machine: it decides which address and which image a machine gets."""
    cards = ((one.mac, f"{one.path}.mac") for one in machines(env) if one.mac)
    for mac, first, later in repeated(cards):
        message = f"{mac} is the MAC of two machines, {later.split('.')[-2]} and {first.split('.')[-2]}"
        yield Breach(later, message, "read it from the machine's label or its firmware", first)


@law("network-mac-zero")
def mac_real(env: Environment) -> Iterator[Breach]:
    """A MAC address is some card's own: 00:00:00:00:00:00 is what firmware shows for none."""
    for one in machines(env):
        if one.mac == "00:00:00:00:00:00":
            yield Breach(f"{one.path}.mac", f"{one.name} has no real MAC address", "read it from the machine's label")


def plugged(env: Environment) -> Iterator[tuple[Machine, str, Switch, int]]:
    """(machine, path of its switch, switch, port number) of every machine whose port makes sense."""
    known = {name: (path, switch) for path, name, switch in switches(env)}
    for one in machines(env):
        match = PORT.fullmatch(one.port or "")
        if match and match[1] in known:
            yield (one, *known[match[1]], int(match[2]))


@law("network-port-form")
def port_form(env: Environment) -> Iterator[Breach]:
    """A port is written `switch/number`."""
    for one in machines(env):
        if one.port is not None and not PORT.fullmatch(one.port):
            first = next((name for _, name, _ in switches(env)), "switch")
            yield Breach(f"{one.path}.port", f"'{one.port[:60]}' is not a switch port", f"write it as {first}/7")


@law("network-port-switch")
def port_switch_known(env: Environment) -> Iterator[Breach]:
    """The switch that a port names stands in some rack."""
    known = {name for _, name, _ in switches(env)}
    for one in machines(env):
        match = PORT.fullmatch(one.port or "")
        if match and match[1] not in known:
            yield Breach(
                f"{one.path}.port", f"there is no switch '{match[1]}'", nearest(match[1], known), "network.racks"
            )


@law("network-port-number")
def port_exists(env: Environment) -> Iterator[Breach]:
    """A switch has the port that is named."""
    for one, path, switch, number in plugged(env):
        if number > switch.ports:
            name = path.rpartition(".")[2]
            message = f"{one.name} is in port {number}, and {name} has {switch.ports}"
            yield Breach(f"{one.path}.port", message, _free_port(env, name, switch), f"{path}.ports")


@law("network-port-duplicate", unless=("network-port-number",))
def port_once(env: Environment) -> Iterator[Breach]:
    """One cable goes into a port."""
    used = ((one.port, f"{one.path}.port") for one, _, _, _ in plugged(env))
    known = {name: switch for _, name, switch in switches(env)}
    for port, first, later in repeated(used):
        name = str(port).partition("/")[0]
        message = f"{port} holds the cable of {later.split('.')[-2]} and of {first.split('.')[-2]}"
        yield Breach(later, message, _free_port(env, name, known[name]), first)


def _free_port(env: Environment, name: str, switch: Switch) -> str:
    used = {one.port for one in machines(env)}
    free = next((number for number in range(1, switch.ports + 1) if f"{name}/{number}" not in used), None)
    return f"free: {name}/{free}" if free else f"{name} has no free port"


@law("bootstrap-serial-duplicate")
def serial_once(env: Environment) -> Iterator[Breach]:
    """A board serial belongs to one Pi: its low eight digits name the folder that the Pi boots from."""
    nodes = env.bootstrap.nodes if env.bootstrap else {}
    folders = ((pi.serial.lower()[-8:], f"bootstrap.nodes.{name}.serial") for name, pi in nodes.items())
    for folder, first, later in repeated(folders):
        message = f"{later.split('.')[-2]} and {first.split('.')[-2]} would both boot from the TFTP folder {folder}"
        yield Breach(later, message, "read it on the Pi: cat /proc/device-tree/serial-number", first)


@law("cluster-disk-identity-duplicate")
def disk_identity_once(env: Environment) -> Iterator[Breach]:
    """A disk's serial, wwid or by-id name belongs to one disk of one node."""
    nodes = env.cluster.nodes if env.cluster else {}
    identities = (
        ((kind, value), f"cluster.nodes.{name}.disks.{disk}.{kind}")
        for name, node in nodes.items()
        for disk, identity in node.disks.items()
        for kind in ("serial", "wwid", "by_id")
        if (value := getattr(identity, kind))
    )
    for _, first, later in repeated(identities):
        kind = later.rpartition(".")[2]
        message = f"{later.split('.')[2]} and {first.split('.')[2]} give the same {kind} for a disk"
        yield Breach(later, message, "read it with `talosctl get disks`", first)
