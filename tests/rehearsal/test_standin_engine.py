"""The real engine believes the stand-ins: one life of a small program, with the installed SDKs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_random as random
import pulumiverse_talos as talos
import pytest
from pulumi import automation as auto

from rehearsal.engine import Engine, engine_environment
from rehearsal.serve import start
from rehearsal.standins import command as command_stand_in
from rehearsal.standins import random as random_stand_in
from rehearsal.standins import talos as talos_stand_in
from rehearsal.standins.base import UNKNOWN, Context, Properties
from rehearsal.world import World
from tests.rehearsal.worlds import HOST_KEY, KEY, a_world, patch, with_boot_services


def _bundle(found: Any) -> talos.machine.MachineSecretsArgs:
    certs, machine = found["certs"], talos.machine
    pairs = {
        name: machine.CertificateArgs(cert=certs[name]["cert"], key=certs[name]["key"])
        for name in ("etcd", "k8s", "k8s_aggregator", "os")
    }
    key = machine.KeyArgs(key=certs["k8s_serviceaccount"]["key"])
    return machine.MachineSecretsArgs(
        certs=machine.CertificatesArgs(k8s_serviceaccount=key, **pairs),
        cluster=machine.ClusterArgs(id=found["cluster"]["id"], secret=found["cluster"]["secret"]),
        secrets=machine.KubernetesSecretsArgs(
            bootstrap_token=found["secrets"]["bootstrap_token"],
            secretbox_encryption_secret=found["secrets"]["secretbox_encryption_secret"],
        ),
        trustdinfo=machine.TrustdInfoArgs(token=found["trustdinfo"]["token"]),
    )


class Life:
    """A stack on the real engine; ``facts`` is what the program reads."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.world: World = a_world()
        with_boot_services(self.world)
        packages = [talos_stand_in.stand_in(), command_stand_in.stand_in(), random_stand_in.stand_in()]
        self.servers, ports = start(self.world, packages, os.getpid())
        for name in ("home", "backend", "work"):
            (folder / name).mkdir()
        environment = engine_environment(folder / "home", folder / "backend", "passphrase", ports)
        workspace = auto.LocalWorkspace(
            work_dir=str(folder / "work"),
            pulumi_command=Engine(binary, environment),
            program=self.program,
            project_settings=auto.ProjectSettings(name="small", runtime="python"),
        )
        self.stack = auto.Stack.create("dev", workspace)
        self.facts: dict[str, Any] = {}
        self.said: list[str] = []

    def program(self) -> None:
        secrets = talos.machine.Secrets("secrets", talos_version=self.facts.get("contract", "v1.12"))
        # What the SDK gives and what it takes have different names for one shape; that gap is what "snake" falls into.
        bundle: Any = secrets.machine_secrets
        if not self.facts.get("snake"):
            bundle = bundle.apply(_bundle)
        configuration = talos.machine.get_configuration_output(
            cluster_name="main",
            cluster_endpoint="https://10.0.0.100:6443",
            machine_secrets=bundle,
            machine_type="controlplane",
            kubernetes_version=self.facts.get("kubernetes", "v1.34.2"),
            talos_version="v1.12",
            config_patches=[patch("cp-1", "10.0.0.101")],
        )
        client: Any = secrets.client_configuration
        applied = talos.machine.ConfigurationApply(
            "apply",
            node="10.0.0.101",
            client_configuration=client,
            machine_configuration_input=configuration.machine_configuration,
        )
        after = pulumi.ResourceOptions(depends_on=[applied])
        bootstrap = talos.machine.Bootstrap("bootstrap", node="10.0.0.101", client_configuration=client, opts=after)
        then = pulumi.ResourceOptions(depends_on=[bootstrap])
        kubeconfig = talos.cluster.Kubeconfig("kubeconfig", node="10.0.0.101", client_configuration=client, opts=then)
        command.remote.Command(
            "log",
            connection=command.remote.ConnectionArgs(
                host="10.0.0.50", user="op", private_key=pulumi.Output.secret(KEY.private), host_key=HOST_KEY
            ),
            create=f"echo made {self.facts.get('trigger', 1)} | tee -a /tmp/log",
            delete="echo gone | tee -a /tmp/log",
            triggers=[self.facts.get("trigger", 1)],
        )
        pulumi.export("kubeconfig", kubeconfig.kubeconfig_raw)
        pulumi.export("bytes", random.RandomBytes("bytes", length=32).base64)

    def changes(self, verb: str, **facts: Any) -> dict[str, int]:
        """What a run of ``verb`` did to how many resources, those that stayed left out."""
        self.facts = facts
        result = getattr(self.stack, verb)(on_output=self.said.append)
        found = result.change_summary if verb == "preview" else result.summary.resource_changes
        return {str(getattr(name, "value", name)): count for name, count in found.items() if name != "same"}


@pytest.fixture
def life(engine: Path, tmp_path: Path) -> Iterator[Life]:
    made = Life(engine, tmp_path)
    yield made
    for server in made.servers:
        server.stop(None)


@pytest.mark.slow
def test_a_small_program_lives_and_leaves_no_secret_in_clear(life: Life, tmp_path: Path):
    before = life.world.issued_secrets()
    assert life.changes("preview") == {"create": 7}
    assert life.world.issued_secrets() == before
    assert life.changes("up") == {"create": 7}
    assert life.changes("up") == {}
    assert life.changes("refresh") == {}
    assert life.changes("preview", kubernetes="v1.34.3") == {"update": 1}
    assert life.changes("preview", contract="v1.13")["update"] >= 3
    assert life.changes("preview", contract="v1.11")["replace"] == 1
    assert life.changes("up", trigger=2) == {"replace": 1}
    log = life.world.hosts.records["vala-1"]["files"]["/tmp/log"]["content"]
    assert log == "made 1\nmade 2\ngone\n"  # the new one is made first, then the old one's delete runs on the same host
    state = next((tmp_path / "backend").rglob("dev.json")).read_text()
    seen = state + "".join(life.said)
    assert len(life.world.issued_secrets()) > 10
    assert [secret for secret in life.world.issued_secrets() if secret in seen] == []
    assert life.changes("destroy") == {"delete": 7}


@pytest.mark.slow
def test_snake_case_passes_the_preview_and_fails_the_up_as_with_the_real_provider(life: Life):
    assert life.changes("preview", snake=True)["create"] == 7
    with pytest.raises(auto.CommandError, match=r"machineSecrets\.certs\.k8s_aggregator"):
        life.changes("up", snake=True)


@pytest.mark.slow
def test_a_raised_contract_hides_the_configuration_in_that_preview_only(life: Life, monkeypatch: pytest.MonkeyPatch):
    """The new secrets are unknown until the `up`, and the engine calls no function with an unknown argument."""
    told: list[Any] = []

    def told_of(
        kind: talos_stand_in.ConfigurationApply, ctx: Context, olds: Properties, news: Properties
    ) -> Properties:
        told.append(news["machineConfigurationInput"])
        return checked(kind, ctx, olds, news)

    checked = talos_stand_in.ConfigurationApply.check
    monkeypatch.setattr(talos_stand_in.ConfigurationApply, "check", told_of)
    assert life.changes("up") == {"create": 7}
    assert "kind: HostnameConfig" in told[-1]
    assert life.changes("preview", contract="v1.13")["update"] >= 3
    assert told[-1] is UNKNOWN
    assert life.changes("up", contract="v1.13") == {"update": 1}, "the same secrets, and the same is made of them"
    assert life.changes("preview", contract="v1.13") == {}
    assert told[-1] == told[0]
