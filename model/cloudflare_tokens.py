"""Which API token each consumer of Cloudflare has, and the least that it may.

Owns the table: docs, the notes of a preview, and the rack's check of scopes are held to it. Refuses to mint a token:
that would take a near-root one, so it is the owner's to do, in the dashboard.

Sources: Cloudflare, "API token permissions"; cert-manager, "Cloudflare" (DNS-01); external-dns, "Cloudflare".
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Literal


@dataclass(frozen=True)
class Permission:
    """One line of the dashboard's form: `Zone` · `DNS` · `Edit`."""

    scope: Literal["Zone", "Account"]
    group: str
    level: Literal["Read", "Edit"]
    why: str
    """What it is for."""

    @property
    def whole(self) -> str:
        """As Cloudflare's refusals are told on the rack: `Zone: DNS: Edit`."""
        return f"{self.scope}: {self.group}: {self.level}"


@dataclass(frozen=True)
class Token:
    """One API token; `secret` is the stack's key that holds it."""

    secret: str
    consumer: str
    permissions: tuple[Permission, ...]

    @property
    def spelled(self) -> str:
        """In a sentence: `DNS:Edit and Zone Settings:Edit on the zone, Cloudflare Tunnel:Edit on the account`."""
        parts = []
        for scope, group in groupby(self.permissions, key=lambda each: each.scope):
            named = " and ".join(f"{each.group}:{each.level}" for each in group)
            parts.append(f"{named} on the {scope.lower()}")
        return ", ".join(parts)


PROGRAM = Token(
    "cloudflareApiToken",
    "this program",
    (
        Permission("Zone", "DNS", "Edit", "records of the gateways and of `edge.records`"),
        Permission("Zone", "Zone Settings", "Edit", "`edge.cloudflare.zone_settings`"),
        Permission(
            "Account", "Cloudflare Tunnel", "Edit", "the tunnel and its rules; not asked for without `edge.tunnel`"
        ),
    ),
)
SOLVERS = Token(
    "cloudflareDnsToken",
    "cert-manager and external-dns",
    (
        Permission("Zone", "Zone", "Read", "they look the zone up by its name"),
        Permission("Zone", "DNS", "Edit", "the proofs of a certificate; the records of labelled routes"),
    ),
)
TOKENS = (PROGRAM, SOLVERS)
"""Every token that some environment needs."""


def table() -> str:
    """The table of docs/cloudflare-tokens.md."""
    lines = ["| secret of the stack | whose | scope | group | level | for what |", "|---|---|---|---|---|---|"]
    for token in TOKENS:
        for each in token.permissions:
            lines.append(
                f"| `{token.secret}` | {token.consumer} | {each.scope} | {each.group} | {each.level} | {each.why} |"
            )
    return "\n".join(lines)
