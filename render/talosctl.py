"""How the machine that runs `pulumi` calls `talosctl` and `kubectl`: POSIX sh.

Owns handing credentials on: they come on standard input and go by a pipe, and are never an argument, a variable of the
environment or a file. Owns the test that both programs are there. Refuses to ask a cluster anything by itself.
"""

from model.talos import ClusterPlan

BOOT = 30
"""Minutes for which whatever waits for a machine's boot waits, the first one and every reboot; some take a good ten."""
ROUNDS = BOOT * 60 // 20
"""How often a text asks that long, once in 20 seconds."""
DIE = 'die() { echo "$*" >&2; exit 1; }\n'
"""Defines `die`: say it on standard error and fail."""
K = """k() { printf '%s' "$kube" | kubectl --kubeconfig /dev/stdin "$@"; }\n"""
"""Defines `k`: kubectl with the kubeconfig in `$kube`."""
KUBE = f"kube=$(cat)\n{K}{DIE}"
"""Begins a text whose standard input is the kubeconfig."""
BASE = f"""\
config=$(cat)
t() {{ printf '%s' "$config" | talosctl --talosconfig /dev/stdin "$@"; }}
{DIE}"""
"""Begins a text whose standard input is the talosconfig, and defines `t`: talosctl with it."""
ETCD = """\
etcd_trouble() {
  members=$(t -e "$1" -n "$1" etcd members 2>/dev/null) ||
    { echo "etcd does not answer on $1"; t -e "$1" -n "$1" etcd members 2>&1 >/dev/null; return; }
  printf '%s\\n' "$members" | while read -r _ id host _ clients learner; do
    case $id in ID) continue ;; esac
    case $learner in false) ;; *) echo "$host is still a learner of etcd" ;; esac
    at_member=${clients#https://} at_member=${at_member%%:*}
    t -e "$at_member" -n "$at_member" service etcd 2>/dev/null | grep -q '^HEALTH *OK' ||
      echo "the etcd member $host ($at_member) is not healthy"
  done
}
"""
"""Defines `etcd_trouble ADDRESS`: a line for each member that is a learner or unwell, as that node sees it."""


def tools(cluster: ClusterPlan) -> str:
    """Fails within a second where `talosctl` or `kubectl` is missing or of a release that does not fit."""
    talos, kubernetes = minor(cluster.talos), minor(cluster.kubernetes)
    fitting = "|".join(f"v1.{kubernetes + step}.*" for step in (-1, 0, 1))
    return f"""\
die() {{ echo "$*" >&2; exit 1; }}
have=$(talosctl version --client --short 2>/dev/null) || have=
have=${{have##*Talos }}
case $have in
  v1.{talos}.*) ;;
  '') die "talosctl is not on this machine's PATH: install talosctl {cluster.talos}, then run it again" ;;
  *) die "talosctl here is $have, and versions.talos is {cluster.talos}: install talosctl {cluster.talos}" ;;
esac
have=$(kubectl version --client 2>/dev/null) || have=
have=${{have#*Client Version: }} have=${{have%%[!v0-9a-z.+-]*}}
case $have in
  *-dispatcher) die "kubectl here is a wrapper that reads the kubeconfig itself: put a plain kubectl before it" ;;
  {fitting}) ;;
  '') die "kubectl is not on this machine's PATH: install kubectl {cluster.kubernetes}, then run it again" ;;
  *) die "kubectl here is $have, more than one minor from versions.kubernetes {cluster.kubernetes}" ;;
esac
"""


def minor(version: str) -> int:
    """The minor of a version, `v1.2.3` → 2."""
    return int(version.split(".")[1])
