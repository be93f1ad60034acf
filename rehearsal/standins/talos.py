"""The Talos provider's stand-in (pulumiverse-talos 0.8.1, terraform-provider-talos 0.11).

Owns what the provider itself decides: defaults, previews, which output is secret, what an id is. What a node answers
is ``rehearsal.world.talos``'.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from rehearsal.standins.base import (
    UNKNOWN,
    Context,
    Diff,
    Function,
    Kind,
    Properties,
    Refusal,
    Secret,
    StandIn,
    contains_unknown,
)
from rehearsal.standins.diffing import compare
from rehearsal.standins.talos_kubeconfig import Kubeconfig, check_client, given_client
from rehearsal.standins.talos_patience import check_timeouts, patiently
from rehearsal.standins.talos_secrets import Secrets
from rehearsal.world import factory, talos_config, talos_generate, talos_secrets
from rehearsal.world.go_yaml import dump_all

_MODES = ("auto", "reboot", "no_reboot", "staged", "staged_if_needing_reboot")


def _one_of(news: Properties, first: str, second: str, what: str) -> None:
    """The provider's rule for an input and its write-only twin."""
    given = [name for name in (first, second) if news.get(name) is not None]
    if len(given) != 1:
        problem = "Missing" if not given else "Conflicting"
        raise Refusal(f"{problem} {what}. Exactly one of {first} or {second} must be set", property=first)


class ConfigurationApply(Kind):
    """``machine.ConfigurationApply``: nothing replaces it, nothing is read back."""

    token = "talos:machine/configurationApply:ConfigurationApply"

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        _one_of(news, "machineConfigurationInput", "machineConfigurationInputWo", "machine configuration input")
        _one_of(news, "clientConfiguration", "clientConfigurationWo", "client configuration")
        check_client(news, "clientConfiguration")
        check_timeouts(news)
        if news.setdefault("applyMode", "auto") not in (*_MODES, UNKNOWN):
            listed = " ".join(f'"{mode}"' for mode in _MODES)
            raise Refusal(f'value must be one of: [{listed}], got: "{news["applyMode"]}"', property="applyMode")
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        state = self._planned(ctx, news)
        if not preview:
            self._apply(ctx, state, news)
        return "machine_configuration_apply", self._kept(state)

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        state = self._planned(ctx, news)
        if not preview:
            self._apply(ctx, state, news)
        return self._kept(state)

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        told = state.get("onDestroy") or {}
        if told.get("reset"):
            graceful, reboot = told.get("graceful", True), told.get("reboot", False)
            where = (state["node"], state.get("endpoint"), given_client(state))
            try:
                name = ctx.world.talos.reset(*where, graceful=graceful, reboot=reboot)
            except Refusal as refusal:  # asked once: what is retried is only the wait for its end
                raise Refusal(f"Error resetting machine: {refusal.message}") from refusal
            patiently(ctx, state, "Error resetting machine", lambda: ctx.world.talos.was_reset(name))

    def _planned(self, ctx: Context, news: Properties) -> Properties:
        """What the provider computes before it dials: the configuration with its patches, its hash, the mode."""
        state = dict(news)
        if state.get("endpoint") is None:
            state["endpoint"] = news["node"]
        text = news.get("machineConfigurationInput") or news.get("machineConfigurationInputWo")
        patches = news.get("configPatches") or []
        if contains_unknown(text) or contains_unknown(patches):
            state.update(machineConfiguration=UNKNOWN, machineConfigurationHash=UNKNOWN)
        else:
            rendered = _rendered(str(text), patches)
            state.update(machineConfiguration=rendered, machineConfigurationHash=talos_config.hash_of(rendered))
        mode = news.get("applyMode", "auto")
        if mode == "staged_if_needing_reboot":
            mode = self._resolved(ctx, state)
        state["resolvedApplyMode"] = mode
        return state

    def _resolved(self, ctx: Context, state: Properties) -> Any:
        """A dry run against the node decides; where none is possible the provider falls back to ``auto``."""
        if contains_unknown(state["node"]) or state["machineConfiguration"] is UNKNOWN:
            return "auto"
        name = ctx.world.machines.at(str(state["node"]).partition(":")[0])
        if name is None or not ctx.world.talos.node(name).running:
            return "auto"
        after = talos_config.parse(state["machineConfiguration"])
        return "staged" if talos_config.needs_reboot(ctx.world.talos.node(name).documents, after) else "auto"

    def _apply(self, ctx: Context, state: Properties, news: Properties) -> None:
        told = (state["node"], state["endpoint"], given_client(news))
        text, mode = state["machineConfiguration"], state["resolvedApplyMode"]
        patiently(ctx, news, "Error applying configuration", lambda: ctx.world.talos.apply(*told, text, mode))
        ctx.journal("apply configuration", state["node"])

    def _kept(self, state: Properties) -> Properties:
        """Write-only inputs are not remembered; what they rendered to is."""
        kept = {name: value for name, value in state.items() if not name.endswith("Wo")}
        if kept["machineConfiguration"] is not UNKNOWN:
            kept["machineConfiguration"] = Secret(kept["machineConfiguration"])
        return kept


def _rendered(text: str, patches: list[str]) -> str:
    try:
        return talos_config.text_of(talos_config.patched(talos_config.parse(text), patches))
    except Refusal as refusal:
        raise Refusal(
            f"Error computing machine configuration: error applying config patches: {refusal.message}"
        ) from None


class Bootstrap(Kind):
    """``machine.Bootstrap``: its update and delete do nothing; it can be imported by any id."""

    token = "talos:machine/bootstrap:Bootstrap"

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        _one_of(news, "clientConfiguration", "clientConfigurationWo", "client configuration")
        check_client(news, "clientConfiguration")
        check_timeouts(news)
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if not preview:
            told = (news["node"], news.get("endpoint"), given_client(news))
            patiently(ctx, news, "Error bootstrapping node", lambda: ctx.world.talos.bootstrap(*told))
            ctx.journal("bootstrap", news["node"])
        return "machine_bootstrap", self._state(news)

    def read(
        self, ctx: Context, id: str, state: Properties
    ) -> tuple[str, Properties, Properties] | tuple[str, Properties]:
        # Import knows nothing but a fixed id; the next update fills in the rest (ImportState of the real provider).
        return ("machine_bootstrap", {}, {}) if not state else (id, state)

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        return self._state(news)

    def _state(self, news: Properties) -> Properties:
        kept = {name: value for name, value in news.items() if not name.endswith("Wo")}
        return {"endpoint": news["node"]} | kept


class Schematic(Kind):
    """``imagefactory.Schematic``: registering only; the id is the text's hash."""

    token = "talos:imageFactory/schematic:Schematic"

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        text = news.get("schematic")
        if preview:
            return "", dict(news)
        identity = ctx.world.factory.register(text or "customization: {}\n")
        ctx.journal("register schematic", identity[:12])
        return identity, {"schematic": text}

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if not preview:
            ctx.world.factory.register(news.get("schematic") or "customization: {}\n")
        return dict(news)

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        if isinstance(news.get("schematic"), str):
            factory.canonical(news["schematic"])
        return news

    def diff(self, ctx: Context, id: str, olds_inputs: Properties, olds_state: Properties, news: Properties) -> Diff:
        return compare(olds_inputs, news, set())


class GetMachineConfiguration(Function):
    """``machine.getConfiguration``: pure, and strict about the names inside ``machineSecrets``."""

    token = "talos:machine/getConfiguration:getConfiguration"

    def invoke(self, ctx: Context, args: Properties) -> Properties:
        bundle = args["machineSecrets"]
        found = talos_secrets.misshapen(bundle, talos_secrets.SHAPE, "machineSecrets")
        if found:
            raise Refusal(found[1], property=found[0])
        documents = talos_generate.generate(
            args["machineType"],
            args["clusterName"],
            args["clusterEndpoint"],
            bundle,
            args.get("kubernetesVersion"),
            args.get("talosVersion"),
        )
        text = _rendered(talos_config.text_of(documents), args.get("configPatches") or [])
        computed = {"id": "machine_configuration", "machineConfiguration": Secret(text)}
        return args | computed | {"machineSecrets": Secret(bundle)}


class GetClientConfiguration(Function):
    """``client.getConfiguration``: pure; writes a talosconfig."""

    token = "talos:client/getConfiguration:getConfiguration"

    def invoke(self, ctx: Context, args: Properties) -> Properties:
        client = args["clientConfiguration"]
        check_client(args, "clientConfiguration")
        context = {
            "endpoints": args.get("endpoints") or [],
            "nodes": args.get("nodes") or [],
            "ca": client["caCertificate"],
            "crt": client["clientCertificate"],
            "key": client["clientKey"],
        }
        name = args["clusterName"]
        text = dump_all(
            [{"context": name, "contexts": {name: {key: value for key, value in context.items() if value}}}]
        )
        secret = client | {"clientKey": Secret(client["clientKey"])}
        return args | {"id": name, "clientConfiguration": secret, "talosConfig": Secret(text)}


class Talos(StandIn):
    """The package ``talos``."""

    package = "talos"


def stand_in() -> Talos:
    """What the engine talks to instead of the Talos provider."""
    kinds = [Secrets(), ConfigurationApply(), Bootstrap(), Kubeconfig(), Schematic()]
    return Talos(version("pulumiverse-talos"), kinds, [GetMachineConfiguration(), GetClientConfiguration()])
