"""A fourth lab is a stack file and a GitOps folder: it checks and plans, and no Python knows its name."""

from pathlib import Path

from model.document import parse
from model.laws import examine
from model.plan import plan
from tests.model import cases

FOURTH = cases.FIXTURES / "fourth"
ROOMS = ("model", "render", "components", "stacks", "rehearsal", "cli")


def folders(top: Path) -> dict[str, str]:
    """The GitOps folders as data."""
    files = sorted(path for path in top.rglob("*") if path.is_file())
    return {path.relative_to(top).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_a_fourth_lab_checks_and_plans() -> None:
    document = parse((FOURTH / "Pulumi.shire.yaml").read_text(encoding="utf-8"), "shire")
    assert document.findings == ()
    tree = folders(FOURTH / "gitops" / "shire")
    examined = examine(document.environment, tree)
    assert examined.findings == ()
    assert examined.environment is not None
    decided = plan(examined.environment, tree)
    assert decided.cluster is not None
    assert [node.name for node in decided.cluster.nodes] == ["frodo", "merry", "pippin", "sam"]
    assert decided.gitops_on("hobbiton") is not None


def test_no_python_knows_the_fourth_lab() -> None:
    sources = [path for room in ROOMS for path in (cases.ROOT / room).rglob("*.py")]
    assert sources
    assert [path for path in sources if "hobbiton" in path.read_text(encoding="utf-8")] == []
