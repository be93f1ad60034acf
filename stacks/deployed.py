"""What was deployed last, as the stack itself remembers it: the output `deployed` of the last `up` that ended well.

Owns its form, and reading it in front of everything else. Refuses to judge it: `foresight` compares. It holds no
secret; an `up` that was refused or cut off leaves it as it was.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import pulumi
from pydantic import ValidationError

from foresight.impact import Side
from model.environment import Environment
from model.plan import Plan, plan
from model.tree import Tree
from render.talos import machine_patch

OUTPUT = "deployed"
FORM = 1
"""Which form the output has; a program that does not know it says so and compares nothing."""
_READ = "pulumi:pulumi:readStackOutputs"


def describe(
    raw: Mapping[str, Any], decided: Plan, kubeconfigs: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """The output's value: `{form, environment, configurations: node → hash, schematics: node → id, kubeconfigs}`.

    `kubeconfigs`: as `stacks.renewal` reads them back.
    """
    cluster = decided.cluster
    return {
        "form": FORM,
        "environment": raw,
        "configurations": fingerprints(decided),
        "schematics": {node.name: node.image.schematic_id for node in cluster.members} if cluster else {},
        "kubeconfigs": dict(kubeconfigs or {}),
    }


def fingerprints(decided: Plan) -> dict[str, str]:
    """A hash of each member's patch, which holds no secret: another one from the same data is another program's."""
    cluster = decided.cluster
    patches = {node.name: machine_patch(cluster, node) for node in cluster.members} if cluster else {}
    return {name: hashlib.sha256(patch.encode()).hexdigest()[:16] for name, patch in patches.items()}


def last() -> Any:
    """The output of this very stack, as it was before this run; None when nothing was deployed yet.

    The engine's own function answers at once, so that a refusal comes before any resource is registered; a stack
    reference would answer too late (docs/adr/0007-what-was-deployed.md).
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    answer = pulumi.runtime.invoke(_READ, {"name": name}).value
    return whole((answer or {}).get("outputs", {}).get(OUTPUT))


def whole(value: Any) -> Any:
    """A value with its numbers as the file had them: the engine's wire knows no integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: whole(one) for key, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value


def understood(value: Any, tree: Tree) -> Side | None:
    """What was deployed, as the side of a comparison; None when it is in a form that this program does not read.

    `tree` is today's: what the folders pinned then is not remembered.
    """
    if not isinstance(value, dict) or value.get("form") != FORM:
        return None
    try:
        environment = Environment.model_validate(value.get("environment"))
    except ValidationError:  # an older shape
        return None
    return Side(environment, _planned(environment, tree), value.get("configurations") or {})


def _planned(environment: Environment, tree: Tree) -> Plan | None:
    try:
        return plan(environment, tree)
    except (LookupError, AttributeError):  # folders that are gone since
        return None
