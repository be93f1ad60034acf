"""Every fixture gives the findings it names and no other, and every law has a fixture that breaks it."""

import pytest

from model.laws import LAWS, examine
from model.laws.names import of_its_stack
from tests.model import cases

REPEATED = (
    *("git-mirror-upstream", "gitops-cilium-parted", "gitops-host-outside", "gitops-host-zone", "gitops-need-missing"),
    *("oidc-issuer", "bootstrap-service-address", "network-netboot-held"),
    *("gitops-mirror-name", "gitops-mirror-missing", "gitops-approver-names", "gitops-approver-subnets"),
    *("gitops-metrics-unsigned", "route-inside-unpublished"),
    *("gitops-external-dns-missing", "gitops-external-dns-parted", "gitops-issuer-missing", "gitops-issuer-parted"),
    *("gitops-certificate-parted", "gitops-k8s-gateway-parted", "gitops-vpn-parted", "gitops-gateway-hops"),
    *("argocd-known-hosts", "gitops-cilium-sockets"),
    *("gitops-namespace-missing", "policy-by-address"),
    *("storage-ceph-disks", "storage-class-default", "storage-local-folder", "storage-nfs-volume"),
    "storage-longhorn-parted",
)
"""Codes of what stands in the folders and in the stack file alike, or follows from it."""


@pytest.mark.parametrize("name", cases.names("invalid"))
def test_a_mistake_gives_exactly_its_findings(name: str) -> None:
    case = cases.invalid(name)
    new = cases.found(case.raw, case.tree) - case.already
    missed, extra = sorted(case.expected - new), sorted(new - case.expected)
    assert not missed, f"{name}: not found: {missed}"
    assert not extra, f"{name}: found besides what it names: {extra}"
    assert case.expected, f"{name} names no finding"


@pytest.mark.parametrize("name", cases.with_any_tree())
def test_a_mistake_gives_the_same_findings_beside_its_labs_own_folders(name: str) -> None:
    """At the terminal the folders are always at hand: what is wrong elsewhere is no reason to complain of them.

    But an edit of what the folders repeat is made in one place only here, and one that takes away what an app needs
    leaves the app: both are said, rightly.
    """
    case = cases.invalid(name)
    found = cases.found(case.raw, cases.own_tree(case.of)) - case.already - cases.shipped(case.of)
    assert {one for one in found if one[0] not in REPEATED} == case.expected


@pytest.mark.parametrize("stack", cases.STACKS)
@pytest.mark.parametrize("value", ["Home_Lab", "", 7, None, ["x"]])
def test_a_name_that_cannot_be_read_is_one_mistake(stack: str, value: object) -> None:
    """Without the name no folders are found: the door hands in none."""
    for tree in ({}, cases.own_tree(stack)):
        examined = examine(cases.stack(stack) | {"name": value}, tree)
        assert [finding.path for finding in examined.errors] == ["name"]
        assert examined.environment is not None
        assert of_its_stack(examined.environment, stack) == []


@pytest.mark.parametrize("stack", cases.STACKS)
def test_nothing_is_said_of_what_stands_in_for_a_broken_part(stack: str) -> None:
    for part in ("name", "domain", "versions"):
        examined = examine(cases.stack(stack) | {part: ["broken"]}, cases.own_tree(stack))
        assert [finding.path for finding in examined.errors] == [part]
    raw = cases.stack(stack)
    raw["network"]["router"] = "broken"
    assert [finding.path for finding in examine(raw, cases.own_tree(stack)).errors] == ["network.router"]


@pytest.mark.parametrize("name", cases.names("valid"))
def test_a_valid_shape_gives_only_the_warnings_it_names(name: str) -> None:
    spec = cases.read(cases.FIXTURES / "valid" / f"{name}.yaml")
    examined = examine(spec["environment"], None)
    assert not examined.errors, f"{name}: {examined.errors}"
    given = sorted((finding.code, finding.path) for finding in examined.findings)
    assert given == sorted((one["code"], one["path"]) for one in spec["findings"])


@pytest.mark.parametrize("stack", cases.STACKS)
def test_a_shipped_lab_has_no_error(stack: str) -> None:
    for tree in (None, cases.own_tree(stack)):
        assert not examine(cases.stack(stack), tree).errors


def test_every_law_is_broken_by_some_fixture() -> None:
    broken: set[str] = set()
    for name in cases.names("invalid"):
        broken |= {code for code, _ in cases.invalid(name).expected}
    for name in cases.names("valid"):
        broken |= {one["code"] for one in cases.read(cases.FIXTURES / "valid" / f"{name}.yaml")["findings"]}
    assert not sorted(set(LAWS) - broken), "laws without a fixture that breaks them"


def test_there_are_enough_fixtures() -> None:
    assert len(cases.names("invalid")) >= 80
    assert len(cases.names("valid")) >= 10


def test_every_message_is_one_readable_sentence_with_a_way_out() -> None:
    for name in cases.names("invalid"):
        case = cases.invalid(name)
        for finding in examine(case.raw, case.tree).findings:
            for text, most in ((finding.message, 240), (finding.hint, 200)):
                assert text, f"{name}: {finding} says nothing"
                assert "\n" not in text, f"{name}: more than a line: {text}"
                assert "None" not in text, f"{name}: speaks Python: {text}"
                assert len(text) <= most, f"{name}: too long to read: {text}"
