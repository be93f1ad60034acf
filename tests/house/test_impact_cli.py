"""`./lab impact` at the terminal: what is compared, exit codes that scripts can trust, and what a program reads."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import cli.impact
from cli.console import WIDTH
from cli.engine import EngineMissing
from stacks import deployed
from tests.foresight import changes
from tests.house.test_cli import lab
from tests.labs import raw


@pytest.fixture
def edited(tmp_path: Path):
    """Writes homelab after an edit to a file, and gives its path."""

    def write(**edits: Any) -> str:
        data = raw("homelab")
        for path, value in edits.items():
            *way, last = path.split("__")
            holder = data
            for part in way:
                holder = holder[part.replace("_", "-") if part not in holder else part]
            holder[last] = value
        file = tmp_path / "next.yaml"
        file.write_text(yaml.safe_dump({"config": {"iluvatar:environment": data}}), encoding="utf-8")
        return str(file)

    return write


def test_an_edit_that_goes_through_is_exit_code_0(edited: Any) -> None:
    result = lab("impact", "homelab", "--to", edited(versions__talos="v1.13.1"))
    assert result.exit_code == 0
    assert "upgrades valinor-1 from Talos v1.12.4 to v1.13.1" in result.stdout


def test_the_hand_over_of_boots_says_who_serves_when_and_what_is_done_outside(edited: Any, tmp_path: Path) -> None:
    before = tmp_path / "before.yaml"
    before.write_text(Path(edited(network__netboot__served_by="workstation")).read_text())
    said = " ".join(lab("impact", str(before), "--to", "homelab").stdout.split())
    for words in (
        "passes from the workstation, 192.168.1.66, to the bootstrap cluster, 192.168.1.59",
        "maia-1 and maia-2 run from a root there until they boot again",
        "end dnsmasq on the workstation; the router's option 66 to 192.168.1.59; `pulumi up`",
        "changed ea-files-dnsmasq",
    ):
        assert words in said


def test_no_edit_is_said_in_words() -> None:
    result = lab("impact", "homelab", "--to", "homelab")
    assert result.exit_code == 0
    assert "nothing changes" in result.stdout


def test_a_refused_edit_is_exit_code_1_with_code_place_and_way_out(edited: Any) -> None:
    result = lab("impact", "homelab", "--to", edited(cluster__nodes__istari_1__address="192.168.1.140"))
    assert result.exit_code == 1
    for words in ("change-node-address", "cluster.nodes.istari-1.address", "state: leaving"):
        assert words in result.stdout


def test_a_file_that_a_law_refuses_is_not_compared(edited: Any) -> None:
    result = lab("impact", "homelab", "--to", edited(cluster__vip="192.168.1.101"))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "address-duplicate" in result.stderr


@pytest.mark.parametrize("words", [("homelap",), ("homelab", "--to", "nowhere.yaml"), ("homelab", "--from", "file")])
def test_what_cannot_be_compared_is_exit_code_2_and_a_sentence(words: tuple[str, ...]) -> None:
    result = lab("impact", *words)
    assert result.exit_code == 2
    assert result.stderr
    assert result.stdout == ""


def test_nothing_rehearsed_yet_says_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.impact, "RACKS", tmp_path)
    result = lab("impact", "homelab", "--from", "rack")
    assert result.exit_code == 2
    assert "./lab rehearse homelab up" in result.stderr


def test_without_an_engine_what_was_deployed_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise EngineMissing("The Pulumi engine is missing: install it or Go.")

    monkeypatch.setattr(cli.impact, "find_engine", missing)
    result = lab("impact", "homelab")
    assert result.exit_code == 2
    assert "--to FILE" in result.stderr


def test_what_was_deployed_is_what_pulumi_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: Any) -> None:
    """A stand-in for the CLI answers `pulumi stack output --json` as it does."""
    plan = changes.side(raw("homelab")).plan
    assert plan
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({deployed.OUTPUT: deployed.describe(raw("homelab"), plan)}))
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(
        f'#!/bin/sh\ncase "$*" in "stack output --json --stack homelab"*) cat {answer} ;; *) exit 9 ;; esac\n'
    )
    pulumi.chmod(0o755)
    monkeypatch.setattr(cli.impact, "find_engine", lambda: pulumi)
    assert "nothing changes" in lab("impact", "homelab").stdout
    result = lab("impact", "homelab", "--from", "deployed", "--to", edited(network__resolvers=["9.9.9.9"]), "--json")
    assert result.exit_code == 0
    assert {node["reboot"]["verdict"] for node in json.loads(result.stdout)["nodes"]} == {"no"}
    answer.write_text("{}")
    assert lab("impact", "homelab").exit_code == 2
    pulumi.write_text("#!/bin/sh\necho 'error: no stack named homelab' >&2\nexit 255\n")
    result = lab("impact", "homelab")
    assert result.exit_code == 2
    assert "no stack named homelab" in result.stderr


def test_json_has_everything_and_is_whole(edited: Any) -> None:
    told = json.loads(lab("impact", "homelab", "--to", edited(versions__talos="v1.13.1"), "--json").stdout)
    assert set(told) == {"refused", "findings", "nodes", "steps", "effects", "remade"}
    assert set(told["nodes"][0]) == {"name", "role", "touch", "reboot", "etcd", "vip", "image", "fields"}
    assert set(told["nodes"][0]["fields"][0]) == {"document", "path", "before", "after", "waits"}
    assert [step["resource"] for step in told["steps"]][:2] == ["arda-snapshot", "arda-upgrade-valinor-1"]


def test_a_page_fits_the_width_it_is_laid_out_for(edited: Any) -> None:
    path = edited(versions__talos="v1.13.1", network__resolvers=["9.9.9.9"])
    said = lab("impact", "homelab", "--to", path).stdout
    assert [line for line in said.splitlines() if len(line.rstrip()) > WIDTH] == []
