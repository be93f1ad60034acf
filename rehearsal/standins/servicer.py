"""The gRPC face of a stand-in.

Owns the translation between the engine's calls and a ``StandIn``: encoding, secrets, unknowns, sessions by connection,
the World's lock and save around every change, refusals as the errors the engine shows. It refuses to own any behaviour
of a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal.standins.answers import (
    abort_half_made,
    diff_response,
    failure_of,
    failures_of,
    foreseen,
    inputs_from,
    outputs_of,
    still_secret,
)
from rehearsal.standins.base import Context, Kind, Session, StandIn
from rehearsal.standins.schema import Shape
from rehearsal.standins.wire import Path, decode, encode, reveal
from rehearsal.world import ACTING, World
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
        failures = failures_of(self.standin.schema.provider.faults({k: v for k, v in news.items() if k != "version"}))
        if not failures:
            try:
                news = self.standin.check_config(self.world, olds, news)
            except Refusal as refusal:
                failures = [failure_of(refusal)]
        return provider_pb2.CheckResponse(inputs=encode(news, still_secret(secrets, news, news)), failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        olds, _ = decode(request.old_inputs if request.old_inputs.fields else request.olds)
        news, _ = decode(request.news)
        with self._refusals(context):
            return diff_response(self.standin.diff_config(self.world, olds, news))

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
                return provider_pb2.InvokeResponse(failures=failures_of(faults))
            ctx = self._context(context, request.tok, "invoke", preview=request.preview, secrets=secrets)
            try:
                with self.world.lock:
                    result = function.invoke(ctx, args)
            except Refusal as refusal:
                if refusal.property is None:
                    raise
                return provider_pb2.InvokeResponse(failures=[failure_of(refusal)])
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(outputs_of(result, args, secrets, shape))  # the field is a keyword
            return response

    # Resources

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        olds, _ = decode(request.olds)
        news, secrets = decode(request.news)
        failures: list[provider_pb2.CheckFailure] = []
        checked = news
        with self._refusals(context):
            kind, shape = self._kind(request)
            failures = failures_of(shape.faults(news))
            ctx = self._context(context, request.urn, "check", secrets=secrets)
        if not failures:
            try:
                with self.world.lock:
                    checked = kind.check(ctx, olds, dict(news))
            except Refusal as refusal:
                failures = [failure_of(refusal)]
        return provider_pb2.CheckResponse(
            inputs=encode(checked, still_secret(secrets, news, checked)), failures=failures
        )

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        state, _ = decode(request.olds)
        news, secrets = decode(request.news)
        old_inputs, _ = decode(request.old_inputs)
        with self._refusals(context):
            kind, _ = self._kind(request)
            ctx = self._context(context, request.urn, "diff", secrets=secrets, preview=True)
            with self.world.lock:
                return diff_response(kind.diff(ctx, request.id, old_inputs, state, news))

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        news, secrets = decode(request.properties)
        with self._refusals(context):
            kind, shape = self._kind(request)
            ctx = self._context(
                context, request.urn, "create", secrets=secrets, preview=request.preview, timeout=request.timeout
            )
            with self._change(ctx, kind):
                made, state = kind.create(ctx, news, request.preview)
            outputs = outputs_of(foreseen(state, shape) if request.preview else state, news, secrets, shape)
            return provider_pb2.CreateResponse(id="" if request.preview else made, properties=outputs)

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
            now = found[1]
            found_inputs = found[2] if len(found) == 3 else inputs_from(reveal(now), inputs, shape)
            return provider_pb2.ReadResponse(
                id=found[0],
                properties=outputs_of(now, state, state_secrets, shape),
                inputs=encode(found_inputs, still_secret(secrets, inputs, found_inputs)),
            )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        olds, _ = decode(request.olds)
        news, secrets = decode(request.news)
        with self._refusals(context):
            kind, shape = self._kind(request)
            ctx = self._context(
                context, request.urn, "update", secrets=secrets, preview=request.preview, timeout=request.timeout
            )
            with self._change(ctx, kind):
                state = kind.update(ctx, request.id, olds, news, request.preview)
            outputs = outputs_of(foreseen(state, shape) if request.preview else state, news, secrets, shape)
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
        """One operation on the World: alone, with its faults, saved before its answer. A preview changes nothing."""
        if ctx.preview:
            with self.world.lock:
                yield
            return
        ctx.fault("before")
        acting = ACTING.set(ctx.name)
        try:
            if kind.holds_world:
                with self.world.change():
                    yield
            else:
                yield
                self.world.save()
        finally:
            ACTING.reset(acting)
        ctx.fault("after")

    @contextmanager
    def _refusals(self, context: grpc.ServicerContext) -> Iterator[None]:
        """A refusal inside becomes the gRPC error whose text the engine shows."""
        try:
            yield
        except InitFailed as failed:
            abort_half_made(context, failed)
        except Refusal as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, refusal.message)
        except EngineKilled as killed:
            self.kill_engine()
            context.abort(grpc.StatusCode.UNAVAILABLE, f"the engine was killed at {killed}")
