"""The whole program under mocks: what it registers, in which order, and that no secret is plain."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

import pulumi
import pytest
from syrupy.assertion import SnapshotAssertion

from stacks.lab import build
from tests.labs import SHIPPED, app_secrets, raw
from tests.recording import Recording, plain_text, record, secret_leaves

SECRETS = {
    "iluvatar:cloudflareApiToken": "MOCK-SECRET-CLOUDFLARE",
    "iluvatar:cloudflareDnsToken": "MOCK-SECRET-DNS",
    "iluvatar:appSecrets": app_secrets("MOCK-SECRET-APP"),
    "iluvatar:bootstrapSshKey": "MOCK-SECRET-SSH",
    "iluvatar:onepasswordCredentials": "MOCK-SECRET-CREDENTIALS",
    "iluvatar:onepasswordToken": "MOCK-SECRET-TOKEN",
}


def config(lab: str, secrets: Mapping[str, str] = SECRETS) -> dict[str, str]:
    return {"iluvatar:environment": json.dumps(raw(lab)), **secrets}


@cache
def recorded(lab: str) -> Recording:
    return record(build, lab, config(lab), preview=False)


def names(recording: Recording, urns: frozenset[str]) -> set[str]:
    return {recording.resources[urn].name for urn in urns}


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_urn_is_as_it_was(lab: str, snapshot: SnapshotAssertion) -> None:
    """URNs are state: a changed one is a resource destroyed and made anew. A rename carries an alias."""
    assert sorted(recorded(lab).resources) == snapshot


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_preview_registers_what_an_up_does_even_before_any_secret_is_set(lab: str) -> None:
    preview = record(build, lab, config(lab, {}), preview=True)
    assert set(preview.resources) == set(recorded(lab).resources)


@pytest.mark.parametrize("lab", SHIPPED)
def test_no_secret_reaches_the_engine_in_plain(lab: str) -> None:
    for resource in recorded(lab).resources.values():
        assert "MOCK-SECRET" not in plain_text(resource.wire), f"{resource.name} carries a secret in plain"
    for name, (value, secret) in recorded(lab).outputs.items():
        assert secret or "MOCK-SECRET" not in str(value), f"output {name} is a plain secret"


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_recording_does_see_secrets(lab: str) -> None:
    """The check above would pass on a recording that drops them."""
    leaves = [leaf for resource in recorded(lab).resources.values() for leaf in secret_leaves(resource.wire)]
    assert any("MOCK-SECRET" in str(leaf) for leaf in leaves)


@pytest.mark.parametrize("lab", SHIPPED)
def test_functions_get_camel_case_keys_and_every_version(lab: str) -> None:
    """Snake case passes mocks and preview and fails at `up`; an unset version means the provider's own."""
    asked = [args for token, args in recorded(lab).calls if token == "talos:machine/getConfiguration:getConfiguration"]
    assert asked
    for args in asked:
        assert set(args["machineSecrets"]) == {"certs", "cluster", "secrets", "trustdinfo"}
        certificates = {"etcd", "k8s", "k8sAggregator", "k8sServiceaccount", "os"}
        assert set(args["machineSecrets"]["certs"]) == certificates
        assert set(args["machineSecrets"]["secrets"]) >= {"bootstrapToken", "secretboxEncryptionSecret"}
        assert args["kubernetesVersion"]
        assert args["talosVersion"]
        assert "installer/" in args["configPatches"][0]


@pytest.mark.parametrize("lab", SHIPPED)
def test_nothing_asked_in_a_preview_dials_out(lab: str) -> None:
    pure = {"talos:machine/getConfiguration:getConfiguration", "talos:client/getConfiguration:getConfiguration"}
    assert {token for token, _ in recorded(lab).calls} == pure


@pytest.mark.parametrize("lab", SHIPPED)
def test_machine_secrets_are_protected_and_pinned(lab: str) -> None:
    secrets = recorded(lab).named("arda-secrets")
    assert secrets.protect
    assert secrets.inputs["talosVersion"].startswith("v1.")


