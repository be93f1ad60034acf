"""What the owner is told when somebody else has a name first: for the plan's own names, safe to paste."""

import json
import subprocess
from typing import Any

import pytest

from cli.resuming import exported, page
from components.edge import CLOUDFLARE
from stacks.in_the_way import LOST_SIGN, SIGNS, WHY, lost, refused, told, unmade
from stacks.resuming import RECORD, TUNNEL
from tests.labs import planned, raw

EDGE = planned(raw("homelab")).edge
HOME = "urn:pulumi:homelab::iluvatar::"
COMPONENT = {"urn": f"{HOME}{CLOUDFLARE}::edge-cloudflare", "type": CLOUDFLARE}
PROVIDER = {
    "urn": f"{HOME}pulumi:providers:cloudflare::edge-cloudflare-account",
    "type": "pulumi:providers:cloudflare",
    "id": "0f0f",
}
CLASH = (
    '400 Bad Request {"errors":[{"code":81053,"message":"An A, AAAA, or CNAME record with that host already exists."'
)


def state(*made: str) -> dict[str, Any]:
    urns = [f"{HOME}{CLOUDFLARE}${RECORD}::{name}" for name in made]
    return {"resources": [COMPONENT, PROVIDER, *({"urn": urn, "type": RECORD} for urn in urns)]}


def test_before_the_first_up_there_is_nothing_to_say():
    assert unmade(EDGE, {"resources": []}) == []
    assert unmade(EDGE, {}) == []


def test_only_what_the_state_has_not_can_be_in_somebody_s_way():
    names = {each["urn"].split("::")[-1] for each in unmade(EDGE, state("edge-record-external-example-com"))}
    assert "edge-tunnel-homelab" in names
    assert "edge-record-wildcard-example-com" in names
    assert "edge-record-external-example-com" not in names


def test_a_clash_is_told_by_its_code_and_another_error_is_not():
    name = "edge-record-wildcard-example-com"
    [found] = refused(EDGE, state(), [(name, CLASH), ("edge-record-nobody", CLASH)])
    assert (found.name, found.sign, found.why) == (name, SIGNS[RECORD], WHY[RECORD])
    assert refused(EDGE, state(), [(name, "403 Forbidden")]) == []
    taken = '{"code":1013,"message":"You already have a tunnel with this name."}'
    [tunnel] = refused(EDGE, state(), [("edge-tunnel-homelab", taken)])
    assert tunnel.why == WHY[TUNNEL]
    assert not any("DELETE" in line for line in tunnel.commands), "another lab's tunnel is not for deleting"


def test_the_lines_name_parent_and_provider_and_put_the_token_in_no_argument():
    record = next(each for each in unmade(EDGE, state()) if "wildcard" in each["urn"])
    show, find, take, delete = told(record).commands
    assert "name=%2A.example.com" in show
    assert find.startswith("ID=$(pulumi config get cloudflareApiToken |")
    assert f"--parent edge-cloudflare={COMPONENT['urn']}" in take
    assert f"--provider edge-cloudflare-account={PROVIDER['urn']}" in take
    assert delete.startswith("# ")
    assert all(line.count("$(") <= 1 and "Bearer $" not in line for line in (show, find, take, delete))


def test_what_stands_at_a_name_is_shown_and_its_address_chosen():
    """The readers of the first two lines really run here, on an answer of Cloudflare's."""
    record = next(each for each in unmade(EDGE, state()) if "wildcard" in each["urn"])
    answer = [
        {"id": "1", "type": "TXT", "name": "a", "content": "x"},
        {"id": "2", "type": "A", "name": "a", "content": "y"},
    ]
    said = []
    for line in told(record).commands[:2]:
        reader = line.removeprefix("ID=$(").removesuffix(")" if line.startswith("ID=") else "").rpartition(" | ")[2]
        done = subprocess.run(
            ["sh", "-c", reader], input=json.dumps({"result": answer}), capture_output=True, text=True, check=True
        )
        said.append(done.stdout)
    assert said == ["1 TXT a x None None\n2 A a y None None\n", "2\n"]


def test_the_page_has_the_plan_s_names_when_it_is_told_the_stack():
    assert "edge-tunnel-homelab" not in page(state())
    said = page(state(), EDGE)
    assert "somebody first" in said
    assert f"edge-tunnel-homelab: {SIGNS[TUNNEL]}" in said


def test_a_tunnel_that_a_refresh_found_deleted_is_called_otherwise_once():
    urn = f"{HOME}{CLOUDFLARE}${TUNNEL}::edge-tunnel-homelab"
    known: dict[str, Any] = {"urn": urn, "type": TUNNEL, "outputs": {"deletedAt": "2026-01-01T00:00:00Z"}}
    [found] = lost({"resources": [known]})
    assert found.commands == (f"pulumi state rename '{urn}' edge-tunnel-homelab-deleted --yes",)
    assert f"edge-tunnel-homelab: {LOST_SIGN}" in page({"resources": [known]})
    assert lost({"resources": [known | {"urn": f"{urn}-deleted"}]}) == [], "it is called so already"
    assert lost({"resources": [known | {"outputs": {}}]}) == []


def test_a_tunnel_is_missed_by_what_belongs_to_it():
    urn = f"{HOME}{CLOUDFLARE}${TUNNEL}::edge-tunnel-homelab"
    state = {"resources": [{"urn": urn, "type": TUNNEL, "outputs": {}}]}
    error = '404 Not Found {"code":1003,"message":"Tunnel not found"}'
    assert [one.name for one in lost(state, [("edge-tunnel-rules-homelab", error)])] == ["edge-tunnel-homelab"]
    assert lost(state, [("edge-tunnel-homelab", error)]) == [], "its own delete: that is another matter"


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"deployment": null}'])
def test_what_is_no_state_is_said_to_be_none(text: str):
    with pytest.raises(SystemExit, match="not what `pulumi stack export` prints"):
        exported(text)
