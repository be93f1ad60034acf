"""What the Kubernetes stand-in waits for: Helm releases, and custom objects that must do something to be of use."""

from typing import Any

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.standins.shell import execute
from rehearsal.standins.wire import Secret, decode
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import (
    GATEWAY,
    Provider,
    cilium_release,
    gateway,
    kubeconfig,
    named,
    seed,
    talos_cluster,
    with_gateways,
)
from tests.rehearsal.worlds import Aborted

SECRET = "kubernetes:core/v1:Secret"
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.fixture
def main() -> Cluster:
    return talos_cluster()


@pytest.fixture
def provider(main: Cluster) -> Provider:
    return Provider(main.world)


def test_a_release_is_installed_upgraded_read_and_removed(provider: Provider, main: Cluster):
    made, state, _ = provider.create(RELEASE, **cilium_release())
    assert (made, state["status"]["status"]) == ("kube-system/cilium", "deployed")
    after = provider.update(RELEASE, state, cilium_release(version="1.18.5"))
    assert after["status"]["revision"] == 2
    assert decode(provider.read(RELEASE, made, **after).inputs)[0]["version"] == "1.18.5"
    assert decode(provider.read(RELEASE, made).inputs)[0] == cilium_release(version="1.18.5")
    provider.remove(RELEASE, made)
    assert main.releases == {}


def test_name_and_namespace_replace_a_release_versions_and_values_do_not(provider: Provider):
    def replaces(**over: Any) -> list[str]:
        return list(provider.diff(RELEASE, cilium_release(), cilium_release(**over)).replaces)

    assert replaces(version="1.18.5", values={}) == []
    assert replaces(name="other") == ["name"]
    assert replaces(namespace="other") == ["namespace"]


def test_a_preview_fetches_the_chart(provider: Provider):
    with pytest.raises(Aborted, match="failed to download"):
        provider.create(RELEASE, preview=True, **cilium_release(version="9.9.9"))


def test_a_release_that_does_not_become_ready_is_remembered_and_tried_again(provider: Provider, main: Cluster):
    with pytest.raises(Aborted, match=r"(?s)failed to initialize completely.*deadline exceeded.*SYS_MODULE"):
        provider.create(RELEASE, **cilium_release(values={"tls": Secret("abc")}))
    made, state, secrets = provider.half_made()
    assert (made, state["status"]["status"]) == ("kube-system/cilium", "failed")
    assert ("values",) in secrets
    assert provider.update(RELEASE, state, cilium_release())["status"]["status"] == "deployed"


def test_an_engine_killed_in_the_middle_of_a_release_leaves_its_name_in_use(main: Cluster):
    main.world.faults = Faults([Fault("kill", "kubernetes/Release/create/midway/*")])
    provider = Provider(main.world)
    with pytest.raises(Aborted, match="the engine was killed"):
        provider.create(RELEASE, **cilium_release())
    assert main.releases["kube-system/cilium"]["status"] == "pending-install"
    with pytest.raises(Aborted, match="cannot re-use a name that is still in use"):
        provider.create(RELEASE, **cilium_release())


def test_half_an_upgrade_is_forgotten_with_its_secret_and_nothing_else_is(main: Cluster):
    main.world.faults = Faults([Fault("kill", "kubernetes/Release/update/midway/*")])
    provider = Provider(main.world)
    _, state, _ = provider.create(RELEASE, **cilium_release())
    with pytest.raises(Aborted, match="the engine was killed"):
        provider.update(RELEASE, state, cilium_release(version="1.18.5"))
    with pytest.raises(Aborted, match=r"another operation \(install/upgrade/rollback\) is in progress"):
        provider.update(RELEASE, state, cilium_release(version="1.18.5"))
    told = "kubectl --kubeconfig /dev/stdin --namespace kube-system delete secret --selector owner=helm,name=cilium"

    def typed(words: str) -> str:
        return execute(main.world, main.world.hosts.workstation, "operator", f"{told}{words}", kubeconfig()).stdout

    assert typed(",status=pending-install") == "No resources found\n"
    said = typed(",status=pending-upgrade")
    assert said == 'secret "sh.helm.release.v1.cilium.v2" deleted from kube-system namespace\n'
    assert main.releases["kube-system/cilium"]["version"] == "1.18.4"
    assert provider.update(RELEASE, state, cilium_release(version="1.18.5"))["status"]["revision"] == 2
    assert typed(",status=superseded") == said.replace("v2", "v1")
    assert main.releases["kube-system/cilium"]["version"] == "1.18.5"
    assert typed("") == said
    assert main.releases == {}, "Helm knows of no release whose every secret is gone"


def test_a_gateway_without_an_address_is_half_made_until_it_has_one():
    cluster = with_gateways()
    provider, token = Provider(cluster.world), f"kubernetes:{GATEWAY}:Gateway"
    own = {"apiVersion": GATEWAY, "kind": "Gateway", "metadata": named("one", "net")}
    with pytest.raises(
        Aborted, match=r"failed to fully initialize or become live: .*lies in no CiliumLoadBalancerIPPool"
    ):
        provider.create(token, **own, spec=gateway("10.0.0.9"))
    made, state, _ = provider.half_made()
    assert made == "net/one"
    assert provider.update(token, state, own | {"spec": gateway("10.0.0.239")})["status"]["addresses"]


def test_what_happened_is_written_down_without_secrets(provider: Provider, main: Cluster):
    provider.create(SECRET, metadata=named("s", "default"), stringData={"token": "abc"})
    seed(main, "cilium")
    entry = main.world.entries()[-1]
    assert (entry["operation"], entry["subject"]) == ("create", "main/Secret/default/s")
    assert "abc" not in str(main.world.entries())