@pytest.mark.parametrize("lab", SHIPPED)
def test_control_planes_are_touched_one_after_the_other_and_workers_after_the_bootstrap(lab: str) -> None:
    recording = recorded(lab)
    applies = recording.typed("talos:machine/configurationApply:ConfigurationApply")
    bootstraps = recording.typed("talos:machine/bootstrap:Bootstrap")
    assert len(bootstraps) == 1, "a cluster is bootstrapped once"
    roles = {f"arda-apply-{name}": node["role"] for name, node in raw(lab)["cluster"]["nodes"].items()}
    assert set(roles) == {apply.name for apply in applies}, "a node left out of the apply loop"
    planes = sorted(apply.name for apply in applies if roles[apply.name] == "control-plane")
    for before, after in pairwise(planes):
        back = before.replace("-apply-", "-back-")
        assert back in names(recording, recording.named(after).depends_on), "it may reboot: its return is waited for"
        assert before in names(recording, recording.named(back).depends_on)
    for apply in applies:
        waits = names(recording, apply.depends_on)
        assert ("arda-bootstrap" in waits) is (roles[apply.name] == "worker")


GATES = ("talos-api", "etcd", "api", "cni", "nodes")


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_machine_is_upgraded_alone_after_a_snapshot_and_kubernetes_last(lab: str) -> None:
    recording, nodes = recorded(lab), raw(lab)["cluster"]["nodes"]
    order = sorted(nodes, key=lambda name: (nodes[name]["role"], name))
    chain = ["arda-tools", "arda-snapshot", *(f"arda-upgrade-{name}" for name in order), "arda-upgrade-kubernetes"]
    for before, after in pairwise(chain):
        assert before in names(recording, recording.named(after).depends_on)


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_configuration_is_applied_to_what_understands_it(lab: str) -> None:
    """One for a new Talos is refused by an old one; one for a new Kubernetes brings it up on a single node."""
    recording = recorded(lab)
    for apply in recording.typed("talos:machine/configurationApply:ConfigurationApply"):
        assert "arda-upgrade-kubernetes" in names(recording, apply.depends_on)


@pytest.mark.parametrize("lab", SHIPPED)
def test_nothing_in_the_cluster_waits_for_a_worker(lab: str) -> None:
    """A dead worker held back Cilium, the gateways and GitOps."""
    recording, nodes = recorded(lab), raw(lab)["cluster"]["nodes"]
    late = {f"arda-apply-{name}" for name, node in nodes.items() if node["role"] == "worker"} | {"arda-gate-nodes"}
    for resource in recording.resources.values():
        if resource.name not in late and not resource.name.startswith("arda-leave-"):
            assert not late & names(recording, resource.depends_on), resource.name


def test_arda_waits_for_the_mirror_and_for_no_maia() -> None:
    """A dead Maia held back the first seeding of Arda; and a Maia was waited for before it had a root to boot from."""
    recording = recorded("homelab")
    mirror = names(recording, recording.named("ainur-mirror-arda-vala-1").depends_on)
    assert mirror == {"ea-netboot-answers"}
    waiting = {one.name: names(recording, one.depends_on) for one in recording.resources.values()}
    assert any("ainur-mirror-arda-vala-1" in found for name, found in waiting.items() if name.startswith("gitops-"))
    assert not any("ainur-ready-vala-1" in found for found in waiting.values())
    for maia in ("maia-1", "maia-2"):
        assert "ainur-root-vala-1" in names(recording, recording.named(f"ainur-hostkey-{maia}").depends_on)


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_five_gates_come_in_their_order(lab: str) -> None:
    recording = recorded(lab)

    def before(name: str) -> set[str]:
        resource = recording.named(name)
        found = names(recording, resource.depends_on)
        if resource.provider:
            found = found | {resource.provider.split("::")[3]}
        return found.union(*(before(each) for each in found))

    for lower, higher in pairwise(GATES):
        assert f"arda-gate-{lower}" in before(f"arda-gate-{higher}")
    assert "arda-gate-talos-api" in before("arda-bootstrap")
    assert "arda-gate-api" in before("arda-kubernetes")


