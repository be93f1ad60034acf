"""Upgrades of Talos and Kubernetes, as POSIX sh: one node at a time, by what runs.

Owns what forbids an upgrade, what it waits for before and after, and etcd's snapshot. Each text may be run again at any
time: what is done already is only looked at. Refuses an order: which waits for which is `components.arda`'s.

A `create` meets a machine that may not be of this cluster yet, and then has nothing to do; an `update` meets one that
was, and waits for it.
"""

import hashlib
import shlex
from collections.abc import Sequence

from model.talos import ClusterNodePlan, ClusterPlan
from render.talosctl import BASE, BOOT, ETCD, ROUNDS, K

STORAGE = {
    "longhorn": ("volumes.longhorn.io", ".status.robustness", "healthy|unknown"),
    "rook-ceph": ("cephclusters.ceph.rook.io", ".status.ceph.health", "HEALTH_OK"),
}
"""Storage kind → what to look at, where its health stands, what is well (a detached Longhorn volume is `unknown`)."""
NO_EXTENSIONS = ("schematic", "modules.dep")
"""What `talosctl get extensionstatus` lists beside extensions: the image's own schematic, the kernel's modules."""
MARK = "iluvatar-upgrading"
"""Annotation of the first control plane's Node while Kubernetes is upgraded: the version it is upgraded to."""
MOST_MINORS = 2
"""How many minors an upgrade of Talos may skip over to."""

_VERSIONS = """\
number() { v=${1#v} v=${v%%-*} a=${v%%.*} b=${v#*.} c=${v##*.}; echo $((a * 1000000 + ${b%%.*} * 1000 + c)); }
minors() { echo $(($(number "$2") / 1000 - $(number "$1") / 1000)); }
"""


def snapshot(cluster: ClusterPlan, *, standing: bool) -> str:
    """Etcd's data into a file of its owner's, before anything of these versions and images is upgraded.

    Not `standing`: no control plane may answer yet, and then there is nothing to keep.
    """
    else_ = 'die "no control plane\'s etcd answers: nothing is upgraded without a snapshot of it"'
    if not standing:
        else_ = 'echo "no etcd answers yet: nothing to keep"; exit 0'
    return f"""\
{BASE}umask 077
for at in {" ".join(node.address for node in cluster.control_planes)}; do
  t -e "$at" -n "$at" etcd members >/dev/null 2>&1 && break
  at=
done
case $at in '') {else_} ;; esac
folder={_folder(cluster.snapshots)}
mkdir -p "$folder" || die "cluster.upgrades.snapshots: $folder cannot be made"
file=$folder/{cluster.name}-$(date -u +%Y%m%dT%H%M%SZ).etcd
said=$(t -e "$at" -n "$at" etcd snapshot "$file" 2>&1) || die "etcd's snapshot failed: $said"
echo "before Talos {cluster.talos}, Kubernetes {cluster.kubernetes}: $file"
# for the images {_images(cluster)}
"""


def upgrade(cluster: ClusterPlan, node: ClusterNodePlan, *, standing: bool) -> str:
    """Bring one node to the version and schematic of its image, if it runs others; first everything that forbids it.

    Not `standing`: the machine may not be of this cluster yet. It is then installed at that version, not upgraded.
    """
    at, gate = node.address, ""
    if node.role == "control-plane":
        gate = f"etcd_sound() {{ why=$(etcd_trouble {at}); case $why in '') ;; *) return 1 ;; esac; }}\n"
    return "".join(
        [
            BASE,
            K,
            ETCD if gate else "",
            gate,
            _VERSIONS,
            _found(node, standing=standing),
            _allowed(cluster, node),
            _safe(cluster, node),
            _done(node),
        ]
    )


