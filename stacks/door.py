"""The door: the stack's configuration comes in as data and goes on as a plan, or stops here with every finding.

Owns reporting findings to the engine. Refuses to register anything while there is an error.
"""

import os
from dataclasses import replace

import pulumi

from foresight.impact import Side
from model.environment import Environment
from model.findings import Finding, text
from model.plan import Plan, plan
from stacks import change, deployed, programs, secrets
from stacks.judgement import Judged, judge


def enter(config: pulumi.Config) -> tuple[Environment, Plan]:
    """The environment of this stack and its plan.

    Errors: `pulumi.RunError` with all findings of grade error, before any resource exists.
    """
    raw = config.get_object("environment")
    if raw is None:
        raise pulumi.RunError(_no_environment())
    present = {key.key for key in secrets.ALL if config.get_secret(key.key) is not None}
    judged = judge(raw, pulumi.get_stack(), present)
    _stop_at([_grave(finding) for finding in judged.findings], stopped=judged.environment is None)
    assert judged.environment, "without one the run has stopped"
    if pulumi.runtime.is_dry_run():
        _stop_at(programs.missing(judged.environment))
    decided = plan(judged.environment, judged.tree)
    _look_back(Side(judged.environment, decided), judged)
    return judged.environment, decided


def _look_back(after: Side, judged: Judged) -> None:
    """Hold the edit since the last `up` against what stands; in a preview, print the upgrade that it makes."""
    accepted = change.codes(os.environ.get(change.ACCEPT, ""))
    found = change.since(deployed.last(), after, judged.tree, accepted)
    if found is None:
        return
    _stop_at(list(found.findings))
    if pulumi.runtime.is_dry_run():
        listed = "\n".join(change.upgrade_plan(found))
        if listed:
            pulumi.log.info(listed)


def _stop_at(findings: list[Finding], *, stopped: bool = False) -> None:
    """Say every finding; errors are said together, and end the run."""
    for finding in findings:
        if finding.grade != "error":
            say = pulumi.log.warn if finding.grade == "warning" else pulumi.log.info
            say(text(finding))
    errors = [finding for finding in findings if finding.grade == "error"]
    if errors or stopped:
        listed = "\n".join(text(finding) for finding in errors)
        raise pulumi.RunError(f"{len(errors)} findings stop this stack; nothing was touched.\n{listed}")


def _grave(finding: Finding) -> Finding:
    """A missing secret is a note in a preview, and stops an `up`."""
    if finding.code != "secret-missing" or pulumi.runtime.is_dry_run():
        return finding
    return replace(finding, grade="error")


def _no_environment() -> str:
    stack = pulumi.get_stack()
    return (
        f"Pulumi.{stack}.yaml has no iluvatar:environment: this stack describes no lab.\n"
        "  mend it: select a stack that has one (`pulumi stack select homelab`), or copy Pulumi.homelab.yaml to "
        f"Pulumi.{stack}.yaml and make it yours"
    )
