"""cert-manager and trust-manager: issuers, certificates, bundles of what is trusted.

Owns what their controllers make of their objects once their pods run, and their words for what is missing. It refuses
to own cryptography: a certificate is text in PEM's clothes. What an ACME server asks and answers is ``kube_acme``'s.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from rehearsal.world import kube_acme, kube_apps, talos_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

_CERT_MANAGER = "cert-manager-controller"
_TRUST_MANAGER = "trust-manager"
_NAMES, _ISSUER = "cert-manager.io/alt-names", "cert-manager.io/issuer-name"
_ISSUER_KIND = "cert-manager.io/issuer-kind"
"""Annotations by which a Secret tells what it holds (cert-manager documentation, "Certificate resource")."""
_SHIM = {"cert-manager.io/cluster-issuer": "ClusterIssuer", "cert-manager.io/issuer": "Issuer"}
"""Annotations by which an Ingress asks for its certificates (cert-manager documentation, "Annotated Ingress")."""


def keep_certificates(cluster: Cluster) -> None:
    """Controller: issuers that can, certificates and their Secrets, what Ingresses ask for, and bundles."""
    namespace = kube_apps.namespace_of(cluster, "cert-manager")
    if namespace is not None:
        for found in (*cluster.objects("ClusterIssuer"), *cluster.objects("Issuer")):
            _tell(cluster, found, "Ready", _issuer_trouble(cluster, found, namespace))
        if cluster.objects("CustomResourceDefinition") and _serves(cluster, "Certificate"):
            for found in cluster.objects("Ingress"):
                _shim(cluster, found)
        for found in cluster.objects("Certificate"):
            _tell(cluster, found, "Ready", _issue(cluster, found, namespace))
    trusted_from = kube_apps.namespace_of(cluster, "trust-manager")
    if trusted_from is not None:
        for found in cluster.objects("Bundle"):
            _tell(cluster, found, "Synced", _spread(cluster, found, trusted_from))


def _serves(cluster: Cluster, kind: str) -> bool:
    try:
        cluster.kind("cert-manager.io/v1", kind)
    except Refusal:
        return False
    return True


def _tell(cluster: Cluster, found: Body, condition: str, trouble: str | None) -> None:
    reason = "Pending" if trouble else condition
    told = {"type": condition, "status": str(trouble is None), "reason": reason, "message": trouble or ""}
    cluster.set_status(found, {"conditions": [told]})


def _issuer_trouble(cluster: Cluster, found: Body, cert_manager: str) -> str | None:
    spec, namespace = found["spec"], found["metadata"].get("namespace") or cert_manager
    if "selfSigned" in spec or "acme" in spec:  # an account is all that an ACME issuer needs to be Ready
        return None
    if "ca" in spec:
        name = spec["ca"]["secretName"]
        return _pair_trouble(cluster.get("Secret", namespace, name), namespace, name)
    return f"the rack's cert-manager knows no issuer {', '.join(sorted(spec))}"


def _pair_trouble(secret: Body | None, namespace: str, name: str) -> str | None:
    if secret is None:
        return f'Error getting keypair for CA issuer: secrets "{name}" not found in namespace {namespace}'
    missing = [key for key in ("tls.crt", "tls.key") if not (secret.get("data") or {}).get(key)]
    return (
        f"Error getting keypair for CA issuer: no data for {missing[0]} in secret {namespace}/{name}"
        if missing
        else None
    )


def _shim(cluster: Cluster, found: Body) -> None:
    """The Certificate of each of an Ingress' TLS hosts, where it asks for one."""
    metadata = found["metadata"]
    told = metadata.get("annotations") or {}
    asked = next(((kind, str(told[key])) for key, kind in _SHIM.items() if key in told), None)
    for tls in found["spec"].get("tls") or () if asked else ():
        name = tls.get("secretName")
        if not name or cluster.get("Certificate", metadata["namespace"], name) or asked is None:
            continue
        reference = {"group": "cert-manager.io", "kind": asked[0], "name": asked[1]}
        spec = {"dnsNames": list(tls.get("hosts") or ()), "secretName": name, "issuerRef": reference}
        body = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "spec": spec}
        cluster.place({**body, "metadata": {"name": name, "namespace": metadata["namespace"]}}, _CERT_MANAGER)


