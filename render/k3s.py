"""What is asked of a Pi: from the outside whether it is the one that it was, over SSH whether cloud-init did its part.

Owns the commands' texts, POSIX sh, each idempotent, and what each says when it waits in vain. Refuses secrets in them:
a failing command prints its whole text, so a secret comes on stdin. Installs nothing: that is cloud-init's, and another
release of k3s the Pi's own unit's.
"""

import shlex

from model.ainur import KEEP, NVME_MOUNT, BootstrapNodePlan, BootstrapPlan
from render import k3s_tokens
from render.cloud_init_files import SETTINGS
from render.k3s_config import CA

RENEWED_BEFORE = 90
"""Days before its end in which the administrator's certificate is renewed: k3s' own measure at a start (120 since its
releases of May 2025: k3s, "Certificate Management")."""

FIRST_READING = "first"
"""The mark of a kubeconfig's first reading."""

NETBOOT, PI_ROOT = "netboot", "daemonset/pi-system"
"""Who makes the root of Pis without a card: a namespace, and the workload of the app pi-netboot in it."""

BASE = """\
set -eu
die() { echo "$*" >&2; exit 1; }
"""
# ssh-keyscan has no word for a host that is off or refuses
_SCAN = """\
n=0
until said=$(ssh-keyscan -t {short} -T 10 {address} 2>&1 || true)
  key=$(printf '%s\\n' "$said" | grep '^{address} {kind} '); do
  n=$((n + 1))
  # A key for the day (render/pi, host-keys) is of a type of its own, so that it is never taken
  case $n:$(case $n in 60) ssh-keyscan -t ecdsa -T 10 {address} 2>/dev/null || true ;; esac) in
  60:*'{address} ecdsa-'*) die "{name} shows a key for today, and not its own, which its NVMe keeps: that is not there
  log in at {address}, and: sudo journalctl -u ilmarin-nvme -u ilmarin-keep" ;;
  esac
  case $n in 60) die "{name} does not answer over SSH at {address}, for half an hour: ${{said:-nothing listens there}}
  is it switched on, is its cable in? ./lab boot shows what it does from power-on" ;; esac
  sleep 20
done
"""
_ROUNDS = 60
"""Of ten seconds each."""


def pin(node: BootstrapNodePlan) -> str:
    """Run on the owner's machine: wait for SSH there, half an hour at most, and print the one host key it shows."""
    return f'{BASE}{_scan(node, "ssh-ed25519")}echo "${{key#* }}"\n'


KEEP_PINNED = "printf '%s\\n' \"$PULUMI_COMMAND_STDOUT\""
"""In place of `pin` ever after: what was pinned stays, whatever else changes. Only its replacement asks again."""


def reach(node: BootstrapNodePlan, key: str, about: str) -> str:
    """Run on the owner's machine: wait for SSH there and hold the key it shows against `key`.

    `about`: whatever is asked of the Pi afterwards; another text asks here first.
    """
    mend = (
        f"write the new card's line at bootstrap.nodes.{node.name}.host_key"
        if node.host_key
        else f"pulumi up --replace '**::{pinned(node)}'"
    )
    return f"""\
{BASE}{_scan(node, key.split()[0])}case ${{key#* }} in
'{" ".join(key.split()[:2])}') echo "{node.name} is the one that it was" ;;
*) die "{node.name} ({node.address}) shows another SSH host key than before: ${{key#* }}
  you replaced the board or its disk: {mend}
  you did not: somebody else answers at its address; find out who before you go on" ;;
esac
# for {about}
"""


def pinned(node: BootstrapNodePlan) -> str:
    """The name of the resource that holds a host key that was pinned at first contact."""
    return f"ainur-hostkey-{node.name}"


def first_server(cluster: BootstrapPlan) -> str:
    """The first server has done its cloud-init: k3s of the pinned release runs, is etcd's member, and the CA stands."""
    node = cluster.first
    return f"""\
{BASE}{_cloud_init(node)}{_release(cluster, node)}sudo test -s {KEEP}/pki/root.crt ||
  die "{node.name} has no root certificate ({KEEP}/pki/root.crt): sudo journalctl -u ilmarin-pki"
systemctl is-active {node.unit} ||
  die "{node.unit} does not run on {node.name}: sudo journalctl -u ilmarin-k3s -u {node.unit} -n 50"
{_member(node)}"""


def join(cluster: BootstrapPlan, node: BootstrapNodePlan) -> str:
    """Keep the token that comes on stdin, and let the Pi's own unit join with it; a further server until it votes."""
    voter = f"{_member(node)}{k3s_tokens.same_for_agents(node)}" if node.role == "server" else ""
    before = f"{_cloud_init(node)}{_release(cluster, node)}{_remembers(node)}"
    return f"""\
{BASE}{before}{k3s_tokens.keep(node)}sudo systemctl restart ilmarin-token ||
  die "{node.name} did not join {cluster.name} at {cluster.api}: sudo journalctl -u ilmarin-token -u {node.unit} -n 50"
systemctl is-active {node.unit} || die "{node.unit} does not run on {node.name}: sudo journalctl -u {node.unit} -n 50"
{voter}"""


