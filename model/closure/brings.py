"""What an object brings besides itself: a Certificate its Secret, a definition its kind.

Owns what controllers make of the kinds that the known charts bring. Refuses what a chart brings (`charts`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.reading import items, mapping
from model.closure.things import ANYWHERE, CLUSTER_WIDE, DEFAULT_CLASS, KIND, Held, Thing

PROVIDES = "iluvatar/provides"
"""Annotation of an object or a kustomization: what it makes that nobody can read off it, `Kind namespace/name`, one a
line or comma. A script that writes a Secret says so here."""
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def besides(held: Held, home: Mapping[str, str]) -> Iterator[Thing]:
    """Everything that an object brings besides itself, once its controller has seen it."""
    spec, metadata = mapping(held.body.get("spec")), mapping(held.body.get("metadata"))
    annotations = mapping(metadata.get("annotations"))
    maker = _MAKERS.get(held.kind)
    if maker:
        yield from maker(held, spec, home.get(held.kind, held.namespace))
    if held.kind == "StorageClass" and str(annotations.get(_DEFAULT)).lower() == "true":
        yield Thing("StorageClass", "", DEFAULT_CLASS)
    if any(str(key).startswith("cert-manager.io/") and "issuer" in str(key) for key in annotations):
        yield from _of_an_issuer(held, spec)
    yield from declared(annotations)


def declared(annotations: Mapping[str, Any]) -> Iterator[Thing]:
    """What an annotation says is made."""
    for line in str(annotations.get(PROVIDES) or "").replace(",", "\n").splitlines():
        kind, _, named = line.strip().partition(" ")
        namespace, _, name = named.strip().rpartition("/")
        if kind == KIND:
            yield Thing(KIND, "", named.strip())
        elif name:
            yield Thing(kind, namespace, DEFAULT_CLASS if name == "default" and kind == "StorageClass" else name)


def _of_an_issuer(held: Held, spec: Mapping[str, Any]) -> Iterator[Thing]:
    """cert-manager makes the Secrets that an annotated Ingress or Gateway names ("Annotated Ingress resource")."""
    for one in items(spec.get("tls")):
        yield Thing("Secret", held.namespace, str(mapping(one).get("secretName", "")))
    for listener in items(spec.get("listeners")):
        for one in items(mapping(mapping(listener).get("tls")).get("certificateRefs")):
            yield Thing("Secret", held.namespace, str(mapping(one).get("name", "")))


def _definition(_held: Held, spec: Mapping[str, Any], _namespace: str) -> Iterator[Thing]:
    yield Thing(KIND, "", f"{spec.get('group')}/{mapping(spec.get('names')).get('kind')}")


def _certificate(_held: Held, spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    yield Thing("Secret", namespace, str(spec.get("secretName", "")))


def _issuer(_held: Held, spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    account = mapping(mapping(spec.get("acme")).get("privateKeySecretRef"))
    yield Thing("Secret", namespace, str(account.get("name", "")))


def _external_secret(held: Held, spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    target = mapping(spec.get("target"))
    name = str(target.get("name") or held.name)
    kind = str(mapping(target.get("manifest")).get("kind") or "Secret")
    yield Thing(kind, namespace, name)


def _everywhere_secret(held: Held, spec: Mapping[str, Any], _namespace: str) -> Iterator[Thing]:
    inner = mapping(spec.get("externalSecretSpec"))
    name = mapping(inner.get("target")).get("name") or spec.get("externalSecretName") or held.name
    yield Thing("Secret", ANYWHERE, str(name))


def _same_name(held: Held, _spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    yield Thing("Secret", namespace, held.name)


def _bundle(held: Held, spec: Mapping[str, Any], _namespace: str) -> Iterator[Thing]:
    """trust-manager writes a ConfigMap or Secret of the Bundle's name into every namespace it selects."""
    for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if key in mapping(spec.get("target")):
            yield Thing(kind, ANYWHERE, held.name)


def _postgres(held: Held, _spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    if held.group == "postgresql.cnpg.io":
        yield from (Thing("Service", namespace, f"{held.name}-{role}") for role in ("rw", "ro", "r"))
        yield from (Thing("Secret", namespace, f"{held.name}-{of}") for of in ("app", "superuser", "ca", "server"))


def _claimed_bucket(held: Held, _spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    yield from (Thing(kind, namespace, held.name) for kind in ("ConfigMap", "Secret"))


def _object_store(held: Held, _spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    yield Thing("Service", namespace, f"rook-ceph-rgw-{held.name}")


def _flux_instance(_held: Held, _spec: Mapping[str, Any], namespace: str) -> Iterator[Thing]:
    yield from (Thing(kind, namespace, "flux-system") for kind in ("Kustomization", "OCIRepository", "GitRepository"))


_MAKERS = {
    "CustomResourceDefinition": _definition,
    "Certificate": _certificate,
    "Issuer": _issuer,
    "ClusterIssuer": _issuer,
    "ExternalSecret": _external_secret,
    "ClusterExternalSecret": _everywhere_secret,
    "SealedSecret": _same_name,
    "OnePasswordItem": _same_name,
    "Bundle": _bundle,
    "Cluster": _postgres,
    "ObjectBucketClaim": _claimed_bucket,
    "CephObjectStore": _object_store,
    "FluxInstance": _flux_instance,
}


def home_of(namespaces: Mapping[str, str]) -> dict[str, str]:
    """Kind → where a kind without a namespace looks for Secrets, from chart's name → namespace it is installed in."""
    manager = namespaces.get("cert-manager", "cert-manager")
    found = {"ClusterIssuer": manager, "Bundle": manager}
    assert found.keys() <= CLUSTER_WIDE, "only what has no namespace needs a home"
    return found
