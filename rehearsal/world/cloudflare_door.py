"""Who gets through Cloudflare's API: its tokens, what each may, and how often.

Owns the answers 401 to 403 and 429, and that the API is down at times. It refuses to own what is asked for
(``cloudflare``), and how long whoever asks goes on asking.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rehearsal.world.cloudflare_words import bad_request, refused
from rehearsal.world.errors import Refusal, Retried

if TYPE_CHECKING:
    from rehearsal.world import World

TOKEN = re.compile(r"[A-Za-z0-9-_]{40}")
"""The form of an API token."""
ZONE, DNS, SETTINGS = "Zone: Zone", "Zone: DNS", "Zone: Zone Settings"
TUNNEL = "Account: Cloudflare Tunnel"
"""Permission groups, as the dashboard names them; each is had to ``Read`` or to ``Edit``."""
PROGRAM, SOLVERS = "program", "solvers"
"""Whose a token is: this program's; that of whoever writes records from inside a cluster."""
PERMISSIONS = {
    PROGRAM: (f"{DNS}: Edit", f"{SETTINGS}: Edit", f"{TUNNEL}: Edit"),
    SOLVERS: (f"{ZONE}: Read", f"{DNS}: Edit"),
}
"""What an owner gives each token who reads the manual, and nothing more (cert-manager and external-dns, Cloudflare)."""
_GROUPS = (("/dns_records", DNS), ("/settings/", SETTINGS), ("/cfd_tunnel", TUNNEL), ("zones?", ZONE))
_REQUESTS, _WINDOW = 1200, 300.0
"""So many requests in so many seconds are a user's, over all tokens (Cloudflare API, "Rate limits")."""
PLACE = "cloudflare"
"""Where an outage strikes."""


class Door:
    """The gate before the API; ``kept`` is the part of the World's data where the tokens' digests are."""

    def __init__(self, world: World, kept: dict[str, Any]) -> None:
        self._world = world
        self._tokens: dict[str, dict[str, Any]] = kept.setdefault("tokens", {})
        self._kept = kept

    def issue_token(self, token: str, permissions: Iterable[str] | None = None, whose: str = PROGRAM) -> None:
        """A token, made in the dashboard for ``whose``; an earlier one of theirs is void. Only its digest is kept.

        ``permissions`` are those of the manual unless told.
        """
        granted = PERMISSIONS[whose] if permissions is None else permissions
        self._tokens[whose] = {"digest": digest(token), "permissions": sorted(granted)}

    def admit(self, call: str, token: str, whose: str = PROGRAM) -> None:
        """``Refusal`` of ``call`` (``POST zones/…``) unless ``token`` may make it now; ``Retried`` when later it may.

        Nobody outside knows the tokens of a rehearsal: the first one that ``whose`` uses counts as the one issued for
        them, unless it is somebody else's.
        """
        down = self._world.faults.outage(PLACE, self._world.clock.now)
        if down:
            raise _later(refused(call, HTTPStatus.INTERNAL_SERVER_ERROR, 10001, down))
        self._count(call)
        if not token:
            raise bad_request(call, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        holder = self.holder(token)
        if not holder and whose not in self._tokens and TOKEN.search(token):
            self.issue_token(token, whose=whose)
            holder = whose
        if not holder:
            raise refused(call, HTTPStatus.FORBIDDEN, 9109, "Invalid access token")
        missing = self._missing(call, holder)
        if missing:
            found = refused(call, HTTPStatus.FORBIDDEN, 10000, "Authentication error")
            raise Refusal(f"{found.message} (the token lacks the permission {missing})")

    def edges(self) -> list[float]:
        """The moment at which the requests of the last minutes no longer count."""
        return [float(self._kept["since"]) + _WINDOW] if "since" in self._kept else []

    def holder(self, token: str) -> str:
        """Whose ``token`` is; empty: nobody's."""
        asked = digest(token)
        found = (whose for whose, kept in self._tokens.items() if secrets.compare_digest(kept["digest"], asked))
        return next(found, "")

    def _count(self, call: str) -> None:
        now = self._world.clock.now
        if now >= self._kept.get("since", now - _WINDOW) + _WINDOW:
            self._kept.update(since=now, requests=0)
        struck = self._world.faults.burst(f"{PLACE}/{call}")
        if struck == HTTPStatus.TOO_MANY_REQUESTS or self._kept["requests"] >= _REQUESTS:
            words = "Please wait and consider throttling your request speed"
            after = 1.0 if struck else self._kept["since"] + _WINDOW - now
            raise _later(refused(call, HTTPStatus.TOO_MANY_REQUESTS, 971, words), after)
        if struck:
            raise _later(refused(call, HTTPStatus(struck), 10001, "Internal server error"))
        self._kept["requests"] += 1

    def _missing(self, call: str, holder: str) -> str | None:
        """The permission that ``call`` asks and the holder's token lacks."""
        method, _, path = call.partition(" ")
        group = next(group for part, group in _GROUPS if part in path)
        wanted = "Read" if method == "GET" else "Edit"
        enough = {f"{group}: Edit", f"{group}: {wanted}"}
        granted = set(self._tokens[holder]["permissions"])
        lacking = group in self._world.faults.lacking(f"{PLACE}/{holder}")
        return f"{group}: {wanted}" if lacking or not enough & granted else None


def _later(refusal: Refusal, after: float | None = None) -> Retried:
    """A refusal that the provider takes as one to ask again after."""
    return Retried(refusal.message, after)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
