"""What Argo CD trusts where it reads Ainur's Git mirror has one writer, whatever its chart's values say."""

import pytest

from tests.model.cases import found, own_tree, stack

VALUES = "arda/gitops/argo-cd/values.yaml"
FINDING = ("gitops-mirror-trust", "gitops.clusters.arda.source")


@pytest.mark.parametrize(
    ("source", "create", "told"),
    [
        ("mirror", "false", False),
        ("mirror", "true", True),
        ("mirror", "", False),
        ("upstream", "true", False),
        ("upstream", "false", True),
    ],
)
def test_either_the_chart_writes_what_is_trusted_or_the_program(source: str, create: str, told: bool) -> None:
    """Nothing behind `create:` is null, which Helm takes for no."""
    raw, tree = stack("homelab"), own_tree("homelab")
    raw["gitops"]["clusters"]["arda"]["source"] = source
    before = tree[VALUES]
    assert "    create: false" in before
    tree[VALUES] = before.replace("    create: false", f"    create: {create}")
    assert (FINDING in found(raw, tree)) is told


def test_values_that_say_nothing_let_the_chart_write() -> None:
    tree = own_tree("homelab")
    tree[VALUES] = tree[VALUES].replace("    create: false", "    certificates: {}")
    assert FINDING in found(stack("homelab"), tree)
