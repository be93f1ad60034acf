"""The Git mirror that runs on the bootstrap cluster, as who fetches from it finds it.

Owns when it answers, what it has fetched, and whose certificate it shows. It refuses to own Git: a repository is the
World's folder, and a revision its name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

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
    gitops = world.environment.get("gitops") or {}
    wanted, has = (words[1:] or [""])[0], str(gitops.get("revision", "main"))
    if wanted not in ("", has):
        raise Failed(f"{gitops.get('repository')} has no branch, tag or commit {wanted}; it has: {has}", 2)
    world.section("git_mirror")["fetched"] = has
    return Result(f"{hashlib.sha1(has.encode(), usedforsecurity=False).hexdigest()}\n")


def refuses(world: World, cluster: Any, url: str) -> str | None:
    """Why ``cluster`` gets nothing from ``url``, in Git's words; ``None`` when it does."""
    address, bootstrap = urlsplit(url), str((world.environment.get("bootstrap") or {}).get("name"))
    ainur = world.kubernetes.clusters.get(bootstrap)
    hosts = [
        rule.get("host")
        for each in (ainur.objects("Ingress", APP) if ainur else ())
        for rule in each["spec"].get("rules") or ()
    ]
    if address.scheme != "https" or address.hostname not in hosts:
        return f"failed to list refs: repository not found: {url}"
    roots = {host["files"][ROOT]["content"].strip() for host in world.hosts.records.values() if ROOT in host["files"]}
    trusted = ((cluster.get("ConfigMap", *_TRUST) or {}).get("data") or {}).get(address.hostname, "").strip()
    if trusted not in roots:
        return (
            f'Get "{url}/info/refs": tls: failed to verify certificate: x509: certificate signed by unknown authority'
        )
    if not world.section("git_mirror").get("fetched"):
        return f'Get "{url}/info/refs": 503 Service Unavailable'
    return None
