"""Talos' machine secrets in the words that its functions take.

Owns the conversion. Refuses passing a Secrets output through as it is: its keys arrive in snake_case, which mocks and
previews accept and the provider refuses at `up`.
"""

from typing import Protocol, TypeVar

import pulumi
from pulumiverse_talos import machine
from pulumiverse_talos.machine import outputs

T_co = TypeVar("T_co", covariant=True)


def machine_secrets(secrets: machine.Secrets) -> pulumi.Output[machine.MachineSecretsArgs]:
    """The bundle as `machine.get_configuration` wants it."""
    return pulumi.Output.secret(secrets.machine_secrets.apply(_bundle))


class _ClientArgs(Protocol[T_co]):
    """Any of the SDK's classes for the client's certificate: one a module, all alike."""

    def __call__(self, *, ca_certificate: str, client_certificate: str, client_key: str) -> T_co: ...


def client_configuration(secrets: machine.Secrets, made_as: _ClientArgs[T_co]) -> pulumi.Output[T_co]:
    """The client's certificate and key, as the class that a resource or function wants."""
    made = secrets.client_configuration.apply(
        lambda client: made_as(
            ca_certificate=client.ca_certificate,
            client_certificate=client.client_certificate,
            client_key=client.client_key,
        )
    )
    return pulumi.Output.secret(made)


def _bundle(made: outputs.MachineSecretsResult) -> machine.MachineSecretsArgs:
    def pair(one: outputs.CertificateResult) -> machine.CertificateArgs:
        return machine.CertificateArgs(cert=one.cert, key=one.key)

    return machine.MachineSecretsArgs(
        certs=machine.CertificatesArgs(
            etcd=pair(made.certs.etcd),
            k8s=pair(made.certs.k8s),
            k8s_aggregator=pair(made.certs.k8s_aggregator),
            k8s_serviceaccount=machine.KeyArgs(key=made.certs.k8s_serviceaccount.key),
            os=pair(made.certs.os),
        ),
        cluster=machine.ClusterArgs(id=made.cluster.id, secret=made.cluster.secret),
        secrets=machine.KubernetesSecretsArgs(
            bootstrap_token=made.secrets.bootstrap_token,
            secretbox_encryption_secret=made.secrets.secretbox_encryption_secret,
            aescbc_encryption_secret=made.secrets.aescbc_encryption_secret,
        ),
        trustdinfo=machine.TrustdInfoArgs(token=made.trustdinfo.token),
    )
