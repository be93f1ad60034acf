"""What the owner types when an operation that was cut off cannot be done again.

Owns the answer for every kind of resource that an interrupted run may have changed without learning of it. Most need
none: they are created again and meet their own work (objects are upserted, commands and configurations are idempotent,
what only hands out values hands out new ones before anybody has used the old). Four need a person, for their services
refuse a second one and their providers have no way to take the first over. An update that was cut off is done again,
but for a Helm upgrade; a delete too, but for a record at Cloudflare, which refuses to delete what is gone. Pure: state
and error in, commands out. Refuses to run anything.

Error hooks are not used for it: the engine keeps their names in the state, and a `destroy`, which runs no
program, then hides every other error behind the missing hook (engine 3.259, `resource/deploy/retries.go`).
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

Resource = Mapping[str, Any]
"""A resource as the engine's state has it: `{urn, type, inputs, parent, provider}`, `provider` being `<urn>::<id>`."""

Doing = Literal["creating", "changing"]
"""What a run was cut off doing to a resource; `changing` is updating or deleting it."""

CLOUDFLARE_API = "https://api.cloudflare.com/client/v4"
TOKEN_AS_HEADER = "pulumi config get cloudflareApiToken | sed 's/^/Authorization: Bearer /'"  # on stdin, never in argv
_FIRST_ID = """python3 -c 'import json, sys; print(json.load(sys.stdin)["result"][0]["id"])'"""
_KUBECONFIG = (
    'python3 -c \'import json, sys; all = json.load(sys.stdin)["deployment"]["resources"];'
    ' one = next(each for each in all if each["urn"] == sys.argv[1]);'
    ' print(json.loads(one["inputs"]["kubeconfig"]["plaintext"]))\''
)
CLEAR = "pulumi refresh --clear-pending-creates --yes"
"""Ends the engine's warning: it remembers a create that was cut off even when it has been done again since."""

REFRESH = "pulumi refresh --yes"
"""Lets the state see what is gone."""


@dataclass(frozen=True)
class Advice:
    """What to do about the resource `name` when its create fails with `sign`: `why`, and the `commands` to type.

    After them `pulumi up` goes on.
    """

    name: str
    sign: str
    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """For resources of `kind` whose error matches `error`, of which a person sees `sign`: `why`, and what to type."""

    kind: str
    sign: str
    error: str
    why: str
    commands: Callable[[Resource], tuple[str, ...]]
    doing: Doing = "creating"


def advice(resource: Resource, error: str, doing: Doing = "creating") -> Advice | None:
    """What to type when `resource`, which an earlier run was cut off `doing`, failed with `error`.

    None when this is no consequence of the cut.
    """
    found = (each for each in _answers(resource, doing) if re.search(each.error, error))
    return next((_told(answer, resource) for answer in found), None)


def all_advice(resource: Resource, doing: Doing = "creating") -> list[Advice]:
    """Everything that may have to be typed for `resource`, before its error is known; empty for most kinds."""
    return [_told(answer, resource) for answer in _answers(resource, doing)]


def cut_off(state: Mapping[str, Any], doing: Doing = "creating") -> list[Resource]:
    """The resources that a run was cut off `doing`, from a deployment as `pulumi stack export` gives it.

    The engine keeps a create until told; an update or a delete only until the next run.
    """
    pending = state.get("pending_operations") or ()
    return [entry["resource"] for entry in pending if (entry["type"] == "creating") == (doing == "creating")]


def _answers(resource: Resource, doing: Doing) -> Iterator[Answer]:
    return (each for each in ANSWERS if each.kind == resource["type"] and each.doing == doing)


def _told(answer: Answer, resource: Resource) -> Advice:
    return Advice(name_of(resource["urn"]), answer.sign, answer.why, answer.commands(resource))


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.split("::", 3)[-1]


def import_line(resource: Resource, identity: str) -> str:
    """The import that gives the state what is there: same name, parent and provider as the program's."""
    words = ["pulumi", "import", resource["type"], name_of(resource["urn"])]
    line = f"{shlex.join(words)} {identity}"
    if resource.get("parent"):
        line += f" --parent {shlex.quote(name_of(resource['parent']) + '=' + resource['parent'])}"
    if resource.get("provider"):
        urn = resource["provider"].rpartition("::")[0]
        line += f" --provider {shlex.quote(name_of(urn) + '=' + urn)}"
    return f"{line} --protect=false --generate-code=false --yes"


def _bootstrap(resource: Resource) -> tuple[str, ...]:
    return (import_line(resource, "machine_bootstrap"),)


