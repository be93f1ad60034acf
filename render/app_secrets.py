"""The Secrets that apps ask for and only the owner knows.

Owns their bodies. Refuses every value, which comes in as what stands for it, and the namespaces' (`render.manifests`).
"""

from typing import Any

from model.app_secrets import AppSecret


def secret(one: AppSecret, values: Any) -> dict[str, Any]:
    """One Secret; `values`: key → text, or what stands for all of them until they are known."""
    metadata = {"name": one.name, "namespace": one.namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
