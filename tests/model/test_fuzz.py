"""Whatever a stack file holds, the door finds it or lets it pass: never a traceback."""

import copy
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.document import parse
from model.findings import Finding
from model.laws import examine
from model.plan import plan
from tests.model import cases

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**400, -(10**30), 2**63, "", " ", "0", "null", "é", "\u202e", "\x00",
    "a\nb", "v1.2.3\n", "10.0.0.1\n", "\ud800", "a" * 5000, "*.", "...", "-", "192.168.1.1", "192.168.1.0/24",
    "0.0.0.0/0", "255.255.255.255", "0.0.0.0", "0.0.0.0-255.255.255.255", "10.0.0.0/32", "10.0.0.0/31",
    "192.168.1.220-192.168.1.220", "a/1", "usw-pro-24/1", "v0.0.0", "v99999999999.1.1", "oci://x/y",
    "02:00:00:00:02:01", [], {}, [[]], {"a": {}}, [None], {"": ""}, [{"a": [{}]}], ["a"] * 50, {"secure": "x"},
    "lab", "server", "worker", "homelab",
]  # fmt: skip


def places(node: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in raw data, the root left out."""
    found: list[tuple[Any, ...]] = []
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, one in inside:
        found += [(*where, key), *places(one, (*where, key))]
    return found


BASES = {name: cases.stack(name) for name in cases.STACKS}
PLACES = {name: places(raw) for name, raw in BASES.items()}
TREE = cases.small_tree()


def check(raw: object) -> None:
    """Examine, with and without folders; what passes must plan."""
    for tree in (None, TREE):
        examined = examine(raw, tree)
        assert examined.environment is not None or examined.errors, "nothing was built, and nobody is told why"
        assert list(examined.findings) == sorted(examined.findings, key=lambda f: (f.path, f.code, f.message))
        assert len({(f.code, f.path, f.message) for f in examined.findings}) == len(examined.findings)
        for finding in examined.findings:
            assert isinstance(finding, Finding)
            assert finding.message
            assert finding.hint
            assert "\n" not in finding.message
            assert len(finding.message) < 700
            finding.message.encode()
        if tree and not examined.errors and examined.environment:
            plan(examined.environment, tree)


@pytest.mark.parametrize("base", BASES)
@given(data=st.data())
@FUZZ
def test_values_of_any_kind_anywhere(base: str, data: st.DataObject) -> None:
    raw = copy.deepcopy(BASES[base])
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(PLACES[base]))
        holder = walk(raw, way)
        if isinstance(holder, (dict, list)) and reached(holder, last):
            if data.draw(st.booleans()):
                del holder[last]
            else:
                holder[last] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    check(raw)


def walk(node: Any, way: list[Any]) -> Any:
    """The node at the end of a way, or None when an earlier edit cut it off."""
    for part in way:
        if not reached(node, part):
            return None
        node = node[part]
    return node


def reached(node: Any, part: Any) -> bool:
    if isinstance(node, dict):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and part < len(node)


@given(
    data=st.data(),
    key=st.one_of(
        st.sampled_from(["class", "name", "", "a.b", "A", "\u202e", "secure", "[key]", "0"]), st.text(max_size=8)
    ),
    value=st.sampled_from(ODD),
)
@FUZZ
def test_keys_that_nobody_knows(data: st.DataObject, key: str, value: Any) -> None:
    raw = copy.deepcopy(BASES["homelab"])
    holder = walk(raw, list(data.draw(st.sampled_from(PLACES["homelab"]))))
    if isinstance(holder, dict):
        holder[key] = copy.deepcopy(value)
    check(raw)


@given(data=st.data())
@FUZZ
def test_parts_put_in_each_others_place(data: st.DataObject) -> None:
    raw = copy.deepcopy(BASES["homelab"])
    one, other = data.draw(st.sampled_from(PLACES["homelab"])), data.draw(st.sampled_from(PLACES["homelab"]))
    taken = copy.deepcopy(walk(raw, list(other)))
    walk(raw, list(one[:-1]))[one[-1]] = taken
    check(raw)


@given(
    st.recursive(
        st.sampled_from(ODD),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
@FUZZ
def test_anything_at_all(raw: Any) -> None:
    check(raw)


def test_nesting_without_end() -> None:
    raw: Any = "end"
    for _ in range(100_000):
        raw = [raw]
    try:
        check({**BASES["homelab"], "domain": raw})
    finally:
        while isinstance(raw, list):  # taken apart by hand: CPython's own way down would be too deep
            raw = raw.pop()


TEXT = (cases.ROOT / "Pulumi.homelab.yaml").read_text(encoding="utf-8")


@given(
    start=st.integers(0, len(TEXT)),
    length=st.integers(0, 40),
    put=st.one_of(st.text(max_size=6), st.text(alphabet="&*!|>%@`[]{}:,-?#'\"\t\n <~" + string.digits, max_size=8)),
)
@FUZZ
def test_text_torn_anywhere(start: int, length: int, put: str) -> None:
    document = parse(TEXT[:start] + put + TEXT[start + length :], "homelab")
    for finding in document.findings:
        assert finding.message
        assert finding.hint
    if document.environment is None:
        assert document.findings, "nothing was read, and nobody is told why"
    else:
        check(document.environment)


@given(st.text(alphabet=st.characters(), max_size=60))
@FUZZ
def test_text_of_any_kind(text: str) -> None:
    document = parse(text, "x")
    assert document.findings


FILES = [*sorted(TREE), "arda", "arda/x", "a/b/c/d/e.yaml", "", "//", "arda/kube-system/cilium/release.yaml"]
TEXTS = [
    "", "a", "- a", "[" * 800, "a: " + "{a: " * 300, "helmCharts: 3", "helmCharts: [3]", "helmCharts: [{}]",
    "helmCharts: [{name: [1], version: {}}]", "helmCharts:\n- {valuesFile: {}}", "a: 2001-99-99", "---\n---\n",
    "a: &x [*x]", "!!python/none x", "\ud800", "\x00", "? [a]\n: b", "kind: [a]\n---\nkind: {b: c}",
    "kind: HelmRelease\n---\nkind: OCIRepository\nspec: {url: 3, ref: []}", "spec: 1\nkind: OCIRepository",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(FILES), st.sampled_from(TEXTS), max_size=4))
@settings(max_examples=60, deadline=None)
def test_folders_of_any_kind(edits: dict[str, str]) -> None:
    raw, tree = BASES["homelab"], {**TREE, **edits}
    examined = examine(raw, tree)
    if not examined.errors and examined.environment:
        plan(examined.environment, tree)
