"""Flux in the World: what was pushed is what stands, in order, and what does not is told in Flux' words."""

import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from rehearsal.standing import unwell
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Call, run
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import seed, talos_cluster

REPOSITORY = "oci.example.org/owner/lab"
SYNC = {"kind": "OCIRepository", "url": f"oci://{REPOSITORY}", "ref": "main", "path": "gitops/lab/main/flux"}
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name}, namespace: default }}\ndata: {{ k: '{value}' }}\n"


def push(world: World, files: dict[str, str], tag: str = "main") -> None:
    """An artefact, as Flux' own client pushes one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    blobs = [b"{}", gzip.compress(buffer.getvalue())]
    names = [{"digest": world.registry.push_blob(REPOSITORY, blob)} for blob in blobs]
    assert (
        world.registry.push_manifest(REPOSITORY, tag, json.dumps({"config": names[0], "layers": names[1:]}).encode())
        is None
    )


def kustomization(name: str, *waits: str, **spec: Any) -> str:
    """One in the root folder, of `gitops/lab/main/<name>`."""
    source = {"kind": "OCIRepository", "name": "flux-system"}
    told = {"interval": "1h", "path": f"./gitops/lab/main/{name}", "prune": True, "wait": True, "sourceRef": source}
    told |= {"dependsOn": [{"name": one} for one in waits]} | spec
    metadata = {"name": name, "namespace": "flux-system"}
    kind = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    return json.dumps({**kind, "metadata": metadata, "spec": told})


def lab(*waits: str, first: str = "", second: str = "", **spec: Any) -> dict[str, str]:
    """Two folders, the second after the first, each with what it is given."""
    return {
        "gitops/lab/main/flux/first.yaml": kustomization("first"),
        "gitops/lab/main/flux/second.yaml": kustomization("second", *(waits or ("first",)), **spec),
        "gitops/lab/main/first/one.yaml": first or MAP.format(name="first", value="1"),
        "gitops/lab/main/second/deep/one.yaml": second or MAP.format(name="second", value="1"),
    }


def flux(files: dict[str, str] | None, instance: dict[str, Any] | None = None, **sync: Any) -> Cluster:
    cluster = talos_cluster()
    if files is not None:
        push(cluster.world, files)
    seed(cluster, "cilium", "flux-operator")
    seed(cluster, "flux-instance", name="flux", values={"instance": {"sync": SYNC | sync, **(instance or {})}})
    return cluster


def told(cluster: Cluster, name: str, kind: str = "Kustomization", namespace: str = "flux-system") -> tuple[str, str]:
    """(reason, message) of an object's Ready condition."""
    found = cluster.get(kind, namespace, name)
    assert found
    (condition,) = found["status"]["conditions"]
    return condition["reason"], condition["message"]


def test_what_was_pushed_stands_and_follows_the_tag():
    cluster = flux(lab())
    assert unwell(cluster.world) == []
    assert told(cluster, "second")[1].startswith("Applied revision: main@sha256:")
    assert [one["metadata"]["name"] for one in cluster.objects("ConfigMap", "default")] == ["first", "second"]
    push(cluster.world, {**lab(), "gitops/lab/main/first/one.yaml": MAP.format(name="other", value="2")})
    cluster.work()
    assert [one["metadata"]["name"] for one in cluster.objects("ConfigMap", "default")] == ["other", "second"]


@pytest.mark.parametrize(
    ("policy", "prune", "stays"),
    [({}, True, False), ({}, False, True), ({"deletionPolicy": "Orphan"}, True, True)]
    + [({"deletionPolicy": one}, False, False) for one in ("Delete", "WaitForTermination")],
)
def test_what_a_kustomization_applied_goes_with_it_unless_it_is_orphaned(
    policy: dict[str, Any], prune: bool, stays: bool
):
    cluster = flux(lab(**policy, prune=prune))
    push(cluster.world, {path: text for path, text in lab().items() if not path.endswith("/second.yaml")})
    cluster.work()
    assert cluster.get("Kustomization", "flux-system", "second") is None
    assert (cluster.get("ConfigMap", "default", "second") is not None) is stays


def test_without_an_artefact_source_controller_says_which_manifest_is_unknown():
    cluster = flux(None)
    reason, message = told(cluster, "flux-system", "OCIRepository")
    assert reason == "OCIArtifactPullFailed"
    assert message == (
        "failed to determine artifact digest: GET https://oci.example.org/v2/owner/lab/manifests/main: "
        "MANIFEST_UNKNOWN: manifest unknown"
    )
    assert told(cluster, "flux-system") == ("ArtifactFailed", "Source artifact not found, retrying in 30s")
    source, root = unwell(cluster.world)
    assert source.startswith("main: OCIRepository flux-system of oci://oci.example.org/owner/lab is not ready: ")
    assert "Kustomization flux-system of gitops/lab/main/flux is not ready" in root
    push(cluster.world, lab())
    cluster.work()
    assert unwell(cluster.world) == []


def test_a_kustomization_waits_for_what_is_not_ready():
    pod = {"containers": [{"name": "c", "image": "i"}], "hostNetwork": True}
    labels = {"matchLabels": {"app": "a"}}
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default"}}
    cluster = flux(lab(first=json.dumps({**body, "spec": {"selector": labels, "template": template}})))
    reason, message = told(cluster, "first")
    assert reason == "HealthCheckFailed"
    assert "timeout waiting for: [Deployment/default/d status: 'InProgress': pods" in message
    assert told(cluster, "second") == ("DependencyNotReady", "dependency 'flux-system/first' is not ready")
    assert cluster.get("ConfigMap", "default", "second") is None