def ready(cluster: BootstrapPlan, nodes: tuple[BootstrapNodePlan, ...]) -> str:
    """Each of these nodes is Ready and runs the pinned release; waits ten minutes for each, and names who does not."""
    names = " ".join(f"node/{node.name}" for node in nodes)
    wait = "sudo k3s kubectl wait --timeout=1s"
    runs = f"--for=jsonpath='{{.status.nodeInfo.kubeletVersion}}'={cluster.k3s}"
    return (
        BASE
        + _until(f"{wait} {runs} {names}", f"not every node of {cluster.name} runs k3s {cluster.k3s}: $why")
        + _until(
            f"{wait} --for=condition=Ready {names}",
            f"not every node of {cluster.name} is Ready after ten minutes: $why",
        )
    )


def kubeconfig(cluster: BootstrapPlan, reading: str) -> str:
    """Prints the administrator's kubeconfig (k3s, "Cluster Access"), renewed first when it nears its end.

    k3s renews at a start; meanwhile pods go on, and the API is away for seconds. `reading`: another text reads again.
    """
    certificate, seconds = "/var/lib/rancher/k3s/server/tls/client-admin.crt", RENEWED_BEFORE * 24 * 3600
    up = _until(
        "sudo k3s kubectl get --raw /readyz",
        f"{cluster.first.name}'s API does not answer after k3s was restarted to renew its certificates: $why",
    )
    return f"""\
{BASE}if ! sudo openssl x509 -noout -checkend {seconds} -in {certificate} >/dev/null; then
sudo systemctl restart k3s
{up}fi
sudo cat /etc/rancher/k3s/k3s.yaml
# {reading}
"""


def kubeconfig_at(text: str, api: str) -> str:
    """A k3s kubeconfig, which says 127.0.0.1, pointed at the cluster's API."""
    return text.replace("https://127.0.0.1:6443", api)


def _scan(node: BootstrapNodePlan, kind: str) -> str:
    """Ask for the key of one kind, until it is shown; `$key` is then `<address> <kind> <key>`."""
    short = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind, "ecdsa")
    return _SCAN.format(name=node.name, address=node.address, kind=kind, short=short)


ROOT_CERTIFICATE = f"sudo cat {KEEP}/pki/root.crt"
"""Prints the lab's root certificate, which is public; its key never leaves the first server."""

TRUST = f"{BASE}sudo install -D -m 0644 /dev/stdin {CA}\n"
"""Keeps the root certificate, which comes on stdin, where a further server's API server reads it."""


def mirror_has(app: str, upstream: str, revision: str) -> str:
    """Let the Git mirror fetch now, and see the revision in it; waits half an hour at most, and says why in vain.

    2 is the mirror's word for a revision that upstream has not: waiting brings it no nearer.
    """
    fetch = f"sudo k3s kubectl -n {app} exec deploy/{app} -- /usr/local/lib/{app}/fetch.sh {shlex.quote(revision)}"
    return f"""\
{BASE}n=0 code=0
until said=$({fetch} 2>&1) || code=$?; case $code in 0) true ;; *) false ;; esac; do
  case $code in 2) die "the Git mirror cannot have it: $said
  push it, or name another gitops.revision" ;; esac
  n=$((n + 1)) code=0
  case $n in {_ROUNDS}) die "after half an hour the Git mirror has no {revision} of {upstream}: $said
  does Ainur reach it, and does {app} run there? until then gitops.clusters.<name>.source: upstream" ;; esac
  sleep 30
done
echo "$said"
"""


def mirror_answers(url: str, ingress: str, reader: str) -> str:
    """After `mirror_has`: the mirror answers at its URL as its reader asks: at that address, by the lab's own root."""
    host = url.removeprefix("https://").partition("/")[0]
    asked = (
        f"sudo curl -fsS --max-time 20 --cacert {KEEP}/pki/root.crt --resolve {host}:443:{ingress} --output /dev/null"
        f" {shlex.quote(f'{url}/info/refs?service=git-upload-pack')}"
    )
    return _until(
        asked,
        f"the Git mirror is filled, and does not answer at {url} ({ingress}), where {reader} will ask: $why"
        "\n  look at its Ingress and its certificate: sudo k3s kubectl -A get ingress,certificate",
    )


def pi_root(first: BootstrapNodePlan) -> str:
    """What a Pi without a card boots from is there: the builder's root of it, which takes its time; 90 minutes at most.

    Asked before such a Pi is waited for, whose own half hour begins only then.
    """
    return f"""\
{BASE}n=0
until said=$(sudo k3s kubectl -n {NETBOOT} rollout status {PI_ROOT} --timeout=1s 2>&1); do
  n=$((n + 1))
  case $n in 180) die "after 90 minutes the root that Pis without a card boot from is not made: $said
  look there, on {first.name}: sudo k3s kubectl -n {NETBOOT} logs {PI_ROOT} --all-containers --tail=50" ;; esac
  sleep 30
done
echo "$said"
"""


def _cloud_init(node: BootstrapNodePlan) -> str:
    """cloud-init ended well; 2 is one of its own degrees, errors that it could recover from (its "Return codes")."""
    return f"""\
code=0
told=$(cloud-init status --wait --long 2>&1) || code=$?
case $code in
0) ;;
2) echo "cloud-init on {node.name} recovered from errors: $told" ;;
*) die "cloud-init failed on {node.name}: $told
  look there: sudo cloud-init status --long; sudo journalctl -u 'ilmarin-*' -p err" ;;
esac
"""


def _release(cluster: BootstrapPlan, node: BootstrapNodePlan) -> str:
    """k3s is of the pinned release; where it is another one, the Pi's own unit brings this one, or all stays as it was.

    Asked as root, for the binary lies in a folder that only root enters. The first server keeps etcd as it is before,
    and is waited for here; the others by the unit that joins them. A release that is in place is never taken back from
    the settings: the unit would then refuse its own binary, and start no k3s after a reboot.
    """
    pinned = cluster.k3s
    up = f"{node.unit} of {node.name} does not come up with {pinned} ($why): sudo journalctl -u {node.unit} -n 50"
    return f"""\
set_release() {{
  {{ grep -v '^K3S_VERSION=' {SETTINGS}; echo "K3S_VERSION=$1"; }} | sudo install -m 0644 /dev/stdin {SETTINGS}.new
  grep -q '^NODE={node.name}$' {SETTINGS}.new || die "{SETTINGS} on {node.name} is not what ./lab render makes"
  sudo mv -f {SETTINGS}.new {SETTINGS}
}}
runs=$(sudo k3s --version) || die "k3s is not installed on {node.name}: sudo journalctl -u ilmarin-k3s"
case $runs in
'k3s version {pinned}' | 'k3s version {pinned} '*)
  grep -qxF 'K3S_VERSION={pinned}' {SETTINGS} || set_release {pinned} ;;
*) echo "{node.name} has $runs, and {pinned} takes its place"
old=${{runs#k3s version }} old=${{old%% *}}
{_others_live(cluster, node)}set_release {pinned}
sudo systemctl restart ilmarin-k3s || case $(sudo k3s --version) in
"$runs")
  set_release "$old"
  die "{node.name} does not get {pinned}, and stays with $runs: sudo journalctl -u ilmarin-k3s -n 20" ;;
*) die "{pinned} is in place on {node.name}, and does not come up: sudo journalctl -u ilmarin-k3s -u {node.unit} -n 50
  it goes on trying; once it is up: pulumi up" ;;
esac
{_until(f"systemctl is-active {node.unit}", up) if node.first else ""};;
esac
"""


def _others_live(cluster: BootstrapPlan, node: BootstrapNodePlan) -> str:
    """A server that runs is started anew only while all servers are Ready; the first one keeps etcd as it is, too."""
    if node.role != "server":
        return ""
    asked = "sudo k3s kubectl wait --timeout=1s --for=condition=Ready node -l node-role.kubernetes.io/control-plane"
    away = f"a server of {cluster.name} is away, so {node.name} is not upgraded: $why\n  bring it back, or remove it"
    snapshot = f"""\
sudo k3s etcd-snapshot save --name before-{cluster.k3s.replace("+", "-")} >/dev/null ||
  die "{node.name} can make no snapshot of etcd, so {cluster.name} is not upgraded"
"""
    return f"""\
if systemctl is-active --quiet {node.unit}; then
{_until(asked, away)}fi
{snapshot if node.first else ""}"""


def _remembers(node: BootstrapNodePlan) -> str:
    """A netbooted Pi keeps nothing but what its NVMe keeps."""
    if node.persistent or not node.nvme:
        return ""
    return f"""\
mountpoint -q {NVME_MOUNT} ||
  die "{node.name}'s NVMe is not mounted, so that it would forget the cluster: sudo journalctl -u ilmarin-nvme"
"""


def _member(node: BootstrapNodePlan) -> str:
    """k3s' own condition of a server whose etcd votes; asked on that server itself."""
    return _until(
        f"sudo k3s kubectl wait --for=condition=EtcdIsVoter --timeout=1s node/{node.name}",
        f"{node.name} is no voting member of etcd after ten minutes: $why",
    )


def _until(asked: str, given_up: str) -> str:
    return f"""\
n=0
until why=$({asked} 2>&1); do
  n=$((n + 1))
  case $n in {_ROUNDS}) die "{given_up}" ;; esac
  sleep 10
done
"""
