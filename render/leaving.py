"""How a node is taken out of the Talos cluster, as POSIX sh for the machine that runs `pulumi`.

Owns the order (checks, drain, etcd, reset, Kubernetes Node), and that it may be cut off anywhere and run again. Refuses
credentials: the talosconfig comes on standard input and the kubeconfig out of Talos, as in `render.talosctl`.
"""

from model.talos import ClusterNodePlan, ClusterPlan

MARK = "iluvatar-leaving"
"""Annotation of a Node whose machine is told to reset: from then on, while it is cordoned, silence counts as reset."""
PATIENCE = "10m"
"""How long a drain waits for the pods' disruption budgets."""
WIPED = ("STATE", "EPHEMERAL")
"""Partitions that a reset wipes: the configuration with the cluster's secrets, and all data of pods and etcd. Talos
itself stays, so that the machine comes up in maintenance mode when it is switched on again."""


def leave(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """The text for a node in state `leaving` or `lost`. Errors: ValueError for one that stays."""
    if node.state == "member":
        raise ValueError(f"{node.name} stays")
    votes = node.role == "control-plane"
    steps = [_found(cluster, node)]
    steps.append(_leaving_or_dead(node) if node.state == "leaving" else _really_lost(node))
    if votes:
        steps.append(_majority(cluster, node))
    if node.state == "leaving":
        # Looked at and drained by every run: copies may have failed, and pods come back, since an earlier one
        going = [_longhorn(node), _ceph(), _drain(node), _out_of_etcd(node) if votes else "", _reset(node)]
        steps += ["case $answers in yes)\n", *going, ";; esac\n"]
    elif votes:
        steps.append(_forgotten_by_etcd())
    return "".join([*steps, _forgotten_by_kubernetes(node)])


def _found(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """What there is of it, in `$there`, `$id` (its member of etcd) and `$answers`; ends when nothing is.

    One that leaves and answers took the configuration, and may not have joined: it is wiped, or it would join later.
    Who is asked is `$at`, the first control plane that answers: one may be new, and join only in this `up`.
    """
    endpoints = ",".join(each.address for each in cluster.control_planes)
    others = " ".join(each.address for each in cluster.control_planes)
    voters = ""
    if node.role == "control-plane":
        voters = f"""\
members=$(t -n "$at" etcd members) || die "etcd does not answer on $at: see above"
id=$(printf '%s\\n' "$members" | while read -r _ id host _; do
  case $host in {node.name}) echo "$id" ;; esac
done)
"""
    return f"""\
set -eu
config=$(cat) id=
t() {{ printf '%s' "$config" | talosctl --talosconfig /dev/stdin -e {endpoints} "$@"; }}
k() {{ printf '%s' "$kube" | kubectl --kubeconfig /dev/stdin "$@"; }}
die() {{ echo "{node.name} does not go yet: $*" >&2; exit 1; }}
for at in {others}; do
  kube=$(t -n "$at" kubeconfig -) && break
  at=
done
case $at in '') die "no kubeconfig from another control plane: see above" ;; esac
there=$(k get node {node.name} --ignore-not-found -o name)
{voters}answers=
if t -n {node.address} version >/dev/null 2>&1; then answers=yes; fi
case $there$id{"$answers" if node.state == "leaving" else ""} in '') echo "{node.name} is gone"; exit 0 ;; esac
"""


def _leaving_or_dead(node: ClusterNodePlan) -> str:
    """It must answer to leave, unless an earlier run was cut off after its reset: told to, cordoned, and out of etcd.

    Who uncordons it keeps it: what an earlier run had marked by then says nothing about its machine any more.
    """
    columns = f"C:.spec.unschedulable,M:.metadata.annotations.{MARK}"
    return f"""\
mark=$(k get node {node.name} --ignore-not-found --no-headers -o custom-columns={columns})
case $mark in
  true*resetting) mark=resetting ;;
  *resetting) mark=; k annotate node {node.name} {MARK}- ;;
  *) mark= ;;
esac
case $answers:$mark:$id in
  yes:* | :resetting:) ;;
  *) die "{node.address} does not answer. Switch it on; if the machine is dead, its entry says state: lost" ;;
esac
"""


def _really_lost(node: ClusterNodePlan) -> str:
    return f"""\
case $answers in
  yes) die "{node.address} answers, so it is not lost. With state: leaving it goes in good order" ;;
esac
"""


def _majority(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """Every other member of etcd is healthy and has caught up: a majority stays without this one.

    One that leaves goes last, and by then every control plane that stays has to be a member; one that is lost is
    forgotten first, when a new one may not have joined yet.
    """
    names = " ".join(each.name for each in cluster.control_planes) if node.state == "leaving" else ""
    missing = f"""\
  for each in {names}; do
    case $members in *" $each "*) ;; *) die "$each is no member of etcd: too few would be left" ;; esac
  done
"""
    return f"""\
case $id in '') ;; *)
  why=$(printf '%s\\n' "$members" | while read -r _ each host _ clients learner; do
    case $each in ID | "$id") continue ;; esac
    case $learner in false) ;; *) echo "$host is still catching up." ;; esac
    address=${{clients#https://}} address=${{address%%:*}}
    t -n "$address" service etcd 2>&1 | grep -q '^HEALTH *OK' || echo "etcd is not healthy on $host."
  done)
  case $why in '') ;; *) die "too few members of etcd would be left: $why" ;; esac
{missing if names else ""};; esac
"""


def _longhorn(node: ClusterNodePlan) -> str:
    """No data is here alone, on whatever disk and whoever the stack file says holds it: the cluster is asked.

    A copy counts once it was whole (`healthyAt`), until it fails (`failedAt`); an unset field prints nothing.
    """
    columns = "V:.spec.volumeName,N:.spec.nodeID,H:.spec.healthyAt,S:.status.currentState,F:.spec.failedAt"
    return f"""\
crd=$(k get crd replicas.longhorn.io --ignore-not-found -o name)
case $crd in '') ;; *)
  copies=$(k get replicas.longhorn.io -A --no-headers -o custom-columns={columns})
  whole=$(printf '%s\\n' "$copies" | while read -r volume where since _ failed; do
    case $since:$failed in [0-9]*: | [0-9]*:'<none>') echo "$volume on $where." ;; esac
  done)
  printf '%s\\n' "$whole" | while read -r volume _ where; do
    case $where in {node.name}.) ;; *) continue ;; esac
    printf '%s\\n' "$whole" | grep -v -F " {node.name}." | grep -q -F "$volume on " ||
      die "the only whole copy of Longhorn's volume $volume is on it: let another be made first"
  done ;;
esac
"""


def _ceph() -> str:
    """As far as Ceph tells Kubernetes: a warning may be about copies that are missing."""
    return """\
crd=$(k get crd cephclusters.ceph.rook.io --ignore-not-found -o name)
case $crd in '') ;; *)
  seen=$(k get cephclusters.ceph.rook.io -A --no-headers -o custom-columns=N:.metadata.name,H:.status.ceph.health)
  printf '%s\\n' "$seen" | while read -r name health; do
    case $health in '' | HEALTH_OK) ;; *) die "$name says $health: all copies must be whole first" ;; esac
  done ;;
esac
"""


def _drain(node: ClusterNodePlan) -> str:
    """Pods go elsewhere. Where a disruption budget never lets one go, the node takes pods again: nothing is lost."""
    columns = "S:.metadata.namespace,N:.metadata.name,A:.status.disruptionsAllowed"
    return f"""\
case $there in '') ;; *)
said=$(k drain {node.name} --ignore-daemonsets --delete-emptydir-data --timeout={PATIENCE} 2>&1) || {{
  k uncordon {node.name}
  seen=$(k get poddisruptionbudgets -A --no-headers -o custom-columns={columns})
  held=$(printf '%s\\n' "$seen" | while read -r space name allowed; do
    case $allowed in 0) echo "$space/$name" ;; esac
  done)
  die "not all of its pods let themselves be moved, so it takes pods again." \\
    "Disruption budgets that allow no move now: ${{held:-none}}. kubectl said: $said"
}} ;;
esac
"""


def _out_of_etcd(node: ClusterNodePlan) -> str:
    return f"""\
case $id in '') ;; *) t -n {node.address} etcd leave; echo "{node.name} has left etcd" ;; esac
"""


def _reset(node: ClusterNodePlan) -> str:
    """Gracefully, unless it has not joined: Talos would then wait for a Kubernetes that does not know it."""
    wiped = ",".join(WIPED)
    return f"""\
graceful=true
case $there in
  '') graceful=false ;;
  *) k annotate node {node.name} --overwrite {MARK}=resetting ;;
esac
t -n {node.address} reset --graceful="$graceful" --reboot=false --system-labels-to-wipe {wiped}
echo "{node.name} is wiped and switched off"
"""


def _forgotten_by_etcd() -> str:
    return """\
case $id in '') ;; *) t -n "$at" etcd remove-member "$id"; echo "etcd has forgotten it" ;; esac
"""


def _forgotten_by_kubernetes(node: ClusterNodePlan) -> str:
    """The API may be silent for some seconds: the VIP goes to another control plane when its holder leaves."""
    return f"""\
n=0
until said=$(k delete node {node.name} --ignore-not-found 2>&1); do
  n=$((n + 1))
  case $n in 30) die "its Kubernetes Node could not be deleted: $said" ;; esac
  sleep 10
done
echo "{node.name} is gone"
"""
