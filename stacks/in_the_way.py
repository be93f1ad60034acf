"""What the owner types when somebody else was first: a record or a tunnel at Cloudflare in the way of the plan's own.

And when somebody deleted the tunnel: Cloudflare goes on showing it, so that no refresh takes it for gone.

Owns the words and the commands, and which resources it may happen to: those that the plan has and the state has not.
Nothing is lost meanwhile: Cloudflare refuses the second one, and `up` stops there. Pure: plan, state and error in,
commands out. Refuses to run anything, to choose between taking over and deleting, and what a cut run left
(`stacks.resuming`).
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.edge import CLOUDFLARE, record_resource, tunnel_resource
from model.edge_plan import EdgePlan
from stacks.resuming import (
    CLOUDFLARE_API,
    RECORD,
    TOKEN_AS_HEADER,
    TUNNEL,
    Advice,
    Resource,
    asked_of_cloudflare,
    import_line,
    name_of,
)

SIGNS = {RECORD: "error 81053, 81054, 81056 or 81058", TUNNEL: "error 1013"}
"""What a person sees of the refusal."""
_ERRORS = {
    RECORD: r"\b8105[34678]\b|(?i:records? (?:with (?:that host|those settings) )?already exist)",
    TUNNEL: r"\b1013\b|(?i:tunnel with this name)",
}
WHY = {
    RECORD: "Cloudflare has a record at this name that this program did not make. The first line shows it, the next two"
    " take it over, and `pulumi up` then makes it what the plan says: note what it says now. Is it nobody's any more,"
    " the last line deletes it instead; is it somebody's, give the plan another name.",
    TUNNEL: "The account has a tunnel of this name that this stack did not make. The first line shows it, the next two"
    " take it over, and `pulumi up` then gives it a new secret, with which its old cloudflared is shut out. Is it"
    " another lab's, name this one otherwise: edge.tunnel.name.",
}
LOST_SIGN = "error 1003, or deletedAt after `pulumi refresh`"
LOST_WHY = (
    "Somebody has deleted the tunnel. Cloudflare goes on showing it, so no refresh forgets it. Let the state call it"
    " otherwise: then `pulumi up` makes a new one with the old secret, and cloudflared takes the new token by itself."
)
_LOST = re.compile(r"\b1003\b.*[Tt]unnel not found")
_GONE = "-deleted"
"""What the state calls a tunnel that is no more, behind its name."""
_SHOW = (
    "python3 -c 'import json, sys; [print(*(each.get(key) for key in"
    ' ("id", "type", "name", "content", "status", "comment"))) for each in json.load(sys.stdin)["result"]]\''
)
_FIRST_HOST = (
    'python3 -c \'import json, sys; print(next(each["id"] for each in json.load(sys.stdin)["result"]'
    ' if each.get("type") in (None, "A", "AAAA", "CNAME", "NS", "cfd_tunnel")))\''
)


def unmade(plan: EdgePlan, state: Mapping[str, Any]) -> list[Resource]:
    """The plan's records and tunnel that the state has not, as the engine would know them.

    Empty while the state has no Cloudflare provider yet: then no `up` has come so far.
    """
    resources = state.get("resources") or ()
    parent = next((each for each in resources if each["type"] == CLOUDFLARE), None)
    account = next((each for each in resources if each["type"] == "pulumi:providers:cloudflare"), None)
    if parent is None or account is None:
        return []
    made = {name_of(each["urn"]) for each in resources}
    home = {"parent": parent["urn"], "provider": f"{account['urn']}::{account['id']}"}
    found = [
        {"urn": f"::::::{name}", "type": kind, "inputs": inputs, **home}
        for name, kind, inputs in _planned(plan)
        if name not in made
    ]
    return list(found)


def _planned(plan: EdgePlan) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for record in plan.records:
        yield record_resource(record.name), RECORD, {"zoneId": plan.zone_id, "name": record.name}
    if plan.tunnel:
        yield tunnel_resource(plan.tunnel.name), TUNNEL, {"accountId": plan.account_id, "name": plan.tunnel.name}


def refused(plan: EdgePlan, state: Mapping[str, Any], errors: Iterable[tuple[str, str]]) -> list[Advice]:
    """What to type after an `up` with these `errors`, `(logical name, message)`; empty when nobody was in the way."""
    found = {name_of(each["urn"]): each for each in unmade(plan, state)}
    hit = [found[name] for name, error in errors if name in found and re.search(_ERRORS[found[name]["type"]], error)]
    return [told(each) for each in hit]


def told(resource: Resource) -> Advice:
    """What to type for one of `unmade`, should somebody be in its way."""
    kind, inputs = resource["type"], resource["inputs"]
    if kind == RECORD:
        address, query = f"zones/{inputs['zoneId']}/dns_records", {"name": inputs["name"]}
        identity = f'"{inputs["zoneId"]}/$ID"'
    else:
        address, query = f"accounts/{inputs['accountId']}/cfd_tunnel", {"name": inputs["name"], "is_deleted": "false"}
        identity = f'"{inputs["accountId"]}/$ID"'
    show, find = (asked_of_cloudflare(address, query, reading) for reading in (_SHOW, _FIRST_HOST))
    commands = [show, f"ID=$({find})", import_line(resource, identity)]
    if kind == RECORD:
        commands.append(f"# instead of the line above: {_delete(address)}")
    return Advice(name_of(resource["urn"]), SIGNS[kind], WHY[kind], tuple(commands))


def lost(state: Mapping[str, Any], errors: Iterable[tuple[str, str]] = ()) -> list[Advice]:
    """What to type for a tunnel that was deleted behind our back.

    It is known by what a refresh has seen, or by `errors`, `(logical name, message)`, of what belongs to it.
    """
    tunnels = [each for each in state.get("resources") or () if each["type"] == TUNNEL and not each.get("delete")]
    standing = {name_of(each["urn"]): each for each in tunnels if not name_of(each["urn"]).endswith(_GONE)}
    known = {name_of(each["urn"]) for each in tunnels}
    missed = any(name not in known and _LOST.search(error) for name, error in errors)
    return [
        Advice(name, LOST_SIGN, LOST_WHY, (f"pulumi state rename {shlex.quote(each['urn'])} {name}{_GONE} --yes",))
        for name, each in standing.items()
        if missed or (each.get("outputs") or {}).get("deletedAt")
    ]


def _delete(address: str) -> str:
    url = shlex.quote(f"{CLOUDFLARE_API}/{address}/")
    return f"{TOKEN_AS_HEADER} | curl --silent --show-error --header @- --request DELETE {url}$ID"
