"""When the copy of a k3s kubeconfig that the state holds is read anew.

k3s' administrator has a certificate for a year; Talos' is renewed by its provider, and this one by nobody. Owns the
mark that the reading command carries: another one reads again. Refuses to read: that is `components.ainur`'s.
"""

import base64
from datetime import UTC, date, datetime, timedelta
from typing import Any

import yaml

from components.bindings.certificates import ends
from render import k3s

KUBECONFIGS = "kubeconfigs"
"""In the output `deployed`: cluster → `{ends, reading}`, the day on which what was read ends, and its mark."""


def today() -> date:
    """The day by this machine's clock."""
    return datetime.now(UTC).date()


def reading(last: Any, cluster: str, now: date) -> str:
    """The mark to read a cluster's kubeconfig by, from the output `deployed` of the last `up` (None: there was none).

    The same as last time, until fewer than `k3s.RENEWED_BEFORE` days are left: then each `up` of another day reads
    again, until what it reads lasts longer.
    """
    kept = last.get(KUBECONFIGS) if isinstance(last, dict) else None
    told = kept.get(cluster) if isinstance(kept, dict) else None
    if not isinstance(told, dict) or not isinstance(told.get("reading"), str):
        return k3s.FIRST_READING
    try:
        end = date.fromisoformat(str(told.get("ends")))
    except ValueError:  # `unknown`: what was read was no certificate
        return told["reading"]
    return told["reading"] if end - now > timedelta(days=k3s.RENEWED_BEFORE) else f"renewed {now.isoformat()}"


def end_of(kubeconfig: str) -> str:
    """The day on which a kubeconfig's client certificate ends, `2027-11-21`; `unknown` for a text that has none."""
    try:
        chain = base64.b64decode(yaml.safe_load(kubeconfig)["users"][0]["user"]["client-certificate-data"])
    except (yaml.YAMLError, TypeError, KeyError, IndexError, ValueError):
        return "unknown"
    first, end, _ = chain.partition(b"-----END CERTIFICATE-----\n")  # k3s appends the authority's own
    return ends(base64.b64encode(first + end).decode())
