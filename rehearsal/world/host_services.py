"""Programs of a simulated host that ask or move its services and its cluster.

Owns systemctl, cloud-init and k3s as far as a bootstrap needs them. It refuses options it was not taught.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.world import git_mirror, host_scripts, host_units, kube_pods
from rehearsal.world.host_tools import Call, Failed, Result, Tool
from rehearsal.world.hosts import KUBECONFIG


def _cloud_init(call: Call) -> Result:
    words = call.argv[1:]
    if words[:1] == ["status"] and set(words[1:]) <= {"--wait", "--long"}:
        told = call.host.get("cloud_init_told") or []
        detail = "".join(f"  - {sentence}\n" for sentence in told)
        degraded = (
            f"extended_status: degraded done\nrecoverable_errors:\n{detail}" if told and "--long" in words else ""
        )
        return Result(f"status: {call.host['cloud_init']}\n{degraded}", code=2 if told else 0)
    if words == ["--version"]:
        return Result("/usr/bin/cloud-init 25.1.4\n")
    raise Failed(f"cloud-init: the rack's cloud-init does not know '{' '.join(words)}'", 2)


def _systemctl(call: Call) -> Result:
    options, words = call.options("q", long={"quiet": "q", "now": "n", "no-block": "b", "wait": "w", "system": "y"})
    if not words:
        raise Failed("systemctl: the rack's systemctl lists no units", 2)
    verb, units = words[0], [unit.removesuffix(".service") for unit in words[1:]]
    if verb in ("daemon-reload", "is-system-running"):
        return Result("running\n" if verb == "is-system-running" else "")
    if verb in ("is-active", "is-enabled"):
        return _asked(call, verb, units, quiet="q" in options)
    if verb == "reset-failed":
        for unit in units:
            host_units.state_of(call.host, unit)["failed"] = None
        return Result()
    if verb not in ("start", "stop", "restart", "reload-or-restart", "enable", "disable"):
        raise Failed(f"systemctl: the rack's systemctl does not know '{verb}'", 2)
    if call.user != "root":
        raise Failed(f"Failed to {verb} {units[0] if units else ''}.service: Interactive authentication required.")
    for unit in units:
        _known_unit(call, verb, unit)
    for unit in units:
        _moved(call, verb, unit, now="n" in options)
    return Result()


def _known_unit(call: Call, verb: str, unit: str) -> None:
    """Every unit is enabled before any is started."""
    if host_units.load(call.host, unit) is None:
        raise Failed(f"Failed to {verb} {unit}.service: Unit {unit}.service not found.", 5)
    if verb in ("enable", "disable"):
        host_units.state_of(call.host, unit)["enabled"] = verb == "enable"


def _asked(call: Call, verb: str, units: list[str], *, quiet: bool) -> Result:
    field, yes, no = ("active", "active", "inactive") if verb == "is-active" else ("enabled", "enabled", "disabled")
    states = [call.host["services"].get(unit) for unit in units]
    said = [yes if state and state[field] else no for state in states]
    good = any(word == yes for word in said) if verb == "is-active" else all(word == yes for word in said)
    return Result(
        "" if quiet else "".join(f"{word}\n" for word in said), code=0 if good else 3 if verb == "is-active" else 1
    )


def _moved(call: Call, verb: str, unit: str, *, now: bool) -> None:
    hosts = call.world.hosts
    host_units.state_of(call.host, unit)
    if verb in ("stop", "restart", "reload-or-restart") or (verb == "disable" and now):
        hosts.stop(call.host, unit)
    if verb in ("start", "restart", "reload-or-restart") or (verb == "enable" and now):
        failure = hosts.start(call.host, unit)
        if failure:
            text = f"Job for {unit}.service failed because the control process exited with error code.\n"
            raise Failed(f'{text}See "journalctl -xeu {unit}.service": {failure}')


def _k3s(call: Call) -> Result:
    words = call.argv[1:]
    # /usr/local/bin/k3s is a link: a shell finds no program behind a folder that its user may not enter
    if "release" not in call.host or not call.may_reach(_k3s_binary(call)):
        raise Failed("k3s: command not found", 127)
    if words[:1] == ["--version"]:
        return Result(f"k3s version {call.host['release']}\n")
    if words[:3] == ["etcd-snapshot", "save", "--name"] and len(words) == 4:
        _cluster(call)
        call.host.setdefault("snapshots", []).append(words[3])
        return Result(f"Snapshot {words[3]} saved.\n")
    if words[:1] == ["kubectl"]:
        return _kubectl(Call(call.world, call.host, call.user, words, call.stdin))
    raise Failed(f"k3s: the rack's k3s does not know '{' '.join(words)}'", 2)


def _k3s_binary(call: Call) -> str:
    return host_units.real(call.host, f"{host_scripts.HERE}/k3s/{call.host['release']}/k3s")


def _cluster(call: Call) -> Any:
    """The cluster of this host, through the kubeconfig on it."""
    config = call.host["files"].get(KUBECONFIG)
    name = str(call.world.environment["bootstrap"]["name"])
    runs = call.world.hosts.runs(call.host, "k3s") and not call.world.hosts.silence(name)
    if config is None or not runs:
        raise Failed(
            "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"
        )
    return call.world.kubernetes.clusters[name]


def _kubectl(call: Call) -> Result:
    if call.argv[1:5] == ["-n", git_mirror.APP, "exec", f"deploy/{git_mirror.APP}"] and call.argv[5:6] == ["--"]:
        return git_mirror.execute(call.world, _cluster(call), call.argv[6:])
    long = {"for": "f", "timeout": "t", "namespace": "n", "output": "o", "all": "a", "raw": "r", "selector": "l"}
    options, words = call.options("", "ftnorl", long)
    cluster = _cluster(call)
    nodes = {node["metadata"]["name"]: node for node in cluster.objects("Node")}
    condition = options.get("f", "").lower()
    runs = options.get("f", "").partition("jsonpath={.status.nodeInfo.kubeletVersion}=")[2]
    if words[:1] == ["wait"] and runs:
        wanted = [word.removeprefix("node/") for word in words[1:]]
        return _waited(nodes, wanted, lambda node: node["status"]["nodeInfo"]["kubeletVersion"] == runs)
    if words[:1] == ["wait"] and condition in ("condition=ready", "condition=etcdisvoter"):
        wanted = [word.removeprefix("node/") for word in words[1:] if word != "node"]
        if "a" in options or "l" in options:
            wanted = sorted(name for name, node in nodes.items() if _labelled(node, options.get("l", "")))
        return _waited(nodes, wanted, _is_ready if condition == "condition=ready" else _votes)
    if words[:2] == ["rollout", "status"] and words[2:]:
        return _rolled_out(cluster, options.get("n", "default"), words[2])
    if words == ["get"] and options.get("r") == "/readyz":
        return Result("ok")
    if words[:2] in (["get", "nodes"], ["get", "node"]):
        wanted = words[2:] or sorted(nodes)
        _known(nodes, wanted)
        if options.get("o") == "name":
            return Result("".join(f"node/{name}\n" for name in wanted))
        return Result("".join(f"{name} {'Ready' if _is_ready(nodes[name]) else 'NotReady'}\n" for name in wanted))
    raise Failed(f"kubectl: the rack's kubectl does not know '{' '.join(words)}'", 2)


def _rolled_out(cluster: Any, namespace: str, what: str) -> Result:
    """``kubectl rollout status daemonset/NAME``: it stands, and its pods run."""
    kind, _, name = what.partition("/")
    found = cluster.get("DaemonSet", namespace, name) if kind == "daemonset" else None
    if found is None:
        raise Failed(f'Error from server (NotFound): daemonsets.apps "{name}" not found')
    if kube_pods.not_running(cluster, found):
        raise Failed("error: timed out waiting for the condition")
    return Result(f'daemon set "{name}" successfully rolled out\n')


def _waited(nodes: dict[str, Any], wanted: list[str], met: Callable[[dict[str, Any]], bool]) -> Result:
    _known(nodes, wanted)
    for name in wanted:
        if not met(nodes[name]):
            raise Failed(f"error: timed out waiting for the condition on nodes/{name}")
    return Result("".join(f"node/{name} condition met\n" for name in wanted))


def _known(nodes: dict[str, Any], wanted: list[str]) -> None:
    for name in wanted:
        if name not in nodes:
            raise Failed(f'Error from server (NotFound): nodes "{name}" not found')


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _labelled(node: dict[str, Any], label: str) -> bool:
    return not label or label in node["metadata"].get("labels", {})


def _votes(node: dict[str, Any]) -> bool:
    """k3s' ``EtcdIsVoter``: of servers, as soon as they are Ready (a learner's minutes are not modelled)."""
    return _is_ready(node) and "node-role.kubernetes.io/control-plane" in node["metadata"].get("labels", {})


TOOLS: dict[str, Tool] = {
    "cloud-init": _cloud_init,
    "systemctl": _systemctl,
    "k3s": _k3s,
    "kubectl": _kubectl,
}
