"""The two join tokens of k3s: what a server takes from agents, and who is refused with which.

Owns the comparison (k3s, "k3s token" and `pkg/agent/run.go`, `pkg/cluster/bootstrap.go`: agents show the user `node`,
servers the user `server`, whatever their token says). It refuses to own the first token, which is made with its cluster
(``host_k3s``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.world.host_units import Host, real

if TYPE_CHECKING:
    from rehearsal.world import World


def lacking(host: Host, told: dict[str, Any]) -> str | None:
    """Why a server does not start: the file of the agents' token that it is told of is not there, or is another one
    than its cluster was made with (rancher/rke2#5785; k3s says it at its second start, the World at the first)."""
    files, path = host["files"], str(told.get("agent-token-file", ""))
    if path and real(host, path) not in files:
        return f"Waiting for {path} to be available: Timeout while trying to read the file"
    data = f"{told.get('data-dir', '/var/lib/rancher/k3s')}/server"
    kept = files.get(real(host, f"{data}/agent-token")) if real(host, f"{data}/db") in files else None
    if path and kept and _password(kept["content"].strip()) != files[real(host, path)]["content"].strip():
        return (
            f"{data}/cred/passwd newer than datastore and could cause a cluster outage. Remove the file(s) from disk "
            "and restart to be recreated from datastore."
        )
    return None


def for_agents(world: World, host: Host, told: dict[str, Any]) -> str:
    """What this server takes from agents: a token of their own, else the servers' (k3s, "k3s token", Agent)."""
    token = str(world.kubernetes.records[str(world.hosts.bootstrap["name"])]["k3s"]["token"])
    kept = host["files"].get(real(host, str(told.get("agent-token-file", ""))))
    own = kept["content"].strip() if kept else str(told.get("agent-token", ""))
    return world.issue_secret(f"{token.partition('::')[0]}::node:{own}") if own else token


def refused(world: World, given: str, *, server: bool) -> str | None:
    """Servers show the servers' password, agents their own, whatever user a token names: k3s puts its own there."""
    token = str(world.kubernetes.records[str(world.hosts.bootstrap["name"])]["k3s"]["token"])
    asked = [each["k3s"]["agents"] for each in world.hosts.records.values() if each.get("k3s")]
    wanted = {_password(each) for each in ([token] if server else asked)}  # an agent is asked by any server, in turn
    if given.startswith("K10") and given.partition("::")[0] != token.partition("::")[0]:
        return "failed to validate token: token CA hash does not match the Cluster CA certificate hash"
    if wanted == {_password(given)}:
        return None
    where = "6443/v1-k3s/server-bootstrap" if server else "6444/v1-k3s/config"
    return f"failed to validate token: https://127.0.0.1:{where}: 401 Unauthorized"


def _password(token: str) -> str:
    return token.rpartition(":")[2]
