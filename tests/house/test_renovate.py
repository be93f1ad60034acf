"""Every pin is seen by exactly one of Renovate's managers, as renovate.json sets them up.

What a manager reads of a file is restated here from Renovate's own sources (lib/modules/manager/<name>/extract.ts);
that it is so was tried once with Renovate itself, `--platform=local --dry-run=extract`.
"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatch

import pytest
import yaml

from model.tree import documents
from tests.labs import ROOT

CONFIG = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
LISTED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
    "\0"
)
FILES = [name for name in LISTED if name and (ROOT / name).is_file()]
DEFAULTS = {
    "gomod": [r"/(^|/)go\.mod$/"],
    "kustomize": [r"/(^|/)kustomization\.ya?ml$/"],
}
"""What a manager reads without being told (each one's page in Renovate's documentation)."""
IMAGE = re.compile(r"^\s*-?\s*image:\s*['\"]?(?P<name>[a-z0-9][^\s'\":]*(?::[0-9]+/[^\s'\":]+)?):(?P<tag>[\w][\w.-]*)")

Pin = tuple[str, str]
"""(file, version)."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def matches(patterns: list[str], name: str) -> bool:
    assert all(pattern.startswith("/") and pattern.endswith("/") for pattern in patterns), patterns
    ignored = any(fnmatch(name, pattern) for pattern in CONFIG["ignorePaths"])
    return not ignored and any(re.search(pattern[1:-1], name) for pattern in patterns)


def charts(text: str) -> Iterator[str]:
    for document in documents(text):
        yield from (str(entry["version"]) for entry in document.get("helmCharts") or ())


def oci_tags(text: str) -> Iterator[str]:
    for document in documents(text):
        if document.get("kind") == "OCIRepository" and str(document["spec"].get("url", "")).startswith("oci://"):
            yield str(document["spec"]["ref"]["tag"])


def images(text: str) -> Iterator[str]:
    if re.search(r"\s*kind\s*:", text) and re.search(r"\s*apiVersion\s*:", text):
        found = (IMAGE.match(line) for line in text.splitlines())
        yield from (match["tag"] for match in found if match)


def modules(text: str) -> Iterator[str]:
    """Direct requirements, and those indirect ones that a rule of ours enables."""
    enabled = next(
        rule["matchPackageNames"] for rule in CONFIG["packageRules"] if rule.get("matchDepTypes") == ["indirect"]
    )
    for name, version, indirect in re.findall(
        r"^(?:require )?\s*([\w.-]+\.[\w./-]+) (v\S+)( // indirect)?$", text, re.M
    ):
        if not indirect or any(fnmatch(name, pattern.replace("**", "*")) for pattern in enabled):
            yield version


def requirements(text: str) -> Iterator[str]:
    yield from re.findall(r"^[\w.-]+==(\S+)", text, re.M)


EXTRACT: dict[str, Callable[[str], Iterator[str]]] = {
    "flux": oci_tags,
    "gomod": modules,
    "kubernetes": images,
    "kustomize": charts,
    "pip_requirements": requirements,
}


def custom(manager: dict, text: str) -> Iterator[str]:
    for pattern in manager["matchStrings"]:
        yield from (match["currentValue"] for match in re.finditer(pattern.replace("(?<", "(?P<"), text))


def seen() -> Counter[Pin]:
    found: Counter[Pin] = Counter()
    for name in FILES:
        for manager, extract in EXTRACT.items():
            if matches([*DEFAULTS.get(manager, []), *CONFIG.get(manager, {}).get("managerFilePatterns", [])], name):
                found.update((name, version) for version in set(extract(read(name))))
        for manager in CONFIG["customManagers"]:
            if matches(manager["managerFilePatterns"], name):
                found.update((name, version) for version in set(custom(manager, read(name))))
    return found


