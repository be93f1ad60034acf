"""What an object needs to be applied and to run, as its own fields name it.

Owns which field names what: Kubernetes' API reference, and those of the kinds that the known charts bring. A field is
known by its name wherever it stands, so a pod inside another kind, or inside a chart's values, is read alike. Refuses
what a field names outside the cluster, and what is marked optional.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model.closure.reading import items, mapping
from model.closure.things import BUILT_IN, CLUSTER_WIDE, DEFAULT_CLASS, KIND, Held, Thing
from model.tree import Chart

Found = Iterator[Thing]
_OF_THE_SYSTEM = ("system-", "system:")


def needs(held: Held, home: Mapping[str, str]) -> Found:
    """Everything that an object needs. `home`: kind → namespace in which a kind without one looks things up."""
    if held.group not in BUILT_IN:
        yield Thing(KIND, "", f"{held.group}/{held.kind}")
    if held.kind == "CustomResourceDefinition":
        return
    if held.namespace:
        yield Thing("Namespace", "", held.namespace)
    yield from _claimed(held)
    namespace = home.get(held.kind, held.namespace)
    yield from _named(held.body, namespace, held.kind)


def chart_needs(chart: Chart) -> Found:
    """What a chart needs as its values say it."""
    yield Thing("Namespace", "", chart.namespace)
    yield from _named(chart.values, chart.namespace, "values")


def _claimed(held: Held) -> Found:
    """A claim that names no class needs the default one."""
    spec = mapping(held.body.get("spec"))
    if held.patch:
        return
    if held.kind == "PersistentVolumeClaim" and "storageClassName" not in spec and not spec.get("volumeName"):
        yield Thing("StorageClass", "", DEFAULT_CLASS)
    for one in items(spec.get("volumeClaimTemplates")) if held.kind == "StatefulSet" else ():
        if "storageClassName" not in mapping(mapping(one).get("spec")):
            yield Thing("StorageClass", "", DEFAULT_CLASS)


def _named(body: Mapping[str, Any], namespace: str, kind: str) -> Found:
    """Whatever a known field names, anywhere in a body; each shared part is read once."""
    waiting: list[object] = [body]
    seen: set[int] = set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, Mapping):
            for key, value in here.items():
                rule = FIELDS.get(key) if isinstance(key, str) else None
                if rule is None and isinstance(key, str) and key.endswith("SecretRef") and key != "privateKeySecretRef":
                    rule = FIELDS["secretRef"]
                if rule:
                    yield from (one for one in rule(value, namespace, kind) if one.name)
                if isinstance(value, Mapping | list):
                    waiting.append(value)
        elif isinstance(here, list):
            waiting += [one for one in here if isinstance(one, Mapping | list)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _reference(to: str, key: str = "name") -> Callable[[Any, str, str], Found]:
    """A mapping that names one thing of a kind, in its own namespace unless it says another."""

    def rule(value: Any, namespace: str, _kind: str) -> Found:
        told = mapping(value)
        if told.get("optional") is not True:
            yield Thing(to, _text(told.get("namespace")) or namespace, _text(told.get(key)))

    return rule


def _references(to: str, key: str = "name") -> Callable[[Any, str, str], Found]:
    """A list of such mappings."""
    one = _reference(to, key)

    def rule(value: Any, namespace: str, kind: str) -> Found:
        for each in items(value):
            yield from one(each, namespace, kind)

    return rule


def _class(to: str) -> Callable[[Any, str, str], Found]:
    """The name of a class; an empty one says none is wanted, `-` is a chart's word for that."""

    def rule(value: Any, _namespace: str, _kind: str) -> Found:
        if _text(value) not in ("", "-") and not _text(value).startswith(_OF_THE_SYSTEM):
            yield Thing(to, "", _text(value))

    return rule


def _plain(to: str, but: tuple[str, ...] = ()) -> Callable[[Any, str, str], Found]:
    """The name of a thing beside the object."""

    def rule(value: Any, namespace: str, _kind: str) -> Found:
        if _text(value) not in but:
            yield Thing(to, namespace, _text(value))

    return rule


def _told_kind(default: str, *known: str) -> Callable[[Any, str, str], Found]:
    """A mapping, or a list of them, that says the kind of what it names; only `known` kinds are looked for."""

    def rule(value: Any, namespace: str, _kind: str) -> Found:
        for each in value if isinstance(value, list) else (value,):
            told = mapping(each)
            kind = _text(told.get("kind")) or default
            if kind in known and told.get("optional") is not True:
                where = "" if kind in CLUSTER_WIDE else _text(told.get("namespace")) or namespace
                yield Thing(kind, where, _text(told.get("name")))

    return rule


def _secret_volume(value: Any, namespace: str, kind: str) -> Found:
    """A volume's Secret is `secretName`, a projected one's `name`."""
    key = "secretName" if "secretName" in mapping(value) else "name"
    yield from _reference("Secret", key)(value, namespace, kind)


