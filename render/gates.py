"""The five gates of a Talos cluster, as POSIX sh: Talos' API, etcd, the Kubernetes API, the CNI, the nodes.

Owns what each waits for, how long, and what it says when that does not come. A machine's boot is waited for as long as
its configuration was (`BOOT`), what comes after it ten minutes or so. Each may be run again at any time and only looks.
Refuses an order: which waits for which is `components.arda`'s.
"""

import hashlib
from collections.abc import Iterable

from model.talos import ClusterNodePlan, ClusterPlan
from render.manifests import announced
from render.talos import machine_patch
from render.talosctl import BASE, ETCD, KUBE, ROUNDS


def talos_api_gate(cluster: ClusterPlan) -> str:
    """Every control plane answers who holds the cluster's credentials; waits half an hour for each."""
    return f"""\
{BASE}for each in {_pairs(cluster.control_planes)}; do
  n=0
  until said=$(t -e "${{each#*=}}" -n "${{each#*=}}" version 2>&1); do
    n=$((n + 1))
    case $n in {ROUNDS}) die "the Talos API of ${{each%%=*}} (${{each#*=}}) does not answer: $said" ;; esac
    sleep 20
  done
done
echo "{len(cluster.control_planes)} control planes answer"
{_about(cluster, cluster.control_planes)}"""


def back(cluster: ClusterPlan, node: ClusterNodePlan, *, standing: bool) -> str:
    """A control plane that took a configuration is back from the reboot this may have brought, and etcd is whole.

    Talos' API and etcd answer for minutes into a reboot, while the pods are stopped: only the stage tells. Whether the
    node is Ready is not asked: its network comes later. Not `standing`: it was not of the cluster before, so nothing is
    away. Waits half an hour.
    """
    if not standing:
        return f'echo "{node.name} was not of the cluster before"\n'
    return f"""\
{BASE}{ETCD}away() {{
  stage=$(t -e {node.address} -n {node.address} get machinestatus -o 'jsonpath={{.spec.stage}}' 2>/dev/null) ||
    {{ t -e {node.address} -n {node.address} version 2>&1 >/dev/null; echo "its Talos API does not answer"; return; }}
  case $stage in running) etcd_trouble {node.address} ;; *) echo "Talos is $stage there" ;; esac
}}
sleep 20
n=0
until said=$(away) && case $said in '') true ;; *) false ;; esac; do
  n=$((n + 1))
  case $n in {ROUNDS}) die "{node.name} is not back after its configuration: $said" ;; esac
  sleep 20
done
echo "{node.name} is back"
{_about(cluster, [node])}"""


def etcd_gate(cluster: ClusterPlan) -> str:
    """Every declared control plane is a member of etcd, all healthy and no learner; waits ten minutes."""
    names = " ".join(node.name for node in cluster.control_planes)
    return f"""\
{BASE}{ETCD}trouble() {{
  etcd_trouble {cluster.control_planes[0].address}
  for each in {names}; do
    printf '%s\\n' "$members" | grep -q " $each " || echo "$each is no member of etcd yet"
  done
}}
n=0 members=
until members=$(t -e {cluster.control_planes[0].address} -n {cluster.control_planes[0].address} etcd members 2>&1) &&
  why=$(trouble) && case $why in '') true ;; *) false ;; esac; do
  n=$((n + 1))
  case $n in 60) die "etcd is not whole after ten minutes: ${{why:-$members}}" ;; esac
  sleep 10
done
echo "{len(cluster.control_planes)} members, no learner"
{_about(cluster, cluster.control_planes)}"""


def api_gate(cluster: ClusterPlan) -> str:
    """The Kubernetes API is ready at the VIP for the cluster's own kubeconfig; waits ten minutes."""
    return f"""\
{KUBE}n=0
until why=$(k get --raw /readyz 2>&1); do
  n=$((n + 1))
  case $n in 60) die "the Kubernetes API is not ready at {cluster.endpoint}: $why" ;; esac
  sleep 10
done
echo "$why"
{_about(cluster, cluster.control_planes)}"""


def cni_gate(cluster: ClusterPlan, namespace: str) -> str:
    """Cilium's operator and its agents on the control planes are ready, its kinds established; waits fifteen minutes.

    No agent of a worker is waited for: a machine that is down must not hold back the others.
    """
    kinds = " ".join(sorted({f"crd/{_plural(body['kind'])}.cilium.io" for body in announced(cluster).values()}))
    established = f"  failing wait --for=condition=Established {kinds} --timeout=5s\n" if kinds else ""
    return f"""\
{KUBE}failing() {{ told=$(k "$@" 2>&1) || echo "${{told:-kubectl $* failed}}"; }}
cilium_trouble() {{
  failing -n {namespace} rollout status deployment/cilium-operator --timeout=5s
{established}  for each in {" ".join(node.name for node in cluster.control_planes)}; do
    told=$(k -n {namespace} wait pod -l k8s-app=cilium --field-selector "spec.nodeName=$each" \\
      --for=condition=Ready --timeout=5s 2>&1) || echo "no agent of Cilium is ready on $each: $told"
  done
}}
n=0
until why=$(cilium_trouble) && case $why in '') true ;; *) false ;; esac; do
  n=$((n + 1))
  case $n in 60) die "Cilium is not ready: $why" ;; esac
  sleep 10
done
echo "Cilium is ready on {len(cluster.control_planes)} control planes"
{_about(cluster, cluster.control_planes)}"""


def nodes_gate(cluster: ClusterPlan) -> str:
    """Every member of the cluster is a Ready node; waits half an hour, and names who is not."""
    names = " ".join(f"node/{node.name}" for node in cluster.members)
    return f"""\
{KUBE}n=0
until why=$(k wait --for=condition=Ready {names} --timeout=1s 2>&1 >/dev/null); do
  n=$((n + 1))
  case $n in {ROUNDS}) die "not every node is Ready: $why" ;; esac
  sleep 20
done
echo "{len(cluster.members)} nodes are Ready"
{_about(cluster, cluster.members)}"""


def _pairs(nodes: Iterable[ClusterNodePlan]) -> str:
    return " ".join(f"{node.name}={node.address}" for node in nodes)


def _about(cluster: ClusterPlan, nodes: Iterable[ClusterNodePlan]) -> str:
    """A comment by which a gate is passed again after a change of what it is about."""
    told = "".join(machine_patch(cluster, node) for node in nodes) + cluster.kubernetes
    return f"# for {hashlib.sha256(told.encode()).hexdigest()[:12]}\n"


def _plural(kind: str) -> str:
    """A custom kind as its definition's name begins."""
    name = kind.lower()
    return f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}s"
