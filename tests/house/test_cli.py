"""What a person types: exit codes that scripts can trust, sentences instead of tracebacks, one place for each word."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cli.rehearse
from cli.__main__ import app
from cli.console import WIDTH
from cli.engine import EngineMissing
from cli.stack_files import NoSuchStack, find, stacks
from cli.words import count, seconds, span
from model.schema import text as schema_text
from rehearsal.report import Span
from tests.house.sources import ROOT

HOMELAB = (ROOT / "Pulumi.homelab.yaml").read_text(encoding="utf-8")
CLASH = HOMELAB.replace("address: 192.168.1.102", "address: 192.168.1.101")


def lab(*words: str) -> Result:
    """`./lab` with these words."""
    result = CliRunner().invoke(app, list(words), prog_name="./lab")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def clash(tmp_path: Path) -> Path:
    """homelab with two nodes at one address, in a file outside the checkout."""
    file = tmp_path / "Pulumi.homelab.yaml"
    file.write_text(CLASH, encoding="utf-8")
    return file


@pytest.mark.parametrize("stack", ["homelab", "pitower", "turing"])
def test_the_labs_that_ship_are_sound(stack: str):
    result = lab("check", stack)
    assert result.exit_code == 0
    assert f"{stack}: no errors" in result.output


def test_an_error_is_exit_code_1_and_names_both_owners(clash: Path):
    result = lab("check", str(clash))
    assert result.exit_code == 1
    for words in ("address-duplicate", "cluster.nodes.valinor-2.address", "cluster.nodes.valinor-1.address"):
        assert words in result.output


def test_findings_as_json_have_the_promised_keys(clash: Path):
    found = json.loads(lab("check", str(clash), "--json").stdout)
    assert {tuple(entry) for entry in found} == {("code", "grade", "path", "message", "hint")}
    assert "error" in {entry["grade"] for entry in found}


def test_a_stack_with_errors_has_no_plan_and_says_why(clash: Path):
    result = lab("plan", str(clash), "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "address-duplicate" in result.stderr


def test_a_stack_with_errors_is_not_rehearsed(clash: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cli.rehearse, "find_engine", lambda: pytest.fail("the engine was looked for"))
    result = lab("rehearse", str(clash))
    assert result.exit_code == 1
    assert "address-duplicate" in result.stderr


def test_a_plan_as_json_is_whole():
    plan = json.loads(lab("plan", "homelab", "--json").stdout)
    assert plan["cluster"]["endpoint"] == "https://192.168.1.100:6443"
    assert {"network", "bootstrap", "cluster", "edge", "gitops", "leftovers"} <= set(plan)


@pytest.mark.parametrize("words", [("check", "homelab"), ("plan", "homelab"), ("plan", "pitower"), ("plan", "turing")])
def test_a_page_fits_the_width_it_is_laid_out_for(words: tuple[str, ...]):
    wide = [line for line in lab(*words).output.splitlines() if len(line.rstrip()) > WIDTH]
    assert wide == []


def test_the_plan_tells_what_the_router_must_be_told():
    said = lab("plan", "homelab").output
    assert "VLAN home: tag 10, 192.168.10.0/24" in said
    assert "DHCP option 66 (TFTP server) 192.168.1.59" in said
    assert "reserve 192.168.1.101 for 02:00:00:00:02:01 (valinor-1)" in said


def test_the_schema_is_the_one_that_editors_are_given():
    assert lab("schema").stdout == schema_text()


@pytest.mark.parametrize("verb", ["check", "plan", "rehearse"])
def test_an_unknown_stack_is_exit_code_2_and_lists_those_there_are(verb: str):
    result = lab(verb, "homelap")
    assert result.exit_code == 2
    assert "homelap" in result.stderr
    assert "homelab, pitower, turing" in result.stderr


@pytest.mark.parametrize("verb", ["check", "plan", "rehearse"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, 2), (b"\xff\xfe\x00", 2), (b"a: [", 1), (b"", 1), (b"config:\n  a:b: 1\n", 1)],
    ids=["missing", "binary", "broken", "empty", "without an environment"],
)
def test_a_bad_file_is_a_sentence(tmp_path: Path, verb: str, content: bytes | None, expected: int):
    file = tmp_path / "Pulumi.mine.yaml"
    if content is not None:
        file.write_bytes(content)
    result = lab(verb, str(file))
    assert result.exit_code == expected
    assert "mine" in result.output


@pytest.mark.parametrize(
    "words", [("rehearse", "homelab", "upp"), ("rehearse", "homelab", "up", "--unprotect"), ("fly",)]
)
def test_wrong_usage_is_exit_code_2(words: tuple[str, ...]):
    assert lab(*words).exit_code == 2


def test_without_an_engine_a_rehearsal_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch):
    def missing() -> Path:
        raise EngineMissing("The Pulumi engine is missing: install it or Go.")

    monkeypatch.setattr(cli.rehearse, "find_engine", missing)
    result = lab("rehearse", "homelab")
    assert result.exit_code == 2
    assert "Nothing real is touched" in result.stdout
    assert result.stderr == "The Pulumi engine is missing: install it or Go.\n"


def test_help_offers_exactly_the_verbs_that_work():
    offered = re.findall(r"^│ (\w+) ", lab("--help").output.split("Commands")[1], flags=re.MULTILINE)
    assert offered == ["check", "plan", "boot", "impact", "render", "artefact", "schema", "rehearse"]


def test_a_path_is_meant_from_where_the_person_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "Pulumi.mine.yaml").write_text("config: {}\n")
    monkeypatch.setenv("LAB_CALLED_FROM", str(tmp_path))
    assert find("./Pulumi.mine.yaml").path == tmp_path / "Pulumi.mine.yaml"
    assert find("Pulumi.mine.yaml").stack == "mine"
    with pytest.raises(NoSuchStack):
        find("mine")


def test_a_file_outside_never_shares_a_rack_with_a_stack_of_the_checkout(clash: Path):
    assert find(str(clash)).stack == "homelab"
    assert find(str(clash)).rack != find("homelab").rack == "homelab"
    assert find(str(ROOT / "Pulumi.homelab.yaml")).rack == "homelab"


def test_gitops_beside_a_file_goes_before_the_checkout_s(clash: Path):
    assert find(str(clash)).gitops() == ROOT / "gitops"
    (clash.parent / "gitops" / "homelab").mkdir(parents=True)
    assert find(str(clash)).gitops() == clash.parent / "gitops"


def test_every_stack_file_of_the_checkout_is_a_stack():
    assert stacks() == ["homelab", "pitower", "turing"]


def test_words_for_numbers():
    assert [count(0, "error"), count(1, "error"), count(2, "error")] == ["no errors", "1 error", "2 errors"]
    assert [seconds(0.84), seconds(14.2), seconds(185)] == ["0.8 s", "14 s", "3 min 5 s"]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1, 20, "1-20 s"), (40, 180, "40 s - 3 min"), (60, 300, "1-5 min"), (0, 0, "0 s"), (600, 5400, "10 min - 1.5 h")],
)
def test_spans_are_no_finer_than_they_are_known(low: float, high: float, said: str):
    assert span(Span(low, high)) == said
