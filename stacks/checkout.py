"""The checkout's files as data: the GitOps folders of one environment.

Owns reading them. Refuses to understand them: that is `model.tree`'s.
"""

import os
from pathlib import Path

from model.tree import SHARED, Tree

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

GITOPS_VARIABLE = "ILUVATAR_GITOPS"
"""Where `gitops/` is, when it is not the checkout's own: the rack rehearses a stack file that lies elsewhere."""


def gitops_root() -> Path:
    """The folder that holds `<environment>/<cluster>/<category>/<app>/`."""
    return Path(os.environ.get(GITOPS_VARIABLE) or ROOT / "gitops")


def tree(environment: str, root: Path | None = None) -> Tree:
    """Every text file of an environment's folders, by its path below `gitops/<environment>/`, and of the shared folder
    beside it, by `../shared/…`; maybe none."""
    gitops = root or gitops_root()
    own, shared = _texts(gitops / environment), _texts(gitops / "shared")
    return own | {f"{SHARED}{path}": text for path, text in shared.items()}


def _texts(top: Path) -> dict[str, str]:
    """Every text file below a folder, by its path there."""
    files = sorted(path for path in top.rglob("*") if path.is_file())
    return {path.relative_to(top).as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in files}
