"""An application is Healthy only once what its objects need is there: issuers, storage, addresses, secrets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import body, make, namespace_made
from tests.rehearsal.folders import hold, tree, with_argo

CERT = "cert-manager.io/v1"
JETSTACK = "https://charts.jetstack.io"
CHARTS: dict[str, dict[str, Any]] = {
    "cert-manager": {"repo": JETSTACK, "version": "v1.18.2", "valuesInline": {"crds": {"enabled": True}}},
    "trust-manager": {"repo": JETSTACK, "version": "v0.20.0", "namespace": "cert-manager"},
    "longhorn": {"repo": "https://charts.longhorn.io", "version": "1.10.0"},
    "cloudnative-pg": {"repo": "https://cloudnative-pg.github.io/charts", "version": "0.27.0"},
    "localpv-provisioner": {"repo": "https://openebs.github.io/dynamic-localpv-provisioner", "version": "4.5.1"},
    "rook-ceph-cluster": {"repo": "https://charts.rook.io/release", "version": "v1.18.8"},
    "external-secrets": {"repo": "https://charts.external-secrets.io", "version": "0.18.2"},
    "sealed-secrets": {"repo": "https://bitnami-labs.github.io/sealed-secrets", "version": "2.17.0"},
}


def _lab(root: Path, *charts: str, objects: tuple[Any, ...] = (), **over: Any) -> Cluster:
    """A cluster whose Argo CD has one folder with these charts, and one with these objects."""
    tree(root, "apps/charts", "apps/one")
    entries = [{"name": name} | CHARTS[name] | over for name in charts]
    text = yaml.safe_dump({"helmCharts": entries})
    (root / "gitops/lab/main/apps/charts/kustomization.yaml").write_text(text, encoding="utf-8")
    hold(root, "one", *objects)
    open_project = {
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    return with_argo(root, rules=open_project)[0]


def _health(cluster: Cluster, name: str = "one") -> tuple[str, str]:
    cluster.work()
    found = next(each for each in cluster.objects("Application") if each["metadata"]["name"] == name)
    conditions = "; ".join(each["message"] for each in found["status"]["conditions"])
    health = found["status"]["health"]
    return health["status"], health.get("message", "") + conditions


def _issuer(**spec: Any) -> Any:
    return body("ClusterIssuer", "lab", api=CERT, spec=spec)


def _certificate(issuer: str = "lab") -> Any:
    spec = {"secretName": "tls", "dnsNames": ["a.lab"], "issuerRef": {"kind": "ClusterIssuer", "name": issuer}}
    return body("Certificate", "web", "apps", api=CERT, spec=spec)


def test_a_certificate_waits_for_its_issuer_and_that_for_its_key_pair(tmp_path: Path) -> None:
    cluster = _lab(tmp_path, "cert-manager", objects=(_issuer(ca={"secretName": "root"}), _certificate()))
    status, why = _health(cluster)
    assert status == "Degraded"
    assert 'secrets "root" not found' in why
    assert cluster.get("Secret", "apps", "tls") is None
    make(cluster, "Secret", "root", "apps", data={"tls.crt": "YQ=="})
    assert "no data for tls.key in secret apps/root" in _health(cluster)[1]
    make(cluster, "Secret", "other", "apps")
    cluster.delete("Secret", "apps", "root")
    make(cluster, "Secret", "root", "apps", data={"tls.crt": "YQ==", "tls.key": "YQ=="})
    assert _health(cluster) == ("Healthy", "")
    assert set((cluster.get("Secret", "apps", "tls") or {})["data"]) == {"tls.crt", "tls.key", "ca.crt"}


@pytest.mark.parametrize(
    ("issuer", "trouble"),
    [
        (_issuer(selfSigned={}), None),
        (
            _issuer(
                acme={
                    "server": "https://a",
                    "privateKeySecretRef": {"name": "k"},
                    "solvers": [{"http01": {"ingress": {"ingressClassName": "nginx"}}}],
                }
            ),
            None,
        ),
        (
            _issuer(acme={"server": "https://a", "privateKeySecretRef": {"name": "k"}, "solvers": []}),
            "no configured challenge solvers can be used for this challenge",
        ),
        (
            _issuer(
                acme={
                    "server": "https://a",
                    "privateKeySecretRef": {"name": "k"},
                    "solvers": [{"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "t", "key": "k"}}}}],
                }
            ),
            'error getting cloudflare secret: secrets "t" not found',
        ),
        (_issuer(vault={"path": "p", "server": "s", "auth": {}}), "knows no issuer vault"),
        (None, 'clusterissuer.cert-manager.io "lab" not found'),
    ],
)
def test_which_issuers_can_issue(tmp_path: Path, issuer: Any, trouble: str | None) -> None:
    objects = (issuer, _certificate()) if issuer else (_certificate(),)
    cluster = _lab(tmp_path, "cert-manager", objects=objects)
    status, why = _health(cluster)
    assert (status == "Healthy") == (trouble is None), why
    assert (trouble or "") in why


def test_without_cert_manager_s_kinds_nothing_of_theirs_is_applied(tmp_path: Path) -> None:
    """Its chart brings them only when told: crds.enabled is false by default."""
    cluster = _lab(tmp_path, "cert-manager", objects=(_certificate(),), valuesInline={})
    status, why = _health(cluster)
    assert status == "Missing"
    assert "The Kubernetes API could not find cert-manager.io/Certificate for requested resource" in why


def test_a_misspelt_field_of_a_certificate_is_refused(tmp_path: Path) -> None:
    wrong = _certificate()
    wrong["spec"]["dnsName"] = "a.lab"
    assert ".spec.dnsName: field not declared in schema" in _health(_lab(tmp_path, "cert-manager", objects=(wrong,)))[1]


def test_a_bundle_reaches_the_namespaces_that_ask_once_its_source_is_there(tmp_path: Path) -> None:
    spec = {
        "sources": [{"configMap": {"name": "ca", "key": "ca.crt"}}],
        "target": {"configMap": {"key": "ca.crt"}, "namespaceSelector": {"matchLabels": {"ca": "wanted"}}},
    }
    bundle = body("Bundle", "lab-ca", api="trust.cert-manager.io/v1alpha1", spec=spec)
    cluster = _lab(tmp_path, "cert-manager", "trust-manager", objects=(bundle,))
    assert 'ConfigMap "ca" not found in namespace cert-manager' in _health(cluster)[1]
    namespace_made(cluster, "cert-manager")
    make(cluster, "Namespace", "asks", metadata={"name": "asks", "labels": {"ca": "wanted"}})
    make(cluster, "ConfigMap", "ca", "cert-manager", data={"other": "x"})
    assert "no data found in ConfigMap cert-manager/ca at key ca.crt" in _health(cluster)[1]
    cluster.delete("ConfigMap", "cert-manager", "ca")
    make(cluster, "ConfigMap", "ca", "cert-manager", data={"ca.crt": "x"})
    assert _health(cluster) == ("Healthy", "")
    assert cluster.get("ConfigMap", "asks", "lab-ca") is not None
    assert cluster.get("ConfigMap", "apps", "lab-ca") is None


def test_longhorn_brings_the_storage_class_where_its_privileged_pods_may_run(tmp_path: Path) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster = _lab(tmp_path, "longhorn", objects=(body("PersistentVolumeClaim", "data", "apps", spec=spec),))
    assert "longhorn: pods are forbidden" in _health(cluster, "charts")[1]
    assert _health(cluster) == ("Healthy", "")
    made = cluster.get("StorageClass", None, "longhorn") or {}
    assert made["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_ceph_s_class_is_for_the_driver_that_is_called_after_the_operator(tmp_path: Path) -> None:
    pool = {"name": "pool", "storageClass": {"enabled": True, "name": "ceph-block", "isDefault": True}}
    values = {"operatorNamespace": "rook", "cephBlockPools": [pool]}
    cluster = _lab(tmp_path, "rook-ceph-cluster", valuesInline=values)
    assert "pods are forbidden" in _health(cluster, "charts")[1]
    made = cluster.get("StorageClass", None, "ceph-block") or {}
    assert made["provisioner"] == "rook.rbd.csi.ceph.com"
    assert made["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def _database(storage_class: str) -> Any:
    spec = {"instances": 2, "storage": {"size": "1Gi", "storageClass": storage_class}}
    return body("Cluster", "db", "apps", api="postgresql.cnpg.io/v1", spec=spec)


def test_a_database_is_up_once_its_volumes_are_and_its_owner_has_a_secret(tmp_path: Path) -> None:
    cluster = _lab(tmp_path, "cloudnative-pg", "localpv-provisioner", objects=(_database("openebs-hostpath"),))
    assert _health(cluster) == ("Healthy", "")
    assert {"host", "password", "uri"} <= ((cluster.get("Secret", "apps", "db-app") or {})["data"]).keys()
    assert cluster.get("Service", "apps", "db-rw")
    assert cluster.get("PersistentVolumeClaim", "apps", "db-2")


def test_a_database_whose_class_nobody_makes_waits_and_says_so(tmp_path: Path) -> None:
    cluster = _lab(tmp_path, "cloudnative-pg", objects=(_database("ceph-block"),))
    assert _health(cluster) == (
        "Degraded",
        'Cluster db is not up: claim "db-1" is unbound: storageclass.storage.k8s.io "ceph-block" not found',
    )
    assert cluster.get("Secret", "apps", "db-app") is None


def test_an_ingress_without_a_controller_is_told(tmp_path: Path) -> None:
    ingress = body(
        "Ingress",
        "web",
        "apps",
        api="networking.k8s.io/v1",
        spec={"defaultBackend": {"service": {"name": "w", "port": {"number": 80}}}},
    )
    assert "ingress web has no address" in _health(_lab(tmp_path, objects=(ingress,)))[1]


def test_an_ingress_that_asks_gets_its_certificate(tmp_path: Path) -> None:
    spec = {
        "defaultBackend": {"service": {"name": "w", "port": {"number": 80}}},
        "tls": [{"hosts": ["a.lab"], "secretName": "web-tls"}],
    }
    ingress = body("Ingress", "web", "apps", api="networking.k8s.io/v1", spec=spec)
    ingress["metadata"]["annotations"] = {"cert-manager.io/cluster-issuer": "lab"}
    cluster = _lab(tmp_path, "cert-manager", objects=(_issuer(selfSigned={}), ingress))
    cluster.work()
    assert cluster.get("Secret", "apps", "web-tls") is not None


STORE = {
    "provider": {
        "onepasswordSDK": {
            "vault": "lab",
            "auth": {"serviceAccountSecretRef": {"name": "op", "key": "token", "namespace": "apps"}},
        }
    }
}


def test_an_external_secret_is_made_once_its_store_has_its_credentials(tmp_path: Path) -> None:
    api = "external-secrets.io/v1"
    wanted = {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
        "data": [{"secretKey": "password", "remoteRef": {"key": "grafana/password"}}],
    }
    objects = (
        body("ClusterSecretStore", "vault", api=api, spec=STORE),
        body("ExternalSecret", "grafana", "apps", api=api, spec=wanted),
    )
    cluster = _lab(tmp_path, "external-secrets", objects=objects)
    assert 'secrets "op" not found in namespace apps' in _health(cluster)[1]
    make(cluster, "Secret", "op", "apps", data={"other": "YQ=="})
    assert 'cannot find secret data for key: "token"' in _health(cluster)[1]
    cluster.delete("Secret", "apps", "op")
    make(cluster, "Secret", "op", "apps", data={"token": "YQ=="})
    assert _health(cluster) == ("Healthy", "")
    assert list((cluster.get("Secret", "apps", "grafana") or {})["data"]) == ["password"]


def test_an_external_secret_of_no_store_is_told(tmp_path: Path) -> None:
    spec = {"secretStoreRef": {"name": "gone"}, "data": []}
    found = body("ExternalSecret", "grafana", "apps", api="external-secrets.io/v1", spec=spec)
    assert (
        'secretstores.external-secrets.io "gone" not found'
        in _health(_lab(tmp_path, "external-secrets", objects=(found,)))[1]
    )


def test_a_sealed_secret_is_opened(tmp_path: Path) -> None:
    found = body(
        "SealedSecret", "grafana", "apps", api="bitnami.com/v1alpha1", spec={"encryptedData": {"password": "Ag"}}
    )
    cluster = _lab(tmp_path, "sealed-secrets", objects=(found,))
    assert _health(cluster) == ("Healthy", "")
    assert list((cluster.get("Secret", "apps", "grafana") or {})["data"]) == ["password"]


def test_kustomize_s_namespace_is_nothing_to_what_lies_in_none(tmp_path: Path) -> None:
    """A folder with `namespace:` and its own Namespace was applied, and pruned again in the same breath."""
    cluster = _lab(tmp_path, "cert-manager", objects=(body("Namespace", "web"), _issuer(selfSigned={})))
    file = tmp_path / "gitops/lab/main/apps/one/kustomization.yaml"
    file.write_text("namespace: web\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert _health(cluster) == ("Healthy", "")
    assert cluster.get("Namespace", None, "web") is not None
    assert cluster.get("ClusterIssuer", None, "lab") is not None
