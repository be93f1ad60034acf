"""What `foresight` takes a machine's whole configuration to be is what Talos' own generator makes of it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from foresight.machine_configuration import Secret, documents, identity
from tests.labs import SHIPPED, shipped_plan
from tests.real.test_talos import configuration, run

pytestmark = [pytest.mark.real, pytest.mark.slow]


def written(value: Any) -> Any:
    """A value as Talos writes it: durations in full; its `off` is no text to YAML 1.1."""
    if isinstance(value, str) and re.fullmatch(r"\d+m", value):
        return f"{value}0s"
    return False if value == "off" else value


def differing(ours: Any, real: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where the two differ; what Talos writes though it is empty is as good as not there."""
    if isinstance(ours, dict) and isinstance(real, dict):
        for key in {*ours, *real}:
            yield from differing(ours.get(key), real.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(ours, Secret):
        assert isinstance(real, str), f"{path} is no secret: {real}"
        assert len(real) > 10, f"{path} is no secret: {real}"
    elif (ours or None) != (real or None) and written(ours) != real:
        yield path, ours, real


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_field_is_where_talos_puts_it(lab: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    talosctl = require_tool("talosctl")
    plan = shipped_plan(lab).cluster
    assert plan
    assert run(talosctl, "gen", "secrets", "--output-file", str(tmp_path / "secrets.yaml")).returncode == 0
    for node in plan.nodes:
        made = yaml.safe_load_all(configuration(talosctl, tmp_path, plan, node).read_text())
        real = {identity(document): document for document in made}
        ours = {identity(document): document for document in documents(plan, node)}
        assert list(differing(ours, real)) == [], node.name