def test_a_dependency_that_nobody_made_is_named():
    cluster = flux(lab("third"))
    text = 'kustomizations.kustomize.toolkit.fluxcd.io "third" not found'
    assert told(cluster, "second") == ("DependencyNotReady", f"dependency 'flux-system/third' not found: {text}")


@pytest.mark.parametrize(
    ("second", "reason", "message"),
    [
        ("kind: [", "BuildFailed", "kustomize build failed"),
        (
            "{apiVersion: example.org/v1, kind: Thing, metadata: {name: t}}",
            "ReconciliationFailed",
            "no matches for kind",
        ),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: t}}", "ReconciliationFailed", "namespace not specified"),
    ],
)
def test_what_cannot_be_applied_is_told_and_prunes_nothing(second: str, reason: str, message: str):
    cluster = flux(lab())
    push(cluster.world, lab(second=second))
    cluster.work()
    given, said = told(cluster, "second")
    assert given == reason
    assert message in said
    assert cluster.get("ConfigMap", "default", "second") is not None


def test_a_path_that_the_artefact_has_not_is_told():
    cluster = flux(lab(path="./lab/main/second"))
    reason, message = told(cluster, "second")
    assert reason == "ArtifactFailed"
    assert message.startswith("kustomization path not found: stat ")


SEALED = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default"},
        "stringData": {"k": "ENC[AES256_GCM,data:a,type:str]"},
        "sops": {"age": []},
    }
)


def test_what_sops_encrypted_needs_a_key_that_is_there():
    cluster = flux(lab(second=SEALED))
    assert "is SOPS encrypted, configuring decryption is required" in told(cluster, "second")[1]
    push(cluster.world, lab(second=SEALED, decryption={"provider": "sops", "secretRef": {"name": "sops-age"}}))
    cluster.work()
    assert 'secrets "sops-age" not found' in told(cluster, "second")[1]
    key = {"metadata": {"name": "sops-age", "namespace": "flux-system"}, "stringData": {"age.agekey": "k"}}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", **key}, "t")
    cluster.work()
    assert unwell(cluster.world) == []


def test_an_artefact_that_nobody_signed_is_refused_where_a_signature_is_asked_for():
    verify = {"provider": "cosign", "secretRef": {"name": "cosign-key"}}
    step = json.dumps([{"op": "add", "path": "/spec/verify", "value": verify}])
    cluster = flux(lab(), {"kustomize": {"patches": [{"target": {"kind": "OCIRepository"}, "patch": step}]}})
    reason, message = told(cluster, "flux-system", "OCIRepository")
    assert reason == "VerificationError"
    assert f"no matching signatures were found for '{REPOSITORY}@sha256:" in message


def test_a_login_that_is_not_there_is_named():
    cluster = flux(lab(), pullSecret="registry-login")
    assert told(cluster, "flux-system", "OCIRepository") == (
        "AuthenticationFailed",
        'failed to get credential: secrets "registry-login" not found',
    )


def released(version: str, values: dict[str, Any] | None = None) -> str:
    """A HelmRelease of flux-operator's chart, as its folder holds it."""
    metadata = {"name": "flux-operator", "namespace": "flux-system"}
    url = "oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator"
    source = {"interval": "1h", "url": url, "ref": {"tag": version}}
    release = {"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": "flux-operator"}, "values": values or {}}
    kinds = (
        ("source.toolkit.fluxcd.io/v1", "OCIRepository", source),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease", release),
    )
    return "\n---\n".join(
        json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
        for version, kind, spec in kinds
    )


def test_a_release_that_stands_is_taken_over_once_and_then_follows_git():
    """helm-controller upgrades a release that it did not make; from then on it is quiet."""
    cluster = flux(lab(first=released("0.50.0")))
    key = "flux-system/flux-operator"
    for _ in range(2):
        cluster.work()
        assert cluster.releases[key]["revision"] == 2
    assert told(cluster, "flux-operator", "HelmRelease")[0] == "UpgradeSucceeded"
    push(cluster.world, lab(first=released("0.51.0", {"resources": {}})))
    cluster.work()
    release = cluster.releases[key]
    assert (release["revision"], release["version"], release["values"]) == (3, "0.51.0", {"resources": {}})


def test_a_chart_that_cannot_be_had_holds_back_what_waits_for_it():
    cluster = flux(lab(first=released("never")))
    assert told(cluster, "flux-operator", "OCIRepository")[0] == "OCIArtifactPullFailed"
    assert told(cluster, "flux-operator", "HelmRelease") == (
        "SourceNotReady",
        "OCIRepository 'flux-system/flux-operator' is not ready",
    )
    assert "HelmRelease/flux-system/flux-operator status: 'InProgress'" in told(cluster, "first")[1]
    assert told(cluster, "second")[0] == "DependencyNotReady"


def test_a_flux_instance_brings_fluxs_kinds():
    assert flux(None).kind("helm.toolkit.fluxcd.io/v2", "HelmRelease").namespaced


def test_a_flux_instance_needs_its_operator_and_known_fields():
    bare = talos_cluster()
    seed(bare, "cilium")
    with pytest.raises(Refusal, match='no matches for kind "FluxInstance"'):
        seed(bare, "flux-instance", name="flux")
    with pytest.raises(Refusal, match=r"spec\.sync\.branch: field not declared"):
        flux(None, branch="main")


def test_the_rack_runs_the_lab_s_own_program_for_an_artefact_and_nothing_else_of_it():
    world = talos_cluster().world
    for host, words in (
        (world.hosts.workstation, ["sh", "./lab", "render"]),
        ({"files": {}}, ["sh", "./lab", "artefact", "x"]),
    ):
        refused = run(Call(world, host, "operator", words, lambda: ""))
        assert refused.code == 2
        assert "./lab" in refused.stderr