def stack_pins(name: str) -> Iterator[str]:
    """The machine versions, and the releases in the addresses of archives that carry a checksum."""
    environment = yaml.safe_load(read(name))["config"]["iluvatar:environment"]
    yield from environment["versions"].values()
    netboot = environment["network"].get("netboot") or {}
    archives = [value["url"] for value in netboot.values() if isinstance(value, dict) and "sha256" in value]
    yield from (re.split("[_-]", url.rsplit("/", 1)[1])[1] if "_" not in url else url.split("_")[1] for url in archives)


def pins_by_shape(value: object, key: str = "") -> Iterator[str]:
    """Whatever looks pinned, however it is nested: an image with a tag, a chart or a version with a number."""
    if isinstance(value, dict):
        kind = value.get("kind")
        if kind == "OCIRepository" and "ref" in value.get("spec", {}):
            yield str(value["spec"]["ref"].get("tag", ""))
        for name, child in value.items():
            yield from pins_by_shape(child, str(name))
    elif isinstance(value, list):
        for child in value:
            yield from pins_by_shape(child, key)
    elif key == "image" and ":" in str(value):
        yield str(value).rsplit(":", 1)[1]
    elif key in ("version", "newTag", "imageTag") and re.match(r"v?\d+\.", str(value)):
        yield str(value)


def folder_pins(name: str) -> Iterator[str]:
    sync = re.findall(r"^\s+(?:ref|tag): (main|latest)$", read(name), re.M)
    for document in yaml.safe_load_all(read(name)):
        yield from (pin for pin in pins_by_shape(document) if pin and pin not in sync)


def pinned() -> set[Pin]:
    found: set[Pin] = set()
    for name in FILES:
        if re.fullmatch(r"Pulumi\.[^/]+\.yaml", name):
            found |= {(name, version) for version in stack_pins(name)}
        elif name.startswith("gitops/") and name.endswith(".yaml"):
            found |= {(name, version) for version in folder_pins(name)}
        elif name == "tools/crds.yaml":
            found |= {(name, pin["version"]) for pin in yaml.safe_load(read(name))["modules"]}
        elif name == "requirements.in":
            found |= {(name, version) for version in re.findall(r"==\s*([^\s#]+)", read(name))}
    return found


SEEN = seen()


@pytest.mark.parametrize(("name", "version"), sorted(pinned()))
def test_a_pin_is_seen_by_one_manager(name: str, version: str) -> None:
    hint = "a chart or image is seen as it stands; anything else needs a `# renovate:` line above it"
    assert SEEN[name, version] == 1, f"{name}: {version} is seen {SEEN[name, version]} times; {hint}"


@pytest.mark.parametrize("name", [name for name in FILES if re.fullmatch(r"tools/[^/]+/go\.mod", name)])
def test_what_a_tool_is_pinned_to_is_seen(name: str) -> None:
    tool = re.search(r"^tool (?!iluvatar)(\S+)", read(name), re.M)
    wanted = [
        match for match in re.findall(r"(\S+\.\S+/\S+) (v\S+)", read(name)) if tool and tool[1].startswith(match[0])
    ]
    if tool:
        assert any(SEEN[name, version] for _, version in wanted), f"nobody proposes a new {tool[1]}"
    else:
        assert any(file == name for file, _ in SEEN), f"nobody proposes anything new for {name}"


def test_every_renovate_line_is_read() -> None:
    told = [(name, line) for name in FILES for line in re.findall(r"^\s*# renovate:.*$", _data(name), re.M)]
    read_ones = sum(len(list(custom(manager, read(name)))) for name in FILES for manager in _customs(name))
    assert told, "no line begins with `# renovate:`"
    assert read_ones == len(told), f"{len(told)} lines begin with `# renovate:`, and {read_ones} are understood"


def _data(name: str) -> str:
    return read(name) if name.startswith(("gitops/", "Pulumi.")) else ""


def _customs(name: str) -> list[dict]:
    reading = [manager for manager in CONFIG["customManagers"] if "# renovate:" in manager["matchStrings"][0]]
    return [manager for manager in reading if matches(manager["managerFilePatterns"], name)]


def test_the_managers_that_are_set_up_are_those_that_are_enabled() -> None:
    assert set(CONFIG["enabledManagers"]) == {*EXTRACT, "custom.regex"}
