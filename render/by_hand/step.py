"""A step by hand: its commands, the files they read, and the resources of the graph that they stand for.

Owns the form, and the few commands that several realms use. Refuses a secret in a command or a file: what is secret is
made by the commands, below `secret/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from model.tree import Chart


@dataclass(frozen=True)
class Step:
    """Commands that belong together. Each may be done again."""

    title: str
    why: str
    """What it is for, and what to look at, as a sentence or two."""
    commands: tuple[str, ...]
    """Lines of POSIX shell, run in the folder that holds the files."""
    does: tuple[str, ...] = ()
    """Names of the graph's resources that they stand for, in their order."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path → text of every file that the commands read, besides those of earlier steps."""


def dump(value: Any) -> str:
    """A value as YAML."""
    return yaml.safe_dump(value, sort_keys=False, width=4096, allow_unicode=True)


def applied(kubeconfig: str, cluster: str, bodies: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Commands and files that put objects onto a cluster; `bodies` are by the graph's names, in their order."""
    made = {f"{cluster}/objects/{name}.yaml": dump(body) for name, body in bodies.items()}
    return tuple(f"kubectl --kubeconfig {kubeconfig} apply --server-side -f {path}" for path in made), made


def installed(kubeconfig: str, cluster: str, chart: Chart, *, awaited: bool = True) -> tuple[str, dict[str, str]]:
    """The command that installs a chart as its folder pins it, and its values."""
    path = f"{cluster}/charts/{chart.release}.values.yaml"
    source = f"{chart.repository}/{chart.name}" if chart.oci else f"{chart.name} --repo {chart.repository}"
    waits = " --wait --timeout 15m" if awaited else ""
    command = (
        f"helm upgrade --install {chart.release} {source} --version {chart.version} --kubeconfig {kubeconfig} "
        f"--namespace {chart.namespace} --create-namespace --values {path}{waits}"
    )
    return command, {path: dump(dict(chart.values))}
