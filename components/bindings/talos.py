"""Talos' machine secrets in the words that its functions take.

Owns the conversion. Refuses passing a Secrets output through as it is: its keys arrive in snake_case, which mocks and
previews accept and the provider refuses at `up`.
"""

import pulumi
from pulumiverse_talos import machine


def machine_secrets(secrets: machine.Secrets) -> "pulumi.Output[machine.MachineSecretsArgs]":
    """The bundle as `machine.get_configuration` wants it."""
    return secrets.machine_secrets.apply(_bundle)


def client_configuration(secrets: machine.Secrets) -> "pulumi.Output[machine.ClientConfigurationArgs]":
    """The client's certificate and key as resources and functions want them."""
    return secrets.client_configuration.apply(
        lambda client: machine.ClientConfigurationArgs(
            ca_certificate=client.ca_certificate,
            client_certificate=client.client_certificate,
            client_key=client.client_key,
        )
    )


def _bundle(made: "machine.outputs.MachineSecrets") -> machine.MachineSecretsArgs:
    def pair(one: "machine.outputs.Certificate") -> machine.CertificateArgs:
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
