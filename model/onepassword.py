"""1Password Connect: where it runs, and the two Secrets without which nothing comes out of the vault.

Owns the names under which this program seeds both. Refuses their values, which are stack secrets, and what an app asks
of the vault: that is an ExternalSecret in its folder.
"""

from collections.abc import Collection

from model.tree import Tree, apps

CONNECT = "onepassword-connect"
"""The app folder that holds Connect, and the store that asks it."""
OPERATOR = "external-secrets"
"""The app folder of the operator that makes Secrets of what the store gives."""
NAMESPACE = "external-secrets"
"""Where both run, and where both Secrets are."""
CREDENTIALS_SECRET = "op-credentials"
"""The Secret with Connect's own credentials, `1password-credentials.json`."""
TOKEN_SECRET = "onepassword-token"
"""The Secret with the token that the store shows to Connect."""


def runs_connect(tree: Tree, cluster: str, categories: Collection[str]) -> bool:
    """Whether a cluster reconciles a folder with Connect, which is then seeded with its Secrets."""
    return any(app == CONNECT and category in categories for category, app in apps(tree, cluster))
