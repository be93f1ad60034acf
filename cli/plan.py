"""`./lab plan`: what follows from a stack file, before anything is touched.

Owns showing the plan as tables or JSON. Refuses to derive anything: every value is `model.plan`'s.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from cli import check, plan_gitops, plan_network
from cli.console import console, say, table, title
from cli.stack_files import StackFile
from model.ainur import BootstrapNodePlan, BootstrapPlan
from model.catalogue import PI_PRICE_GBP
from model.certificates import HEADS, certificates
from model.edge_plan import EdgePlan
from model.environment import Environment
from model.images import Image
from model.plan import Plan
from model.plan import plan as decide
from model.talos import ClusterPlan
from model.tree import Tree
from render import router

FINE, REFUSED = 0, 1
_PARTS = {"sd": "SD", "nvme": "NVMe", "poe": "PoE"}


def plan(stack: StackFile, *, as_json: bool, owners: bool = False) -> int:
    """Show the plan of `stack`, or with `owners` who writes what; REFUSED, with the findings, when one is an error."""
    checked = check.judge(stack)
    if checked.environment is None or not checked.sound:
        errors = [finding for finding in checked.findings if finding.grade == "error"]
        check.show(console(stderr=True), stack, errors)
        return REFUSED
    decided = decide(checked.environment, checked.tree)
    out = console()
    if as_json:
        graph = plan_gitops.plain(checked.environment, checked.tree)
        print(json.dumps(plain(decided) | graph, indent=2, ensure_ascii=False))
    elif owners:
        plan_gitops.owners(out, checked.environment, checked.tree)
    else:
        _show(out, decided, checked.environment, checked.tree)
    return FINE


def plain(value: Any) -> Any:
    """A plan, or any part of it, as what JSON can hold: objects, lists, text, numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _show(out: Console, decided: Plan, environment: Environment, tree: Tree) -> None:
    plan_network.network(out, decided.network)
    plan_network.power(out, decided.power)
    if decided.bootstrap:
        _bootstrap(out, decided.bootstrap)
    if decided.cluster:
        _cluster(out, decided.cluster)
    _charts(out, decided)
    _edge(out, decided.edge)
    title(out, "Certificates", "who signs, and who renews")
    table(out, HEADS, certificates(environment, tree))
    if decided.gitops:
        plan_gitops.gitops(out, decided.gitops, environment, tree)
    _lines(out, "What the router must be told, by hand", router.checklist(decided.network))
    _lines(out, "What a destroyed stack leaves standing, on purpose", decided.leftovers)


def _bootstrap(out: Console, bootstrap: BootstrapPlan) -> None:
    title(out, f"{bootstrap.name}, the bootstrap cluster", f"k3s {bootstrap.k3s}, API {bootstrap.api}")
    rows = ((node.name, node.role, node.address, node.serial, _system(node)) for node in bootstrap.nodes)
    table(out, ("node", "role", "address", "serial", "system on"), rows)
    out.print()
    say(out, f"applications at {bootstrap.ingress}, each by a name of *.{bootstrap.apps_zone}")
    say(out, f"logins of {bootstrap.issuer} are believed by its API")
    _sets(out, bootstrap)


def _system(node: BootstrapNodePlan) -> str:
    if node.stamped:
        return "SD card, which it writes itself"
    return "SD card" if node.persistent else "netboot"


