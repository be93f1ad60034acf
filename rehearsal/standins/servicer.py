"""The gRPC face of a stand-in.

Owns the translation between the engine's calls and a ``StandIn``: encoding, secrets, unknowns, sessions by connection,
the World's lock and save around every change, refusals as the errors the engine shows. It refuses to own any behaviour
of a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from rehearsal.standins.base import Context, Kind, Properties, Session, StandIn
from rehearsal.standins.diffing import Diff, is_at_or_below
from rehearsal.standins.schema import Shape
from rehearsal.standins.wire import UNKNOWN, Path, decode, encode, reveal, value_at
from rehearsal.world import World
from rehearsal.world.errors import EngineKilled, InitFailed, Refusal

_Request = (
    provider_pb2.CheckRequest
    | provider_pb2.DiffRequest
    | provider_pb2.CreateRequest
    | provider_pb2.ReadRequest
    | provider_pb2.UpdateRequest
    | provider_pb2.DeleteRequest
)


def _nobody() -> None:
    """There is no engine to kill when a test calls the servicer itself."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine for one package. ``kill_engine`` is what a ``kill`` fault does."""

    def __init__(self, standin: StandIn, world: World, kill_engine: Callable[[], None] = _nobody) -> None:
        self.standin = standin
        self.world = world
        self.kill_engine = kill_engine
        self.sessions: dict[str, Session] = {}

    # The provider itself

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.standin.version)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        olds, _ = decode(request.olds)
        news, secrets = decode(request.news)
        failures = _failures(self.standin.schema.provider.faults({k: v for k, v in news.items() if k != "version"}))
        if not failures:
            try:
                news = self.standin.check_config(self.world, olds, news)
            except Refusal as refusal:
                failures = [_failure(refusal)]
        return provider_pb2.CheckResponse(inputs=encode(news, _still(secrets, news, news)), failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        olds, _ = decode(request.old_inputs if request.old_inputs.fields else request.olds)
        news, _ = decode(request.news)
        with self._refusals(context):
            return _diff_response(self.standin.diff_config(self.world, olds, news))

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        config, _ = decode(request.args)
        session = Session(context.peer(), config)
        with self._refusals(context):
            self.standin.configure(self.world, session)
        self.sessions[session.peer] = session
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        args, secrets = decode(request.args)
        with self._refusals(context):
            function, shape = self.standin.function(request.tok)
            faults = shape.faults(args)
            if faults:
                return provider_pb2.InvokeResponse(failures=_failures(faults))
            ctx = self._context(context, request.tok, "invoke", preview=request.preview, secrets=secrets)
            with self.world.lock:
                result = function.invoke(ctx, args)
            return provider_pb2.InvokeResponse(**{"return": _outputs(result, args, secrets, shape)})

    # Resources

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        olds, _ = decode(request.olds)
        news, secrets = decode(request.news)
        failures: list[provider_pb2.CheckFailure] = []
        checked = news
        with self._refusals(context):
            kind, shape = self._kind(request)
            failures = _failures(shape.faults(news))
            ctx = self._context(context, request.urn, "check", secrets=secrets)
        if not failures:
            try:
                with self.world.lock:
                    checked = kind.check(ctx, olds, dict(news))
            except Refusal as refusal:
                failures = [_failure(refusal)]
        return provider_pb2.CheckResponse(inputs=encode(checked, _still(secrets, news, checked)), failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        state, _ = decode(request.olds)
        news, secrets = decode(request.news)
        old_inputs, _ = decode(request.old_inputs)
        with self._refusals(context):
            kind, _ = self._kind(request)
            ctx = self._context(context, request.urn, "diff", secrets=secrets, preview=True)
            with self.world.lock:
                return _diff_response(kind.diff(ctx, request.id, old_inputs, state, news))

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        news, secrets = decode(request.properties)
        with self._refusals(context):
            kind, shape = self._kind(request)
            ctx = self._context(
                context, request.urn, "create", secrets=secrets, preview=request.preview, timeout=request.timeout
            )
            with self._change(ctx, kind):
                id, state = kind.create(ctx, news, request.preview)
            outputs = _outputs(_foreseen(state, shape) if request.preview else state, news, secrets, shape)
            return provider_pb2.CreateResponse(id="" if request.preview else id, properties=outputs)

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        state, state_secrets = decode(request.properties)
        inputs, secrets = decode(request.inputs)
        with self._refusals(context):
            kind, shape = self._kind(request)
            ctx = self._context(context, request.urn, "read", secrets=secrets | state_secrets)
            with self.world.lock:
                found = kind.read(ctx, request.id, state)
            if found is None:
                return provider_pb2.ReadResponse(id="")
            id, now = found[0], found[1]
            found_inputs = found[2] if len(found) == 3 else _inputs_from(reveal(now), inputs, shape)
            return provider_pb2.ReadResponse(
                id=id,
                properties=_outputs(now, state, state_secrets, shape),
                inputs=encode(found_inputs, _still(secrets, inputs, found_inputs)),
            )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        olds, _ = decode(request.olds)
        news, secrets = decode(request.news)
        with self._refusals(context):
            kind, shape = self._kind(request)
            ctx = self._context(
                context, request.urn, "update", secrets=secrets, preview=request.preview, timeout=request.timeout
            )
            with self._change(ctx, kind):
                state = kind.update(ctx, request.id, olds, news, request.preview)
            outputs = _outputs(_foreseen(state, shape) if request.preview else state, news, secrets, shape)
            return provider_pb2.UpdateResponse(properties=outputs)

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        state, secrets = decode(request.properties)
        with self._refusals(context):
            kind, _ = self._kind(request)
            ctx = self._context(context, request.urn, "delete", secrets=secrets, timeout=request.timeout)
            with self._change(ctx, kind):
                kind.delete(ctx, request.id, state)
        return empty_pb2.Empty()

    # Circumstances

    def _kind(self, request: _Request) -> tuple[Kind, Shape]:
        return self.standin.resource(request.type or request.urn.split("::")[2].split("$")[-1])

    def _context(
        self,
        context: grpc.ServicerContext,
        subject: str,
        operation: str,
        *,
        secrets: frozenset[Path] = frozenset(),
        preview: bool = False,
        timeout: float = 0.0,
    ) -> Context:
        session = self.sessions.get(context.peer())
        if session is None:
            raise Refusal(f"provider {self.standin.package} is not configured for {context.peer()}")
        token = subject.split("::")[2].split("$")[-1] if "::" in subject else subject
        return Context(
            world=self.world,
            session=session,
            package=self.standin.package,
            kind=token.rsplit(":", 1)[-1],
            operation=operation,
            name=subject.split("::")[-1] if "::" in subject else "",
            urn=subject if "::" in subject else "",
            secrets=secrets,
            preview=preview,
            timeout=timeout,
        )

    @contextmanager
    def _change(self, ctx: Context, kind: Kind) -> Iterator[None]:
        """One operation on the World: alone, with its faults, saved before it is answered. A preview changes nothing."""
        if ctx.preview:
            with self.world.lock:
                yield
            return
        ctx.fault("before")
        if kind.holds_world:
            with self.world.change():
                yield
        else:
            yield
            self.world.save()
        ctx.fault("after")

    @contextmanager
    def _refusals(self, context: grpc.ServicerContext) -> Iterator[None]:
        """A refusal inside becomes the gRPC error whose text the engine shows."""
        try:
            yield
        except InitFailed as failed:
            _abort_half_made(context, failed)
        except Refusal as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, refusal.message)
        except EngineKilled as killed:
            self.kill_engine()
            context.abort(grpc.StatusCode.UNAVAILABLE, f"the engine was killed at {killed}")


def _abort_half_made(context: grpc.ServicerContext, failed: InitFailed) -> NoReturn:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=failed.id, properties=encode(failed.state), reasons=failed.reasons)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=failed.message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, failed.message)


