"""Rules that custom kinds carry in CEL, beside their fields.

Owns those this lab can break. It refuses to own the fields (``kube_fields``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NO_TLS = ("HTTP", "TCP", "UDP")


def gateway(body: dict[str, Any]) -> Iterator[str]:
    """What Gateway API's own rules (written in CEL in its definitions) object to in a Gateway."""
    names, places = set(), set()
    for index, listener in enumerate(body["spec"].get("listeners") or ()):
        path = f"spec.listeners[{index}]"
        protocol, tls = listener.get("protocol"), listener.get("tls")
        place = (listener.get("port"), protocol, listener.get("hostname"))
        if listener.get("name") in names:
            yield "spec.listeners: Invalid value: Listener name must be unique within the Gateway"
        if place in places:
            rule = "Combination of port, protocol and hostname must be unique for each listener"
            yield f"spec.listeners: Invalid value: {rule}"
        names.add(listener.get("name"))
        places.add(place)
        if tls is not None and protocol in _NO_TLS:
            yield f"{path}: Invalid value: tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"
        if protocol == "HTTPS" and (tls or {}).get("mode", "Terminate") != "Terminate":
            yield f"{path}: Invalid value: tls mode must be Terminate for protocol HTTPS"
        if tls is not None and tls.get("mode", "Terminate") == "Terminate" and not tls.get("certificateRefs"):
            yield f"{path}.tls: Invalid value: certificateRefs or options must be specified when mode is Terminate"
        if listener.get("hostname") and protocol in ("TCP", "UDP"):
            yield f"{path}: Invalid value: hostname must not be specified for protocols ['TCP', 'UDP']"
