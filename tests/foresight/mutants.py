"""Boot files with one thing wrong in them, and what the proof says of them.

Owns the edits of what is served. Refuses to expect anything: the tests do.
"""

import dataclasses
from collections.abc import Callable

from foresight import boot, boot_manifest, boot_nfs
from foresight.boot_chain import Line, Trouble
from foresight.boot_manifest import Content, Served
from foresight.boot_pi import SEED
from model.environment import Environment
from model.plan import Plan
from tests.labs import planned, raw

MAC = "02-00-00-00-02-01.ipxe"
Edit = Callable[[Served], Served]


def lab(mode: str = "proxy", firmware: str = "uefi") -> tuple[Environment, Served, Plan]:
    """homelab with its DHCP mode and its nodes' firmware set: environment, what is served, plan.

    The Pis' seeds are served too, which Ilúvatar does not write yet: so that only what is edited is wrong.
    """
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = mode
    edited["hardware"]["prodesk-400-g4"]["firmware"] = firmware
    plan = planned(edited)
    served = boot_manifest.served(plan)
    assert served
    assert plan.network.netboot
    folders = [pi.folder for pi in plan.network.netboot.pis]
    seeds = {f"/pi/{folder}/{name}": Content("text") for folder in folders for name in SEED}
    return Environment.model_validate(edited), dataclasses.replace(served, http={**served.http, **seeds}), plan


def conf(before: str, after: str) -> Edit:
    """Edit dnsmasq.conf; an empty `after` drops the line."""

    def edit(served: Served) -> Served:
        assert before in served.dnsmasq, f"dnsmasq.conf has no {before}"
        return dataclasses.replace(served, dnsmasq=served.dnsmasq.replace(before, after))

    return edit


def script(name: str, before: str, after: str) -> Edit:
    """Edit a served script."""

    def edit(served: Served) -> Served:
        content = served.http[f"/{name}"]
        assert before in content.text, f"{name} has no {before}"
        changed = dataclasses.replace(content, text=content.text.replace(before, after))
        return dataclasses.replace(served, http={**served.http, f"/{name}": changed})

    return edit


def gone(*names: str) -> Edit:
    """Take files away from TFTP or HTTP, by the end of their name."""

    def edit(served: Served) -> Served:
        tftp = {name: content for name, content in served.tftp.items() if not name.endswith(names)}
        http = {name: content for name, content in served.http.items() if not name.endswith(names)}
        assert len(tftp) + len(http) < len(served.tftp) + len(served.http), f"nothing is called {names}"
        return dataclasses.replace(served, tftp=tftp, http=http)

    return edit


def both(*edits: Edit) -> Edit:
    """One edit after another."""

    def edit(served: Served) -> Served:
        for one in edits:
            served = one(served)
        return served

    return edit


def of(proof: boot.Proof, machine: str) -> list[Trouble]:
    """What is wrong with the files, and with the likeliest chain of one machine."""
    return [*proof.troubles, *next(one for one in proof.chains if one.machine == machine).troubles]


def troubles(edit: Edit, mode: str = "proxy", firmware: str = "uefi", machine: str = "valinor-1") -> list[Trouble]:
    """What the proof says of homelab after an edit of what is served."""
    environment, served, plan = lab(mode, firmware)
    proof = boot.prove(environment, plan, edit(served))
    for one in boot.findings(proof):
        assert len(one.message) <= 240, f"too long to read: {one.message}"
        assert len(one.hint) <= 200, f"too long to read: {one.hint}"
    return of(proof, machine)


def line(edit: Edit, file: str, text: str) -> Line:
    """Where the edited file has a line that begins so."""
    served = edit(lab()[1])
    texts = {"dnsmasq.conf": served.dnsmasq, boot_nfs.FILE: served.exports}
    texts |= {name: content.text for name, content in served.tftp.items()}
    texts |= {name.lstrip("/"): content.text for name, content in served.http.items()}
    whole = texts[file]
    told = [one.strip() for one in whole.splitlines()]
    found = [Line(file, at, one) for at, one in enumerate(told, 1) if one.startswith(text)]
    assert found, f"{file} has no line that begins with {text}"
    return found[0]


PI = "a1b2c351"


def pi(name: str, before: str, after: str) -> Edit:
    """Edit a text in the folder of maia-1."""

    def edit(served: Served) -> Served:
        content = served.tftp[f"{PI}/{name}"]
        assert before in content.text, f"{name} has no {before}"
        changed = dataclasses.replace(content, text=content.text.replace(before, after))
        return dataclasses.replace(served, tftp={**served.tftp, f"{PI}/{name}": changed})

    return edit


def exported(before: str, after: str) -> Edit:
    """Edit what the NFS server exports."""
    return lambda served: dataclasses.replace(served, exports=served.exports.replace(before, after))
