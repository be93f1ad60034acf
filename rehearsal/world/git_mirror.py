"""The Git mirror that runs on the bootstrap cluster, as who fetches from it finds it.

Owns when it answers, what it has fetched, and whose certificate it shows. It refuses to own Git: a repository is the
World's folder, and a revision its name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from rehearsal.world import git, kube_names
from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Failed, Result

if TYPE_CHECKING:
    from rehearsal.world import World

APP = "git-mirror"
SCRIPT = "/usr/local/lib/git-mirror/fetch.sh"
ROOT = "/var/lib/ilmarin/pki/root.crt"
_TRUST = ("argocd", "argocd-tls-certs-cm")


def execute(world: World, cluster: Any, words: list[str]) -> Result:
    """``kubectl -n git-mirror exec deploy/git-mirror -- WORDS``: its script, with its own exit codes and words."""
    if cluster.get("Deployment", APP, APP) is None:
        raise Failed(f'Error from server (NotFound): deployments.apps "{APP}" not found')
    if words[:1] != [SCRIPT] or len(words) > 2:
        raise Failed(f"exec: the rack's Git mirror knows {SCRIPT} REVISION only", 126)
    git.asked_by_the_mirror(world, cluster, (words[1:] or [""])[0])
    gitops = world.environment.get("gitops") or {}
    wanted, has = (words[1:] or [""])[0], str(gitops.get("revision", "main"))
    upstream = str(gitops.get("repository"))
    away = world.faults.outage(f"download/{urlsplit(upstream).hostname}", world.clock.now)
    if away and not world.section("git_mirror").get("fetched"):
        raise Failed(f"fatal: unable to access '{upstream}/': {away}", 1)
    if wanted not in ("", has):
        raise Failed(f"{upstream} has no branch, tag or commit {wanted}; it has: {has}", 2)
    world.section("git_mirror")["fetched"] = has
    return Result(f"{hashlib.sha1(has.encode(), usedforsecurity=False).hexdigest()}\n")


def fetched_by(world: World, cluster: Any, url: str) -> None:
    """``cluster``'s Argo CD reads ``url``; ``Refusal`` with the reason when it gets nothing, in Git's words."""
    address, hosts = urlsplit(url), _hosts(world)
    unknown = kube_names.unresolved(world, cluster, str(address.hostname), "argo-cd")
    if unknown:
        raise Refusal(f'Get "{url}/info/refs?service=git-upload-pack": {unknown}')
    if address.scheme != "https" or address.hostname not in hosts:
        raise Refusal(f"failed to list refs: repository not found: {url}")
    trusted = ((cluster.get("ConfigMap", *_TRUST) or {}).get("data") or {}).get(address.hostname, "").strip()
    if trusted not in _roots(world):
        raise Refusal(
            f'Get "{url}/info/refs": tls: failed to verify certificate: x509: certificate signed by unknown authority'
        )
    if not world.section("git_mirror").get("fetched"):
        raise Refusal(f'Get "{url}/info/refs": 503 Service Unavailable')


def asked_by_curl(world: World, address: SplitResult, resolved: str, trusted: str) -> None:
    """curl, sent by ``--resolve`` and trusting ``trusted``, asks for ``address``; ``Failed`` with its words and
    number when it gets nothing."""
    host, port, ip = resolved.split(":")
    if (host, port) != (address.hostname, "443"):
        raise Failed(f"curl: (6) Could not resolve host: {address.hostname}", 6)
    if ip != str((world.environment.get("bootstrap") or {}).get("ingress")):
        raise Failed(f"curl: (7) Failed to connect to {host} port 443 after 3000 ms: No route to host", 7)
    if trusted.strip() not in _roots(world):
        raise Failed("curl: (60) SSL certificate problem: unable to get local issuer certificate", 60)
    if host not in _hosts(world):
        raise Failed("curl: (22) The requested URL returned error: 404", 22)
    if not world.section("git_mirror").get("fetched"):
        raise Failed("curl: (22) The requested URL returned error: 503", 22)


def _hosts(world: World) -> set[str]:
    """Names that its Ingress answers to."""
    ainur = world.kubernetes.clusters.get(str((world.environment.get("bootstrap") or {}).get("name")))
    found = ainur.objects("Ingress", APP) if ainur else ()
    return {str(rule.get("host")) for each in found for rule in each["spec"].get("rules") or ()}


def _roots(world: World) -> set[str]:
    return {host["files"][ROOT]["content"].strip() for host in world.hosts.records.values() if ROOT in host["files"]}
