"""An owner's edit of a lab that stands, for cutting the `up` that brings it about.

Owns one edit that touches several kinds of resource at once: a node's label, a gateway's address, a public name that
comes, one that becomes another, the charts' versions. It edits what the file has of these, reading the raw data with
this room's own eyes. Refuses to know what follows from it: that is the run's to show.
"""

from __future__ import annotations

import copy
import ipaddress
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from model.document import parse
from rehearsal.rack_folder import Lab, make_private, write_private

_MARK = "rehearsed"
_CHART_VERSION = re.compile(r"^(\s+(?:version|tag): \"?v?\d+\.\d+\.)(\d+)(\"?)$", re.MULTILINE)


def edited_lab(lab: Lab, folder: Path) -> Lab:
    """`lab` with the edit, its stack file and GitOps folders copied into `folder`; the originals are only read."""
    make_private(folder)
    environment = parse(lab.stack_file.read_text(encoding="utf-8"), lab.stack_file.name).environment or {}
    stack_file = folder / lab.stack_file.name
    document = {"config": {"iluvatar:environment": edited(environment)}}
    write_private(stack_file, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    shutil.copytree(lab.gitops, folder / "gitops")
    for file in sorted((folder / "gitops" / str(environment.get("name"))).rglob("*.yaml")):
        file.write_text(later_charts(file.read_text(encoding="utf-8")), encoding="utf-8")
    return replace(lab, stack_file=stack_file, gitops=folder / "gitops")


def edited(environment: dict[str, Any]) -> dict[str, Any]:
    """A copy of the raw data with the edit, as far as it has what is edited."""
    changed = copy.deepcopy(environment)
    cluster, edge = changed.get("cluster") or {}, changed.get("edge") or {}
    for node in list((cluster.get("nodes") or {}).values())[-1:]:
        node["labels"] = (node.get("labels") or {}) | {_MARK: "edited"}
    for gateway in list((edge.get("gateways") or {}).values())[-1:]:
        gateway["address"] = _free(environment, str(cluster["load_balancer_pool"]))
    if edge.get("cloudflare") and edge.get("gateways"):
        records = edge.setdefault("records", [])
        # Not a wildcard: what routes are called hangs on it
        for record in [one for one in records if not one["name"].startswith("*")][-1:]:
            record["name"] = f"{_MARK}-instead.{changed['domain']}"
        records.append({"name": f"{_MARK}.{changed['domain']}", "target": next(iter(edge["gateways"]))})
    return changed


def _free(environment: dict[str, Any], pool: str) -> str:
    """The first address of a range `first-last` that nothing in the data names."""
    first, _, last = pool.partition("-")
    named = yaml.safe_dump(environment)
    begin, end = (int(ipaddress.ip_address(each.strip())) for each in (first, last))
    free = (str(ipaddress.ip_address(number)) for number in range(begin, end + 1))
    return next(address for address in free if not re.search(rf"(?<![\d.]){re.escape(address)}(?![\d.])", named))


def later_charts(text: str) -> str:
    """A folder's file with each chart's patch version one higher."""
    return _CHART_VERSION.sub(lambda found: f"{found[1]}{int(found[2]) + 1}{found[3]}", text)
