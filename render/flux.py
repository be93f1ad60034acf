"""What Flux needs before it starts: an artefact to fetch, and the Secrets that it reads it with.

Owns their texts and bodies. Refuses the artefact itself (`render.artefact`) and every secret's value.
"""

from typing import Any

from model.flux import LOGIN_SECRET, SOPS_SECRET, VERIFY_SECRET
from model.gitops import GitopsClusterPlan

Manifest = dict[str, Any]

KEYS = {SOPS_SECRET: "age.agekey", LOGIN_SECRET: ".dockerconfigjson", VERIFY_SECRET: "cosign.pub"}
"""The key under which Flux looks in each Secret (kustomize-controller, "Decryption"; source-controller, "Secret
reference" and "Verification")."""


def first_artefact(environment: str, plan: GitopsClusterPlan) -> str:
    """The command, in the checkout, after which something is at the tag that Flux fetches. What is there already stays,
    so it may run again at any time; it runs again when the address or the tag changes."""
    return f"sh ./lab artefact {environment} --if-absent # {plan.repository}:{plan.revision}"


def secret(name: str, namespace: str, value: object) -> Manifest:
    """One of the Secrets, with its value, or what stands for it until it is known."""
    kind = {"type": "kubernetes.io/dockerconfigjson"} if name == LOGIN_SECRET else {}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **kind, "stringData": {KEYS[name]: value}}
