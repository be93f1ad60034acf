"""The Talos stand-in decides what the provider decides: defaults, secrecy, replacement, and strictness about names."""

from typing import Any

import pytest
import yaml
from pulumi.runtime.proto import provider_pb2

from rehearsal.standins import talos
from rehearsal.standins.wire import UNKNOWN, decode
from rehearsal.world import World
from tests.rehearsal.worlds import PLAIN, Aborted, Engine, a_world, patch, with_boot_services

SECRETS = "talos:machine/secrets:Secrets"
APPLY = "talos:machine/configurationApply:ConfigurationApply"
BOOTSTRAP = "talos:machine/bootstrap:Bootstrap"
KUBECONFIG = "talos:cluster/kubeconfig:Kubeconfig"
SCHEMATIC = "talos:imageFactory/schematic:Schematic"
MACHINE = "talos:machine/getConfiguration:getConfiguration"
CLIENT = "talos:client/getConfiguration:getConfiguration"


@pytest.fixture
def world() -> World:
    world = a_world()
    with_boot_services(world)
    return world


@pytest.fixture
def engine(world: World) -> Engine:
    return Engine(talos.stand_in(), world)


def configuration(engine: Engine, secrets: dict[str, Any], **over: Any) -> tuple[str, list[tuple[str, str]]]:
    """A machine's configuration, by default the first control plane's, and what is wrong with it."""
    args = {
        "clusterName": "main",
        "clusterEndpoint": "https://10.0.0.100:6443",
        "machineType": "controlplane",
        "machineSecrets": secrets,
        "kubernetesVersion": "v1.34.2",
        "talosVersion": "v1.12",
        "configPatches": [patch("cp-1", "10.0.0.101")],
    } | over
    result, failures = engine.invoke(MACHINE, **{name: value for name, value in args.items() if value is not None})
    return result.get("machineConfiguration", ""), failures


def ready(engine: Engine) -> tuple[dict[str, str], str]:
    """A client of a new cluster, and the configuration of its first machine."""
    _, state, _ = engine.create(SECRETS, talosVersion="v1.12")
    return state["clientConfiguration"], configuration(engine, state["machineSecrets"])[0]


def test_keys_and_tokens_of_a_bundle_are_secret_certificates_and_the_id_are_not(engine: Engine, world: World):
    before = len(world.issued_secrets())
    _, state, secrets = engine.create(SECRETS, talosVersion="v1.12")
    leaves = {".".join(map(str, path)) for path in secrets}
    assert leaves == {
        "clientConfiguration.clientKey",
        *(f"machineSecrets.certs.{name}.key" for name in ("etcd", "k8s", "k8sAggregator", "k8sServiceaccount", "os")),
        "machineSecrets.cluster.secret",
        "machineSecrets.secrets.bootstrapToken",
        "machineSecrets.secrets.secretboxEncryptionSecret",
        "machineSecrets.trustdinfo.token",
    }
    assert len(world.issued_secrets()) == before + len(leaves)
    assert state["machineSecrets"]["certs"]["os"]["cert"] == state["clientConfiguration"]["caCertificate"]


@pytest.mark.parametrize(
    ("before", "after", "replaces"),
    [("v1.12", "v1.13", False), ("v1.12", "v1.12.4", False), ("v1.12", "v1.11", True), (None, "v1.12", True)],
)
def test_only_lowering_the_contract_replaces_the_secrets(
    engine: Engine, before: str | None, after: str, replaces: bool
):
    diff = engine.diff(SECRETS, {"talosVersion": before}, {"talosVersion": after})
    assert bool(diff.replaces) == replaces
    assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME


def test_raising_the_contract_keeps_the_secrets_and_makes_them_unknown_in_preview(engine: Engine):
    _, state, _ = engine.create(SECRETS, talosVersion="v1.12")
    foreseen = engine.update(SECRETS, state, {"talosVersion": "v1.13"}, preview=True)
    assert foreseen["machineSecrets"] is UNKNOWN
    assert engine.update(SECRETS, state, {"talosVersion": "v1.13"})["machineSecrets"] == state["machineSecrets"]


