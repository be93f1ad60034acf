"""What an API server objects to in an object.

Owns names, labels, the schemas of Kubernetes' own kinds (those ``kubernetes_validate`` carries), what may never change
in an object, and the server's words for all of it. It refuses to own whether an object is welcome in its cluster
(``kube_cluster``) and the fields of custom kinds (``kube_fields``).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate

from rehearsal.world import kube_fields, kube_rules
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_kinds import Kind

Body = dict[str, Any]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LIMIT = 1024 * 1024  # bytes in a ConfigMap's or Secret's data (core validation, MaxSecretSize)

_METADATA = frozenset(
    {"name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences"}
    | {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}
    | {"managedFields", "selfLink"}
)

IMMUTABLE: dict[str, tuple[str, ...]] = {
    "ClusterRoleBinding": ("roleRef",),
    "CSIDriver": ("spec.attachRequired", "spec.fsGroupPolicy", "spec.podInfoOnMount"),
    "CustomResourceDefinition": ("spec.group", "spec.scope", "spec.names.kind", "spec.names.plural"),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "GatewayClass": ("spec.controllerName",),
    "IngressClass": ("spec.controller",),
    "Job": ("spec.template", "spec.selector", "spec.completionMode"),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    "PriorityClass": ("value",),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""Fields that never change in a living object, by kind (each kind's update validation in Kubernetes' source)."""


def judge(body: Body, kind: Kind, version: str, crd: Body | None) -> None:
    """``Refusal`` in the API server's words when ``body`` is no valid object.

    ``version`` is the cluster's, ``crd`` the CustomResourceDefinition of a custom kind.
    """
    found = [*_metadata(body, kind)]
    found += kube_fields.objections(body, crd) if crd else _core(body, version)
    if kind.name == "Gateway" and not found:
        found += kube_rules.gateway(body)
    if not found:
        found = [*_data(body)]
    if not found:
        return
    metadata = body["metadata"]
    name = str(metadata.get("name"))
    undeclared = [each for each in found if each.endswith("not declared in schema")]
    if undeclared:
        place = f"{metadata.get('namespace', '')}/{name}; {body['apiVersion']}, Kind={kind.name}"
        raise Refusal(f"failed to create typed patch object ({place}): {'; '.join(undeclared)}")
    listed = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    group = f".{kind.group}" if kind.group else ""
    raise Refusal(f'{kind.name}{group} "{name}" is invalid: {listed}')


def _metadata(body: Body, kind: Kind) -> Iterator[str]:
    metadata = body["metadata"]
    name = str(metadata.get("name") or "")
    if not name:
        yield "metadata.name: Required value: name or generateName is required"
        return
    strict = kind.name in ("Namespace", "Service")
    fits = _LABEL.fullmatch(name) and len(name) <= 63 if strict else _SUBDOMAIN.fullmatch(name) and len(name) <= 253
    if not fits and kind.group != "rbac.authorization.k8s.io":
        what = "RFC 1123 label" if strict else "RFC 1123 subdomain"
        rule = f"a lowercase {what} must consist of lower case alphanumeric characters, '-'"
        yield f'metadata.name: Invalid value: "{name}": {rule}'
    for unknown in sorted(set(metadata) - _METADATA):
        yield f".metadata.{unknown}: field not declared in schema"
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            yield from _pair(field, key, value)


def _pair(field: str, key: str, value: Any) -> Iterator[str]:
    path = f"metadata.{field}"
    prefix, slash, name = key.rpartition("/")
    if not _QUALIFIED.fullmatch(name) or len(name) > 63 or (slash and not _SUBDOMAIN.fullmatch(prefix)):
        yield f"{path}: Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', '_' or '.'"
    if not isinstance(value, str):
        yield f"{path}.{key}: Invalid value: {value!r}: must be a string"
    elif field == "labels" and value and (not _QUALIFIED.fullmatch(value) or len(value) > 63):
        rule = "a valid label must be an empty string or at most 63 alphanumeric characters, '-', '_' or '.'"
        yield f'{path}: Invalid value: "{value}": {rule}'


def _core(body: Body, version: str) -> Iterator[str]:
    try:
        kubernetes_validate.validate(body, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return  # a kind too rare for the schemas: its names and data are judged all the same
    except kubernetes_validate.ValidationError as error:
        path = ".".join(str(step) for step in error.path)
        undeclared = re.findall(r"'([^']+)'", error.message) if error.validator == "additionalProperties" else []
        for name in undeclared:
            yield f".{path}.{name}: field not declared in schema" if path else f".{name}: field not declared in schema"
        if not undeclared:
            yield f"{path or '<root>'}: Invalid value: {error.message}"


def _data(body: Body) -> Iterator[str]:
    if body["kind"] not in ("ConfigMap", "Secret") or body["apiVersion"] != "v1":
        return
    size = 0
    for field in ("data", "stringData", "binaryData"):
        for key, value in (body.get(field) or {}).items():
            if not _KEY.fullmatch(key) or len(key) > 253:
                rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield f'{field}[{key}]: Invalid value: "{key}": {rule}'
            if field == "binaryData" or (field == "data" and body["kind"] == "Secret"):
                try:
                    base64.b64decode(value, validate=True)
                except ValueError:
                    yield f"{field}[{key}]: Invalid value: illegal base64 data"
            size += len(value.encode())
    if size > _LIMIT:
        yield f"data: Too long: may not be more than {_LIMIT} bytes"


def changed_immutables(old: Body, new: Body) -> list[str]:
    """Dotted paths of what ``new`` changes although it never may, ``old`` standing in the cluster."""
    paths = list(IMMUTABLE.get(old["kind"], ()))
    if old["kind"] in ("ConfigMap", "Secret") and old.get("immutable"):
        paths += ["data", "binaryData", "stringData", "immutable"]
    return [path for path in paths if _at(new, path) is not None and _at(new, path) != _at(old, path)]


def _at(body: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(body, dict):
            return None
        body = body.get(step)
    return body


def matches(selector: Body | None, labels: dict[str, str]) -> bool:
    """Whether a label selector chooses ``labels``; none at all chooses everything."""
    if not selector:
        return True
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or ())


def _expression(expression: Body, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    return {
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
    }[expression["operator"]]
