"""Random bytes are drawn once, secret, and anew when what they depend on changes."""

import base64

import pytest

from rehearsal.standins import random
from tests.rehearsal.worlds import Engine, a_world

BYTES = "random:index/randomBytes:RandomBytes"


def test_bytes_are_of_the_length_asked_for_secret_and_remembered():
    world = a_world()
    _, state, secrets = Engine(random.stand_in(), world).create(BYTES, length=32)
    assert base64.b64decode(state["base64"]) == bytes.fromhex(state["hex"])
    assert len(state["hex"]) == 64
    assert secrets == {("base64",), ("hex",)}
    assert set(world.issued_secrets()) == {state["base64"], state["hex"]}


@pytest.mark.parametrize(("news", "replaces"), [({"length": 16}, True), ({"length": 32, "keepers": {"a": "b"}}, True)])
def test_another_length_or_keeper_draws_anew(news: dict[str, object], replaces: bool):
    assert bool(Engine(random.stand_in(), a_world()).diff(BYTES, {"length": 32}, news).replaces) == replaces


def test_no_bytes_at_all_are_refused():
    assert Engine(random.stand_in(), a_world()).check(BYTES, length=0)[0][0] == "length"
