"""Who gets through Cloudflare's API: its tokens, what each may, and how often.

Owns the answers 401 to 403 and 429, and that the API is down at times. It refuses to own what is asked for
(``cloudflare``), and how long the provider goes on asking.
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
DNS, SETTINGS, TUNNEL = "Zone: DNS", "Zone: Zone Settings", "Account: Cloudflare Tunnel"
"""Permission groups, as the dashboard names them; each is had to ``Read`` or to ``Edit``."""
EVERYTHING = tuple(f"{group}: Edit" for group in (DNS, SETTINGS, TUNNEL))
_GROUPS = (("/dns_records", DNS), ("/settings/", SETTINGS), ("/cfd_tunnel", TUNNEL))
_REQUESTS, _WINDOW = 1200, 300.0
"""So many requests in so many seconds are a user's, over all tokens (Cloudflare API, "Rate limits")."""
PLACE = "cloudflare"
"""Where an outage strikes."""


class Door:
    """The gate before the API; ``kept`` is the part of the World's data where the token is."""

    def __init__(self, world: World, kept: dict[str, Any]) -> None:
        self._world = world
        self._kept = kept

    def issue_token(self, token: str, permissions: Iterable[str] = EVERYTHING) -> None:
        """The account's one API token, made in the dashboard; an earlier one is void. Only its digest is kept."""
        self._kept["token"] = digest(token)
        self._kept["permissions"] = sorted(permissions)

    def admit(self, call: str, token: str) -> None:
        """``Refusal`` of ``call`` (``POST zones/…``) unless ``token`` may make it now.

        Nobody outside knows the token of a rehearsal: the first one used counts as the one that was issued.
        """
        down = self._world.faults.outage(PLACE, self._world.clock.now)
        if down:
            raise _later(refused(call, HTTPStatus.INTERNAL_SERVER_ERROR, 10001, down))
        self._count(call)
        if not token:
            raise bad_request(call, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if "token" not in self._kept and TOKEN.search(token):
            self.issue_token(token)
        if not secrets.compare_digest(self._kept.get("token", ""), digest(token)):
            raise refused(call, HTTPStatus.FORBIDDEN, 9109, "Invalid access token")
        missing = self._missing(call)
        if missing:
            found = refused(call, HTTPStatus.FORBIDDEN, 10000, "Authentication error")
            raise Refusal(f"{found.message} (the token lacks the permission {missing})")

    def edges(self) -> list[float]:
        """The moment at which the requests of the last minutes no longer count."""
        return [float(self._kept["since"]) + _WINDOW] if "since" in self._kept else []

    def _count(self, call: str) -> None:
        now = self._world.clock.now
        if now >= self._kept.get("since", now - _WINDOW) + _WINDOW:
            self._kept.update(since=now, requests=0)
        if self._kept["requests"] >= _REQUESTS:
            words = "Please wait and consider throttling your request speed"
            raise _later(refused(call, HTTPStatus.TOO_MANY_REQUESTS, 971, words))
        self._kept["requests"] += 1

    def _missing(self, call: str) -> str | None:
        """The permission that ``call`` asks and the token lacks."""
        method, _, path = call.partition(" ")
        group = next(group for part, group in _GROUPS if part in path)
        enough = {f"{group}: Edit"} | ({f"{group}: Read"} if method == "GET" else set())
        wanted = "Read" if method == "GET" else "Edit"
        return None if enough & set(self._kept.get("permissions", EVERYTHING)) else f"{group}: {wanted}"


def _later(refusal: Refusal) -> Retried:
    """A refusal that the provider takes as one to ask again after."""
    return Retried(refusal.message)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
