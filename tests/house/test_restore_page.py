"""A restore runs as the copy does: a `restricted` namespace refuses a Job without all of it."""

import re

import yaml

from tests.labs import ROOT


def test_the_page_s_restore_runs_as_the_copies_do() -> None:
    page = (ROOT / "docs/day-2/back-up-and-restore.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", page, re.M | re.S)]
    [restore] = [one["spec"]["restic"] for one in blocks if one.get("kind") == "ReplicationDestination"]
    source = yaml.safe_load((ROOT / "gitops/shared/backup/source.yaml").read_text(encoding="utf-8"))["spec"]["restic"]
    for key in ("moverSecurityContext", "moverVolumes"):
        assert restore[key] == source[key]
