"""The stand-in for a language host.

Owns the answers to an engine that wants to know of a project's packages, as `pulumi import` does, and runs no program.
It refuses to run one: a rehearsal's program comes in by the Automation API.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent import futures

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2


class _NoProgram(language_pb2_grpc.LanguageRuntimeServicer):
    """A project without packages and without a program."""

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        return language_pb2.GetRequiredPackagesResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo()


@contextlib.contextmanager
def language_host() -> Iterator[str]:
    """Listen on loopback while the context lasts; gives the address, for a project's `runtime.options.address`."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(_NoProgram(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None)