@pytest.mark.parametrize("lab", SHIPPED)
def test_credentials_reach_commands_on_standard_input_only(lab: str) -> None:
    for command in recorded(lab).typed("command:local:Command"):
        assert "environment" not in command.inputs
        assert not command.inputs.get("addPreviousOutputInEnv")
        if "talosctl" in command.inputs["create"] and command.name != "arda-tools":
            assert secret_leaves(command.wire["stdin"]), command.name


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_cluster_stays_itself_when_its_kubeconfig_changes(lab: str) -> None:
    """Without an identifier an unknown kubeconfig shows a replacement of everything on the cluster."""
    for provider in recorded(lab).typed("pulumi:providers:kubernetes"):
        assert provider.inputs["clusterIdentifier"].startswith(f"{lab}-")
        assert provider.inputs["kubeconfig"], "without one the provider would read the owner's own"


@pytest.mark.parametrize("lab", SHIPPED)
def test_what_git_adopts_is_neither_reverted_nor_uninstalled(lab: str) -> None:
    releases = recorded(lab).typed("kubernetes:helm.sh/v3:Release")
    assert releases
    for release in releases:
        assert release.retain_on_delete
        assert {"version", "values"} <= set(release.ignore_changes)
        assert release.inputs["version"]


@pytest.mark.parametrize("lab", SHIPPED)
def test_namespaces_of_git_s_applications_outlive_the_stack(lab: str) -> None:
    for namespace in recorded(lab).typed("kubernetes:core/v1:Namespace"):
        assert namespace.retain_on_delete, f"{namespace.name} would take its applications and their data along"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_ssh_command_checks_the_host_key_and_hides_what_is_secret(lab: str) -> None:
    for command in recorded(lab).typed("command:remote:Command"):
        assert command.inputs["connection"]["hostKey"].startswith("ssh-"), f"{command.name} would trust anyone"
        if "token" in command.name or "kubeconfig" in command.name:
            assert command.inputs["logging"] == "none"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_resource_hangs_under_its_realm(lab: str) -> None:
    recording = recorded(lab)
    for resource in recording.resources.values():
        if resource.custom and not resource.type.startswith("pulumi:"):
            parent = recording.resources[resource.parent]
            assert parent.type.startswith("iluvatar:"), f"{resource.name} hangs under {parent.type}"


def test_machines_are_only_expected_once_something_boots_them() -> None:
    recording = recorded("homelab")
    assert "ea-netboot-answers" in names(recording, recording.named("arda-apply-valinor-1").depends_on)


def test_an_up_without_a_secret_is_refused_before_anything_exists() -> None:
    with pytest.raises(pulumi.RunError, match="pulumi config set --secret bootstrapSshKey"):
        record(build, "homelab", config("homelab", {}), preview=False)


def test_an_error_in_the_data_stops_everything_with_all_findings() -> None:
    broken = raw("homelab")
    broken["cluster"]["vip"] = broken["cluster"]["nodes"]["istari-1"]["address"]
    broken["cluster"]["pods"] = "10.96.0.0/12"
    broken["bootstrap"]["colour"] = "blue"
    with pytest.raises(pulumi.RunError) as raised:
        record(build, "homelab", {"iluvatar:environment": json.dumps(broken), **SECRETS}, preview=False)
    said = str(raised.value)
    assert "nothing was touched" in said
    for place in ("cluster.vip", "cluster.pods", "bootstrap.colour"):
        assert place in said


@pytest.mark.parametrize("odd", ["null", "[]", '"text"', "7", "{}"])
def test_an_odd_environment_is_refused_in_a_sentence(odd: str) -> None:
    with pytest.raises(pulumi.RunError):
        record(build, "odd", {"iluvatar:environment": odd}, preview=True)
