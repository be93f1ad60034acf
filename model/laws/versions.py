"""Laws of releases: what is there is pinned, and fits what it runs on.

Owns `versions` and the secrets' contract. Refuses charts, whose versions stand in the GitOps folders (`gitops`).
"""

import re
from collections.abc import Iterator

from model.catalogue import TALOS_KUBERNETES
from model.environment import Environment
from model.laws.registry import Breach, law

MINOR = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.|$)")
OLDEST = (1, 12)
"""First minor of Talos that understands the documents rendered here, one for each part of a machine (HostnameConfig,
LinkConfig, VolumeConfig …)."""


def minor(version: str | None) -> tuple[int, int] | None:
    """(1, 12) of `v1.12.4`."""
    match = MINOR.match(version or "")
    return (int(match[1]), int(match[2])) if match else None


@law("version-missing")
def versions_named(env: Environment) -> Iterator[Breach]:
    """Every cluster has its releases: Talos and Kubernetes for the one, k3s and kube-vip for the other."""
    needed = [(kind, "cluster") for kind in ("talos", "kubernetes") if env.cluster]
    needed += [(kind, "bootstrap") for kind in ("k3s", "kube_vip") if env.bootstrap]
    for kind, why in needed:
        if getattr(env.versions, kind) is None:
            yield Breach(
                f"versions.{kind}", f"there is a {why}, and no release of {kind}", f"add versions.{kind}, quoted", why
            )


@law("version-talos-old")
def talos_reads_documents(env: Environment) -> Iterator[Breach]:
    """Talos is 1.12 or newer: an older one refuses the machine documents that are rendered here."""
    found = minor(env.versions.talos)
    if found and found < OLDEST:
        message = f"Talos {env.versions.talos} does not know the machine documents of {OLDEST[0]}.{OLDEST[1]}"
        yield Breach("versions.talos", message, f"nearest: a release of {OLDEST[0]}.{OLDEST[1]}")


@law("version-talos-unknown", "warning", unless=("version-talos-old",))
def talos_is_known(env: Environment) -> Iterator[Breach]:
    """Talos is of a minor whose supported Kubernetes releases are known here."""
    known = list(TALOS_KUBERNETES)
    found = minor(env.versions.talos)
    if found and f"{found[0]}.{found[1]}" not in TALOS_KUBERNETES:
        message = f"what Talos {env.versions.talos} supports is not known here: its Kubernetes is not judged"
        yield Breach("versions.talos", message, f"known: {known[0]} to {known[-1]}")


@law("version-support", unless=("version-talos-old", "version-talos-unknown"))
def kubernetes_is_supported(env: Environment) -> Iterator[Breach]:
    """Talos supports the Kubernetes release. Neither the provider nor `talosctl validate` says so."""
    talos, kubernetes = minor(env.versions.talos), minor(env.versions.kubernetes)
    support = TALOS_KUBERNETES.get(f"{talos[0]}.{talos[1]}") if talos else None
    if not support or not kubernetes:
        return
    low, high = support
    if kubernetes[0] != 1 or not low <= kubernetes[1] <= high:
        near = min(max(kubernetes[1], low), high) if kubernetes[0] == 1 else high
        message = f"Talos {env.versions.talos} supports Kubernetes 1.{low} to 1.{high}, not {env.versions.kubernetes}"
        yield Breach("versions.kubernetes", message, f"nearest: a release of 1.{near}", "versions.talos")


@law("version-k3s")
def k3s_is_a_release(env: Environment) -> Iterator[Breach]:
    """A k3s release names its own build: `+k3s1`. Without it the installer takes another one."""
    k3s = env.versions.k3s
    if k3s and not re.search(r"\+k3s\d+$", k3s):
        base = re.split(r"[+-]", k3s)[0]
        yield Breach(
            "versions.k3s", f"{k3s} is no k3s release: they end in +k3s1, +k3s2 …", f'did you mean "{base}+k3s1"?'
        )


@law("version-prerelease", "warning")
def versions_released(env: Environment) -> Iterator[Breach]:
    """What runs is released: no alpha, beta or release candidate."""
    for kind in ("talos", "kubernetes", "k3s", "kube_vip"):
        version = getattr(env.versions, kind)
        if version and re.search(r"-(alpha|beta|rc|pre|dev)", version):
            yield Breach(
                f"versions.{kind}", f"{version} is a pre-release", f'did you mean "{version.partition("-")[0]}"?'
            )


@law("version-contract", unless=("version-talos-old",))
def contract_is_not_newer(env: Environment) -> Iterator[Breach]:
    """The contract the secrets were made with is none that is newer than Talos: it is never lowered afterwards, because
    that replaces the cluster's PKI."""
    if env.cluster is None:
        return
    contract = env.cluster.talos_contract
    ours, theirs = minor(env.versions.talos), minor(contract)
    if ours and theirs and theirs > ours:
        message = f"the secrets' contract {contract} is newer than Talos {env.versions.talos}"
        yield Breach("cluster.talos_contract", message, f'nearest: "v{ours[0]}.{ours[1]}"', "versions.talos")
