"""What talosctl and kubectl of the rack refuse, in the real ones' words or, where the rack knows less, in its own."""

import pytest

from tests.rehearsal.talos_labs import Bench
from tests.rehearsal.worlds import PLAIN

IMAGE = f"factory.talos.dev/metal-installer/{PLAIN}:v1.12.9"  # version: the World's, any will do

ON_ONE = {
    "etcd members": ("worker-1", "etcd API is only available on control plane nodes"),
    "service etcd": ("worker-1", 'rpc error: code = Unknown desc = service "etcd" is not registered'),
    "service kubelet": ("cp-1", "the rack's talosctl was taught about the service etcd only"),
    "get disks": ("cp-1", "the rack's talosctl was not taught to get disks in this form"),
    "kubeconfig": ("cp-1", "the rack's talosctl writes a kubeconfig to standard output only (kubeconfig -)"),
}
KUBECTL = {
    "get secrets": "the rack's kubectl was not taught to get secrets",
    "get nodes": "the rack's kubectl prints -o name, or -o custom-columns=… with --no-headers",
    "get --raw /healthz": "the rack's kubectl was taught --raw /readyz only",
    "get volumes.longhorn.io -o name": 'error: the server doesn\'t have a resource type "volumes"',
    "wait --for=condition=Happy node/cp-1": "the rack's kubectl waits for the conditions Ready and Established",
    "wait node/cp-1 --for=delete": "the rack's kubectl waits for the end of pods chosen by a label",
    "wait --for=condition=Established crd/things.example.com": (
        'Error from server (NotFound): customresourcedefinitions.apiextensions.k8s.io "things.example.com" not found'
    ),
    "wait pod -l app=web --for=condition=Ready": "the rack's kubectl was taught about one node's agent of Cilium only",
    "wait pod -l k8s-app=cilium --field-selector spec.nodeName=cp-1 --for=condition=Ready": (
        "error: no matching resources found"
    ),
    "rollout status deployment/web": "the rack's kubectl was taught about deployment/cilium-operator only",
    "rollout status deployment/cilium-operator": (
        'Error from server (NotFound): deployments.apps "cilium-operator" not found'
    ),
    "delete secret --selector app=web": "the rack's kubectl deletes Helm's secrets only, chosen by labels (owner=helm)",
    "delete secret sh.helm.release.v1.cilium.v1": "the rack's kubectl deletes Helm's secrets only",
}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One lab for all: nothing that is refused changes it."""
    return Bench.of_four()


@pytest.mark.parametrize("words", ON_ONE)
def test_talosctl_refuses_what_a_node_does_not_do(bench: Bench, words: str):
    name, why = ON_ONE[words]
    said = bench.t(name, words)
    assert said.code == 1
    assert why in said.stderr


@pytest.mark.parametrize("words", KUBECTL)
def test_kubectl_refuses_what_is_not_there_and_what_it_was_not_taught(bench: Bench, words: str):
    said = bench.k(words)
    assert said.code == 1
    assert KUBECTL[words] in said.stderr


@pytest.mark.parametrize("words", ["upgrade --image x", "upgrade-k8s --to 1.2.3", "kubeconfig -"])
def test_what_is_for_one_node_is_not_done_to_two(bench: Bench, words: str):
    said = bench.run(f"talosctl --talosconfig /dev/stdin -e 10.0.0.101 -n 10.0.0.101 -n 10.0.0.102 {words}")
    assert "command is not supported with multiple nodes" in said.stderr


@pytest.mark.parametrize(
    ("line", "stdin", "why"),
    [
        ("talosctl version", "", "failed to determine endpoints: no talosconfig"),
        ("talosctl --talosconfig /dev/stdin version", "a: b", "error reading talosconfig: no context is set"),
        ("talosctl --talosconfig /dev/stdin -n 10.0.0.101 version", None, "failed to determine endpoints"),
        ("kubectl version", "", "the rack's kubectl only tells its own version (--client)"),
        ("kubectl get nodes -o name", "", "The connection to the server localhost:8080 was refused"),
    ],
)
def test_nobody_is_asked_without_an_address(bench: Bench, line: str, stdin: str | None, why: str):
    said = bench.run(line, stdin)
    assert said.code == 1
    assert why in said.stderr


def test_a_control_plane_that_left_etcd_has_none_to_ask():
    bench = Bench.of_four()
    assert bench.t("cp-3", "etcd leave").code == 0
    said = bench.t("cp-3", "etcd members").stderr
    assert "rpc error: code = Unknown desc = failed to create etcd client: no etcd endpoints available" in said
    why = "error validating etcd for upgrade: etcd member count(2) is insufficient to maintain quorum"
    assert why in bench.t("cp-1", f"upgrade --image {IMAGE}").stderr


def test_kubernetes_is_not_upgraded_while_a_node_is_down():
    bench = Bench.of_four()
    bench.at.world.machines.switch("worker-1", on=False)
    assert "error getting nodes: worker-1 does not answer" in bench.t("cp-1", "upgrade-k8s --to 1.35.1").stderr