def _ingress_tls(value: Any, namespace: str, kind: str) -> Found:
    if kind == "Ingress":
        yield from _references("Secret", "secretName")(value, namespace, kind)


def _certificate_authority(value: Any, namespace: str, kind: str) -> Found:
    if kind in ("Issuer", "ClusterIssuer"):
        yield from _reference("Secret", "secretName")(value, namespace, kind)


def _service(value: Any, namespace: str, kind: str) -> Found:
    """An Ingress' backend, or a webhook's."""
    if kind == "Ingress" or kind.endswith("WebhookConfiguration") or kind == "APIService":
        yield from _reference("Service")(value, namespace, kind)


def _stateful_service(value: Any, namespace: str, kind: str) -> Found:
    if kind == "StatefulSet":
        yield Thing("Service", namespace, _text(value))


def _role(value: Any, namespace: str, _kind: str) -> Found:
    """Roles that Kubernetes brings are nobody's to bring."""
    told = mapping(value)
    name = _text(told.get("name"))
    if told.get("kind") == "Role":
        yield Thing("Role", namespace, name)
    elif name not in ("admin", "cluster-admin", "edit", "view") and not name.startswith(_OF_THE_SYSTEM):
        yield Thing("ClusterRole", "", name)


def _subjects(value: Any, namespace: str, _kind: str) -> Found:
    for one in items(value):
        told = mapping(one)
        if told.get("kind") == "ServiceAccount" and told.get("name") != "default":
            yield Thing("ServiceAccount", _text(told.get("namespace")) or namespace, _text(told.get("name")))


def _snapshot_class(value: Any, _namespace: str, kind: str) -> Found:
    if kind == "Cluster":
        yield Thing("VolumeSnapshotClass", "", _text(mapping(value).get("className")))


def _restic(value: Any, namespace: str, kind: str) -> Found:
    """VolSync's `repository` is a Secret that says where the repository is, and how it is opened."""
    if kind in ("ReplicationSource", "ReplicationDestination"):
        yield Thing("Secret", namespace, _text(mapping(value).get("repository")))


_FLUX_SOURCES = ("OCIRepository", "GitRepository", "HelmRepository", "HelmChart", "Bucket")
FIELDS: dict[str, Callable[[Any, str, str], Found]] = {
    # Pods
    "configMapKeyRef": _reference("ConfigMap"),
    "configMapRef": _reference("ConfigMap"),
    "secretKeyRef": _reference("Secret"),
    "secretRef": _reference("Secret"),
    "configMap": _reference("ConfigMap"),
    "secret": _secret_volume,
    "persistentVolumeClaim": _reference("PersistentVolumeClaim", "claimName"),
    "imagePullSecrets": _references("Secret"),
    "serviceAccountName": _plain("ServiceAccount", ("default",)),
    "priorityClassName": _class("PriorityClass"),
    "runtimeClassName": _class("RuntimeClass"),
    # What a chart's values call the same
    "existingSecret": _plain("Secret"),
    "existingClaim": _plain("PersistentVolumeClaim"),
    "storageClass": _class("StorageClass"),
    "storageClassName": _class("StorageClass"),
    # Who may what, who scales what
    "roleRef": _role,
    "subjects": _subjects,
    "serviceName": _stateful_service,
    "scaleTargetRef": _told_kind("Deployment", "Deployment", "StatefulSet"),
    # The way in
    "ingressClassName": _class("IngressClass"),
    "service": _service,
    "tls": _ingress_tls,
    "gatewayClassName": _class("GatewayClass"),
    "parentRefs": _told_kind("Gateway", "Gateway", "Service", "ListenerSet", "XListenerSet"),
    "backendRefs": _told_kind("Service", "Service", "Backend"),
    "targetRefs": _told_kind("", "Gateway", "HTTPRoute", "Service"),
    "targetRef": _told_kind("", "Gateway", "HTTPRoute", "Service", "Deployment", "StatefulSet"),
    "certificateRefs": _told_kind("Secret", "Secret"),
    # cert-manager, External Secrets
    "issuerRef": _told_kind("Issuer", "Issuer", "ClusterIssuer"),
    "ca": _certificate_authority,
    "cert-manager.io/cluster-issuer": _class("ClusterIssuer"),
    "cert-manager.io/issuer": _plain("Issuer"),
    "secretStoreRef": _told_kind("SecretStore", "SecretStore", "ClusterSecretStore"),
    # Volumes' copies: VolSync, CloudNativePG
    "sourcePVC": _plain("PersistentVolumeClaim"),
    "volumeSnapshotClassName": _class("VolumeSnapshotClass"),
    "volumeSnapshot": _snapshot_class,
    "restic": _restic,
    # Flux
    "sourceRef": _told_kind("", *_FLUX_SOURCES),
    "chartRef": _told_kind("", *_FLUX_SOURCES),
    "valuesFrom": _told_kind("", "ConfigMap", "Secret"),
}
"""Field → what it names. A field of this name that holds something else than a name names nothing."""
