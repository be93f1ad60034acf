"""The Talos provider's ``machine.Secrets``: a cluster's identity.

Owns when it is made anew: lowering the version contract replaces it, anything else keeps it. The values are the
World's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rehearsal.standins.base import UNKNOWN, Context, Diff, Kind, Properties, Refusal, Secret
from rehearsal.standins.diffing import compare
from rehearsal.standins.talos_kubeconfig import nears_its_end
from rehearsal.world import talos_secrets
from rehearsal.world.go_yaml import load
from rehearsal.world.talos_generate import contract

_MONTH = 31 * 24 * 3600.0


def _guarded(value: Any, name: str = "") -> Any:
    """A bundle with its secret leaves marked."""
    if isinstance(value, dict):
        return {key: _guarded(inner, key) for key, inner in value.items()}
    return Secret(value) if name in {*talos_secrets.SECRET_LEAVES, "clientKey"} else value


class Secrets(Kind):
    """``machine.Secrets``."""

    token = "talos:machine/secrets:Secrets"

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        if isinstance(news.get("talosVersion"), str):
            contract(news["talosVersion"])
        return news

    def diff(self, ctx: Context, id: str, olds_inputs: Properties, olds_state: Properties, news: Properties) -> Diff:
        before, after = olds_inputs.get("talosVersion"), news.get("talosVersion")
        lowers = after is not UNKNOWN and contract(after) < contract(before)
        found = compare(olds_inputs, news, {"talosVersion"} if lowers else set())
        if found.any or not self._due(ctx, olds_state):
            return found
        return Diff(["clientConfiguration"], details={"clientConfiguration": "update"})

    def _due(self, ctx: Context, state: Properties) -> bool:
        """Whether the client's certificate ends within a month."""
        return nears_its_end(ctx, state["clientConfiguration"]["clientCertificate"], _MONTH)

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", news | {"machineSecrets": UNKNOWN, "clientConfiguration": UNKNOWN}
        bundle, client = ctx.world.talos.new_bundle()
        ctx.journal("make machine secrets", ctx.name)
        return "machine_secrets", _state(news, bundle, client)

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        due, bundle, client = self._due(ctx, olds), olds["machineSecrets"], olds["clientConfiguration"]
        if preview:
            raised = news.get("talosVersion") != olds.get("talosVersion")
            secret = UNKNOWN if raised else _guarded(bundle)
            return news | {
                "machineSecrets": secret,
                "clientConfiguration": UNKNOWN if raised or due else _guarded(client),
            }
        return _state(news, bundle, ctx.world.talos.new_client(bundle["certs"]["os"]["cert"]) if due else client)

    def read(
        self, ctx: Context, id: str, state: Properties
    ) -> tuple[str, Properties] | tuple[str, Properties, Properties]:
        if state:
            return id, _state({name: state[name] for name in ("talosVersion",) if name in state}, *_computed(state))
        bundle = _adopted(Path(id))
        client = ctx.world.talos.adopt(bundle)
        return "machine_secrets", _state({}, bundle, client), {}


def _computed(state: Properties) -> tuple[dict[str, Any], dict[str, str]]:
    return state["machineSecrets"], state["clientConfiguration"]


def _state(news: Properties, bundle: dict[str, Any], client: dict[str, str]) -> Properties:
    return news | {"machineSecrets": _guarded(bundle), "clientConfiguration": _guarded(client)}


def _adopted(file: Path) -> dict[str, Any]:
    """An existing bundle from the ``secrets.yaml`` that ``talosctl gen secrets`` writes; import's id is its path."""
    try:
        document = load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"failed to load secrets bundle from {file}: {error.strerror}") from error
    certs = document["certs"]
    pairs = {"etcd": "etcd", "k8s": "k8s", "k8saggregator": "k8sAggregator", "os": "os"}
    return {
        "certs": {
            **{name: {"cert": certs[found]["crt"], "key": certs[found]["key"]} for found, name in pairs.items()},
            "k8sServiceaccount": {"key": certs["k8sserviceaccount"]["key"]},
        },
        "cluster": {"id": document["cluster"]["id"], "secret": document["cluster"]["secret"]},
        "secrets": {
            "bootstrapToken": document["secrets"]["bootstraptoken"],
            "secretboxEncryptionSecret": document["secrets"]["secretboxencryptionsecret"],
        },
        "trustdinfo": {"token": document["trustdinfo"]["token"]},
    }
