"""The answers a stand-in gives the engine.

Owns their form: check failures, diffs with their paths, outputs with their secrets and unknowns. It refuses to own
what they say.
"""

from __future__ import annotations

from typing import NoReturn

import grpc
from google.protobuf import any_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from rehearsal.standins.base import Properties
from rehearsal.standins.diffing import Diff, is_at_or_below
from rehearsal.standins.schema import Shape
from rehearsal.standins.wire import UNKNOWN, Path, encode, value_at
from rehearsal.world.errors import InitFailed, Refusal

_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def abort_half_made(context: grpc.ServicerContext, failed: InitFailed) -> NoReturn:
    """End the call with the engine's own error for a resource that was made but is not ready."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=failed.id, properties=encode(failed.state), reasons=failed.reasons)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=failed.message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, failed.message)


def failure_of(refusal: Refusal) -> provider_pb2.CheckFailure:
    """A refusal as the failure of one input."""
    return provider_pb2.CheckFailure(property=refusal.property or "", reason=refusal.message)


def failures_of(faults: list[tuple[str, str]]) -> list[provider_pb2.CheckFailure]:
    """``(property, reason)`` pairs as failures."""
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in faults]


def diff_response(diff: Diff) -> provider_pb2.DiffResponse:
    """The engine's form of a ``Diff``, with every path that changes."""
    paths = diff.details or dict.fromkeys(diff.changes if isinstance(diff.changes, list) else [], "update")
    detailed = {}
    for path, change in paths.items():
        replaces = any(is_at_or_below(path, top) or is_at_or_below(top, path) for top in diff.replaces)
        detailed[path] = provider_pb2.PropertyDiff(kind=_KINDS[change, replaces], inputDiff=True)
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff.any else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({path.split(".")[0].split("[")[0] for path in paths}),
        replaces=diff.replaces,
        deleteBeforeReplace=diff.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=bool(detailed),
    )


def still_secret(secrets: frozenset[Path], before: Properties, after: Properties) -> frozenset[Path]:
    """Those of ``secrets`` whose value stands unchanged at the same path."""
    return frozenset(
        path
        for path in secrets
        if (value := value_at(after, path)) == value_at(before, path) and (value is not UNKNOWN or path[0] in after)
    )


def foreseen(state: Properties, shape: Shape) -> Properties:
    """A preview's state: outputs that are no inputs and that the Kind did not foresee are unknown."""
    return {name: UNKNOWN for name in shape.outputs - shape.inputs if name not in state} | state


def outputs_of(state: Properties, inputs: Properties, secrets: frozenset[Path], shape: Shape) -> struct_pb2.Struct:
    """A state for the engine: what the schema, the Kind or an equal secret input says is secret, goes as one."""
    named = frozenset((name,) for name in shape.secret if state.get(name) is not None)
    return encode(state, named | still_secret(secrets, inputs, state))


def inputs_from(state: Properties, inputs: Properties, shape: Shape) -> Properties:
    """Inputs as they must have been for ``state``: on a refresh those known before, on an import all there are."""
    names = set(inputs) or (shape.inputs & set(state))
    return {name: state.get(name, inputs.get(name)) for name in names if state.get(name, inputs.get(name)) is not None}