def _found(node: ClusterNodePlan, *, standing: bool) -> str:
    """What runs, in `$have` and `$runs`; ends here when that is what is wanted.

    The list of extensions is read without standard error: a newer talosctl warns there of an older node.
    """
    silent = f'echo "{node.name} is not of this cluster yet: nothing to upgrade"; exit 0'
    if standing:
        silent = f"""n=$((n + 1))
  case $n in 60) die "{node.name} ({node.address}) does not answer, and is upgraded only when it does: $said" ;; esac
  sleep 10"""
    return f"""\
see() {{
  said=$(t -e {node.address} -n {node.address} version 2>&1) || return 1
  have=$(printf '%s\\n' "$said" | grep Tag: | tail -n 1) have=${{have##* }}
  listed=$(t -e {node.address} -n {node.address} get extensionstatus 2>/dev/null) ||
    {{ said="it does not tell its extensions"; return 1; }}
  runs=$(printf '%s\\n' "$listed" | while read -r _ _ _ _ _ name value; do
    case $name in schematic) echo "$value" ;; esac
  done)
}}
n=0
until see; do
  {silent}
done
want={_version(node)} schematic={node.image.schematic_id}
case "$have $runs" in "$want $schematic") echo "{node.name} runs $have"; exit 0 ;; esac
"""


