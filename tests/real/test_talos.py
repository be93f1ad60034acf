"""Talos itself judges every node of every shipped lab."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model.talos import ClusterNodePlan, ClusterPlan
from render.talos import machine_patch
from tests.labs import SHIPPED, planned, raw, shipped_plan

pytestmark = [pytest.mark.real, pytest.mark.slow]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def configuration(talosctl: str, folder: Path, plan: ClusterPlan, node: ClusterNodePlan) -> Path:
    """The node's whole configuration, made by Talos from the patch that the program renders."""
    patch, made = folder / f"{node.name}.patch.yaml", folder / f"{node.name}.yaml"
    patch.write_text(machine_patch(plan, node))
    kind = "controlplane" if node.role == "control-plane" else "worker"
    secrets = ["--with-secrets", str(folder / "secrets.yaml")]
    versions = ["--talos-version", plan.contract, "--kubernetes-version", plan.kubernetes]
    # As the provider does: the patch reaches this kind of machine alone, and may delete what only that kind has
    patched = [f"--config-patch-{'control-plane' if kind == 'controlplane' else 'worker'}", f"@{patch}"]
    chosen = ["--output-types", kind, *patched, "--output", str(made), "--force"]
    result = run(talosctl, "gen", "config", plan.name, plan.endpoint, *secrets, *versions, *chosen)
    assert result.returncode == 0, result.stderr
    return made


@pytest.mark.parametrize("lab", SHIPPED)
def test_talos_accepts_every_node(lab: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    talosctl = require_tool("talosctl")
    plan = shipped_plan(lab).cluster
    assert plan
    assert run(talosctl, "gen", "secrets", "--output-file", str(tmp_path / "secrets.yaml")).returncode == 0
    for node in plan.nodes:
        made = configuration(talosctl, tmp_path, plan, node)
        result = run(talosctl, "validate", "--mode", "metal", "--strict", "--config", str(made))
        assert result.returncode == 0, f"{node.name}: {result.stdout}{result.stderr}"


def test_talos_accepts_encrypted_volumes(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    talosctl = require_tool("talosctl")
    edited = raw("homelab")
    edited["cluster"]["disk_encryption"] = True
    plan = planned(edited).cluster
    assert plan
    assert run(talosctl, "gen", "secrets", "--output-file", str(tmp_path / "secrets.yaml")).returncode == 0
    for node in (plan.control_planes[0], plan.workers[0]):
        made = configuration(talosctl, tmp_path, plan, node)
        result = run(talosctl, "validate", "--mode", "metal", "--strict", "--config", str(made))
        assert result.returncode == 0, f"{node.name}: {result.stdout}{result.stderr}"


def test_talos_refuses_what_the_patch_avoids(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """The test above would pass on a validator that accepts everything."""
    talosctl = require_tool("talosctl")
    plan = shipped_plan("homelab").cluster
    assert plan
    assert run(talosctl, "gen", "secrets", "--output-file", str(tmp_path / "secrets.yaml")).returncode == 0
    made = configuration(talosctl, tmp_path, plan, plan.nodes[0])
    made.write_text(made.read_text().replace("link: eno1", "link: ''"))
    assert run(talosctl, "validate", "--mode", "metal", "--config", str(made)).returncode != 0
