"""k3s on a simulated host: what its configuration makes of it, and what keeps it from a cluster.

Owns the reading of ``config.yaml``, the start of a first server and the joining of everybody else. It refuses to own
how the binary came there (``host_scripts``), what it deploys (``host_addons``), and what runs in Kubernetes. A host's
``k3s`` record is ``{cluster, vip, sans}`` of a server that runs.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from rehearsal.world import host_addons, host_tokens, host_units, talos_secrets
from rehearsal.world.host_units import Host, real
from rehearsal.world.talos import kubeconfig_text

if TYPE_CHECKING:
    from rehearsal.world import World

CONFIG = "/etc/rancher/k3s/config.yaml"
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
PASSWORD = "/etc/rancher/node/password"  # a path, not a secret
_DATA = "/var/lib/rancher/k3s"
_BOTH = """
    data-dir node-name node-ip node-external-ip node-label node-taint flannel-iface kubelet-arg kube-proxy-arg
    server token token-file with-node-id snapshotter pause-image private-registry selinux protect-kernel-defaults
    debug v vmodule prefer-bundled-bin lb-server-port disable-default-registry-endpoint resolv-conf
    image-credential-provider-config container-runtime-endpoint node-internal-dns node-external-dns bind-address
    nonroot-devices default-runtime
"""
_SERVERS = """
    advertise-address advertise-port agent-token agent-token-file cluster-cidr cluster-dns cluster-domain
    cluster-init cluster-reset datastore-endpoint default-local-storage-path disable disable-apiserver
    disable-cloud-controller disable-etcd disable-helm-controller disable-kube-proxy disable-network-policy
    disable-scheduler egress-selector-mode embedded-registry etcd-arg etcd-disable-snapshots etcd-expose-metrics
    etcd-s3 etcd-snapshot-compress etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-retention
    etcd-snapshot-schedule-cron flannel-backend flannel-external-ip flannel-ipv6-masq helm-job-image
    https-listen-port kine-tls kube-apiserver-arg kube-cloud-controller-manager-arg kube-controller-manager-arg
    kube-scheduler-arg multi-cluster-cidr secrets-encryption secrets-encryption-provider service-cidr
    service-node-port-range servicelb-namespace supervisor-metrics system-default-registry tls-san
    tls-san-security write-kubeconfig write-kubeconfig-group write-kubeconfig-mode
"""
_RENEWED_BEFORE = 90 * 24 * 3600.0
_REFUSED_LABEL = ("kubernetes.io", "k8s.io")
_ALLOWED_LABELS = ("kubelet.kubernetes.io", "node.kubernetes.io")
"""Prefixes of Kubernetes' own that a kubelet may set itself (NodeRestriction)."""


def _server(world: World, host: Host, _words: list[str]) -> str | None:
    return _start(world, host, server=True)


def _agent(world: World, host: Host, _words: list[str]) -> str | None:
    return _start(world, host, server=False)


def run(world: World, host: Host, words: list[str]) -> str | None:
    """``/usr/local/bin/k3s server`` or ``agent``."""
    kinds = {"server": _server, "agent": _agent}
    return (
        kinds[words[1]](world, host, words) if words[1:2] and words[1] in kinds else f"No help topic for '{words[-1]}'"
    )


PROGRAMS: dict[str, host_units.Program] = {"/usr/local/bin/k3s": run}


def _start(world: World, host: Host, *, server: bool) -> str | None:
    told = _read(world, host, server=server)
    if isinstance(told, str):
        return told
    trouble = _label_trouble(told) or (
        (_flag_trouble(host, told) or host_tokens.lacking(host, told)) if server else None
    )
    if trouble:
        return trouble
    data = str(told.get("data-dir", _DATA))
    host["data"] = data
    if server and (real(host, f"{data}/server/db") in host["files"] or not told.get("server")):
        return _stand_up(world, host, told)
    return _join(world, host, told, server=server)


def _read(world: World, host: Host, *, server: bool) -> dict[str, Any] | str:
    """What ``config.yaml`` says; a flag that k3s does not know is passed over, and told."""
    text = host["files"].get(CONFIG, {}).get("content", "")
    try:
        told = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        return f"fatal: {CONFIG}: {' '.join(str(error).split())}"
    if not isinstance(told, dict):
        return f"fatal: {CONFIG}: cannot unmarshal {type(told).__name__} into a map"
    known = f"{_BOTH} {_SERVERS if server else ''}".split()
    for name in told:
        if name not in known:
            host_units.tell(world, host, f"k3s: Unknown flag --{name} found in config.yaml, skipping")
    return {name: value for name, value in told.items() if name in known}


def _label_trouble(told: dict[str, Any]) -> str | None:
    for label in told.get("node-label") or ():
        prefix, slash, _ = str(label).partition("=")[0].partition("/")
        own = slash and any(prefix == each or prefix.endswith(f".{each}") for each in _REFUSED_LABEL)
        if own and not any(prefix == each or prefix.endswith(f".{each}") for each in _ALLOWED_LABELS):
            name = str(label).partition("=")[0]
            return f"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{name}]"
    return None


