"""A stack file is read as the engine reads it, or refused with a finding: no traceback, no silent difference."""

import json
import os
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from model.document import SECRETS, Document, parse
from model.yaml_reader import Reader
from stacks import secrets
from tests.model import cases

Ask = Callable[[str], object]

SCALARS = [
    "yes", "No", "on", "OFF", "y", "true", "True", "FALSE", "tRUE", "null", "~", "Null", "nULL", "", "\"\"", "''",
    "\"null\"", "1", "0", "-0", "+7", "007", "08", "0o17", "0O17", "0b101", "0x1F", "0xfg", "1_000", "_1", "1__0",
    "0x_1", "-0x10", "-0b11", "+0o7", "--1", "1-", "1.10", "1.0", "1e3", "1E-2", ".5", "5.", ".", "-.5", "+.5",
    "._5", "1.2.3", "9223372036854775807", "-9223372036854775808", "10:20:30:40:50:55", "190:20:30",
    "02:00:00:00:02:01", "12e03", "0e0", "1e", "e1", "-", "+", "=", "<<", "2001-1-32", "2001-13-01", "20010101",
    "2001-01", "1,000", "0.1", "0.30000000000000004", "1e-7", "123456.789e3", "0777", "0778", "v1.2", "1.12", "nan",
    "inf", "'2001-01-01'", "\"1.0\"", "192.168.1.1", "192.168.1.0/24", "!!str 10", "é", "\"\\u2028\\x41\"", "a b",
    "'it''s'", "0_7", "1e+2", "0x", "0b", "0o", "0o8", "+", "00", "000", "-00", "-017", "١٢", "3.4e-400",
]  # fmt: skip
"""Unless it says otherwise, each stands unquoted in a list of its own line."""

STRUCTURES = {
    "anchors": "a: &x {k: 1, l: [1, 2]}\nb: *x\nc: [*x, *x]",
    "merge": "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\nc: {l: 4, <<: [*x, {m: 5, k: 9}]}",
    "merge of a merge": "a: &x {k: 1}\nb: &y {<<: *x, l: 2}\nc: {<<: *y}",
    "anchor given twice": "a: &x 1\nb: *x\nc: &x 2\nd: *x",
    "block texts": "a: |\n  one\n  two\nb: >-\n  one\n  two\nc: |+\n  one\n\n",
    "empty collections": "a: {}\nb: []\nc:",
    "comments and flow": "a: [1, # one\n 2]\nb: {x: 1, y: , z}",
    "text over lines": "a: one\n  two\nb: 'one\n\n  two'",
    "quoted keys": "'1': a\n\"true\": b\n'null': c",
    "unicode": "ключ: 值\nemoji: 🎶",
    "explicit key": "? a\n: b",
}


