"""Rules over releases: what no upgrade path leads to, and what must not run together on the way.

Owns those of Talos, Kubernetes and k3s. Refuses how an upgrade is done, which is the graph's.
"""

import re
from collections.abc import Iterator

from foresight.edits import rule, staying
from model.catalogue import TALOS_KUBERNETES
from model.environment import Environment
from model.laws.registry import Breach
from model.laws.versions import minor

TALOS_STEP = 2
"""Minors of Talos that one upgrade may go ahead."""
KUBERNETES_STEP = 1
"""Minors of Kubernetes that one upgrade may go ahead: `talosctl upgrade-k8s` has no longer path, nor has k3s."""
WAYS = (
    ("talos", "cluster", TALOS_STEP),
    ("kubernetes", "cluster", KUBERNETES_STEP),
    ("k3s", "bootstrap", KUBERNETES_STEP),
)
"""(release, the realm it runs in, minors that one upgrade may go ahead)."""


def _moves(before: Environment, after: Environment) -> Iterator[tuple[str, int, str, str, int]]:
    """(kind, minors ahead, old, new, step) of each release that changes on a cluster that stands."""
    for kind, realm, step in WAYS:
        old, new = getattr(before.versions, kind), getattr(after.versions, kind)
        was, will = minor(old), minor(new)
        if getattr(before, realm) and getattr(after, realm) and was and will and old != new:
            yield kind, (will[0] - was[0]) * 1000 + will[1] - was[1], old, new, step


@rule("change-version-skip", by_hand=True)
def no_minor_is_skipped(before: Environment, after: Environment) -> Iterator[Breach]:
    """An upgrade goes two minors of Talos ahead at most, and one of Kubernetes or k3s: nobody tests a longer way, and
    `talosctl upgrade-k8s` refuses it."""
    for kind, ahead, old, new, step in _moves(before, after):
        if ahead > step:
            was = minor(old) or (0, 0)
            message = f"{kind} {old} runs; to {new} are {ahead} minors, and one upgrade goes {step} at most"
            yield Breach(f"versions.{kind}", message, f"first a release of {was[0]}.{was[1] + step}, then the next")


@rule("change-version-down", by_hand=True)
def no_minor_is_taken_back(before: Environment, after: Environment) -> Iterator[Breach]:
    """No cluster goes back a minor: etcd's data and the API's objects are already in the newer form."""
    for kind, ahead, old, new, _ in _moves(before, after):
        if ahead < 0:
            message = f"{kind} {old} runs, and what it has written {new} may not read"
            yield Breach(f"versions.{kind}", message, f"put back {old}; back there is only by a restore")


@rule("change-version-patch-down", "warning")
def a_patch_is_rarely_taken_back(before: Environment, after: Environment) -> Iterator[Breach]:
    """Going back within a minor works, and is seldom meant."""
    for kind, ahead, old, new, _ in _moves(before, after):
        if ahead == 0 and _patch(new) < _patch(old):
            message = f"{kind} {old} runs, and {new} is older"
            yield Breach(f"versions.{kind}", message, f"put back {old}, unless it is meant")


@rule("change-version-between")
def talos_carries_the_kubernetes_that_runs(before: Environment, after: Environment) -> Iterator[Breach]:
    """Talos is upgraded first and Kubernetes last: in between the new Talos runs the old Kubernetes, and must support
    it."""
    talos, runs = minor(after.versions.talos), minor(before.versions.kubernetes)
    support = TALOS_KUBERNETES.get(f"{talos[0]}.{talos[1]}") if talos else None
    moved = any(kind == "talos" for kind, *_ in _moves(before, after))
    if moved and support and runs and not support[0] <= runs[1] <= support[1]:
        carried = f"Talos {after.versions.talos} supports Kubernetes 1.{support[0]} to 1.{support[1]}"
        near = min(max(runs[1], support[0]), support[1])
        hint = f"first Kubernetes to a release of 1.{near}, then Talos"
        message = f"{carried}, and {before.versions.kubernetes} runs"
        yield Breach("versions.talos", message, hint, "versions.kubernetes")


@rule("change-extension-dropped")
def no_running_extension_is_dropped(before: Environment, after: Environment) -> Iterator[Breach]:
    """A class keeps the extensions that its running machines have: what uses one (iSCSI, a GPU, a filesystem) stops
    with the upgrade that drops it."""
    seen = set()
    for name, old, new in staying(before, after):
        was, will = before.hardware.get(old.hardware), after.hardware.get(new.hardware)
        given_up = {f"siderolabs/{one}" for one in after.cluster.upgrades.may_drop} if after.cluster else set()
        lost = sorted(set(was.talos.extensions) - set(will.talos.extensions) - given_up) if was and will else []
        if lost and new.hardware not in seen:
            seen.add(new.hardware)
            message = f"{name} runs with {', '.join(lost)}, which its next image would not have"
            hint = "put it back; or, when nothing uses it, name it in cluster.upgrades.may_drop"
            yield Breach(f"hardware.{new.hardware}.talos.extensions", message, hint)


def _patch(version: str) -> int:
    """3 of `v1.2.3`; the shape has seen to the form."""
    return int([*re.findall(r"\d+", version), "0", "0", "0"][2])
