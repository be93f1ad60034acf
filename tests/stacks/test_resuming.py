"""What the owner is told to type after a cut: exact, safe to paste, and free of secrets."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from cli.resuming import page
from stacks.resuming import (
    ANSWERS,
    BOOTSTRAP,
    CLEAR,
    RECORD,
    REFRESH,
    RELEASE,
    TUNNEL,
    Resource,
    advice,
    all_advice,
)
from tests.labs import ROOT

PROVIDER = "urn:pulumi:homelab::iluvatar::pulumi:providers:x::x-provider::0f0f"
PARENT = "urn:pulumi:homelab::iluvatar::iluvatar:x:X::x"


def cut(kind: str, logical_name: str, /, **inputs: str) -> Resource:
    """A create that was cut off, as the engine's state keeps it."""
    urn = f"urn:pulumi:homelab::iluvatar::iluvatar:x:X${kind}::{logical_name}"
    return {"urn": urn, "type": kind, "inputs": inputs, "parent": PARENT, "provider": PROVIDER}


def words(line: str) -> list[str]:
    return shlex.split(line)


def test_an_import_takes_the_program_s_own_parent_and_provider_and_leaves_protection_alone():
    told = advice(cut(BOOTSTRAP, "arda-bootstrap", node="10.0.0.1"), "rpc error: code = AlreadyExists desc = etcd")
    assert told
    assert words(told.commands[0]) == [
        *("pulumi", "import", BOOTSTRAP, "arda-bootstrap", "machine_bootstrap"),
        *("--parent", f"x={PARENT}", "--provider", f"x-provider={PROVIDER.removesuffix('::0f0f')}"),
        *("--protect=false", "--generate-code=false", "--yes"),
    ]


def test_a_urn_s_dollar_sign_reaches_the_program_through_a_shell():
    resource = cut(RELEASE, "cilium-release", name="cilium", namespace="kube-system")
    told = advice(resource, "another operation (install/upgrade/rollback) is in progress")
    assert told
    shell = ["sh", "-c", told.commands[0].replace("pulumi", "printf '%s\\n'", 1)]
    assert resource["urn"] in subprocess.run(shell, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("kind", "inputs", "error"),
    [
        (RECORD, {"zoneId": "z1", "name": "*.example.com", "type": "CNAME", "content": "x"}, '"code":81053'),
        (RECORD, {"zoneId": "z1", "name": "a.example.com", "type": "A", "content": "10.0.0.1"}, '"code":81058'),
        (TUNNEL, {"accountId": "a1", "name": "homelab"}, '"code":1013'),
    ],
)
def test_what_cloudflare_has_is_found_by_name_with_the_token_on_no_command_line(
    kind: str, inputs: dict[str, str], error: str
):
    told = advice(cut(kind, "edge-thing", **inputs), error)
    assert told
    find, give = told.commands
    assert "config get cloudflareApiToken |" in find
    assert "--header @-" in find
    assert find.count("$(") == 1, "the token must not be substituted into a command line"
    assert f'"{inputs.get("zoneId", "a1")}/$ID"' in give


def test_a_name_with_an_asterisk_is_asked_for_encoded():
    told = advice(cut(RECORD, "r", zoneId="z", name="*.example.com", type="CNAME", content="x"), "81058")
    assert told
    assert "name=%2A.example.com" in told.commands[0]


@pytest.mark.parametrize("kind", [BOOTSTRAP, RELEASE, RECORD, TUNNEL, "kubernetes:core/v1:Namespace"])
def test_another_error_is_no_consequence_of_the_cut(kind: str):
    assert advice(cut(kind, "thing", name="n", namespace="s", type="A", zoneId="z"), "connection refused") is None


def test_the_manual_for_real_machines_says_the_same():
    manual = (ROOT / "docs" / "real-machines.md").read_text()
    for answer in ANSWERS:
        assert f"| {answer.sign} | {answer.why} |" in manual
    mylab = "urn:pulumi:mylab::iluvatar::"
    resource = {
        "urn": f"{mylab}iluvatar:arda:Cluster${BOOTSTRAP}::arda-bootstrap",
        "type": BOOTSTRAP,
        "parent": f"{mylab}iluvatar:arda:Cluster::arda",
        "provider": f"{mylab}pulumi:providers:talos::default::0f",
    }
    assert f"    {all_advice(resource)[0].commands[0]}\n" in manual
    assert f"    {CLEAR}\n" in manual


def test_an_exported_state_gives_the_commands_of_its_own_cut_operations():
    pending = [
        {"type": "creating", "resource": cut(TUNNEL, "edge-tunnel-x", accountId="a1", name="homelab")},
        {"type": "deleting", "resource": cut(RECORD, "edge-record-x", zoneId="z")},
    ]
    said = page({"pending_operations": pending})
    assert "edge-tunnel-x: error 1013" in said
    assert f"edge-record-x: error 81044\n    {ANSWERS[-1].why}\n    {REFRESH}\n" in said
    assert CLEAR in said
    assert "by itself" in page({"resources": []})


def test_only_a_create_is_warned_of_for_ever():
    pending = [{"type": "updating", "resource": cut("kubernetes:core/v1:ConfigMap", "dnsmasq")}]
    said = page({"pending_operations": pending})
    assert "goes on by itself" in said
    assert CLEAR not in said


def test_half_an_upgrade_is_forgotten_with_the_provider_s_own_kubeconfig(tmp_path: Path):
    """The first line really runs here: `pulumi` prints a state, what it leaves is the kubeconfig alone, private."""
    resource = cut(RELEASE, "cilium-release", name="cilium", namespace="kube-system")
    told = advice(resource, "another operation (install/upgrade/rollback) is in progress", "changing")
    assert told
    write, forget, tidy = told.commands
    provider = PROVIDER.removesuffix("::0f0f")
    inputs = {"kubeconfig": {"plaintext": json.dumps("apiVersion: v1\n")}}
    state = {"deployment": {"resources": [{"urn": PARENT}, {"urn": provider, "inputs": inputs}]}}
    (tmp_path / "pulumi").write_text(f"#!/bin/sh\ncat <<'E'\n{json.dumps(state)}\nE\n")
    (tmp_path / "pulumi").chmod(0o700)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-ec", write], check=True, cwd=tmp_path, env={"PATH": path})
    left = tmp_path / "mending.kubeconfig"
    assert left.read_text().strip() == "apiVersion: v1"
    assert left.stat().st_mode & 0o077 == 0
    assert words(forget) == [
        *("kubectl", "--kubeconfig", "mending.kubeconfig", "--namespace", "kube-system", "delete", "secret"),
        *("--selector", "owner=helm,name=cilium,status=pending-upgrade"),
    ]
    assert tidy == "rm mending.kubeconfig"


def test_what_is_gone_is_seen_by_a_refresh():
    """A destroy was killed while it deleted a record and the tunnel at once, and the next met both gone."""
    record = advice(cut(RECORD, "r", zoneId="z"), '{"code":81044,"message":"Record does not exist."}', "changing")
    tunnel = advice(cut(TUNNEL, "t", accountId="a"), '{"code":1003,"message":"Tunnel not found"}', "changing")
    assert record
    assert tunnel
    assert record.commands == (REFRESH,)
    assert tunnel.commands == (f"pulumi state delete '{cut(TUNNEL, 't')['urn']}' --yes",), "a refresh still finds it"
