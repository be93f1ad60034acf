"""Secrets that applications ask for and only the owner knows: a token of a service, a password of a backup.

Owns which there are, on which cluster, and the one stack secret that holds their values. Refuses to keep a value: it is
read here, in whatever process has it, and named in no message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import yaml
from pydantic import Field

from model.fields import Name, Shape

APPS = "appSecrets"
"""The stack secret that holds them all."""
Level = Literal["restricted", "baseline", "privileged"]
Key = Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key of a Secret (Kubernetes, "Secrets", constraints on names and data)."""


class SeededNamespace(Shape):
    """A namespace that is there, with its Secrets, before the engine. No folder writes it."""

    pod_security: Level = "restricted"
    """What its pods may ask for; whatever the apps in it need."""
    secrets: dict[Name, tuple[Key, ...]] = Field(min_length=1)
    """By name, the keys of each. Their values are in the stack secret `appSecrets`."""


@dataclass(frozen=True)
class AppSecret:
    """One Secret to be seeded."""

    namespace: str
    name: str
    keys: tuple[str, ...]

    @property
    def called(self) -> str:
        """What it is called in the stack secret."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class SeedPlan:
    """A namespace and its Secrets, sorted."""

    namespace: str
    level: Level
    secrets: tuple[AppSecret, ...]


def plan_seeds(seeds: Mapping[str, SeededNamespace]) -> tuple[SeedPlan, ...]:
    """What is seeded on one cluster, sorted by namespace."""
    return tuple(
        SeedPlan(
            namespace,
            seed.pod_security,
            tuple(AppSecret(namespace, name, keys) for name, keys in sorted(seed.secrets.items())),
        )
        for namespace, seed in sorted(seeds.items())
    )


def values(text: str, secret: AppSecret) -> dict[str, str]:
    """One Secret's values out of the stack secret: YAML, `<namespace>/<name>:` and below it `<key>: <value>`.

    Errors: ValueError with what is missing there, and never a value.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError(
            "appSecrets is not YAML: give it the file again, pulumi config set --secret appSecrets < app-secrets.yaml"
        ) from None
    held = document.get(secret.called) if isinstance(document, dict) else None
    found = held if isinstance(held, dict) else {}
    wrong = [key for key in secret.keys if not isinstance(found.get(key), str) or not found[key]]
    if wrong:
        raise ValueError(
            f"appSecrets holds no text for {', '.join(wrong)} of {secret.called}: add it to app-secrets.yaml, below "
            f"`{secret.called}:`, in quotes, then pulumi config set --secret appSecrets < app-secrets.yaml"
        )
    return {key: found[key] for key in secret.keys}


def example(secrets: tuple[AppSecret, ...], made: str) -> str:
    """The stack secret with `made` for every value."""
    return yaml.safe_dump({one.called: dict.fromkeys(one.keys, made) for one in secrets})
