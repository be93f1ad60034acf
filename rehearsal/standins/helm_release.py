"""``helm.sh/v3:Release`` of the Kubernetes provider's stand-in.

Owns how a resource becomes a release and a release a state. What Helm does is ``rehearsal.world.kube_helm``'s.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from rehearsal.standins.base import (
    UNKNOWN,
    Context,
    InitFailed,
    Kind,
    Properties,
    Refusal,
    Secret,
    contains_unknown,
)
from rehearsal.standins.kube_session import cluster_of, reach
from rehearsal.world import kube_helm
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_helm import Wanted

_READ_BY_HELM = ("chart", "version", "name", "namespace", "repositoryOpts", "createNamespace", "takeOwnership")


class Release(Kind):
    """A Helm release, waited for. The fault point ``midway`` lies between Helm's record and the chart's objects."""

    token = "kubernetes:helm.sh/v3:Release"
    replace_on = frozenset({"name", "namespace"})

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        news.setdefault("name", olds.get("name") or f"{ctx.name}-{secrets.token_hex(4)}")
        news.setdefault("namespace", "default")
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            _foresee(ctx, news)
            return "", dict(news)
        cluster, wanted = reach(ctx), _wanted(news)
        release = _helm(lambda: kube_helm.install(cluster, wanted, lambda: ctx.fault("midway")))
        return wanted.key, _done(ctx, cluster, news, release, "created")

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if preview:
            _foresee(ctx, news)
            return dict(news)
        cluster, wanted = reach(ctx), _wanted(news)
        release = _helm(lambda: kube_helm.upgrade(cluster, wanted, lambda: ctx.fault("midway")))
        return _done(ctx, cluster, news, release, "updated")

    def read(
        self, ctx: Context, id: str, state: Properties
    ) -> tuple[str, Properties] | tuple[str, Properties, Properties] | None:
        release = reach(ctx).releases.get(id)
        if release is None:
            return None
        now = {"version": release["version"], "values": release["values"], "status": kube_helm.summary(release)}
        if state:
            return id, state | now
        oci = str(release["repository"]).startswith("oci://")
        inputs: Properties = {
            "chart": f"{release['repository']}/{release['chart']}" if oci else release["chart"],
            "name": release["name"],
            "namespace": release["namespace"],
            "version": release["version"],
            "values": release["values"],
        }
        if not oci:
            inputs["repositoryOpts"] = {"repo": release["repository"]}
        return id, inputs | now, inputs

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        cluster = reach(ctx)
        namespace, _, name = id.rpartition("/")
        kube_helm.uninstall(cluster, namespace, name)
        ctx.journal("uninstall", f"{cluster.name}/{id}")


def _wanted(news: Properties) -> Wanted:
    repository = news.get("repositoryOpts") or {}
    return Wanted(
        name=news["name"],
        namespace=news["namespace"],
        chart=news["chart"],
        version=news.get("version"),
        repository=repository.get("repo"),
        values=news.get("values") or {},
        create_namespace=bool(news.get("createNamespace")),
        take_ownership=bool(news.get("takeOwnership")),
        skip_crds=bool(news.get("skipCrds")),
        waits=not news.get("skipAwait"),
    )


def _foresee(ctx: Context, news: Properties) -> None:
    """A preview fetches the chart, but only when it has a cluster to render it for."""
    known = {name: news[name] for name in _READ_BY_HELM if name in news}
    if cluster_of(ctx) is not None and not contains_unknown(known):
        kube_helm.foresee(_wanted(news | {"values": {}} if news.get("values") is UNKNOWN else news))


def _helm(run: Callable[[], Body]) -> Body:
    try:
        return run()
    except Refusal as refusal:
        raise Refusal(f"1 error occurred:\n\t* Helm release failed: {refusal.message}") from refusal


def _done(ctx: Context, cluster: Cluster, news: Properties, release: Body, verb: str) -> Properties:
    key = f"{release['namespace']}/{release['name']}"
    duration = f"kubernetes.Release.{ctx.operation}.{release['chart']}"
    ctx.journal("install" if verb == "created" else "upgrade", f"{cluster.name}/{key}", duration)
    state = dict(news) | {"status": kube_helm.summary(release)}
    if release["status"] != "failed":
        return state
    reasons = "".join(f"\n\t  {reason}" for reason in release["reasons"])
    text = (
        f'Helm release "{key}" was {verb}, but failed to initialize completely. Use Helm CLI to investigate.: failed to'
        f" become available within allocated timeout. Error: Helm Release {key}: context deadline exceeded{reasons}"
    )
    if any(path[0] == "values" for path in ctx.secrets):
        state["values"] = Secret(state["values"])
    raise InitFailed(text, id=key, state=state)
