"""What 1Password Connect and its store start with: a namespace, and the two Secrets.

Owns their bodies. Refuses every value, and what runs there: that is Git's.
"""

from typing import Any

from model.onepassword import CREDENTIALS_SECRET, NAMESPACE, TOKEN_SECRET
from render import manifests

Manifest = dict[str, Any]

KEYS = {CREDENTIALS_SECRET: "1password-credentials.json", TOKEN_SECRET: "token"}
"""The key in each Secret. Connect reads its credentials from a file, as they were downloaded; the base64 that its chart
and many a guide ask for is for `OP_SESSION` as a value (1Password Connect, "Server configuration")."""


def namespace() -> Manifest:
    """Where both run: neither asks for anything that the strictest level refuses."""
    return manifests.namespace(NAMESPACE, "restricted")


def secret(name: str, value: object) -> Manifest:
    """One of the two, with its value, or what stands for it until it is known."""
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {KEYS[name]: value}}
