"""Runs the program under Pulumi's mocks and keeps everything it registers.

Owns the recording. Refuses to judge it: the tests do. The mocks answer as the providers would, with secrets that a
test can look for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc, settings

SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
"""How the engine's wire format marks a secret value (pulumi/pulumi, `sdk/python/lib/pulumi/runtime/rpc.py`)."""
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"

PAIR = {"cert": "MOCK-CERT", "key": "MOCK-SECRET-KEY"}
TALOS_SECRETS = {
    "machineSecrets": {
        "certs": {
            "etcd": PAIR,
            "k8s": PAIR,
            "k8sAggregator": PAIR,
            "k8sServiceaccount": {"key": "MOCK-SECRET-KEY"},
            "os": PAIR,
        },
        "cluster": {"id": "mock-id", "secret": "MOCK-SECRET-CLUSTER"},
        "secrets": {
            "bootstrapToken": "MOCK-SECRET-TOKEN",
            "secretboxEncryptionSecret": "MOCK-SECRET-BOX",
            "aescbcEncryptionSecret": "MOCK-SECRET-AES",
        },
        "trustdinfo": {"token": "MOCK-SECRET-TRUSTD"},
    },
    "clientConfiguration": {
        "caCertificate": "MOCK-CA",
        "clientCertificate": "MOCK-CLIENT",
        "clientKey": "MOCK-SECRET-CLIENT-KEY",
    },
}


@dataclass(frozen=True)
class Registered:
    """One registered resource. `inputs` are plain; `wire` is what went to the engine, secrets marked."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    wire: Mapping[str, Any]
    parent: str
    depends_on: frozenset[str]
    """URNs, from `depends_on` and from inputs."""
    provider: str
    protect: bool
    retain_on_delete: bool
    ignore_changes: tuple[str, ...]
    custom: bool
    version: str
    secret_outputs: frozenset[str] = frozenset()
    """What its provider gives back that the state must encrypt."""


@dataclass
class Recording:
    """Everything one run registered and asked."""

    resources: dict[str, Registered] = field(default_factory=dict)
    """By URN."""
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    outputs: dict[str, tuple[Any, bool]] = field(default_factory=dict)
    """Value and whether it is secret, by name."""
    deployed: Mapping[str, Any] = field(default_factory=dict)
    """The stack's outputs before this run: they are read from the state, so reading them is no call."""

    def named(self, name: str) -> Registered:
        """The one resource of a logical name; components and their first child may share none."""
        found = [resource for resource in self.resources.values() if resource.name == name]
        assert len(found) == 1, f"{len(found)} resources are called {name}"
        return found[0]

    def typed(self, kind: str) -> list[Registered]:
        """Every resource of a type token."""
        return [resource for resource in self.resources.values() if resource.type == kind]


class _Answers(mocks.Mocks):
    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        state = dict(args.inputs)
        if args.typ == "talos:machine/secrets:Secrets":
            state |= TALOS_SECRETS
        elif args.typ == "talos:cluster/kubeconfig:Kubeconfig":
            state["kubeconfigRaw"] = "MOCK-SECRET-KUBECONFIG"
        elif args.typ == "command:remote:Command" and args.name.startswith("ainur-ca-"):
            state |= {"stdout": "MOCK-CERTIFICATE", "stderr": ""}  # a certificate is public
        elif args.typ == "command:remote:Command":
            state |= {"stdout": f"MOCK-SECRET-STDOUT-{args.name}", "stderr": ""}
        elif args.typ == "command:local:Command" and "ssh-keyscan" in args.inputs["create"]:
            state |= {"stdout": f"ssh-ed25519 MOCK-KEY-OF-{args.name}", "stderr": ""}
        elif args.typ == "random:index/randomBytes:RandomBytes":
            state |= {"base64": "TU9DSy1TRUNSRVQtUkFORE9N", "hex": "00"}
        return (f"{args.name}-id" if args.custom else None), state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {"outputs": dict(self._recording.deployed)}, []
        self._recording.calls.append((args.token, args.args))
        if args.token == "talos:machine/getConfiguration:getConfiguration":
            return {"machineConfiguration": f"MOCK-SECRET-MACHINE-{args.args['machineType']}"}, []
        if args.token == "talos:client/getConfiguration:getConfiguration":
            return {"talosConfig": "MOCK-SECRET-TALOSCONFIG"}, []
        raise AssertionError(f"the program asked {args.token}, which the recording does not answer")


class _Monitor(mocks.MockMonitor):
    def __init__(self, answers: _Answers, recording: Recording) -> None:
        super().__init__(answers)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # gRPC's name
        response = super().RegisterResource(request)
        inputs = plain(rpc.deserialize_properties(request.object))
        named = {urn for one in request.propertyDependencies.values() for urn in one.urns}
        urn = self.make_urn(request.parent, request.type, request.name)
        assert urn not in self._recording.resources, f"{urn} is registered twice"
        self._recording.resources[urn] = Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            inputs=inputs,
            wire=json_format.MessageToDict(request.object),
            parent=request.parent,
            depends_on=frozenset(request.dependencies) | named,
            provider=request.provider,
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            ignore_changes=tuple(request.ignoreChanges),
            custom=request.custom,
            version=request.version,
            secret_outputs=frozenset(request.additionalSecretOutputs),
        )
        return response


def record(
    program: Callable[[], None],
    stack: str,
    config: Mapping[str, str],
    *,
    preview: bool,
    deployed: Mapping[str, Any] | None = None,
) -> Recording:
    """Run a program to its end; `config` holds full keys, `deployed` the outputs of an earlier run. Errors: whatever
    the program raises."""
    recording = Recording(deployed=deployed or {})
    answers = _Answers(recording)
    # The SDK keeps the last run's stack resource; a new run has its own
    settings.ROOT.set(None)
    mocks.set_mocks(answers, project="iluvatar", stack=stack, preview=preview, monitor=_Monitor(answers, recording))
    pulumi.runtime.set_all_config(dict(config), [])

    async def collect() -> None:
        for name, value in getattr(settings.get_root_resource(), "outputs", {}).items():
            output = pulumi.Output.from_input(value)
            recording.outputs[name] = (await output.future(), await output.is_secret())

    def run() -> pulumi.Output[None]:
        program()
        return pulumi.Output.from_input(collect())

    pulumi.runtime.test(run)()
    return recording


def plain(value: Any) -> Any:
    """A deserialised value without its secret marks."""
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return plain(value.get("value"))
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def secret_leaves(wire: Any) -> list[Any]:
    """Every value of a wire form that is marked secret."""
    if isinstance(wire, dict):
        if wire.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return [wire.get("value")]
        return [leaf for value in wire.values() for leaf in secret_leaves(value)]
    if isinstance(wire, list):
        return [leaf for value in wire for leaf in secret_leaves(value)]
    return []


def plain_text(wire: Any) -> str:
    """Everything in a wire form that is not marked secret, as one text."""
    if isinstance(wire, dict):
        if wire.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return ""
        return " ".join(f"{key} {plain_text(value)}" for key, value in wire.items())
    if isinstance(wire, list):
        return " ".join(plain_text(value) for value in wire)
    return str(wire)
