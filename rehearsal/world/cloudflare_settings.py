"""What a setting of a Cloudflare zone may be.

Owns the settings that a lab could set, their values and what a new zone has (Cloudflare API, zone settings). It refuses
to own what the dashboard alone knows: a setting that is not listed here is refused, never taken as it is.
"""

from __future__ import annotations

from typing import Any

VALUES: dict[str, tuple[str, ...]] = {
    "always_use_https": ("on", "off"),
    "automatic_https_rewrites": ("on", "off"),
    "http3": ("on", "off"),
    "min_tls_version": ("1.0", "1.1", "1.2", "1.3"),
    "opportunistic_encryption": ("on", "off"),
    "ssl": ("off", "flexible", "full", "strict"),
    "tls_1_3": ("on", "off", "zrt"),
}
DEFAULTS = {
    "always_use_https": "off",
    "automatic_https_rewrites": "on",
    "http3": "on",
    "min_tls_version": "1.0",
    "opportunistic_encryption": "on",
    "ssl": "full",
    "tls_1_3": "on",
}
"""What a zone of the free plan begins with."""

UNKNOWN = (1006, "Unrecognized zone setting name")


def fault(name: str, value: Any) -> tuple[int, str] | None:
    """Why the API refuses a setting, as its code and words: an unknown name, a value that it cannot have."""
    if name not in VALUES:
        return UNKNOWN
    return None if value in VALUES[name] else (1007, f"Invalid value for zone setting {name}")
