"""metrics-server on the rack believes a kubelet only with a certificate that somebody let the cluster sign."""

from typing import Any

import pytest

from rehearsal.world import kube_kubelets
from rehearsal.world.kube_kubelets import Kubelet
from tests.rehearsal.clusters import talos_cluster


def deployment(name: str, image: str, **container: Any) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": name, "image": image, **container}]}}}
    metadata = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


class Standing:
    """A cluster with these objects."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self._objects = objects

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self._objects if each["kind"] == kind]


METRICS = deployment("metrics-server", "registry.example.com/metrics-server:v1.2.3")
NODES = [Kubelet("valinor-1", "192.0.2.11", True), Kubelet("istari-1", "192.0.2.21", True)]


def approver(regex: str, prefixes: str = "192.0.2.0/24") -> tuple[dict[str, Any], dict[str, Any]]:
    reference = [{"configMapRef": {"name": "approver"}}]
    data = {"PROVIDER_REGEX": regex, "PROVIDER_IP_PREFIXES": prefixes}
    metadata = {"name": "approver", "namespace": "kube-system"}
    told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    return deployment("approver", "registry.example.com/kubelet-csr-approver:v1.2.3", envFrom=reference), told


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[Kubelet]:
    found = list(NODES)
    monkeypatch.setattr(kube_kubelets, "kubelets", lambda _cluster: found)
    return found


@pytest.mark.parametrize(
    ("objects", "heard"),
    [
        ((), "remote error: tls: internal error"),
        (approver("^k8s-[0-9]+$"), "remote error: tls: internal error"),
        (approver("^(valinor|istari)-[0-9]$", "10.0.0.0/8"), "remote error: tls: internal error"),
        (approver("^(valinor-"), "remote error: tls: internal error"),
        (approver("^(valinor-1|istari-1)$"), None),
        (approver("^valinor-1$"), None),
    ],
)
@pytest.mark.usefixtures("nodes")
def test_metrics_server_waits_for_a_kubelet_that_was_approved(objects: Any, heard: str | None) -> None:
    """One of the owners had a pattern that matched no node."""
    found = kube_kubelets.unscraped(Standing(*objects), METRICS)  # type: ignore[arg-type]  # all it asks is objects
    assert found is None if heard is None else heard in (found or "")


def test_a_kubelet_that_signs_for_itself_is_not_believed_unless_nobody_looks(nodes: list[Kubelet]) -> None:
    nodes[:] = [each._replace(asks=False) for each in NODES]
    standing: Any = Standing(*approver(".*"))
    assert "signed by unknown authority" in (kube_kubelets.unscraped(standing, METRICS) or "")
    careless = deployment("m", "registry.example.com/metrics-server:v1.2.3", args=["--kubelet-insecure-tls"])
    assert kube_kubelets.unscraped(standing, careless) is None


def test_a_cluster_that_is_not_talos_is_not_asked() -> None:
    assert kube_kubelets.unscraped(talos_cluster(), METRICS) is None
