"""Between engine and World nothing is lost: unknowns stay unknown, secrets secret, refusals are shown."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from google.protobuf import any_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from rehearsal.faults import Fault, Faults
from rehearsal.standins.base import (
    UNKNOWN,
    Context,
    Function,
    InitFailed,
    Kind,
    Properties,
    Refusal,
    Secret,
    StandIn,
)
from rehearsal.standins.schema import Schema
from rehearsal.standins.servicer import Servicer
from rehearsal.standins.wire import decode, encode
from rehearsal.world import World
from tests.rehearsal.worlds import Aborted, Call, Engine, a_world

TOKEN = "toy:index:Thing"
SCHEMA = Schema.of(
    {
        "resources": {
            TOKEN: {
                "inputs": ["name", "size", "spec", "how"],
                "required": ["name"],
                "outputs": ["name", "size", "spec", "how", "token", "address"],
                "secret": ["token"],
            }
        },
        "functions": {"toy:index:get": {"inputs": ["of"], "required": ["of"], "outputs": ["is"], "secret": []}},
    }
)


class Thing(Kind):
    token = TOKEN
    replace_on: ClassVar[frozenset[str]] = frozenset({"size", "spec.name"})

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        if news.get("how") == "wrong":
            raise Refusal("that is wrong", property="how")
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", dict(news)
        ctx.world.section("toy")[ctx.name] = news["name"]
        if news.get("how") == "half":
            raise InitFailed("not ready yet", id="7", state=news)
        return "7", news | {"token": "t0ken", "address": {"is": Secret("hidden"), "port": 1}}

    def read(self, ctx: Context, id: str, state: Properties) -> tuple[str, Properties] | None:  # noqa: A002 - Kind's
        return None if id == "gone" else (id, state | {"name": "found"})


class Get(Function):
    token = "toy:index:get"

    def invoke(self, ctx: Context, args: Properties) -> Properties:
        if args["of"] == "nobody":
            raise Refusal("there is nobody", property="of")
        return {"is": Secret(args["of"])}


class Toy(StandIn):
    package = "toy"


def _toy(world: World | None = None) -> Engine:
    return Engine(Toy("1.0.0", [Thing()], [Get()], SCHEMA), world or a_world())


def test_values_come_through_the_wire_as_they_were_with_unknowns_and_secrets_in_place():
    sent = {"a": 1, "b": 1.5, "c": [True, None, {"d": UNKNOWN}], "e": Secret({"f": "g"})}
    plain, secrets = decode(encode(sent))
    assert plain == {"a": 1, "b": 1.5, "c": [True, None, {"d": UNKNOWN}], "e": {"f": "g"}}
    assert secrets == {("e",)}
    assert encode({"x": UNKNOWN}).fields["x"].string_value == rpc.UNKNOWN


def test_unknown_and_missing_properties_are_failures_in_the_providers_words():
    failures = dict(_toy().check(TOKEN, nme="x"))
    assert "Invalid or unknown key" in failures["nme"]
    assert "Missing required argument" in failures["name"]


def test_a_refusal_in_check_names_its_property():
    assert _toy().check(TOKEN, name="x", how="wrong") == [("how", "that is wrong")]


def test_an_unknown_value_is_there_all_the_same():
    assert _toy().check(TOKEN, name=UNKNOWN) == []


def test_outputs_are_secret_by_schema_by_the_kind_and_by_their_input():
    _, state, secrets = _toy().create(TOKEN, name="x", spec={"key": Secret("k"), "open": 1})
    assert secrets == {("token",), ("address", "is"), ("spec", "key")}
    assert state["spec"] == {"key": "k", "open": 1}


def test_a_preview_foresees_nothing_it_cannot_know_and_changes_nothing():
    world = a_world()
    made, state, _ = _toy(world).create(TOKEN, preview=True, name="x")
    assert made == ""
    assert (state["token"], state["address"]) == (UNKNOWN, UNKNOWN)
    assert "toy" not in world.data["sections"]


def test_a_change_is_saved_before_it_is_answered(tmp_path: Path):
    world = a_world(file=tmp_path / "world.json")
    _toy(world).create(TOKEN, name="x")
    assert a_world(file=tmp_path / "world.json").section("toy") == {"it": "x"}


def test_a_connection_nobody_configured_is_an_error():
    engine = _toy()
    engine.call = Call(who="ipv4:127.0.0.1:2")
    with pytest.raises(Aborted, match="not configured"):
        engine.create(TOKEN, name="x")


def test_two_providers_of_one_package_are_told_apart_by_their_connection():
    servicer = Servicer(Toy("1.0.0", [Thing()], schema=SCHEMA), a_world())
    for number in ("1", "2"):
        request = provider_pb2.ConfigureRequest(args=encode({"kubeconfig": number}))
        call: Any = Call(who=number)
        servicer.Configure(request, call)
    assert [session.config["kubeconfig"] for session in servicer.sessions.values()] == ["1", "2"]


def test_what_changes_is_said_by_path_and_what_replaces_too():
    engine = _toy()
    olds = {"name": "a", "spec": {"name": "n", "port": [1, 2]}, "how": "x"}
    diff = engine.diff(TOKEN, olds, {"name": "b", "spec": {"name": "n", "port": [1, 3]}, "size": 1})
    kinds = {path: detail.kind for path, detail in diff.detailedDiff.items()}
    PropertyDiff = provider_pb2.PropertyDiff
    assert kinds == {
        "name": PropertyDiff.UPDATE,
        "spec.port[1]": PropertyDiff.UPDATE,
        "size": PropertyDiff.ADD_REPLACE,
        "how": PropertyDiff.DELETE,
    }
    assert list(diff.replaces) == ["size"]
    assert list(engine.diff(TOKEN, olds, {**olds, "spec": {"name": "m", "port": [1, 2]}}).replaces) == ["spec.name"]


def test_nothing_changed_is_said_so():
    assert _toy().diff(TOKEN, {"name": "a"}, {"name": "a"}).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_resource_that_is_not_ready_is_remembered_half_made():
    engine = _toy()
    with pytest.raises(Aborted, match="not ready yet"):
        engine.create(TOKEN, name="x", how="half")
    status = status_pb2.Status.FromString(dict(engine.call.metadata)["grpc-status-details-bin"])
    detail: any_pb2.Any = status.details[0]
    half = provider_pb2.ErrorResourceInitFailed()
    assert detail.Unpack(half)
    assert (half.id, list(half.reasons)) == ("7", ["not ready yet"])


def test_what_is_gone_is_read_as_gone_and_what_is_there_as_it_is():
    engine = _toy()
    assert engine.read(TOKEN, "gone", name="x").id == ""
    found = engine.read(TOKEN, "7", name="x")
    assert decode(found.inputs)[0] == {"name": "found"}


def test_a_function_s_arguments_are_checked_and_its_secrets_kept():
    engine = _toy()
    assert engine.invoke("toy:index:get", of="x") == ({"is": "x"}, [])
    assert engine.invoke("toy:index:get", of="nobody")[1] == [("of", "there is nobody")]
    assert "Missing" in engine.invoke("toy:index:get")[1][0][1]


@pytest.mark.parametrize("ask", ["create", "invoke"])
def test_a_type_the_package_does_not_have_is_refused(ask: str):
    with pytest.raises(Aborted, match="unrecognized"):
        getattr(_toy(), ask)("toy:index:Other")


@pytest.mark.parametrize(("moment", "made"), [("before", {}), ("after", {"it": "x"})])
def test_a_fault_before_leaves_the_world_alone_and_one_after_loses_only_the_answer(moment: str, made: dict[str, Any]):
    world = a_world(faults=Faults([Fault("error", f"toy/Thing/create/{moment}/it", message="cut")]))
    with pytest.raises(Aborted, match="cut"):
        _toy(world).create(TOKEN, name="x")
    assert world.section("toy") == made


def test_a_kill_ends_the_engine_where_it_is_due():
    killed: list[str] = []
    world = a_world(faults=Faults([Fault("kill", "toy/*")]))
    engine = _toy(world)
    engine.servicer.kill_engine = lambda: killed.append("now")
    with pytest.raises(Aborted):
        engine.create(TOKEN, name="x")
    assert killed == ["now"]
