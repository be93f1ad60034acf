"""Laws of what an upgrade and a take-over need: where files lie on the machine that runs `pulumi`.

Owns the form of their paths. Refuses which versions go together, which is `model.laws.versions`'.
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.registry import Breach, law


@law("upgrade-snapshots-relative")
def snapshots_lie_outside(env: Environment) -> Iterator[Breach]:
    """Etcd's snapshots lie at an absolute path or in the home: a relative one is in the checkout, and so in Git."""
    if env.cluster and not env.cluster.upgrades.snapshots.startswith(("/", "~/")):
        given = env.cluster.upgrades.snapshots
        message = f"{given} would be made in the checkout, and a snapshot holds the cluster's secrets"
        yield Breach("cluster.upgrades.snapshots", message, f"for example ~/{given}")


@law("upgrade-adopt-relative")
def the_bundle_is_found(env: Environment) -> Iterator[Breach]:
    """The secrets bundle of a cluster that stood before is named by an absolute path: nobody expands another."""
    if env.cluster and env.cluster.adopt_secrets and not env.cluster.adopt_secrets.startswith("/"):
        message = f"{env.cluster.adopt_secrets} is not an absolute path: the provider reads it from where it runs"
        yield Breach("cluster.adopt_secrets", message, "write it from the root, /home/you/secrets.yaml, outside Git")
