"""The door: the stack's configuration comes in as data and goes on as a plan, or stops here with every finding.

Owns reporting findings to the engine. Refuses to register anything while there is an error.
"""

import pulumi

from model.environment import Environment
from model.findings import Finding, text
from model.laws import examine
from model.laws.names import of_its_stack
from model.plan import Plan, plan
from stacks import checkout, secrets


def enter(config: pulumi.Config) -> tuple[Environment, Plan]:
    """The environment of this stack and its plan.

    Errors: `pulumi.RunError` with all findings of grade error, before any resource exists.
    """
    raw = config.get_object("environment")
    if raw is None:
        raise pulumi.RunError(_no_environment())
    name = raw.get("name") if isinstance(raw, dict) else None
    tree = checkout.tree(name) if isinstance(name, str) and "/" not in name else {}
    examined = examine(raw, tree)
    findings = list(examined.findings)
    if examined.environment:
        findings += of_its_stack(examined.environment, pulumi.get_stack())
        findings += _missing_secrets(examined.environment, config)
    errors = [finding for finding in findings if finding.grade == "error"]
    for finding in findings:
        if finding.grade != "error":
            say = pulumi.log.warn if finding.grade == "warning" else pulumi.log.info
            say(text(finding))
    if errors or examined.environment is None:
        listed = "\n".join(text(finding) for finding in errors)
        raise pulumi.RunError(f"{len(errors)} findings stop this stack; nothing was touched.\n{listed}")
    return examined.environment, plan(examined.environment, tree)


def _missing_secrets(environment: Environment, config: pulumi.Config) -> list[Finding]:
    present = {key.key for key in secrets.needed(environment) if config.get_secret(key.key) is not None}
    found = secrets.missing(environment, present)
    if pulumi.runtime.is_dry_run():
        return found
    return [Finding(one.code, "error", one.path, one.message, one.hint) for one in found]


def _no_environment() -> str:
    stack = pulumi.get_stack()
    return (
        f"Pulumi.{stack}.yaml has no iluvatar:environment: this stack describes no lab.\n"
        "  mend it: select a stack that has one (`pulumi stack select homelab`), or copy Pulumi.homelab.yaml to "
        f"Pulumi.{stack}.yaml and make it yours"
    )