def _failure(refusal: Refusal) -> provider_pb2.CheckFailure:
    return provider_pb2.CheckFailure(property=refusal.property or "", reason=refusal.message)


def _failures(faults: list[tuple[str, str]]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in faults]


def _diff_response(diff: Diff) -> provider_pb2.DiffResponse:
    kinds = {"add": 0, "delete": 2, "update": 4}
    paths = diff.details or {path: "update" for path in (diff.changes if isinstance(diff.changes, list) else [])}
    detailed = {}
    for path, change in paths.items():
        replaces = any(is_at_or_below(path, top) or is_at_or_below(top, path) for top in diff.replaces)
        detailed[path] = provider_pb2.PropertyDiff(kind=kinds[change] + replaces, inputDiff=True)  # type: ignore[arg-type]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff.any else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({path.split(".")[0].split("[")[0] for path in paths}),
        replaces=diff.replaces,
        deleteBeforeReplace=diff.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=bool(detailed),
    )


def _still(secrets: frozenset[Path], before: Properties, after: Properties) -> frozenset[Path]:
    """Those of ``secrets`` whose value stands unchanged at the same path."""
    return frozenset(
        path
        for path in secrets
        if (value := value_at(after, path)) == value_at(before, path) and (value is not UNKNOWN or path[0] in after)
    )


def _foreseen(state: Properties, shape: Shape) -> Properties:
    """A preview's state: outputs that are no inputs and that the Kind did not foresee are unknown."""
    return {name: UNKNOWN for name in shape.outputs - shape.inputs if name not in state} | state


def _outputs(state: Properties, inputs: Properties, secrets: frozenset[Path], shape: Shape) -> struct_pb2.Struct:
    named = frozenset((name,) for name in shape.secret if state.get(name) is not None)
    return encode(state, named | _still(secrets, inputs, state))


def _inputs_from(state: Properties, inputs: Properties, shape: Shape) -> Properties:
    """Inputs as they must have been for ``state``: on a refresh those known before, on an import all that are inputs."""
    names = set(inputs) or (shape.inputs & set(state))
    return {name: state.get(name, inputs.get(name)) for name in names if state.get(name, inputs.get(name)) is not None}