def _flag_trouble(host: Host, told: dict[str, Any]) -> str | None:
    """Files that the API server reads before it answers."""
    for argument in told.get("kube-apiserver-arg") or ():
        name, _, path = str(argument).partition("=")
        if name.endswith("-file") and real(host, path) not in host["files"]:
            return f"kube-apiserver exited: --{name}: open {path}: no such file or directory"
    return None


# Servers


def _stand_up(world: World, host: Host, told: dict[str, Any]) -> str | None:
    """A server that has its cluster's data goes on; one without, and without ``server``, makes a cluster."""
    name, data = str(world.hosts.bootstrap["name"]), host["data"]
    marker = real(host, f"{data}/server/db")
    mine = host["files"].get(marker, {}).get("content")
    cluster = world.kubernetes.clusters.get(name)
    if mine is None and cluster is not None:
        sentence = (
            f"it makes a cluster of its own (no server: in {CONFIG}), and {name} stands already: two answer as one"
        )
        host_units.tell(world, host, sentence)
        return None
    if mine is None:
        identity = _make(world, host, told, name)
        world.hosts.write(host, marker, identity, mode="0600")
        world.journal("start first server", kind="k3s", subject=host["name"], duration_of="k3s.server")
    _renew(world, host, name)
    _serve(world, host, told)
    return None


def _make(world: World, host: Host, told: dict[str, Any], name: str) -> str:
    """The cluster's authority, its join token, the administrator's kubeconfig; gives the cluster's identity."""
    authority, client = talos_secrets.certificate(), talos_secrets.certificate()
    key = world.issue_secret(talos_secrets.key("EC PRIVATE KEY"))
    token = world.issue_secret(f"K10{secrets.token_hex(32)}::server:{secrets.token_hex(16)}")
    text = kubeconfig_text("default", "https://127.0.0.1:6443", authority, client, key)
    for path, content in (
        (f"{host['data']}/server/node-token", f"{token}\n"),
        (f"{host['data']}/server/tls/client-admin.crt", base64.b64decode(client).decode()),
        (KUBECONFIG, text),
    ):
        world.hosts.write(host, real(host, path), content, mode="0600")
    address = f"https://{host['address']}:6443"
    world.kubernetes.stand_up(name, server=address, version=host["release"], credential=authority)
    world.kubernetes.records[name]["k3s"] = {"token": token, "kubeconfig": text, "etcd": bool(told.get("cluster-init"))}
    return hashlib.sha256(token.encode()).hexdigest()


def _renew(world: World, host: Host, name: str) -> None:
    """At a start the administrator's certificate, when it ends soon (k3s, "Certificate Management")."""
    record, path = world.kubernetes.records[name]["k3s"], real(host, f"{host['data']}/server/tls/client-admin.crt")
    kept = host["files"].get(path)  # the first server's: what the others have of their own nobody reads
    old = base64.b64encode(kept["content"].encode()).decode() if kept else ""
    if kept and talos_secrets.expires(old) < world.now(_RENEWED_BEFORE):
        new = talos_secrets.certificate()
        record["kubeconfig"] = record["kubeconfig"].replace(old, new)
        world.hosts.write(host, path, base64.b64decode(new).decode(), mode="0600")
        world.hosts.write(host, KUBECONFIG, record["kubeconfig"], mode="0600")


def _serve(world: World, host: Host, told: dict[str, Any]) -> None:
    """This host is a server of the cluster: its addresses, its add-ons, its Node."""
    name = str(world.hosts.bootstrap["name"])
    held = host_addons.addresses(host, host["data"])
    agents = host_tokens.for_agents(world, host, told)
    world.hosts.write(host, real(host, f"{host['data']}/server/agent-token"), f"{agents}\n", mode="0600")
    sans = [host["address"], "127.0.0.1", "localhost", *(str(each) for each in told.get("tls-san") or ())]
    host["member"] = True
    host["k3s"] = {"cluster": name, "vip": held, "sans": sans, "agents": agents}
    host_units.state_of(host, "k3s")["active"] = True  # its API answers from now on
    record = world.kubernetes.records[name]
    record["k3s"] |= {
        "vip": bool(held),
        "disable": list(told.get("disable") or ()),
        "apiserver": list(told.get("kube-apiserver-arg") or ()),
    }
    world.hosts.route(name)
    _register(world, host, told, server=True)
    host_addons.deploy(world.kubernetes.clusters[name], host, host["data"], record["k3s"]["disable"])


# Joining


