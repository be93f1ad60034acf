"""The boot-chain proof: does every machine of a lab come up, told from the very text that will be served.

Owns the proof's front door: all chains, what is wrong with them as findings, and the files that a machine will ask for.
Refuses to render, to serve, and to believe the plan where the text says something else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from foresight import boot_dnsmasq, boot_manifest, boot_nfs, boot_walk
from foresight.boot_chain import Chain, Firmware, Requested, Trouble
from foresight.boot_machines import Machine, machines
from foresight.boot_manifest import DNSMASQ, Served
from foresight.boot_secrets import leaks
from model.environment import Environment
from model.findings import Finding, one_line
from model.laws.foreseen import FORESEEN
from model.plan import Plan


@dataclass(frozen=True)
class Proof:
    """Every chain of a lab, and what is wrong with the files themselves."""

    chains: tuple[Chain, ...]
    """By machine; one whose firmware may announce itself in several ways has several, the likeliest first."""
    troubles: tuple[Trouble, ...]

    @property
    def sound(self) -> bool:
        """Whether every machine comes up, if not always with all that it should have: nothing here is an error."""
        found = (*self.troubles, *(one for chain in self.chains for one in chain.troubles))
        return not any(FORESEEN[one.code].grade == "error" for one in found)


def prove(environment: Environment, plan: Plan, served: Served | None = None) -> Proof:
    """Walk every machine's chain. `served`: the text and files to judge; left out, what is rendered from the plan."""
    served = served or boot_manifest.served(plan)
    conf = boot_dnsmasq.read(DNSMASQ, served.dnsmasq if served else "")
    chains = [chain for one in machines(environment, plan) for chain in _chains(one, conf, served)]
    troubles = [*conf.troubles, *(leaks(served) if served else ())]
    if served and plan.network.netboot:
        troubles += boot_nfs.too_open(served.exports, IPv4Network(plan.network.netboot.subnet))
    return Proof(tuple(chains), tuple(troubles))


def predicted_files(
    environment: Environment, plan: Plan, machine: str, firmware: Firmware | None = None
) -> tuple[Requested, ...]:
    """Every file that a machine will ask TFTP and HTTP for, in order, probes included.

    `machine`: a node's name, or `unknown`. `firmware`: what it announces; left out, what its class most likely does.
    Errors: LookupError for a machine that the lab does not have, or that never asks the network.
    """
    found = next((one for one in machines(environment, plan) if one.name == machine), None)
    served = boot_manifest.served(plan)
    if found is None or served is None or not (firmware or found.firmwares):
        raise LookupError(f"{machine} is no machine of this lab that asks the network")
    conf = boot_dnsmasq.read(DNSMASQ, served.dnsmasq)
    return boot_walk.from_network(found, firmware or found.firmwares[0], conf, served).requests


def _chains(machine: Machine, conf: boot_dnsmasq.Configuration, served: Served | None) -> Iterator[Chain]:
    if served is None or not machine.firmwares:
        yield boot_walk.from_disk(machine)
        return
    first, *others = (boot_walk.from_network(machine, one, conf, served) for one in machine.firmwares)
    yield first
    # A firmware that is not heard as HTTP client goes on as PXE client: silence is no fault, a wrong answer is
    yield from (one for one in others if "HTTP boot" not in one.firmware or one.answered)


def findings(proof: Proof) -> list[Finding]:
    """What is wrong, one finding a cause: machines that stumble over one line share it, so do files with one fault."""
    told: dict[tuple[str, str, str], list[tuple[Chain, Trouble]]] = {}
    for chain in proof.chains:
        for one in chain.troubles:
            told.setdefault((one.code, str(one.line), one.hint), []).append((chain, one))
    said: dict[tuple[str, str], list[Trouble]] = {}
    for one in proof.troubles:
        said.setdefault((one.code, one.message), []).append(one)
    return [
        *(_of_files(troubles) for troubles in said.values()),
        *(_of_machines(stumbled) for stumbled in told.values()),
    ]


def _of_files(troubles: list[Trouble]) -> Finding:
    where = f"{_and_more([str(one.line) for one in troubles])}: "
    return _finding(troubles[0], "network.netboot", where)


def _of_machines(stumbled: list[tuple[Chain, Trouble]]) -> Finding:
    chain, trouble = stumbled[0]
    names = list(dict.fromkeys(one.machine for one, _ in stumbled))
    where = f", at {trouble.line}" if trouble.line else ""
    return _finding(trouble, chain.path, f"{_and_more(names)}{where}: ")


def _and_more(names: list[str]) -> str:
    return f"{', '.join(names[:4])} and {len(names) - 4} more" if len(names) > 5 else ", ".join(names)


def _finding(trouble: Trouble, path: str, who: str) -> Finding:
    return Finding(trouble.code, FORESEEN[trouble.code].grade, path, f"{who}{one_line(trouble.message)}", trouble.hint)