def _issue(cluster: Cluster, found: Body, home: str) -> str | None:
    """Why a Certificate is not ready; ``None`` once its Secret holds the pair. ``home`` is cert-manager's namespace.

    A Secret that holds another pair, of other names or another issuer, is kept until there is a new one.
    """
    namespace, spec = found["metadata"]["namespace"], found["spec"]
    reference = spec["issuerRef"]
    kind = reference.get("kind", "Issuer")
    issuer = cluster.get(kind, namespace if kind == "Issuer" else None, reference["name"])
    if issuer is None:
        resource = f"{kind.lower()}.cert-manager.io"
        return f'Referenced "{kind}" not found: {resource} "{reference["name"]}" not found'
    conditions = (issuer.get("status") or {}).get("conditions") or [{"status": "False"}]
    if conditions[0]["status"] != "True":
        return f'Referenced "{kind}" {reference["name"]} is not ready: {conditions[0].get("message", "")}'
    names = [str(each) for each in dict.fromkeys((*spec.get("dnsNames", ()), spec.get("commonName"))) if each]
    marks = {_NAMES: ",".join(names), _ISSUER: str(reference["name"]), _ISSUER_KIND: kind}
    secret = cluster.get("Secret", namespace, spec["secretName"])
    if secret is not None and marks.items() <= (secret["metadata"].get("annotations") or {}).items():
        return None
    acme, place = issuer["spec"].get("acme"), f"{namespace}/{found['metadata']['name']}"
    trouble = kube_acme.obtain(cluster, place, acme, namespace if kind == "Issuer" else home, names) if acme else None
    if trouble is None:
        _seal(cluster, namespace, spec["secretName"], marks)
    return trouble


def _seal(cluster: Cluster, namespace: str, name: str, marks: dict[str, str]) -> None:
    """The Secret that a certificate and its key are kept in: a former pair is written over, nothing else."""
    key = cluster.world.issue_secret(talos_secrets.key("EC PRIVATE KEY"))
    data = {"tls.crt": talos_secrets.certificate(), "tls.key": _encoded(key), "ca.crt": talos_secrets.certificate()}
    metadata = {"name": name, "namespace": namespace, "annotations": marks}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}
    cluster.place(body, _CERT_MANAGER)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _spread(cluster: Cluster, found: Body, trusted_from: str) -> str | None:
    """Why a Bundle is not synced; ``None`` once its ConfigMap is in every namespace that it names."""
    spec, name = found["spec"], found["metadata"]["name"]
    missing = next(_sources_missing(cluster, spec.get("sources") or [], trusted_from), None)
    if missing:
        return f"Bundle source was not found: {missing}"
    target = spec.get("target") or {}
    key = (target.get("configMap") or {}).get("key")
    wanted = ((target.get("namespaceSelector") or {}).get("matchLabels") or {}).items()
    for namespace in cluster.objects("Namespace") if key else ():
        place, labels = namespace["metadata"]["name"], namespace["metadata"].get("labels") or {}
        here = cluster.get("ConfigMap", place, name)
        if here is None and wanted <= labels.items() and "deletionTimestamp" not in namespace["metadata"]:
            metadata = {"name": name, "namespace": place}
            data = {key: "-----BEGIN CERTIFICATE-----\n"}
            cluster.place({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, _TRUST_MANAGER)
    return None


def _sources_missing(cluster: Cluster, sources: list[Body], trusted_from: str) -> Iterator[str]:
    for source in sources:
        for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
            told = source.get(field)
            if not told or not told.get("name"):
                continue
            found = cluster.get(kind, trusted_from, told["name"])
            if found is None:
                yield f'{kind} "{told["name"]}" not found in namespace {trusted_from}'
            elif "key" in told and told["key"] not in (found.get("data") or {}):
                yield f"no data found in {kind} {trusted_from}/{told['name']} at key {told['key']}"
