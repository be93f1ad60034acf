"""What opens a private repository, for whoever reads it: Argo CD, and the Git mirror.

Owns the two Secrets' bodies. Refuses every value: it is a stack secret, and comes in as what stands for it.
"""

from typing import Any

from model.gitops import MIRROR_APP
from model.repository import MIRROR_SECRET, REPOSITORY_SECRET, Login

Manifest = dict[str, Any]


def whole(secret: str, kind: str) -> str:
    """A secret as its readers take it: OpenSSH reads no key without a newline at its end, which `pulumi config set`
    takes away; and a token with one is another token."""
    return f"{secret.strip()}\n" if kind == "deploy-key" else secret.strip()


def argo_cd(login: Login, namespace: str, secret: Any) -> Manifest:
    """What Argo CD shows to the repository (Argo CD, "Declarative Setup", repositories)."""
    shown = (
        {"sshPrivateKey": secret} if login.kind == "deploy-key" else {"username": login.username, "password": secret}
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": REPOSITORY_SECRET,
            "namespace": namespace,
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"type": "git", "url": login.url, **shown},
    }


def mirror(login: Login, secret: Any) -> Manifest:
    """What the Git mirror shows upstream, and whom it believes there: files that its `fetch.sh` looks for."""
    if login.kind == "deploy-key":
        files = {"ssh-privatekey": secret, "known_hosts": "".join(f"{line}\n" for line in login.known_hosts)}
    else:
        files = {"username": login.username, "password": secret}
    metadata = {"name": MIRROR_SECRET, "namespace": MIRROR_APP}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files}
