"""homelab out of a private repository: the environment and a copy of the folders, edited as
docs/gitops/private-repository.md says.

Owns the edit. Refuses to judge what comes of it.
"""

import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.labs import ROOT, raw

HOST_KEY = "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAFKjYcjzKbns+eqhGonFycdOJboj32sCX9lJeifV+eD"
SSH, HTTPS = "git@git.example.com:owner/iluvatar.git", "https://git.example.com/owner/iluvatar.git"


def environment(kind: str = "deploy-key", source: str = "mirror") -> dict[str, Any]:
    """homelab's, with a private repository; Arda reads `source`."""
    found = raw("homelab")
    gitops = found["gitops"]
    gitops["credentials"] = kind
    if kind == "deploy-key":
        gitops |= {"repository": SSH, "known_hosts": [HOST_KEY]}
    else:
        gitops["username"] = "reader"
    gitops["clusters"]["arda"]["source"] = source
    return found


def lab_folders(to: Path, lab: str) -> Path:
    """A copy of a lab's folders, and of what labs share; its `gitops/`."""
    for each in (lab, "shared"):
        shutil.copytree(ROOT / "gitops" / each, to / "gitops" / each, dirs_exist_ok=True)
    return to / "gitops"


def folders(to: Path, kind: str = "deploy-key", source: str = "mirror") -> Path:
    """`gitops/` as it is then; its path."""
    gitops = lab_folders(to, "homelab")
    if kind == "deploy-key":
        upstream = gitops / "homelab/ainur/source/git-mirror/kustomization.yaml"
        upstream.write_text(upstream.read_text().replace(HTTPS, SSH))
    for cluster in ("ainur", "arda"):
        file = gitops / f"homelab/{cluster}/gitops/argo-cd/values.yaml"
        values = yaml.safe_load(file.read_text())
        if kind == "deploy-key":
            values["configs"]["ssh"] = {"extraHosts": f"{HOST_KEY}\n"}
        if cluster == "arda":
            values["configs"]["tls"] = {"create": source == "upstream"}
        file.write_text(yaml.safe_dump(values))
    return gitops
