"""The Random provider's stand-in (pulumi-random 4): ``RandomBytes``.

Owns the drawing of bytes once and their keeping. It refuses every other resource of the package.
"""

from __future__ import annotations

import base64
import secrets
from importlib.metadata import version
from typing import ClassVar

from rehearsal.standins.base import UNKNOWN, Context, Kind, Properties, Refusal, Secret, StandIn


class RandomBytes(Kind):
    """``RandomBytes``: any change of an input draws anew."""

    token = "random:index/randomBytes:RandomBytes"
    replace_on: ClassVar[frozenset[str]] = frozenset({"length", "keepers"})

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        if news["length"] is not UNKNOWN and int(news["length"]) < 1:
            raise Refusal("Attribute length value must be at least 1", property="length")
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", news | {"base64": UNKNOWN, "hex": UNKNOWN}
        drawn = secrets.token_bytes(int(news["length"]))
        texts = {"base64": base64.b64encode(drawn).decode(), "hex": drawn.hex()}
        for text in texts.values():
            ctx.world.issue_secret(text)
        ctx.journal("draw", ctx.name)
        return "none", news | {name: Secret(text) for name, text in texts.items()}


class Random(StandIn):
    """The package ``random``."""

    package = "random"


def stand_in() -> Random:
    """What the engine talks to instead of the Random provider."""
    return Random(version("pulumi-random"), [RandomBytes()])
