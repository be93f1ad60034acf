"""How Cloudflare's API says no.

Owns the form in which a person meets an API error: the provider's line around Cloudflare's own envelope. It refuses to
own which call is refused.
"""

from __future__ import annotations

import json
from http import HTTPStatus

from rehearsal.world.errors import Refusal

BASE = "https://api.cloudflare.com/client/v4"


def refused(call: str, status: HTTPStatus, code: int, message: str) -> Refusal:
    """The refusal of ``call`` (``POST zones/…``), worded as terraform-provider-cloudflare 5 prints an API error."""
    method, _, path = call.partition(" ")
    envelope = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    said = json.dumps(envelope, separators=(",", ":"))
    return Refusal(f'failed to make http request: {method} "{BASE}/{path}": {status.value} {status.phrase} {said}')


def bad_request(call: str, code: int, message: str) -> Refusal:
    """A refusal of what the call asked for."""
    return refused(call, HTTPStatus.BAD_REQUEST, code, message)