def test_a_raised_contract_makes_every_configuration_unknown_in_the_preview(engine: Engine):
    """The engine does not call a function whose arguments are unknown: the apply gets an unknown configuration."""
    _, state, _ = engine.create(SECRETS, talosVersion="v1.12")
    foreseen = engine.update(SECRETS, state, {"talosVersion": "v1.13"}, preview=True)
    assert (foreseen["machineSecrets"], foreseen["clientConfiguration"]) == (UNKNOWN, UNKNOWN)
    news = {"node": "10.0.0.101", "clientConfiguration": UNKNOWN, "machineConfigurationInput": UNKNOWN}
    assert engine.check(APPLY, **news) == []
    before = {"node": "10.0.0.101", "machineConfigurationInput": "old", "machineConfigurationHash": "1"}
    planned = engine.update(APPLY, before, news, preview=True)
    assert planned["machineConfiguration"] is UNKNOWN
    assert planned["machineConfigurationHash"] is UNKNOWN
    diff = engine.diff(APPLY, before, news)
    assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert not diff.replaces


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (APPLY, {"node": "10.0.0.101", "applyMode": "auto"}, {"node": "10.0.0.102", "applyMode": "reboot"}),
        (BOOTSTRAP, {"node": "10.0.0.101"}, {"node": "10.0.0.102", "endpoint": "10.0.0.100"}),
        (SCHEMATIC, {"schematic": "customization: {}"}, {"schematic": "overlay: {image: a, name: b}"}),
    ],
)
def test_nothing_replaces_what_the_provider_updates(
    engine: Engine, kind: str, before: dict[str, Any], after: dict[str, Any]
):
    diff = engine.diff(kind, before, after)
    assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert not diff.replaces


def test_an_existing_bundle_is_adopted_from_its_file(engine: Engine, tmp_path: Any):
    pair = {"crt": "CRT", "key": "KEY"}
    bundle = {
        "certs": {"etcd": pair, "k8s": pair, "k8saggregator": pair, "k8sserviceaccount": {"key": "SA"}, "os": pair},
        "cluster": {"id": "ID", "secret": "S"},
        "secrets": {"bootstraptoken": "B", "secretboxencryptionsecret": "X"},
        "trustdinfo": {"token": "T"},
    }
    (tmp_path / "secrets.yaml").write_text(yaml.safe_dump(bundle))
    found = decode(engine.read(SECRETS, str(tmp_path / "secrets.yaml")).properties)[0]
    assert found["machineSecrets"]["certs"]["k8sServiceaccount"] == {"key": "SA"}
    with pytest.raises(Aborted, match=r"failed to load secrets bundle from .*: No such file"):
        engine.read(SECRETS, str(tmp_path / "nope.yaml"))


@pytest.mark.parametrize(
    ("right", "wrong"), [("k8sAggregator", "k8s_aggregator"), ("bootstrapToken", "bootstrap_token")]
)
def test_snake_case_inside_machine_secrets_is_refused(engine: Engine, right: str, wrong: str):
    _, state, _ = engine.create(SECRETS)
    secrets = yaml.safe_load(yaml.safe_dump(state["machineSecrets"]).replace(right, wrong))
    _, failures = configuration(engine, secrets)
    assert [wrong in name for name, _ in failures] == [True]


def test_snake_case_inside_a_client_configuration_is_refused(engine: Engine):
    client = {"ca_certificate": "a", "client_certificate": "b", "client_key": "c"}
    assert engine.invoke(CLIENT, clusterName="main", clientConfiguration=client)[1][0][0].startswith(
        "clientConfiguration."
    )
    assert engine.check(APPLY, node="10.0.0.101", machineConfigurationInput="x", clientConfiguration=client)


def test_what_is_not_said_falls_to_the_provider_s_own_versions(engine: Engine):
    _, state, _ = engine.create(SECRETS, talosVersion="v1.12")
    text, _ = configuration(engine, state["machineSecrets"], kubernetesVersion=None, configPatches=None)
    main = next(yaml.safe_load_all(text))
    assert main["machine"]["install"]["image"].endswith("installer:v1.13.0")
    assert main["machine"]["kubelet"]["image"].endswith("kubelet:v1.36.0")


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"machineType": "leader"}, 'attribute machine_type value must be one of: ["controlplane" "worker"]'),
        ({"clusterEndpoint": "10.0.0.100"}, 'failed to parse the endpoint: "10.0.0.100" is not a https:// URL'),
        ({"talosVersion": "new"}, 'error parsing version "new"'),
        (
            {"configPatches": ["machine: {instal: {}}"]},
            "Error computing machine configuration: error applying config patches: unknown keys found during decoding:",
        ),
    ],
)
def test_a_configuration_that_makes_no_sense_is_not_made(engine: Engine, over: dict[str, Any], words: str):
    _, state, _ = engine.create(SECRETS)
    try:
        said = str(configuration(engine, state["machineSecrets"], **over)[1])
    except Aborted as aborted:
        said = str(aborted)
    assert words in said


def test_a_machine_configuration_and_a_talosconfig_are_secret(engine: Engine):
    client, text = ready(engine)
    _, _, secrets = engine.create(APPLY, node="10.0.0.101", clientConfiguration=client, machineConfigurationInput=text)
    assert ("machineConfiguration",) in secrets
    talosconfig, _ = engine.invoke(CLIENT, clusterName="main", clientConfiguration=client, endpoints=["10.0.0.101"])
    assert yaml.safe_load(talosconfig["talosConfig"])["contexts"]["main"]["endpoints"] == ["10.0.0.101"]


