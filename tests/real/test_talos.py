"""Talos itself judges every node of every shipped lab."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from model.catalogue import OVERLAYS
from model.talos import ClusterNodePlan, ClusterPlan
from model.talos_keys import CLUSTER, DOCUMENTS, MACHINE
from render.talos import machine_patch
from tests.labs import ROOT, SHIPPED, planned, shipped_plan
from tests.layered import layered

VALIDATORS = ROOT / "tools" / "validators"

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


def accepted(talosctl: str, folder: Path, plan: ClusterPlan) -> None:
    """Fails with Talos' own words for a node's configuration that it refuses."""
    assert run(talosctl, "gen", "secrets", "--output-file", str(folder / "secrets.yaml")).returncode == 0
    for node in plan.nodes:
        made = configuration(talosctl, folder, plan, node)
        result = run(talosctl, "validate", "--mode", "metal", "--strict", "--config", str(made))
        assert result.returncode == 0, f"{node.name}: {result.stdout}{result.stderr}"


def lab_plan(lab: str) -> ClusterPlan:
    plan = planned(layered()).cluster if lab == "layered" else shipped_plan(lab).cluster
    assert plan
    return plan


@pytest.fixture(scope="session")
def machinery(require_tool: Callable[[str], str]) -> Path:
    """Talos' own module of types and facts, which talosctl is built of."""
    module = "github.com/siderolabs/talos/pkg/machinery"
    go = [require_tool("go"), "list", "-mod=mod", "-m", "-f", "{{.Dir}}", module]
    environment = os.environ | {"GOPROXY": "off", "GOFLAGS": ""}
    where = subprocess.run(go, cwd=VALIDATORS, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if where.returncode or not where.stdout.strip():
        message = f"Talos' module {module} is not in the module cache: {where.stderr.strip()}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return Path(where.stdout.strip())


@pytest.fixture(scope="session")
def schema(machinery: Path) -> dict[str, Any]:
    """Talos' own schema, every definition closed."""
    return json.loads((machinery / "config" / "schemas" / "config.schema.json").read_text())


@pytest.mark.parametrize("lab", [*SHIPPED, "layered"])
def test_talos_accepts_every_node(
    lab: str, tmp_path: Path, require_tool: Callable[[str], str], schema: dict[str, Any]
) -> None:
    """By its validator, and by its schema, which knows every key there is."""
    plan = lab_plan(lab)
    accepted(require_tool("talosctl"), tmp_path, plan)
    for node in plan.nodes:
        for document in yaml.safe_load_all(machine_patch(plan, node)):
            kind = document.get("kind")
            if kind is None:  # a patch of a document has no version of its own, and may take a label away
                document |= {"version": "v1alpha1"}
                labels = document["machine"].get("nodeLabels", {})
                document["machine"]["nodeLabels"] = {key: one for key, one in labels.items() if isinstance(one, str)}
            mistakes = list(_of_kind(schema, kind).iter_errors(document))
            assert not mistakes, f"{node.name} {kind}: {mistakes[0].json_path} {mistakes[0].message}"


def _of_kind(schema: dict[str, Any], kind: str | None) -> jsonschema.Draft202012Validator:
    """The schema of one kind of document; the main one has none."""
    names = ["v1alpha1.Config"]
    if kind:
        kinds = {name: one.get("properties", {}).get("kind", {}) for name, one in schema["$defs"].items()}
        names = [name for name, one in kinds.items() if one.get("enum") == [kind]]
    assert len(names) == 1, f"Talos' schema knows no {kind}"
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{names[0]}", "$defs": schema["$defs"]})


def test_the_facts_of_talos_are_talos(schema: dict[str, Any]) -> None:
    """`model.talos_keys` against the schema: keys, kinds, and which documents have a name."""
    definitions = schema["$defs"]
    assert set(definitions["v1alpha1.MachineConfig"]["properties"]) == MACHINE
    assert set(definitions["v1alpha1.ClusterConfig"]["properties"]) == CLUSTER
    kinds = {}
    for definition in definitions.values():
        properties = definition.get("properties", {})
        for kind in properties.get("kind", {}).get("enum", ()):
            kinds[kind] = "name" in properties
    assert {kind: fact.named for kind, fact in DOCUMENTS.items()} == kinds


def test_the_known_overlays_are_talos(machinery: Path) -> None:
    """Every board that Talos' own module names has its overlay here, from the same image."""
    text = (machinery / "platforms" / "sbcs.go").read_text()
    boards = re.findall(r'OverlayName:\s+"([^"]+)",\s+OverlayImage:\s+"([^"]+)"', text)
    assert len(boards) > 10
    assert {name: image for name, image in boards if OVERLAYS.get(name, ("", ""))[0] != image} == {}


def test_talos_accepts_encrypted_volumes(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    edited = layered()
    edited["cluster"]["disk_encryption"] = True
    plan = planned(edited).cluster
    assert plan
    accepted(require_tool("talosctl"), tmp_path, plan)


def test_talos_refuses_what_the_patch_avoids(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """The test above would pass on a validator that accepts everything."""
    talosctl = require_tool("talosctl")
    plan = shipped_plan("homelab").cluster
    assert plan
    assert run(talosctl, "gen", "secrets", "--output-file", str(tmp_path / "secrets.yaml")).returncode == 0
    made = configuration(talosctl, tmp_path, plan, plan.nodes[0])
    made.write_text(made.read_text().replace("link: eno1", "link: ''"))
    assert run(talosctl, "validate", "--mode", "metal", "--config", str(made)).returncode != 0
