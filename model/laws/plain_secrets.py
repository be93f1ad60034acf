"""Laws of secrets in the GitOps folders: none lies there in clear, and what is encrypted can be decrypted.

Owns telling a secret from what is none. Refuses to know any: the age key is a stack secret.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.environment import Environment
from model.flux import SOPS_SECRET, in_tree, roots
from model.laws.flux import flux
from model.laws.registry import Breach, law, tree_law
from model.tree import SHARED, Tree, documents

KEYS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}|\bxox[abps]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}\b"
)
"""Private keys and tokens that say what they are: PEM, age, GitHub, GitLab, Slack, AWS."""
ENCRYPTED = re.compile(r"ENC\[AES256_GCM,.*\]", re.DOTALL)
"""A value as SOPS leaves it."""


def _file(env: Environment, path: str) -> str:
    return f"gitops/{path.removeprefix('../')}" if path.startswith(SHARED) else f"gitops/{env.name}/{path}"


def _place(env: Environment, path: str) -> str:
    cluster = path.partition("/")[0]
    return f"gitops.clusters.{cluster}" if env.gitops and cluster in env.gitops.clusters else "gitops"


def encrypted(document: Mapping[str, Any]) -> bool:
    """Whether SOPS wrote an object: its own block stands in it."""
    return isinstance(document.get("sops"), dict)


def _in_clear(document: Mapping[str, Any]) -> list[str]:
    """Fields of a Secret that hold a value anybody can read."""
    if document.get("kind") != "Secret" or document.get("apiVersion", "v1") != "v1":
        return []
    found = []
    for part in ("data", "stringData"):
        fields = document.get(part)
        for name, value in fields.items() if isinstance(fields, dict) else ():
            if value not in (None, "") and not ENCRYPTED.fullmatch(str(value)):
                found.append(f"{part}.{name}")
    return found


@tree_law("gitops-secret-plain", unless=("gitops-yaml",))
def no_secret_is_plain(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No Secret, private key or token lies in the folders in clear. Git forgets nothing, and an artefact is pulled by
    whoever can."""
    ways = {"sops": "encrypt it with sops", "onepassword": "put it into the vault, and an ExternalSecret here"}
    how = ways.get(str(env.gitops.secrets) if env.gitops else "", "take it out of Git")
    for path, text in sorted(tree.items()):
        known = KEYS.search(text)
        if known:
            message = f"{_file(env, path)} holds a private key or token, in clear: {known[0][:27]}…"
            yield Breach(_place(env, path), message, f"{how}, and count the old one as known")
        for document in documents(text) if path.endswith((".yaml", ".yml")) else ():
            fields = _in_clear(document)
            if fields:
                metadata = document.get("metadata")
                name = f" {metadata['name']}" if isinstance(metadata, dict) and metadata.get("name") else ""
                message = f"{_file(env, path)}: the Secret{name} holds {', '.join(fields[:3])} in clear"
                yield Breach(_place(env, path), message[:200], f"{how}, and count the old value as known")


@tree_law("gitops-sops", unless=("gitops-yaml", "gitops-flux-path"))
def the_encrypted_is_decrypted(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Whoever applies an encrypted Secret can decrypt it: else kustomize-controller refuses the whole folder."""
    sops = env.gitops is not None and env.gitops.secrets == "sops"
    for path, text in sorted(tree.items()):
        if path.endswith((".yaml", ".yml")) and any(map(encrypted, documents(text))) and not sops:
            message = f"{_file(env, path)} is encrypted with SOPS, and nobody here can decrypt it"
            yield Breach(
                "gitops.secrets", message, "secrets: sops, with the age key as stack secret", _place(env, path)
            )
    for cluster, _, _ in flux(env) if sops else ():
        for name, (file, spec) in roots(tree, cluster).items():
            folder = in_tree(str(spec.get("path", "")))
            own = [text for path, text in tree.items() if path.startswith(f"{folder}/")]
            needs = any(encrypted(document) for text in own for document in documents(text))
            if needs and spec.get("decryption") != {"provider": "sops", "secretRef": {"name": SOPS_SECRET}}:
                message = f"{file}: {name} applies Secrets that SOPS encrypted, and does not decrypt with {SOPS_SECRET}"
                hint = f"decryption: {{provider: sops, secretRef: {{name: {SOPS_SECRET}}}}}"
                yield Breach("gitops.secrets", message, hint, f"gitops.clusters.{cluster}")


@law("gitops-flux-only")
def settings_of_flux(env: Environment) -> Iterator[Breach]:
    """What only Flux understands is said only to Flux: Argo CD decrypts nothing, and takes no OCI artefact."""
    gitops = env.gitops
    if gitops is None:
        return
    oci = gitops.engine == "flux" and gitops.repository.startswith("oci://")
    if gitops.secrets == "sops" and gitops.engine != "flux":
        hint = "secrets: onepassword, leave it out, or engine: flux"
        yield Breach("gitops.secrets", "Argo CD does not decrypt SOPS", hint, "gitops.engine")
    for field, given in (("verify", gitops.verify), ("registry_login", gitops.registry_login)):
        if given and not oci:
            message = f"{field} is for artefacts that Flux pulls out of a registry"
            yield Breach(f"gitops.{field}", message, "leave it out, or engine: flux with oci://", "gitops.repository")


@law("gitops-verify-key")
def verify_says_one_thing(env: Environment) -> Iterator[Breach]:
    """Signatures are checked against a public key, or against identities: one of the two."""
    verify = env.gitops.verify if env.gitops else None
    if verify is None:
        return
    if (verify.key is None) is (not verify.identities):
        yield Breach("gitops.verify", "it names a key and identities, or neither", "name one of key and identities")
    elif verify.key is not None and "PRIVATE" in verify.key:
        yield Breach(
            "gitops.verify.key", "that is the private half, in clear", "cosign.pub belongs here; make a new pair"
        )
    elif verify.key is not None and "-----BEGIN PUBLIC KEY-----" not in verify.key:
        yield Breach("gitops.verify.key", "that is no public key in PEM", "write what cosign.pub holds, as key: |")