def _sets(out: Console, bootstrap: BootstrapPlan) -> None:
    """What each Pi can be with what is plugged into it, and what the sets cost."""
    out.print()
    rows = [
        (
            node.name,
            "Pi + " + " + ".join(_PARTS[part] for part in _PARTS if part in node.parts) if node.parts else "Pi",
            *("can" if what in node.can else "cannot" for what in ("server", "netboot", "storage")),
            f"£{node.cost_gbp}",
        )
        for node in bootstrap.nodes
    ]
    total = sum(node.cost_gbp for node in bootstrap.nodes)
    heads = ("node", "plugged in", "be a server", "netboot", "hold storage", "costs")
    table(out, heads, [*rows, ("all", "", "", "", "", f"£{total}")])
    guessed = [node.name for node in bootstrap.nodes if node.board_guessed]
    parts = ", ".join(f"{name} £{PI_PRICE_GBP[part]}" for part, name in _PARTS.items())
    say(out, f"By the owner's price guide of late 2024: {parts}.")
    if guessed:
        board = f"£{PI_PRICE_GBP['pi']}, which is a Pi 5 with 8 GB"
        say(
            out, f"The board of {', '.join(guessed)} is counted at {board}: a class's price_gbp says what its own cost."
        )


def _cluster(out: Console, cluster: ClusterPlan) -> None:
    title(
        out,
        f"{cluster.name}, the Talos cluster",
        f"Talos {cluster.talos}, Kubernetes {cluster.kubernetes}, API {cluster.endpoint}",
    )
    out.print(f"  pods {cluster.pods}, services {cluster.services}, LoadBalancers {cluster.pool or 'none'}")
    rows = (
        (
            node.name,
            node.role,
            node.address,
            node.image.hardware,
            node.boot,
            " ".join(f"{key} {value}" for key, value in node.install.items()),
            ", ".join(f"{disk.system} {disk.size_gb} GB" for disk in node.data),
        )
        for node in cluster.nodes
    )
    table(out, ("node", "role", "address", "hardware", "boots by", "installed to", "data"), rows)
    out.print()
    say(out, "Images, each reference with its schematic in place in `./lab plan --json`:")
    for made in cluster.images:
        _image(out, made)


def _image(out: Console, made: Image) -> None:
    """An image and where it is got: a schematic is longer than half a page, so it stands once."""
    say(out, f"image of {made.hardware} ({made.arch}), with {', '.join(made.extensions) or 'no extensions'}")
    rows = (
        ("schematic", made.schematic_id),
        ("installer", made.installer),
        ("disk or card", made.disk_image),
        ("USB stick", made.iso),
        ("kernel", f"/{made.kernel_path}"),
        ("initramfs", f"/{made.initramfs_path}"),
        ("factory's iPXE", made.pxe),
    )
    for name, what in rows:
        if what:
            short = what if what == made.schematic_id else what.replace(made.schematic_id, "<schematic>")
            out.print(Text(f"    {name:<16}{short}"))


def _charts(out: Console, decided: Plan) -> None:
    charts = [chart for chart in (decided.cni, decided.gateway_controller) if chart]
    charts += [seeded for one in decided.gitops for seeded in (one.chart, one.instance) if seeded]
    if charts:
        title(out, "Charts installed first", "pinned in gitops/, by the folder that will manage them")
        rows = {(one.release, one.namespace, one.version, one.repository) for one in charts}
        table(out, ("release", "namespace", "version", "from"), sorted(rows))


def _edge(out: Console, edge: EdgePlan) -> None:
    if edge.gateways:
        title(out, "The way in", edge.domain)
        rows = ((one.name, one.address, one.hostname, one.audience) for one in edge.gateways)
        table(out, ("gateway", "address", "host name", "for"), rows)
    if edge.records:
        out.print()
        rows = (
            (one.name, one.type, "the tunnel" if one.tunnel else one.content, "yes" if one.proxied else "no")
            for one in edge.records
        )
        table(out, ("record", "type", "points at", "proxied"), rows)
    if edge.zone_settings:
        out.print()
        table(out, ("setting of the zone", "value"), edge.zone_settings)
    if edge.tunnel:
        out.print()
        rows = ((name or "anything else", service) for name, service, _ in edge.tunnel.ingress)
        table(out, (f"tunnel {edge.tunnel.name}", "goes to"), rows)


def _lines(out: Console, heading: str, lines: Iterable[str]) -> None:
    listed = list(lines)
    if listed:
        title(out, heading)
    for line in listed:
        out.print(Text(f"  {line}"), soft_wrap=True)
