"""Charts that make something new at every render: passwords, certificates, dates.

Owns that table, each row with where it is known from. Refuses Hubble's certificates, which `model.laws.cilium_values`
holds beside the rest of Cilium's values. Helm looks at the cluster to find what it made before; an engine that
renders a chart without one (Argo CD, kustomize) gets a new one each time, is never in sync, and restarts what reads
it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model.tree import Chart


class Random(NamedTuple):
    """One way in which a chart is random."""

    what: str
    """What is new at every render."""
    on: tuple[str, object] | None
    """The value that switches it on, and what it is when left out; a text must be `helm`. None: it is on."""
    unless: tuple[str, ...]
    """Values of which one, given, makes it the same each time."""
    mending: str
    source: str


_AUTH = ("auth.existingSecret", "auth.password", "auth.enabled")
_BITNAMI = "bitnami/charts, bitnami/common/templates/_secrets.tpl: common.secrets.passwords.manage"

RANDOM: dict[str, tuple[Random, ...]] = {
    "argo-cd": (
        Random(
            "the time of the admin's password",
            ("configs.secret.argocdServerAdminPassword", False),
            ("configs.secret.argocdServerAdminPasswordMtime",),
            "leave the password to Argo CD, or give configs.secret.argocdServerAdminPasswordMtime too",
            "argoproj/argo-helm, charts/argo-cd/templates/argocd-configs/argocd-secret.yaml: now",
        ),
    ),
    "cilium": (
        Random(
            "the certificates of its cluster mesh",
            ("clustermesh.useAPIServer", False),
            ("clustermesh.apiserver.tls.auto.method",),
            "set clustermesh.apiserver.tls.auto.method: cronJob",
            "cilium/cilium, install/kubernetes/cilium/templates/clustermesh-apiserver/tls-helm",
        ),
    ),
    "grafana": (
        Random(
            "the admin's password",
            None,
            ("admin.existingSecret", "adminPassword"),
            "name a Secret: admin.existingSecret",
            "grafana/helm-charts, charts/grafana/templates/_helpers.tpl: grafana.password",
        ),
    ),
    "metrics-server": (
        Random(
            "its certificate",
            ("tls.type", "metrics-server"),
            (),
            "leave tls.type at metrics-server, or set it to cert-manager",
            "kubernetes-sigs/metrics-server, charts/metrics-server/templates/certs.yaml",
        ),
    ),
    "opentelemetry-operator": (
        Random(
            "its webhook's certificate",
            ("admissionWebhooks.autoGenerateCert.enabled", True),
            ("admissionWebhooks.certManager.enabled",),
            "set admissionWebhooks.certManager.enabled: true",
            "open-telemetry/opentelemetry-helm-charts, charts/opentelemetry-operator/templates/admission-webhooks",
        ),
    ),
    "trust-manager": (
        Random(
            "its webhook's certificate",
            ("app.webhook.tls.helmCert.enabled", False),
            (),
            "leave app.webhook.tls.helmCert.enabled at false: cert-manager makes it",
            "cert-manager/trust-manager, deploy/charts/trust-manager/templates/certificate.yaml",
        ),
    ),
    "victoria-metrics-operator": (
        Random(
            "its webhook's certificate",
            ("admissionWebhooks.enabled", True),
            ("admissionWebhooks.certManager.enabled",),
            "set admissionWebhooks.certManager.enabled: true",
            "VictoriaMetrics/helm-charts, charts/victoria-metrics-operator/templates/webhook.yaml",
        ),
    ),
} | {
    name: (Random("its password", None, _AUTH, "name a Secret: auth.existingSecret", _BITNAMI),)
    for name in ("mariadb", "mongodb", "mysql", "postgresql", "rabbitmq", "redis")
}
"""Chart's name → how it is random. What is not here is believed to render the same each time."""


def random(chart: Chart) -> Iterator[Random]:
    """Every way in which a chart, with its values, is new at every render."""
    for row in RANDOM.get(chart.name, ()):
        given = True if row.on is None else _at(chart.values, row.on[0], row.on[1])
        on = given == "helm" if row.on and isinstance(row.on[1], str) else bool(given)
        if on and all(_at(chart.values, path, None) in (None, "", "helm") for path in row.unless):
            yield row


def _at(values: Mapping[str, Any], path: str, default: Any) -> Any:
    found: Any = values
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return default
        found = found[step]
    return found
