"""The stand-ins judge by the shapes of the SDKs that are installed."""

import pytest

from rehearsal.schemas import PROVIDERS, RESOURCES, file, text
from rehearsal.standins.schema import Schema

TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"


@pytest.mark.slow
@pytest.mark.parametrize("package", sorted(PROVIDERS))
def test_the_shapes_are_those_of_the_installed_sdk(package: str) -> None:
    assert file(package).read_text(encoding="utf-8") == text(package), "run: .venv/bin/python -m rehearsal.schemas"


@pytest.mark.parametrize("package", sorted(RESOURCES))
def test_every_resource_of_a_package_has_a_shape(package: str) -> None:
    schema = Schema.load(package)
    assert len(schema.resources) == len(RESOURCES[package])
    assert all(shape.inputs and shape.required <= shape.inputs for shape in schema.resources.values())
    assert not schema.provider.open


def test_names_required_inputs_and_secret_outputs_are_the_sdks() -> None:
    tunnel = Schema.load("cloudflare").resources[TUNNEL]
    assert tunnel.required == {"accountId", "name"}
    assert tunnel.secret == {"tunnelSecret"}
    assert {"accountTag", "createdAt", "status"} <= tunnel.outputs - tunnel.inputs
    machine = Schema.load("talos").functions["talos:machine/getConfiguration:getConfiguration"]
    assert machine.required == {"clusterEndpoint", "clusterName", "machineSecrets", "machineType"}
    assert {"configPatches", "kubernetesVersion", "talosVersion"} <= machine.inputs
    assert "compat" in Schema.load("kubernetes").resources["kubernetes:helm.sh/v3:Release"].inputs


def test_a_misspelt_and_a_missing_input_are_faults() -> None:
    shape = Schema.load("cloudflare").resources[TUNNEL]
    assert shape.faults({"accountId": "a", "name": "n", "configSrc": "cloudflare"}) == []
    assert [name for name, _ in shape.faults({"account_id": "a", "name": "n"})] == ["account_id", "accountId"]


def test_a_misspelt_input_inside_a_list_of_objects_is_a_fault() -> None:
    shape = Schema.load("cloudflare").resources[f"{TUNNEL}Config".replace("Cloudflared:", "CloudflaredConfig:")]
    rules = [{"service": "https://10.0.0.1:443", "originRequest": {"origin_server_name": "x"}}, {"hostname": "y"}]
    found = [name for name, _ in shape.faults({"accountId": "a", "tunnelId": "t", "config": {"ingresses": rules}})]
    assert found == ["config.ingresses[0].originRequest.origin_server_name", "config.ingresses[1].service"]
