"""What a pod needs of its namespace before its containers start.

Owns the Secrets, ConfigMaps and claims that a pod names, and the kubelet's words for one that is missing. It refuses to
own scheduling and Pod Security (``kube_pods``), and who makes those objects.
"""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.world.kube_cluster import Body, Cluster

_EVERYWHERE = "kube-root-ca.crt"
"""A ConfigMap that Kubernetes itself puts into every namespace (its root CA publisher)."""
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def missing(cluster: Cluster, namespace: str, pod: Body) -> str | None:
    """Why the containers of ``pod`` (a pod's spec) in ``namespace`` do not start; ``None`` when they do."""
    found = [*_unmounted(cluster, namespace, pod), *_unset(cluster, namespace, pod)]
    return "; ".join(dict.fromkeys(found)) or None


def _unmounted(cluster: Cluster, namespace: str, pod: Body) -> Iterator[str]:
    for volume in pod.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for kind, name in _sources(source):
                if name != _EVERYWHERE and cluster.get(kind, namespace, name) is None:
                    text = f'MountVolume.SetUp failed for volume "{volume["name"]}"'
                    yield f'{text}: {kind.lower()} "{name}" not found'
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            yield from _unbound(cluster, namespace, claim)


def _sources(source: Body) -> Iterator[tuple[str, str]]:
    for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        told = source.get(field) or {}
        name = told.get(key) or told.get("name")
        if name and not told.get("optional"):
            yield kind, str(name)


def _unbound(cluster: Cluster, namespace: str, name: str) -> Iterator[str]:
    claim = cluster.get("PersistentVolumeClaim", namespace, name)
    if claim is None:
        yield f'persistentvolumeclaim "{name}" not found'
        return
    wanted = claim["spec"].get("storageClassName")
    classes = cluster.objects("StorageClass")
    if wanted is None and not any(
        (each["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true" for each in classes
    ):
        yield f'claim "{name}" is unbound: no storage class is set, and the cluster has no default one'
    elif wanted and all(each["metadata"]["name"] != wanted for each in classes) and not _volume(cluster, claim):
        yield f'claim "{name}" is unbound: storageclass.storage.k8s.io "{wanted}" not found'


def unbound(cluster: Cluster, namespace: str, name: str) -> str | None:
    """Why a claim gets no volume; ``None`` when it gets one."""
    return next(_unbound(cluster, namespace, name), None)


def _volume(cluster: Cluster, claim: Body) -> bool:
    """Whether somebody made a volume by hand for this claim."""
    return cluster.get("PersistentVolume", None, str(claim["spec"].get("volumeName"))) is not None


def _unset(cluster: Cluster, namespace: str, pod: Body) -> Iterator[str]:
    for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        wanted = [each.get("valueFrom") or {} for each in container.get("env") or ()]
        for source in (*wanted, *(container.get("envFrom") or ())):
            for field, kind in (("secretKeyRef", "Secret"), ("secretRef", "Secret")):
                yield from _reference(cluster, namespace, kind, source.get(field))
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("configMapRef", "ConfigMap")):
                yield from _reference(cluster, namespace, kind, source.get(field))


def _reference(cluster: Cluster, namespace: str, kind: str, told: Body | None) -> Iterator[str]:
    if not told or told.get("optional"):
        return
    found = cluster.get(kind, namespace, told["name"])
    if found is None:
        yield f'CreateContainerConfigError: {kind.lower()} "{told["name"]}" not found'
    elif "key" in told and told["key"] not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        yield f"CreateContainerConfigError: couldn't find key {told['key']} in {kind} {namespace}/{told['name']}"
