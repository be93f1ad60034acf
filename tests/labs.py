"""The shipped labs as tests use them.

Owns loading them once. Refuses to change them: an edit works on its own copy of the raw data.
"""

import copy
import functools
from pathlib import Path
from typing import Any

import yaml

from model.app_secrets import example
from model.environment import Environment
from model.plan import Plan, plan
from model.tree import Tree
from stacks import checkout

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = tuple(sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")))
"""Names of the environments that ship with the checkout."""


@functools.cache
def _raw(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]["iluvatar:environment"]


def raw(name: str) -> dict[str, Any]:
    """An environment's raw data, to be edited freely."""
    return copy.deepcopy(_raw(name))


@functools.cache
def tree(name: str) -> Tree:
    """An environment's GitOps folders."""
    return checkout.tree(name, ROOT / "gitops")


def app_secrets(value: str) -> str:
    """The stack secret `appSecrets`, with `value` for all that any shipped lab seeds."""
    labs = [Environment.model_validate(raw(name)).gitops for name in SHIPPED]
    return example(tuple(one for lab in labs if lab for one in lab.app_secrets), value)


def planned(edited: dict[str, Any]) -> Plan:
    """The plan of raw data that is known to be good."""
    return plan(Environment.model_validate(edited), tree(edited["name"]))


@functools.cache
def shipped_plan(name: str) -> Plan:
    """The plan of a shipped environment."""
    return planned(raw(name))