def _join(world: World, host: Host, told: dict[str, Any], *, server: bool) -> str | None:
    url, path = str(told.get("server", "")), str(told.get("token-file", ""))
    if not url:
        return "fatal: --server is required"
    if not path and not told.get("token"):
        return "fatal: --token is required"
    kept = host["files"].get(real(host, path))
    if path and kept is None:
        return f"Waiting for {path} to be available: Timeout while trying to read the file"
    given = kept["content"].strip() if kept else str(told["token"])
    trouble = _reach(world, host, url) or host_tokens.refused(world, given, server=server)
    name = str(world.hosts.bootstrap["name"])
    if trouble is None and server and not world.kubernetes.records[name]["k3s"]["etcd"]:
        trouble = "the server that is there keeps its data in SQLite (no cluster-init): no second server can join it"
    trouble = trouble or next(_password_trouble(world, host, told), None)
    if trouble:
        return trouble
    if server:
        told_cluster = world.kubernetes.records[name]["k3s"]
        world.hosts.write(host, real(host, f"{host['data']}/server/db"), "joined", mode="0600")
        world.hosts.write(
            host, real(host, f"{host['data']}/server/node-token"), f"{told_cluster['token']}\n", mode="0600"
        )
        world.hosts.write(host, KUBECONFIG, told_cluster["kubeconfig"], mode="0600")
        _serve(world, host, told)
    else:
        _register(world, host, told, server=False)
    world.journal("join", kind="k3s", subject=host["name"], duration_of="k3s.join")
    return None


def _reach(world: World, host: Host, url: str) -> str | None:
    """Why ``url`` is no API of the cluster for this host."""
    address = urlsplit(url)
    where = f"{address.hostname}:{address.port or 443}"
    servers = [each for each in world.hosts.records.values() if each.get("k3s") and world.hosts.runs(each, "k3s")]
    answering = [each for each in servers if address.hostname in (each["address"], *each["k3s"]["vip"])]
    if not answering or address.port != 6443:
        return f'failed to get CA certs: Get "{url}/cacerts": dial tcp {where}: connect: no route to host'
    sans = sorted({san for each in answering for san in each["k3s"]["sans"]})
    if not any(address.hostname in each["k3s"]["sans"] for each in answering):
        listed = ", ".join(sans)
        return f"tls: failed to verify certificate: x509: certificate is valid for {listed}, not {address.hostname}"
    wrong = world.faults.clock(f"host/{host['name']}", world.clock.now)
    if wrong:
        return f"x509: certificate has expired or is not yet valid: the clock of {host['name']} is {wrong}"
    return None


def _password_trouble(world: World, host: Host, told: dict[str, Any]) -> Iterator[str]:
    """k3s lets a name come back with the password only that it came with first (k3s, "Node Registration")."""
    cluster = world.kubernetes.clusters[str(world.hosts.bootstrap["name"])]
    place = real(host, PASSWORD)
    if place not in host["files"]:
        world.hosts.write(host, place, world.issue_secret(secrets.token_hex(16)), mode="0600")
    node = _node_name(host, told)
    drawn = hashlib.sha256(host["files"][place]["content"].encode()).hexdigest()
    known = cluster.get("Secret", "kube-system", f"{node}.node-password.k3s")
    if known is not None and known["data"]["hash"] != drawn:
        yield (
            f"Node password rejected, duplicate hostname or contents of '{PASSWORD}' may not match server "
            "node-passwd entry, try enabling a unique node name with the --with-node-id flag"
        )
    elif known is None:
        metadata = {"name": f"{node}.node-password.k3s", "namespace": "kube-system"}
        cluster.place({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"hash": drawn}}, "k3s")


def _node_name(host: Host, told: dict[str, Any]) -> str:
    return str(told.get("node-name") or host.get("hostname") or "ubuntu")


def _register(world: World, host: Host, told: dict[str, Any], *, server: bool) -> None:
    """The kubelet makes its Node; one that is there keeps what others wrote on it."""
    labels = {"kubernetes.io/arch": "arm64", "node.kubernetes.io/instance-type": "k3s"}
    if server:
        labels["node-role.kubernetes.io/control-plane"] = "true"
        if world.kubernetes.records[str(world.hosts.bootstrap["name"])]["k3s"]["etcd"]:
            labels["node-role.kubernetes.io/etcd"] = "true"
    for label in told.get("node-label") or ():
        key, _, value = str(label).partition("=")
        labels[key] = value
    taints = [_taint(str(each)) for each in told.get("node-taint") or ()]
    name, node = str(world.hosts.bootstrap["name"]), _node_name(host, told)
    host["node"] = node
    host_units.state_of(host, "k3s" if server else "k3s-agent")["active"] = True  # its kubelet is heard from now on
    cluster = world.kubernetes.clusters[name]
    if cluster.get("Node", None, node) is None:
        world.kubernetes.add_node(name, node, address=host["address"], labels=labels, taints=taints)
    found = cluster.get("Node", None, node) or {"status": {}}
    found["status"]["nodeInfo"] = {"kubeletVersion": host["release"]}
    world.hosts.away(name)


def _taint(text: str) -> dict[str, str]:
    key, _, rest = text.partition("=")
    value, _, effect = rest.partition(":")
    return {"key": key, "value": value, "effect": effect}
