"""The commands by hand that need no machine, typed for real."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.render import write
from render.by_hand import steps
from render.files import files
from tests.labs import SHIPPED, shipped_plan

pytestmark = [pytest.mark.real, pytest.mark.slow]


def typed(folder: Path, talosctl: str, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands in the rendered folder as by-hand.sh does, with this talosctl first on the PATH."""
    path = f"{Path(talosctl).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    text = "\n".join(["set -eu", "(umask 077 && mkdir -p secret)", *commands])
    environment = {"PATH": path, "HOME": str(folder)}
    done = ["sh", "-c", text]
    return subprocess.run(done, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def commands(lab: str, title: str) -> list[str]:
    found = [step for step in steps(shipped_plan(lab)) if step.title.endswith(f": {title}")]
    assert len(found) == 1
    return list(found[0].commands)


@pytest.mark.parametrize("lab", SHIPPED)
def test_secrets_and_configurations_are_made_and_accepted(
    lab: str, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """The commands validate each configuration themselves; done again they keep the secrets."""
    talosctl, plan = require_tool("talosctl"), shipped_plan(lab)
    write(tmp_path, plan.name, files(plan))
    every = [*commands(lab, "secrets"), *commands(lab, "configurations")]
    first = typed(tmp_path, talosctl, *every)
    assert first.returncode == 0, first.stderr
    secrets = (tmp_path / "secret" / "secrets.yaml").read_bytes()
    again = typed(tmp_path, talosctl, *every)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "secret" / "secrets.yaml").read_bytes() == secrets
    assert plan.cluster
    context = yaml.safe_load((tmp_path / "secret" / "talosconfig").read_text())["contexts"][plan.cluster.name]
    assert context["endpoints"] == [node.address for node in plan.cluster.control_planes]
    assert context["nodes"] == [node.address for node in plan.cluster.members]
    made = {node.name for node in plan.cluster.members}
    assert {path.stem for path in (tmp_path / "secret").glob("*.yaml")} - {"secrets"} == made


def test_the_secrets_of_a_cluster_that_stands_come_out_of_a_control_plane_s_configuration(
    tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """The guide says so for the day when only the machines are left."""
    talosctl, plan = require_tool("talosctl"), shipped_plan("turing")
    write(tmp_path, plan.name, files(plan))
    assert plan.cluster
    running = f"secret/{plan.cluster.control_planes[0].name}.yaml"
    rescue = f"talosctl gen secrets --from-controlplane-config {running} --output-file secret/rescued.yaml"
    assert "--from-controlplane-config" in files(plan)["BY-HAND.md"]
    done = typed(tmp_path, talosctl, *commands("turing", "secrets"), *commands("turing", "configurations"), rescue)
    assert done.returncode == 0, done.stderr
    made, rescued = (
        yaml.safe_load((tmp_path / "secret" / f"{name}.yaml").read_text()) for name in ("secrets", "rescued")
    )
    assert rescued["certs"] == made["certs"]
    assert rescued["cluster"] == made["cluster"]


@pytest.mark.parametrize("lab", SHIPPED)
def test_shellcheck_has_nothing_to_say_of_any_script(
    lab: str, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    plan = shipped_plan(lab)
    write(tmp_path, plan.name, files(plan))
    scripts = [str(path) for path in sorted(tmp_path.rglob("*.sh"))]
    # Told on purpose: the reason on standard error alone is kept; a list may have one entry
    known = "--exclude=SC2069,SC2043"
    checked = [require_tool("shellcheck"), known, "--shell=sh", "--severity=warning", *scripts]
    result = subprocess.run(checked, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout
