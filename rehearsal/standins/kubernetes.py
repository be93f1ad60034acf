"""The Kubernetes provider's stand-in.

Owns what the provider itself decides: which cluster a configuration means, when a change is a replacement, what a
preview can know, what is secret in the state. What an API server, Helm or a controller answers is
``rehearsal.world.kubernetes``'; Helm releases are ``helm_release``'s.

One thing is stricter than the provider: it does not wait for custom objects, so a Gateway without an address or an
ApplicationSet that generates nothing would pass. Here they fail as not ready: a rehearsal is run to find them.
"""

from __future__ import annotations

import base64
import secrets
from importlib.metadata import version
from typing import Any

from rehearsal.standins.base import (
    Context,
    Diff,
    InitFailed,
    Kind,
    Properties,
    Refusal,
    Secret,
    Session,
    StandIn,
    contains_unknown,
)
from rehearsal.standins.diffing import compare
from rehearsal.standins.helm_release import Release
from rehearsal.standins.kube_session import cluster_of, flag, reach
from rehearsal.standins.schema import OPEN, Shape
from rehearsal.world import World, kubernetes
from rehearsal.world.kube_cluster import PROGRAM, Cluster, desired
from rehearsal.world.kube_judge import IMMUTABLE
from rehearsal.world.kube_kinds import group_of

_NOT_ON_THE_RACK = frozenset(
    {"cluster", "context", "namespace", "enableServerSideApply", "renderYamlToDirectory", "skipUpdateUnreachable"}
)
_PATIENCE = 600.0
"""Seconds in which the provider waits for an object to be gone."""
_LATER = ("no matches for kind", "namespaces ")
"""Refusals that a preview does not pass on: what is missing may be made by the same run."""


class Object(Kind):
    """Any object, by the kind that its token names."""

    def __init__(self, token: str) -> None:
        self.token = token  # type: ignore[misc]  # a class for each kind there may be would say the same
        _, module, self.kind = token.split(":")
        self.api_version = module.removeprefix("core/")

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        news.update(apiVersion=self.api_version, kind=self.kind)
        metadata = news.setdefault("metadata", {})
        if isinstance(metadata, dict) and not metadata.get("name") and not metadata.get("generateName"):
            named = (olds.get("metadata") or {}).get("name")
            metadata["name"] = named or f"{ctx.name}-{secrets.token_hex(4)}"
            metadata.setdefault("annotations", {})["pulumi.com/autonamed"] = "true"
        return news

    def diff(self, ctx: Context, id: str, olds_inputs: Properties, olds_state: Properties, news: Properties) -> Diff:
        before = group_of(str(olds_inputs.get("apiVersion"))), olds_inputs.get("kind")
        moved = {"apiVersion"} if before != (group_of(self.api_version), self.kind) else set()
        found = compare(olds_inputs, news, moved | self._fixed(ctx, olds_inputs))
        same = _place(olds_inputs) == _place(news) and not contains_unknown(news.get("metadata"))
        return Diff(found.changes, found.replaces, bool(found.replaces) and same, found.details)

    def _fixed(self, ctx: Context, olds: Properties) -> set[str]:
        """What replaces the object. The data of ConfigMaps and Secrets does unless the provider is told otherwise."""
        fixed = {"metadata.name", "metadata.namespace", *IMMUTABLE.get(self.kind, ())}
        mutable = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}.get(self.kind)
        if mutable and self.api_version == "v1" and (not flag(ctx.session, mutable) or olds.get("immutable")):
            fixed |= {"data", "stringData", "binaryData"}
        return fixed

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            self._foresee(ctx, news, new=True)
            return "", self._state(ctx, news, news)
        cluster = reach(ctx)
        upsert = flag(ctx.session, "upsertExistingObjects")
        made = _said(lambda: cluster.create(news, PROGRAM, upsert=upsert, force=_forced(news)))
        return self._done(ctx, cluster, "create", news, made)

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if preview:
            self._foresee(ctx, news, new=False)
            return self._state(ctx, news, news)
        cluster = reach(ctx)
        return self._done(
            ctx, cluster, "update", news, _said(lambda: cluster.apply(news, PROGRAM, force=_forced(news)))
        )[1]

    def read(
        self, ctx: Context, id: str, state: Properties
    ) -> tuple[str, Properties] | tuple[str, Properties, Properties] | None:
        namespace, _, name = id.rpartition("/")
        found = reach(ctx).get(self.kind, namespace, name)
        if found is None:
            return None
        told = state.get("__inputs")
        inputs = _seen_through(told, found) if told else desired(found)
        return id, self._state(ctx, inputs, found), self._hidden(inputs)

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        cluster = reach(ctx)
        namespace, _, name = id.rpartition("/")
        cluster.delete(self.kind, namespace, name)
        if not ctx.world.clock.wait_for(lambda: cluster.get(self.kind, namespace, name) is None, _PATIENCE):
            left = cluster.get(self.kind, namespace, name) or {"metadata": {}}
            held = ", ".join(left["metadata"].get("finalizers") or ["those of what is in it"])
            text = f'"{id}" was to be deleted and is still there after {_PATIENCE / 60:.0f}m: '
            raise Refusal(f"{text}finalizers might be preventing deletion ({held})")
        ctx.journal("delete", f"{cluster.name}/{self.kind}/{id}")

    def _foresee(self, ctx: Context, news: Properties, *, new: bool) -> None:
        """A dry run against the API server, where there is one to ask and everything is known."""
        cluster = cluster_of(ctx)
        if cluster is None or contains_unknown(news):
            return
        upsert = not new or flag(ctx.session, "upsertExistingObjects")
        try:
            cluster.create(news, PROGRAM, upsert=upsert, dry_run=True, force=_forced(news))
        except Refusal as refusal:
            if not refusal.message.startswith(_LATER):
                raise

    def _done(
        self, ctx: Context, cluster: Cluster, verb: str, news: Properties, made: Properties
    ) -> tuple[str, Properties]:
        metadata = made["metadata"]
        identity = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
        ctx.journal(verb, f"{cluster.name}/{self.kind}/{identity}")
        state = self._state(ctx, news, made)
        trouble = kubernetes.trouble_of(cluster, made)
        if trouble:
            text = f'the Kubernetes API server reported that "{identity}" failed to fully initialize or become live: '
            raise InitFailed(text + trouble, id=identity, state=_sealed(ctx, state))
        return identity, state

    def _state(self, ctx: Context, news: Properties, live: Properties) -> Properties:
        inputs = Secret(news) if ctx.secrets or self.kind == "Secret" else news
        own = {"__inputs": inputs, "__initialApiVersion": self.api_version, "__fieldManager": PROGRAM}
        return self._hidden(live) | own

    def _hidden(self, body: Properties) -> Properties:
        """``body`` with the content of a Secret as a secret, wherever it came from."""
        if self.kind != "Secret":
            return dict(body)
        return {name: Secret(value) if name in ("data", "stringData") else value for name, value in body.items()}


def _place(body: Properties) -> tuple[Any, Any]:
    metadata = body.get("metadata") or {}
    return metadata.get("namespace"), metadata.get("name")


def _sealed(ctx: Context, state: Properties) -> Properties:
    """``state`` with every property secret that was secret in the inputs, as far as it is not already."""
    tops = {path[0] for path in ctx.secrets}
    return {
        name: Secret(value) if name in tops and not isinstance(value, Secret) else value
        for name, value in state.items()
    }


def _said(ask: Any) -> Any:
    try:
        return ask()
    except Refusal as refusal:
        if refusal.message.startswith("no matches for kind"):
            text = (
                "creation failed because the Kubernetes API server reported that the apiVersion for this resource does"
                " not exist. Verify that any required CRDs have been created: "
            )
            raise Refusal(text + refusal.message) from refusal
        if refusal.message.startswith("Apply failed with"):
            text = "Server-Side Apply field conflict detected: another manager has set these fields to other values: "
            raise Refusal(text + refusal.message) from refusal
        raise


def _forced(news: Properties) -> bool:
    """Whether the object's own annotation says that its fields are taken from whoever wrote them."""
    annotations = (news.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get("pulumi.com/patchForce", "")).lower() == "true"


def _seen_through(inputs: Any, live: Any) -> Any:
    """``inputs`` as they would have to be for ``live``: what nobody asked for stays out."""
    if isinstance(inputs, dict) and isinstance(live, dict):
        seen = {name: _seen_through(value, live[name]) for name, value in inputs.items() if name in live}
        if live.get("kind") == "Secret" and "stringData" in inputs:
            seen["stringData"] = _string_data(inputs["stringData"], live.get("data") or {})
        return seen
    return live


def _string_data(told: dict[str, str], data: dict[str, str]) -> dict[str, str]:
    return {name: base64.b64decode(data[name]).decode() for name in told if name in data}


class Kubernetes(StandIn):
    """The package ``kubernetes``: every kind of object has a Kind, whether the SDK knows it or not."""

    package = "kubernetes"

    def resource(self, token: str) -> tuple[Kind, Shape]:
        """A Helm release by its schema; any other kind as its own token says, judged by its cluster."""
        module = token.split(":")[1] if token.count(":") == 2 else ""
        if token in self.kinds or module.partition("/")[0] in ("", "helm.sh", "yaml", "kustomize"):
            return super().resource(token)
        if token.endswith("Patch"):
            raise Refusal(f"the rack does not know {token}")
        return Object(token), OPEN

    def check_config(self, world: World, olds: Properties, news: Properties) -> Properties:
        if news.get("kubeconfig") is None:
            text = "none is given: the provider would take $KUBECONFIG of whoever runs it, and change that cluster"
            raise Refusal(text, property="kubeconfig")
        for name in sorted(set(news) & _NOT_ON_THE_RACK):
            raise Refusal("the rack's Kubernetes provider does not know this setting", property=name)
        return news

    def diff_config(self, world: World, olds: Properties, news: Properties) -> Diff:
        found = compare(olds, news, {"clusterIdentifier"})
        if found.replaces or (olds.get("clusterIdentifier") and news.get("clusterIdentifier")):
            return found
        if "kubeconfig" in found.details and _another_cluster(olds.get("kubeconfig"), news.get("kubeconfig")):
            return Diff(found.changes, ["kubeconfig"], False, found.details)
        return found

    def configure(self, world: World, session: Session) -> None:
        session.facts["kubeconfig"] = session.config.get("kubeconfig")


def _another_cluster(old: Any, new: Any) -> bool:
    """Without an identifier the provider can only compare what two kubeconfigs point at."""
    if not isinstance(old, str) or not isinstance(new, str):
        return True
    try:
        return kubernetes.active_cluster(old) != kubernetes.active_cluster(new)
    except Refusal:
        return True


def stand_in() -> Kubernetes:
    """What the engine talks to instead of the Kubernetes provider."""
    return Kubernetes(version("pulumi-kubernetes"), [Release()])
