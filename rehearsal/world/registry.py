"""The OCI registry outside: what was pushed to it, by repository, and its HTTP on loopback while somebody pushes.

Owns tags and blobs, and the part of the distribution API that pushing and pulling one artefact takes, with its errors
(OCI distribution specification 1.1). It refuses to own who may log in, and what an artefact means to Flux
(``kube_sources``).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import urllib.parse
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.world import World

_PATH = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>manifests|blobs|blobs/uploads)/(?P<rest>[^/]*)")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """``section("registry")``: ``host/path`` → ``{tags: {tag: digest}, blobs: {digest: base64}}``."""

    def __init__(self, world: World) -> None:
        self.repositories: dict[str, Any] = world.section("registry")

    def tagged(self, repository: str, tag: str) -> str | None:
        """The digest of the manifest that a tag names."""
        found = self.repositories.get(repository)
        return found["tags"].get(tag) if found else None

    def blob(self, repository: str, name: str) -> bytes | None:
        """What is kept under a digest."""
        found = self.repositories.get(repository, {"blobs": {}})["blobs"].get(name)
        return None if found is None else b64decode(found)

    def push_blob(self, repository: str, content: bytes) -> str:
        """Keep a blob; its digest."""
        name = f"sha256:{hashlib.sha256(content).hexdigest()}"
        kept = self.repositories.setdefault(repository, {"tags": {}, "blobs": {}})
        kept["blobs"][name] = b64encode(content).decode()
        return name

    def push_manifest(self, repository: str, tag: str, content: bytes) -> str | None:
        """Name a manifest by a tag; the digest of a blob that it names and that is not there, else None."""
        document = json.loads(content)
        for each in (document["config"], *document["layers"]):
            if self.blob(repository, each["digest"]) is None:
                return str(each["digest"])
        name = self.push_blob(repository, content)
        self.repositories[repository]["tags"][tag] = name
        return None

    @contextmanager
    def serving(self, host: str) -> Iterator[str]:
        """Answer in place of ``host`` on a port of loopback while the body runs; gives the address.

        Whoever opens this holds the World for the servers' threads: they change it without asking.
        """

        class Handler(_Handler):
            registry = self
            stands_for = host

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(timeout=1.0)


class _Handler(BaseHTTPRequestHandler):
    """One request. What it does not know it refuses as a registry does."""

    registry: Registry
    stands_for: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._look(with_body=True)

    def do_HEAD(self) -> None:
        self._look(with_body=False)

    def _look(self, *, with_body: bool) -> None:
        name, kind, rest = self._asked()
        repository = f"{self.stands_for}/{name}"
        wanted = rest if rest.startswith("sha256:") else self.registry.tagged(repository, rest)
        content = self.registry.blob(repository, wanted) if wanted else None
        if content is None and kind == "manifests":
            self._refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        elif content is None:
            self._refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        else:
            self._say(
                200, content if with_body else b"", {"Content-Type": _MANIFEST, "Docker-Content-Digest": wanted or ""}
            )

    def do_POST(self) -> None:
        name, kind, _ = self._asked()
        if kind != "blobs/uploads":
            self._refuse(405, "UNSUPPORTED", "The operation is unsupported.")
            return
        self._say(202, b"", {"Location": f"/v2/{name}/blobs/uploads/1?state=1"})

    def do_PUT(self) -> None:
        name, kind, rest = self._asked()
        repository = f"{self.stands_for}/{name}"
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if kind == "manifests":
            missing = self.registry.push_manifest(repository, rest, content)
            if missing:
                self._refuse(404, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing}")
                return
        else:
            stated = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("digest", [""])[0]
            if stated != f"sha256:{hashlib.sha256(content).hexdigest()}":
                self._refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
                return
            self.registry.push_blob(repository, content)
        self._say(201, b"", {"Location": self.path})

    def _asked(self) -> tuple[str, str, str]:
        found = _PATH.fullmatch(urllib.parse.urlsplit(self.path).path)
        return (found["name"], found["kind"], found["rest"]) if found else ("", "", "")

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._say(status, body if self.command != "HEAD" else b"", {"Content-Type": "application/json"})

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        """The World's own journal says what was pushed."""
