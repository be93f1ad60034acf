"""`./lab plan STACK --route HOST` at the terminal: what is shown, exit codes, and names that nobody knows."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.console import WIDTH
from tests.house.test_cli import lab
from tests.labs import raw


@pytest.fixture
def deaf(tmp_path: Path) -> str:
    """Homelab, where nobody answers the domain on the LAN, and every name leads to the public gateway."""
    data: dict[str, Any] = raw("homelab")
    del data["edge"]["dns"]["inside"]
    file = tmp_path / "deaf.yaml"
    file.write_text(yaml.safe_dump({"config": {"iluvatar:environment": data}}), encoding="utf-8")
    return str(file)


def _words(*typed: str) -> str:
    return " ".join(lab(*typed).stdout.split())


def test_a_name_that_is_answered_shows_both_ways_and_who_decides_each_step() -> None:
    result = lab("plan", "pitower", "--route", "grafana.example.com")
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    for words in (
        "grafana.example.com for the LAN alone",
        "From the internet",
        "On the LAN",
        "k8s-gateway: grafana.example.com →",
        "edge.dns.inside",
        "edge.gateways.envoy-internal",
        "tower/monitoring/grafana/route.yaml",
    ):
        assert words in said
    assert max(map(len, result.stdout.splitlines())) <= WIDTH


def test_the_second_way_does_not_repeat_the_first() -> None:
    said = _words("plan", "pitower", "--route", "Jellyfin.example.com.")
    assert said.count("HTTPRoute media/jellyfin (/)") == 1
    assert "from here on as from the internet" in said
    assert said.index("rule 2 of 3 of tunnel pitower") < said.index("nginx at 192.168.0.231")


def test_a_missing_link_is_shown_where_it_is_and_is_exit_code_1(deaf: str) -> None:
    result = lab("plan", deaf, "--route", "argocd.example.com")
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "✗ on the LAN argocd.example.com leads to envoy-external" in said
    assert "error gitops.clusters.arda route-astray" in said
    found = json.loads(lab("check", deaf, "--json").stdout)
    assert {one["path"] for one in found if one["code"] == "route-astray"} == {"gitops.clusters.arda"}


def test_a_name_that_nobody_knows_is_exit_code_2_with_what_may_be_meant() -> None:
    result = lab("plan", "pitower", "--route", "jelyfin.example.com")
    assert result.exit_code == 2
    assert "Did you mean jellyfin.example.com?" in result.stderr
    result = lab("plan", "homelab", "--route", "nowhere")
    assert result.exit_code == 2
    assert "argocd.example.com" in result.stderr


def test_a_program_gets_the_whole_chain() -> None:
    chain = json.loads(lab("plan", "pitower", "--route", "grafana.example.com", "--json").stdout)
    assert chain["audience"] == "lan"
    assert [way["start"] for way in chain["ways"]] == ["outside", "inside"]
    assert [link["step"] for link in chain["ways"][1]["links"]][:2] == ["name", "gateway"]


def test_two_answers_at_once_are_wrong_usage() -> None:
    assert lab("plan", "homelab", "--route", "example.com", "--ledger").exit_code == 2
