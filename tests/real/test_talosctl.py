"""The programs that the graph's commands call: they know every word of it, and take credentials by a pipe."""

import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from components.bindings.certificates import ends
from model.talos import ClusterPlan
from render import gates, talosctl, upgrades
from render.leaving import leave
from tests.labs import SHIPPED, planned, raw, shipped_plan

pytestmark = pytest.mark.real
SUBCOMMAND = re.compile(
    r"\bt (?:-[en] \S+ )*(?P<words>[a-z][a-z0-9-]*(?: (?:members|snapshot|leave|remove-member))?)(?P<rest>[^|;)\n]*)"
)
KUBECTL = re.compile(
    r"\bk (?:-n \S+ )?(?P<words>rollout status|get|wait|drain|uncordon|annotate|delete)(?P<rest>(?:[^|;)\n\\]|\\\n)*)"
)
NOBODY = "127.0.0.1:1"
"""An address where no one listens."""


def cluster(lab: str) -> ClusterPlan:
    found = shipped_plan(lab).cluster
    assert found
    return found


def texts(lab: str) -> Iterator[str]:
    """Every text that a lab's graph runs on the machine of its owner."""
    plan = cluster(lab)
    yield talosctl.tools(plan)
    yield from (gates.talos_api_gate(plan), gates.etcd_gate(plan), gates.api_gate(plan), gates.nodes_gate(plan))
    yield gates.cni_gate(plan, "kube-system")
    for standing in (False, True):
        yield upgrades.snapshot(plan, standing=standing)
        yield upgrades.upgrade_kubernetes(plan, standing=standing)
        yield from (upgrades.upgrade(plan, node, standing=standing) for node in plan.nodes)
        yield from (gates.back(plan, node, standing=standing) for node in plan.control_planes)
    yield from leaves(lab)


@functools.cache
def leaves(lab: str) -> tuple[str, ...]:
    """Every text by which some node of the lab is taken out."""
    found = []
    for state in ("leaving", "lost"):
        for name in raw(lab)["cluster"]["nodes"]:
            environment = raw(lab)
            environment["cluster"]["nodes"][name]["state"] = state
            plan = planned(environment).cluster
            assert plan
            found.append(leave(plan, plan.going[0]))
    return tuple(found)


def asked(pattern: re.Pattern[str]) -> dict[str, set[str]]:
    """Subcommand → the long options it is called with, over all labs."""
    found: dict[str, set[str]] = {}
    for text in {text for lab in SHIPPED for text in texts(lab)}:
        for match in pattern.finditer(text):
            found.setdefault(match["words"], set()).update(re.findall(r"--[a-z0-9-]+", match["rest"]))
    return found


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_talosctl_knows_every_subcommand_and_option_that_is_used(require_tool: Callable[[str], str]) -> None:
    tool = require_tool("talosctl")
    used = asked(SUBCOMMAND)
    assert {"version", "get", "etcd members", "etcd snapshot", "service", "kubeconfig", "upgrade"} <= set(used)
    assert {"upgrade-k8s", "etcd leave", "etcd remove-member", "reset"} <= set(used)
    for words, options in used.items():
        said = run(tool, *words.split(), "--help").stdout
        assert f"talosctl {words} " in said or f"talosctl {words}\n" in said, words
        assert {option for option in options if f"{option} " not in said} == set(), words
        assert re.search(r"-e, --endpoints", said)
        assert re.search(r"-n, --nodes", said)


def test_talosctl_takes_its_configuration_from_a_pipe(require_tool: Callable[[str], str], tmp_path: Path) -> None:
    """Once, for a pipe is read once: an upgrade waits for the node's return with the same client."""
    tool = require_tool("talosctl")
    out = ("--output-types", "talosconfig", "--output", str(tmp_path / "talosconfig"))
    assert run(tool, "gen", "config", "main", "https://127.0.0.1:6443", *out).returncode == 0
    config = (tmp_path / "talosconfig").read_text()
    piped = (tool, "--talosconfig", "/dev/stdin")
    assert "Current context:     main" in run(*piped, "config", "info", stdin=config).stdout
    at = ("-e", NOBODY, "-n", "127.0.0.1")
    for words in (
        ["version"],
        ["kubeconfig", "-"],
        ["etcd", "members"],
        ["get", "machinestatus", "-o", "jsonpath={.spec.stage}"],
        ["upgrade", "--image", "x", "--timeout", "2s"],
    ):
        done = run(*piped, *at, *words, stdin=config)
        assert done.returncode != 0
        assert "connection refused" in done.stderr, f"it read its credentials and dialled: {done.stderr}"
    certificate = yaml.safe_load(config)["contexts"]["main"]["crt"]
    assert f"({ends(certificate)})" in run(*piped, "config", "info", stdin=config).stdout


def kubectls() -> list[str]:
    """Every plain kubectl there is; Google Cloud's wrapper reads the kubeconfig itself."""
    found = shutil.which("kubectl")
    home = Path(found).resolve().parent if found else Path("/nowhere")
    return [str(each) for each in sorted(home.glob("kubectl.*")) or ([Path(found)] if found else [])]


def test_kubectl_takes_its_configuration_from_a_pipe_and_knows_every_option() -> None:
    tools = kubectls()
    if not tools:
        pytest.skip("kubectl is not installed here")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": f"https://{NOBODY}"}}],
        "users": [{"name": "a", "user": {"token": "x"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    for tool in tools[-2:]:
        for words, options in asked(KUBECTL).items():
            said = run(tool, *words.split(), "--help").stdout + run(tool, "options").stdout
            assert {option for option in options if f"{option}=" not in said} == set(), words
        done = run(tool, "--kubeconfig", "/dev/stdin", "get", "--raw", "/readyz", stdin=yaml.safe_dump(config))
        assert NOBODY in done.stderr, f"it read the kubeconfig and dialled: {done.stderr}"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_text_is_a_sound_shell_script(lab: str, require_tool: Callable[[str], str], tmp_path: Path) -> None:
    """SC2069: standard error is what is kept, on purpose; SC2043: a list of control planes may hold one."""
    tool = require_tool("shellcheck")
    for number, text in enumerate(sorted(set(texts(lab)))):
        (tmp_path / f"{number}.sh").write_text(text)
    scripts = [str(path) for path in sorted(tmp_path.glob("*.sh"))]
    done = run(tool, "--shell", "sh", "--severity", "warning", "--exclude", "SC2043,SC2069", *scripts)
    assert done.returncode == 0, done.stdout