def _allowed(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """Refuses what no waiting mends: a minor back, too long a step, an extension that would be gone.

    A patch back is let through: within a minor Talos keeps the form of what it has written.
    """
    kept = [each.rpartition("/")[2] for each in node.image.extensions]
    names = "|".join(shlex.quote(each) for each in ["NAME", *NO_EXTENSIONS, *kept, *cluster.may_drop])
    steps = " | ".join(str(step) for step in range(MOST_MINORS + 1))
    return f"""\
case $(minors "$have" "$want") in
  {steps}) ;;
  -*) die "{node.name} runs Talos $have: $want is a minor back, which Talos does not promise to survive" ;;
  *) die "{node.name} runs Talos $have: $want is more than {MOST_MINORS} minors away; set versions.talos between" ;;
esac
gone=$(printf '%s\\n' "$listed" | while read -r _ _ _ _ _ name value; do
  case $name in {names}) ;; *) echo "$name" ;; esac
done)
case $gone in
  '') ;;
  *) die "{node.name} runs extensions that its new image lacks:" $gone \\
    "(add them to hardware.{node.image.hardware}.talos.extensions, or to cluster.upgrades.may_drop)" ;;
esac
"""


def _safe(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """Waits for whom this node's reboot would hurt: the other members of etcd, the storage it holds a part of."""
    asked = [node] if node.role == "control-plane" else cluster.control_planes
    text = _kubeconfig(asked, f'die "{node.name}: no kubeconfig from a control plane: $kube"')
    if node.role == "control-plane":
        text += f"""\
n=0
until etcd_sound; do
  n=$((n + 1))
  case $n in 30) die "{node.name} is not upgraded while another control plane is down: $why" ;; esac
  sleep 10
done
"""
    kinds = sorted({disk.kind for disk in node.data} & set(STORAGE))
    return text + "".join(_storage(node, kind) for kind in kinds)


def _storage(node: ClusterNodePlan, kind: str) -> str:
    resource, field, well = STORAGE[kind]
    return f"""\
n=0
until crd=$(k get crd {resource} --ignore-not-found -o name) && case $crd in
  '') true ;;
  *) seen=$(k get {resource} -A --no-headers -o custom-columns=N:.metadata.name,H:{field}) &&
    sick=$(printf '%s\\n' "$seen" | while read -r name health; do
      case $health in '' | {well}) ;; *) echo "$name is $health" ;; esac
    done) && case $sick in '') true ;; *) false ;; esac ;;
esac; do
  n=$((n + 1))
  case $n in 40) die "{node.name} is not upgraded while {kind} is not healthy: $sick" ;; esac
  sleep 45
done
"""


def _done(node: ClusterNodePlan) -> str:
    """The upgrade itself, and the wait until the node is back as it should be."""
    etcd = "&& etcd_sound" if node.role == "control-plane" else ""
    return f"""\
said=$(t -e {node.address} -n {node.address} upgrade --image {node.image.installer} --timeout {BOOT}m 2>&1) ||
  die "{node.name}: $said"
n=0
until see && case "$have $runs" in "$want $schematic") true ;; *) false ;; esac {etcd}; do
  n=$((n + 1))
  case $n in
    {ROUNDS}) die "{node.name} did not come back with Talos $want: it runs $have, schematic $runs. $said" ;;
  esac
  sleep 20
done
said=$(k wait --for=condition=Ready node/{node.name} --timeout=10m 2>&1) || die "{node.name} is not Ready: $said"
echo "{node.name} runs $have"
"""


def upgrade_kubernetes(cluster: ClusterPlan, *, standing: bool) -> str:
    """Bring control plane and kubelets to the cluster's Kubernetes version, if a kubelet runs another.

    After the kubelets come Talos' own manifests: a mark on a Node, from begin to end, tells of an upgrade that was cut
    off between, and goes through all of it again.
    """
    marked, wanted = cluster.control_planes[0].name, cluster.kubernetes
    silent = 'die "no kubeconfig from the control plane: $kube"'
    if not standing:
        silent = '{ echo "no Kubernetes yet: nothing to upgrade"; exit 0; }'
    return f"""\
{BASE}{K}{_VERSIONS}{_kubeconfig(cluster.control_planes, silent)}{_kubelets(wanted)}\
case $old$cut in '') echo "every kubelet runs {wanted}"; exit 0 ;; esac
for each in $old; do
  case $(minors "$each" {wanted}) in
    0 | 1) ;;
    -*) die "a kubelet runs $each: {wanted} would be a downgrade, which Kubernetes does not survive" ;;
    *) die "a kubelet runs $each: {wanted} skips a minor; set versions.kubernetes to the one between first" ;;
  esac
done
said=$(k wait --for=condition=Ready nodes --all --timeout=5m 2>&1) || die "not every node is Ready: $said"
said=$(k annotate --overwrite node {marked} {MARK}={wanted} 2>&1) || die "{marked} could not be marked: $said"
said=$(t -e "$at" -n "$at" upgrade-k8s --to {wanted.removeprefix("v")} --with-docs=false \\
  --with-examples=false 2>&1) || die "Kubernetes was not upgraded to {wanted}: $said"
said=$(k annotate node {marked} {MARK}- 2>&1) || die "the mark {MARK} of {marked} could not be taken away: $said"
echo "Kubernetes {wanted}"
"""


def _kubelets(wanted: str) -> str:
    """The releases of kubelets that run another than `wanted`, in `$old`, and in `$cut` the marks of an upgrade."""
    columns = f"N:.metadata.name,V:.status.nodeInfo.kubeletVersion,M:.metadata.annotations.{MARK}"
    return f"""\
kubelets() {{
  k get nodes --no-headers -o custom-columns={columns}
}}
n=0
until seen=$(kubelets 2>/dev/null); do
  n=$((n + 1))
  case $n in 60) die "the Kubernetes API does not answer: $(kubelets 2>&1)" ;; esac
  sleep 10
done
old=$(printf '%s\\n' "$seen" | while read -r _ runs _; do
  case $runs in '' | {wanted}) ;; *) echo "$runs" ;; esac
done)
cut=$(printf '%s\\n' "$seen" | while read -r _ _ mark; do
  case $mark in '' | '<none>') ;; *) echo "$mark" ;; esac
done)
"""


def _kubeconfig(control_planes: Sequence[ClusterNodePlan], silent: str) -> str:
    """A kubeconfig in `$kube`, and in `$at` who gave it: the first that does, for one may not have joined yet.

    Where nobody does, `$kube` is what the last one said.
    """
    return f"""\
for at in {" ".join(node.address for node in control_planes)}; do
  kube=$(t -e "$at" -n "$at" kubeconfig - 2>/dev/null) && break
  kube=$(t -e "$at" -n "$at" kubeconfig - 2>&1 >/dev/null)
  at=
done
case $at in '') {silent} ;; esac
"""


def _images(cluster: ClusterPlan) -> str:
    """What the nodes run, by which a change of an image alone is known; one node more of a class changes nothing."""
    told = sorted({f"{node.image.hardware}={node.image.installer}" for node in cluster.members})
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:12]


def _folder(path: str) -> str:
    """A folder as the shell needs it, `~/` being its owner's home."""
    return '"$HOME"/' + shlex.quote(path[2:]) if path.startswith("~/") else shlex.quote(path)


def _version(node: ClusterNodePlan) -> str:
    return node.image.installer.rpartition(":")[2]