@pytest.mark.parametrize(
    ("news", "words"),
    [
        ({}, "Missing machine configuration input"),
        ({"machineConfigurationInput": "a", "machineConfigurationInputWo": "b"}, "Conflicting"),
        ({"machineConfigurationInput": "a"}, "Missing client configuration"),
    ],
)
def test_an_input_and_its_write_only_twin_are_either_or(engine: Engine, news: dict[str, Any], words: str):
    assert words in engine.check(APPLY, node="10.0.0.101", **news)[0][1]


def test_an_unknown_apply_mode_is_refused(engine: Engine):
    client = {"caCertificate": "a", "clientCertificate": "b", "clientKey": "c"}
    news = {"node": "n", "machineConfigurationInput": "a", "clientConfiguration": client, "applyMode": "soon"}
    assert engine.check(APPLY, **news)[0][0] == "applyMode"


def test_an_apply_is_foreseen_when_its_input_is_known_and_nothing_ever_replaces_it(engine: Engine):
    client, text = ready(engine)
    news = {"node": "10.0.0.101", "clientConfiguration": client, "machineConfigurationInput": text}
    _, foreseen, _ = engine.create(APPLY, preview=True, **news)
    _, state, _ = engine.create(APPLY, **news)
    assert foreseen["machineConfigurationHash"] == state["machineConfigurationHash"]
    news_in_preview: dict[str, Any] = news | {"machineConfigurationInput": UNKNOWN}
    _, unknown, _ = engine.create(APPLY, preview=True, **news_in_preview)
    assert unknown["machineConfigurationHash"] is UNKNOWN
    assert not engine.diff(APPLY, news, {**news, "node": "10.0.0.102"}).replaces


def test_the_resolved_mode_says_whether_a_reboot_is_put_off(engine: Engine):
    client, text = ready(engine)
    news = {"node": "10.0.0.101", "clientConfiguration": client, "applyMode": "staged_if_needing_reboot"}
    _, first, _ = engine.create(APPLY, machineConfigurationInput=text, **news)
    assert first["resolvedApplyMode"] == "auto"
    rules = text.replace("  install:", "  udev:\n    rules: [a]\n  install:", 1)
    assert engine.update(APPLY, first, {**news, "machineConfigurationInput": rules})["resolvedApplyMode"] == "staged"


def test_a_refused_apply_says_what_the_provider_would(engine: Engine):
    client, text = ready(engine)
    with pytest.raises(Aborted, match="Error applying configuration: rpc error: code = Unavailable"):
        engine.create(APPLY, node="10.0.0.99", clientConfiguration=client, machineConfigurationInput=text)


def test_destroying_an_apply_does_nothing_unless_it_says_reset(engine: Engine, world: World):
    client, text = ready(engine)
    news = {"node": "10.0.0.101", "clientConfiguration": client, "machineConfigurationInput": text}
    _, state, _ = engine.create(APPLY, **news)
    engine.delete(APPLY, state)
    assert world.machines.records["cp-1"]["stage"] == "running"
    engine.delete(APPLY, state | {"onDestroy": {"reset": True, "graceful": False, "reboot": True}})
    assert world.machines.records["cp-1"]["stage"] == "maintenance"


def test_a_cut_bootstrap_is_resumed_by_import_with_any_id(engine: Engine):
    client, text = ready(engine)
    engine.create(APPLY, node="10.0.0.101", clientConfiguration=client, machineConfigurationInput=text)
    engine.create(BOOTSTRAP, node="10.0.0.101", clientConfiguration=client)
    with pytest.raises(Aborted, match="AlreadyExists"):
        engine.create(BOOTSTRAP, node="10.0.0.101", clientConfiguration=client)
    assert engine.read(BOOTSTRAP, "whatever").id == "machine_bootstrap"
    assert engine.update(BOOTSTRAP, {}, {"node": "10.0.0.101"})["endpoint"] == "10.0.0.101"


def test_a_kubeconfig_is_secret_and_new_secrets_do_not_fetch_it_again(engine: Engine):
    client, text = ready(engine)
    engine.create(APPLY, node="10.0.0.101", clientConfiguration=client, machineConfigurationInput=text)
    engine.create(BOOTSTRAP, node="10.0.0.101", clientConfiguration=client)
    _, state, secrets = engine.create(KUBECONFIG, node="10.0.0.101", clientConfiguration=client)
    assert {("kubeconfigRaw",), ("kubernetesClientConfiguration", "clientKey")} <= secrets
    other = {"node": "10.0.0.101", "clientConfiguration": {**client, "clientKey": "new"}}
    assert engine.update(KUBECONFIG, state, other)["kubeconfigRaw"] == state["kubeconfigRaw"]


def test_a_schematic_is_registered_under_the_hash_of_its_text(engine: Engine, world: World):
    text = "customization: {systemExtensions: {officialExtensions: [siderolabs/iscsi-tools]}}"
    identity, _, _ = engine.create(SCHEMATIC, schematic=text)
    assert identity != PLAIN
    assert world.factory.knows(identity)
    assert "field extensions not found" in engine.check(SCHEMATIC, schematic="extensions: []")[0][1]
