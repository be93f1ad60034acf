"""One Kubernetes cluster: its API and what is stored behind it.

Owns the objects by kind, namespace and name, who wrote them, and the verbs of the API with what it refuses. It refuses
to own what controllers make of the objects (``kube_pods``, ``kube_gateway``, ``kube_argocd``, ``kube_flux``); it only
lets them work after every change.
"""

from __future__ import annotations

import base64
import copy
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearsal.world import kube_ending, kube_fields, kube_index, kube_judge, kube_kinds, kube_owners
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_kinds import Kind

if TYPE_CHECKING:
    from rehearsal.world import World

Body = dict[str, Any]
PROGRAM = "pulumi-kubernetes"
"""The field manager as which the program acts."""
DEFAULT_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_ROUNDS = 5
"""So often do controllers look again at once at what others made of what they made."""
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


class Cluster:
    """A cluster that stands. ``record`` is its JSON: server, version, credential, objects, releases."""

    def __init__(self, world: World, name: str, record: Body, controllers: list[Callable[[Cluster], None]]) -> None:
        self.world = world
        self.name = name
        self.record = record
        self._controllers = controllers
        self._at_work = False
        self._index = kube_index.Index()

    @property
    def version(self) -> str:
        """Release of Kubernetes, with or without a leading ``v``."""
        return str(self.record["version"])

    @property
    def is_k3s(self) -> bool:
        """Whether it is k3s: a CNI of its own, no Pod Security enforced."""
        return "k3s" in self.version

    @property
    def releases(self) -> dict[str, Body]:
        """Helm's releases by ``namespace/name``; see ``kube_helm``."""
        found: dict[str, Body] = self.record["releases"]
        return found

    @property
    def _stored(self) -> dict[str, Body]:
        found: dict[str, Body] = self.record["objects"]
        return found

    @property
    def is_starting(self) -> bool:
        """Whether its API does not listen yet: Talos bootstraps first and pulls the control plane's images then."""
        return bool(self.record.get("starts_in"))

    def answers_at(self, url: str) -> bool:
        """Whether this cluster's API answers at ``url`` now."""
        return not self.is_starting and self.serves(url)

    def serves(self, url: str) -> bool:
        """Whether ``url`` is this cluster's API, listening or not: its server, or any control plane node."""
        asked, server = urlsplit(url), urlsplit(str(self.record["server"]))
        port = asked.port or (443 if asked.scheme == "https" else 80)
        if asked.scheme != "https" or port != (server.port or 443):
            return False
        return asked.hostname == server.hostname or asked.hostname in self._control_planes()

    def _control_planes(self) -> set[str]:
        nodes = self.objects("Node")
        served = [each for each in nodes if _CONTROL_PLANE in (each["metadata"].get("labels") or {})]
        return {str(address["address"]) for each in served for address in each["status"]["addresses"]}

    # Looking

    def get(self, kind: str, namespace: str | None, name: str) -> Body | None:
        """The object, ``None`` when there is none. ``namespace`` is ``None`` or ``""`` for cluster-wide kinds."""
        found = self._stored.get(_key(kind, namespace, name))
        return found["object"] if found else None

    def objects(self, kind: str, namespace: str | None = None) -> list[Body]:
        """All objects of ``kind``, in ``namespace`` when given, by namespace and name."""
        found = [self._stored[key]["object"] for key in self._index.of(kind, self._stored)]
        return [each for each in found if namespace is None or each["metadata"].get("namespace") == namespace]

    def written_by(self, manager: str) -> Iterator[Body]:
        """Objects that ``manager`` created."""
        for key in sorted(self._stored):
            if self._stored[key]["created_by"] == manager:
                yield self._stored[key]["object"]

    def said_by(self, manager: str, kind: str, namespace: str | None, name: str) -> Body | None:
        """What ``manager`` last said of an object; ``None`` when it said nothing, or there is no such object."""
        found = self._stored.get(_key(kind, namespace, name))
        return found["managers"].get(manager) if found else None

    def kind(self, api_version: str, name: str) -> Kind:
        """The kind as this API serves it; ``Refusal`` when it does not."""
        found = kube_kinds.BUILTIN.get(name)
        crd = self._definition(name)
        if found is None and crd is not None:
            found = kube_kinds.defined_by(crd)
        version = api_version.rpartition("/")[2]
        if found is None or found.group != kube_kinds.group_of(api_version) or version not in found.versions:
            raise Refusal(f'no matches for kind "{name}" in version "{api_version}"')
        return found

    def _definition(self, kind: str) -> Body | None:
        definitions = self.objects("CustomResourceDefinition")
        return next((each for each in definitions if each["spec"]["names"]["kind"] == kind), None)

    # Changing

    def create(
        self, body: Body, manager: str, *, upsert: bool = False, dry_run: bool = False, force: bool = True
    ) -> Body:
        """Store a new object and give it back as it is stored. With ``upsert`` one that is there is taken over."""
        kind, body = self._admitted(body)
        metadata = body["metadata"]
        there = self.get(kind.name, metadata.get("namespace"), metadata["name"])
        if there is not None and "deletionTimestamp" in there["metadata"]:
            raise Refusal(f'object is being deleted: {kind.resource} "{metadata["name"]}" already exists')
        if there is not None and not upsert:
            raise Refusal(f'{kind.resource} "{metadata["name"]}" already exists')
        return self._write(kind, body, manager, dry_run=dry_run, force=force)

    def apply(self, body: Body, manager: str, *, dry_run: bool = False, force: bool = True) -> Body:
        """Server-side apply: what ``manager`` said before and says no more goes, what others wrote stays.

        Unless it is forced, a field that another manager wrote with another value is a conflict.
        """
        kind, body = self._admitted(body)
        return self._write(kind, body, manager, dry_run=dry_run, force=force)

    def delete(self, kind: str, namespace: str | None, name: str) -> None:
        """Remove an object and what hangs on it, as soon as no finalizer holds it; gone already is no error."""
        if kind == "Namespace" and name in DEFAULT_NAMESPACES:
            raise Refusal(f'namespaces "{name}" is forbidden: this namespace may not be deleted')
        found = self._stored.get(_key(kind, namespace, name))
        if found is not None:
            found["object"]["metadata"].setdefault("deletionTimestamp", self.world.now())
            self._let_go()
            self.work()

    def hold(self, body: Body, finalizer: str, *, held: bool) -> None:
        """A controller's finalizer on an object that stands: with ``held`` it is put there, else taken away."""
        metadata = body["metadata"]
        found = self._stored[_key(body["kind"], metadata.get("namespace"), metadata["name"])]
        others = [each for each in found.get("holds", ()) if each != finalizer]
        found["holds"] = [*others, finalizer] if held else others
        metadata["finalizers"] = kube_ending.finalizers(found)
        if not metadata["finalizers"]:
            del metadata["finalizers"]

    def _let_go(self) -> None:
        for key in kube_ending.ended(self._stored, self.world.now()):
            gone = self._stored.pop(key)["object"]
            self._index.forget()
            if gone["kind"] == "Namespace":
                for release in [each for each in self.releases if each.startswith(f"{gone['metadata']['name']}/")]:
                    del self.releases[release]

    def place(self, body: Body, manager: str) -> Body:
        """Store what a controller of the cluster itself makes; its namespace is made when it is missing."""
        namespace = body["metadata"].get("namespace")
        if namespace and self.get("Namespace", None, namespace) is None:
            self.place({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, manager)
        return self._write(self.kind(body["apiVersion"], body["kind"]), copy.deepcopy(body), manager)

    def register(self, kinds: tuple[str, ...], manager: str, annotations: dict[str, str] | None = None) -> None:
        """Register custom kinds that are not registered yet."""
        for name in kinds:
            crd = kube_fields.definition(name)
            if self.get("CustomResourceDefinition", None, crd["metadata"]["name"]) is None:
                crd["metadata"]["annotations"] = dict(annotations or {})
                self._write(kube_kinds.BUILTIN["CustomResourceDefinition"], crd, manager)

    def set_status(self, body: Body, status: Body) -> None:
        """Write what a controller found out about an object."""
        body["status"] = status

    def work(self) -> None:
        """Let every controller look at what stands now, and again at what the others made of it."""
        if self._at_work:
            return
        self._at_work = True
        try:
            for _ in range(_ROUNDS):
                seen = self.record["counter"]
                for controller in self._controllers:
                    controller(self)
                self._let_go()
                if seen == self.record["counter"]:
                    break
        finally:
            self._at_work = False

    def _admitted(self, body: Body) -> tuple[Kind, Body]:
        kind = self.kind(body["apiVersion"], body["kind"])
        body = {name: copy.deepcopy(value) for name, value in body.items() if name != "status"}
        metadata = body.setdefault("metadata", {})
        if kind.namespaced:
            namespace = metadata.setdefault("namespace", "default")
            place = self.get("Namespace", None, namespace)
            if place is None:
                raise Refusal(f'namespaces "{namespace}" not found')
            new = self.get(kind.name, namespace, str(metadata.get("name"))) is None
            if new and "deletionTimestamp" in place["metadata"]:
                text = f"unable to create new content in namespace {namespace} because it is being terminated"
                raise Refusal(f'{kind.resource} "{metadata.get("name")}" is forbidden: {text}')
        else:
            metadata.pop("namespace", None)
        kube_judge.judge(body, kind, self.version.removeprefix("v"), self._definition(kind.name))
        return kind, body

    def _write(self, kind: Kind, body: Body, manager: str, *, dry_run: bool = False, force: bool = True) -> Body:
        metadata = body["metadata"]
        key = _key(kind.name, metadata.get("namespace"), metadata["name"])
        before = self._stored.get(key)
        if before and not force:
            kube_owners.judge(before["managers"], manager, body)
        managers = {**(before["managers"] if before else {}), manager: body}
        managers[manager] = managers.pop(manager)  # who wrote last wins
        after = self._merged(kind, before["object"] if before else None, managers)
        if before:
            changed = kube_judge.changed_immutables(before["object"], after)
            if changed:
                listed = ", ".join(f"{path}: Invalid value: field is immutable" for path in changed)
                raise Refusal(f'{kind.name} "{metadata["name"]}" is invalid: {listed}')
        if dry_run:
            return after
        kept = {name: before[name] for name in ("created_by", "holds") if name in before} if before else {}
        entry = {"object": after, "managers": managers, "created_by": manager} | kept
        if kube_ending.finalizers(entry):
            after["metadata"]["finalizers"] = kube_ending.finalizers(entry)
        if before is None or _without_server(before["object"]) != _without_server(after):
            self.record["counter"] += 1
            after["metadata"]["resourceVersion"] = str(self.record["counter"])
        self._stored[key] = entry
        self.work()
        return after

    def _merged(self, kind: Kind, before: Body | None, managers: dict[str, Body]) -> Body:
        merged: Body = {}
        for body in managers.values():
            _merge(merged, copy.deepcopy(body))
        metadata = merged["metadata"]
        old = before["metadata"] if before else {}
        metadata["uid"] = old.get("uid") or str(uuid.uuid4())
        metadata["creationTimestamp"] = old.get("creationTimestamp") or self.world.now()
        metadata["resourceVersion"] = old.get("resourceVersion", "")
        if "deletionTimestamp" in old:
            metadata["deletionTimestamp"] = old["deletionTimestamp"]
        if before and "status" in before:
            merged["status"] = before["status"]
        if kind.name == "Namespace":
            metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
            merged["status"] = {"phase": "Active"}
        if kind.name == "Secret":
            merged.setdefault("type", "Opaque")
            for name, value in merged.pop("stringData", {}).items():
                merged.setdefault("data", {})[name] = base64.b64encode(value.encode()).decode()
        return merged


def _key(kind: str, namespace: str | None, name: str) -> str:
    return f"{kind}/{namespace or ''}/{name}"


def _merge(into: Body, body: Body) -> None:
    for name, value in body.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        elif value is not None:
            into[name] = value


def _without_server(body: Body) -> Body:
    metadata = {name: value for name, value in body["metadata"].items() if name not in _SERVERS_OWN}
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": metadata}


def desired(body: Body) -> Body:
    """``body`` without what only the server writes: what somebody must have asked for."""
    return _without_server(body)