def _release(resource: Resource) -> tuple[str, ...]:
    return (import_line(resource, shlex.quote(f"{resource['inputs']['namespace']}/{resource['inputs']['name']}")),)


def _half_a_release(resource: Resource) -> tuple[str, ...]:
    return (f"pulumi destroy --target {shlex.quote(resource['urn'])} --yes",)


def _half_an_upgrade(resource: Resource) -> tuple[str, ...]:
    """Delete Helm's record of the half revision, with the very kubeconfig that the release's provider has."""
    told, provider = resource["inputs"], resource["provider"].rpartition("::")[0]
    which = f"owner=helm,name={told['name']},status=pending-upgrade"
    return (
        f"(umask 077; pulumi stack export --show-secrets | {_KUBECONFIG} {shlex.quote(provider)} > mending.kubeconfig)",
        f"kubectl --kubeconfig mending.kubeconfig --namespace {shlex.quote(told['namespace'])} delete secret"
        f" --selector {shlex.quote(which)}",
        "rm mending.kubeconfig",
    )


def asked_of_cloudflare(address: str, query: Mapping[str, str], reading: str) -> str:
    """The pipe that asks Cloudflare for a list and gives it to `reading`; the token is in no argument."""
    asked = shlex.quote(f"{CLOUDFLARE_API}/{address}?{urlencode(query)}")
    return f"{TOKEN_AS_HEADER} | curl --silent --show-error --header @- {asked} | {reading}"


def _found(address: str, query: Mapping[str, str]) -> str:
    """The line that asks Cloudflare for an id by name and keeps it in $ID."""
    return f"ID=$({asked_of_cloudflare(address, query, _FIRST_ID)})"


def _forget(resource: Resource) -> tuple[str, ...]:
    return (f"pulumi state delete {shlex.quote(resource['urn'])} --yes",)


def _record(resource: Resource) -> tuple[str, ...]:
    told = resource["inputs"]
    query = {"type": told["type"], "name": told["name"]}
    if told["type"] != "CNAME":  # of which a name has one at most
        query["content"] = told["content"]
    zone = told["zoneId"]
    return _found(f"zones/{zone}/dns_records", query), import_line(resource, f'"{zone}/$ID"')


def _tunnel(resource: Resource) -> tuple[str, ...]:
    account, name = resource["inputs"]["accountId"], resource["inputs"]["name"]
    find = _found(f"accounts/{account}/cfd_tunnel", {"name": name, "is_deleted": "false"})
    return find, import_line(resource, f'"{account}/$ID"')


BOOTSTRAP = "talos:machine/bootstrap:Bootstrap"
RELEASE = "kubernetes:helm.sh/v3:Release"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"

ANSWERS = (
    Answer(
        BOOTSTRAP,
        "AlreadyExists, after three minutes",
        r"\bAlreadyExists\b",
        "etcd is bootstrapped already and must not be again: tell the state so.",
        _bootstrap,
    ),
    Answer(
        RELEASE,
        "cannot re-use a name that is still in use",
        r"cannot re-use a name that is still in use",
        "Helm has the release: give it to the state; the next up upgrades it in place.",
        _release,
    ),
    Answer(
        RELEASE,
        "another operation (install/upgrade/rollback) is in progress",
        r"another operation \(install/upgrade/rollback\) is in progress",
        "Helm was cut off in the middle of the install: uninstall the half; the next up installs it whole.",
        _half_a_release,
    ),
    Answer(
        RECORD,
        "error 81053 or 81058",
        r"\b8105[3478]\b|(?i:record (?:with (?:that host|those settings) )?already exists)",
        "Cloudflare has the record: find its id and give it to the state.",
        _record,
    ),
    Answer(
        TUNNEL,
        "error 1013",
        r"\b1013\b|(?i:tunnel with this name)",
        "Cloudflare has the tunnel: find its id and give it to the state. Its secret is in the state already.",
        _tunnel,
    ),
    Answer(
        RELEASE,
        "another operation (install/upgrade/rollback) is in progress",
        r"another operation \(install/upgrade/rollback\) is in progress",
        "Helm was cut off in the middle of the upgrade: let it forget the half; the next up upgrades again.",
        _half_an_upgrade,
        "changing",
    ),
    Answer(
        TUNNEL,
        "error 1003",
        r"\b1003\b|(?i:tunnel not found)",
        "Cloudflare has deleted the tunnel already, and still shows it: let the state forget it.",
        _forget,
        "changing",
    ),
    Answer(
        RECORD,
        "error 81044",
        r"\b81044\b|(?i:record does not exist)",
        "Cloudflare has deleted the record already: let the state see that it is gone.",
        lambda _: (REFRESH,),
        "changing",
    ),
)