def bomb() -> str:
    """Nine aliases of nine aliases, eight times over."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairwise("abcdefghi")]
    return "\n".join(lines)


REFUSED = {
    "duplicate key": ("a: 1\na: 2", "document-duplicate-key"),
    "duplicate key, once quoted": ("a: 1\n'a': 2", "document-duplicate-key"),
    "a number for a key": ("1: a", "document-key"),
    "a truth for a key": ("true: a", "document-key"),
    "nothing for a key": ("~: a", "document-key"),
    "a list for a key": ("[a]: b", "document-key"),
    "a tag": ("a: !!binary aGk=", "document-tag"),
    "a local tag": ("a: !mine 1", "document-tag"),
    "a tagged mapping": ("a: !!set {b}", "document-tag"),
    "a date": ("a: 2001-01-01", "document-scalar"),
    "a time": ("a: 2001-12-14t21:59:43.10-05:00", "document-scalar"),
    "a time with a space": ("a: 2001-12-14 21:59:43", "document-scalar"),
    "no number": ("a: .nan", "document-scalar"),
    "a number beyond 64 bits": ("a: 9223372036854775808", "document-scalar"),
    "a negative one": ("a: -9223372036854775809", "document-scalar"),
    "a longer one": ("a: 0x" + "f" * 90, "document-scalar"),
    "a whole float as long": ("a: 1e21", "document-scalar"),
    "more than a float can be": ("a: 1e999", "document-scalar"),
    "a quoted merge key": ("a: {'<<': 1}", "document-key"),
    "infinity": ("a: [-.inf]", "document-scalar"),
    "an alias of nothing": ("a: *x", "document-alias"),
    "an alias of itself": ("a: &x [*x]", "document-alias"),
    "a merge of text": ("a: {<<: b}", "document-merge"),
    "a tab": ("a:\n\t- b", "document-yaml"),
    "an open bracket": ("a: [1, 2", "document-yaml"),
    "deep nesting": ("a: " + "[" * 3000 + "]" * 3000, "document-depth"),
    "a control character": ("a: \x07", "document-yaml"),
    "half a surrogate": ("a: \ud800", "document-yaml"),
    "aliases that explode": (bomb(), "document-size"),
}  # fmt: skip


def stack_file(environment: str) -> str:
    body = "\n".join(f"    {line}" for line in environment.split("\n"))
    return f"config:\n  iluvatar:environment:\n{body}\n"


@pytest.fixture(scope="session")
def ask_engine(engine: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks the real engine what `iluvatar:environment` of a stack file's text is; its words when it refuses."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "Pulumi.yaml").write_text("name: iluvatar\nruntime: python\n")
    (folder / "state").mkdir()
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "none",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }

    def pulumi(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(engine), *words, "--non-interactive"]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)

    made = pulumi("stack", "init", "sample")
    assert made.returncode == 0, made.stderr

    def ask(text: str) -> object:
        (folder / "Pulumi.sample.yaml").write_text(text, encoding="utf-8")
        answer = pulumi("config", "--json", "--stack", "sample")
        if answer.returncode:
            raise ValueError(answer.stderr)
        return json.loads(json.loads(answer.stdout)["iluvatar:environment"]["value"])

    return ask


@pytest.mark.parametrize("name", cases.STACKS)
def test_the_engine_reads_a_shipped_stack_file_into_the_same_object(name: str, ask_engine: Ask) -> None:
    text = (cases.ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
    read = parse(text, name)
    assert read.findings == ()
    assert typed(read.environment) == typed(ask_engine(text))


def test_the_engine_reads_every_scalar_alike(ask_engine: Ask) -> None:
    text = stack_file("s:\n" + "\n".join(f"  - {scalar}" for scalar in SCALARS))
    ours, theirs = parse(text, "sample"), ask_engine(text)
    assert ours.findings == ()
    assert ours.environment is not None
    assert isinstance(theirs, dict)
    pairs = zip(SCALARS, ours.environment["s"], theirs["s"], strict=True)
    assert [(text, mine, its) for text, mine, its in pairs if typed(mine) != typed(its)] == []


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_engine_reads_a_structure_alike(name: str, ask_engine: Ask) -> None:
    text = stack_file(STRUCTURES[name])
    ours = parse(text, "sample")
    assert ours.findings == ()
    assert typed(ours.environment) == typed(ask_engine(text))


def typed(value: object) -> object:
    """The value with the type of each part: 1 and 1.0 and true are three things."""
    if isinstance(value, dict):
        return {key: typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    return type(value).__name__, value


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_would_read_otherwise_is_refused(name: str) -> None:
    text, code = REFUSED[name]
    document = parse(stack_file(text), "sample")
    assert [finding.code for finding in document.findings][:1] == [code], document.findings
    assert all(finding.message and finding.hint and "\n" not in finding.message for finding in document.findings)


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse("\ufeff" + stack_file("a: 1"), "sample").environment == {"a": 1}


def test_a_second_document_is_refused_because_the_engine_skips_it() -> None:
    assert [finding.code for finding in parse(stack_file("a: 1") + "---\nb: 2\n", "x").findings] == ["document-many"]


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("", "document-empty", "config"),
        ("- a", "document-empty", "config"),
        ("confg: {}", "document-unknown-key", "confg"),
        ("config: {}", "document-no-environment", "config.iluvatar:environment"),
        ("config: {'iluvatar:enviroment': {}}", "document-config-key", "config.iluvatar:enviroment"),
        ("config: {environment: {a: 1}}", "document-config-key", "config.environment"),
        ("config: {'iluvatr:environment': {}}", "document-foreign-key", "config.iluvatr:environment"),
        ("config: {'aws:region': x}", "document-foreign-key", "config.aws:region"),
        ("config: {'iluvatar:environment': 3}", "document-no-environment", "config.iluvatar:environment"),
        ("config: {'iluvatar:cloudflareApiToken': abc}", "secret-in-clear", "config.iluvatar:cloudflareApiToken"),
        (
            "config: {'iluvatar:environment': {a: {secure: xyz}}}",
            "document-secret-inside",
            "config.iluvatar:environment.a",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_the_stack_file_itself_is_found(text: str, code: str, path: str) -> None:
    assert (code, path) in {(finding.code, finding.path) for finding in parse(text, "sample").findings}


def test_a_secret_in_clear_is_never_repeated_in_a_message() -> None:
    found = parse("config: {'iluvatar:cloudflareApiToken': hunter2}", "sample").findings
    assert "hunter2" not in str(found)


def test_secrets_are_known_by_name_alone() -> None:
    config = "iluvatar:environment: {a: 1}\n  iluvatar:cloudflareApiToken: {secure: v1:abc}"
    text = f"encryptionsalt: v1:x\nconfig:\n  {config}\n"
    assert parse(text, "sample") == Document({"a": 1}, ("cloudflareApiToken",), ())


def test_the_document_knows_every_secret_that_the_program_reads() -> None:
    assert {key.key for key in secrets.ALL} == set(SECRETS)


def test_a_duplicate_key_names_both_lines() -> None:
    _, repeated = Reader("a: 1\nb:\n  c: 1\n  c: 2\n").document()
    assert [(finding.path, finding.message) for finding in repeated] == [
        ("b.c", "'c' stands here twice, in lines 3 and 4")
    ]
