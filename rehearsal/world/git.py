"""The Git server outside: whom it lets in, and the host key by which it is known.

Owns both, and the words of Argo CD's Git (go-git) and of OpenSSH and Git, the mirror's, when one of them fails. It
refuses to own what is in the repository, which is the World's folder, and the mirror (``git_mirror``).

A server over SSH lets in nobody without a key; one over HTTPS asks for a token where the stack file says so. Its host
key is the one that the stack file had when it was asked first: an edit of the file changes no server.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from rehearsal.world import kube_helm
from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Failed

if TYPE_CHECKING:
    from rehearsal.world import World
    from rehearsal.world.kube_cluster import Cluster

_ARGO, _LABEL = "argocd", "argocd.argoproj.io/secret-type"
_MIRROR = ("git-mirror", "git-mirror-key")
_KEY = "/etc/git-mirror/key/ssh-privatekey"
_SSH = re.compile(r"(?:ssh://)?(?P<login>[^/@\s]+)@(?P<host>[^:/\s]+)(?::(?P<port>\d+)(?=/))?[:/]\S+")


def asked_by_argo_cd(world: World, cluster: Cluster, url: str) -> None:
    """A cluster's Argo CD asks for ``url`` with the Secret that is about it; ``Refusal`` when it is not let in."""
    shown = next((one for one in map(_data, _repositories(cluster)) if one.get("url") == url), {})
    server = _server(url)
    if server is None:
        if _asks_for_a_token(world) and not _right_token(world, shown):
            raise Refusal("authentication required: Repository not found.")
        return
    release = kube_helm.stands(cluster, "argo-cd") or {}
    configs = (release.get("values") or {}).get("configs") or {}
    known = _keys_of(server, str((configs.get("ssh") or {}).get("extraHosts") or ""))
    if _host_key(world, server) not in known:
        raise Refusal(f"ssh: handshake failed: knownhosts: key {'mismatch' if known else 'is unknown'}")
    if not shown.get("sshPrivateKey"):
        raise Refusal('error creating SSH agent: "SSH agent requested but SSH_AUTH_SOCK not-specified"')
    if not _right_key(world, shown["sshPrivateKey"]):
        raise Refusal(
            "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported "
            "methods remain"
        )


def asked_by_the_mirror(world: World, cluster: Cluster, wanted: str) -> None:
    """The Git mirror on ``cluster`` asks upstream for a revision; ``Failed`` as its script ends when it is not let in
    and nothing was fetched before."""
    url = str((world.environment.get("gitops") or {}).get("repository"))
    words = _words(world, url, _data(cluster.get("Secret", *_MIRROR) or {}))
    if words and not world.section("git_mirror").get("fetched"):
        trouble = f"{url} did not answer as a repository: {words}"
        raise Failed(f"{trouble}\n{wanted or 'a first revision'} is not in the mirror", 1)


def _words(world: World, url: str, files: dict[str, str]) -> str | None:
    """What Git and OpenSSH say to who has these files; None when they are let in."""
    server = _server(url)
    if server is None:
        if not _asks_for_a_token(world) or _right_token(world, files):
            return None
        if not files.get("password"):
            return f"fatal: could not read Username for 'https://{urlsplit(url).hostname}': terminal prompts disabled"
        return f"fatal: Authentication failed for '{url}/'"
    last = "fatal: Could not read from remote repository."
    known = _keys_of(server, files.get("known_hosts", ""))
    if _host_key(world, server) not in known:
        told = f"Host key for {server} has changed" if known else f"No ED25519 host key is known for {server}"
        return f"{told} and you have requested strict checking.\nHost key verification failed.\n{last}"
    key = files.get("ssh-privatekey", "")
    if not _right_key(world, key) or not key.endswith("\n"):
        unread = f'Load key "{_KEY}": error in libcrypto\n' if key and not key.endswith("\n") else ""
        login = _SSH.fullmatch(url)
        return f"{unread}{login['login'] if login else 'git'}@{server}: Permission denied (publickey).\n{last}"
    return None


def _repositories(cluster: Cluster) -> list[dict[str, Any]]:
    """Secrets that Argo CD takes for repositories: by their label."""
    found = cluster.objects("Secret", _ARGO)
    return [one for one in found if (one["metadata"].get("labels") or {}).get(_LABEL) == "repository"]


def _data(secret: dict[str, Any]) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in (secret.get("data") or {}).items()}


def _server(url: str) -> str | None:
    """As known_hosts names it; None for an address that is not over SSH."""
    found = None if url.startswith(("https://", "http://")) else _SSH.fullmatch(url)
    if found is None:
        return None
    return found["host"] if found["port"] in (None, "22") else f"[{found['host']}]:{found['port']}"


def _keys_of(server: str, hosts: str) -> set[str]:
    """`type key` of every line of known_hosts that is about a server."""
    lines = (line.split() for line in hosts.splitlines())
    return {" ".join(words[1:3]) for words in lines if len(words) >= 3 and server in words[0].split(",")}


def _host_key(world: World, server: str) -> str | None:
    """The key that a server shows, for ever."""
    kept: dict[str, str] = world.section("git").setdefault("host_keys", {})
    lines = (world.environment.get("gitops") or {}).get("known_hosts") or ()
    first = sorted(_keys_of(server, "\n".join(map(str, lines))))
    if server not in kept and first:
        kept[server] = first[0]
    return kept.get(server)


def _asks_for_a_token(world: World) -> bool:
    return (world.environment.get("gitops") or {}).get("credentials") == "token"


def _right_token(world: World, shown: dict[str, str]) -> bool:
    mark = f"sha256:{hashlib.sha256(shown.get('password', '').encode()).hexdigest()}"
    return bool(shown.get("username")) and mark in world.git_readers


def _right_key(world: World, text: str) -> bool:
    try:
        public = load_ssh_private_key(text.encode(), None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):  # no key, or one with a passphrase
        return False
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() in world.git_readers
