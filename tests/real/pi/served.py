"""An HTTP server on loopback for what a Pi downloads.

Owns what it serves and how an answer breaks off. Refuses every path that it was not given.
"""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Served:
    """`files` by path. A path in `cut` breaks off after that many bytes, one in `held` waits there until `go`."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when a held answer waits."""


def _answering(site: Served) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            if self.path not in site.files:
                self.send_error(404)
                return
            content = site.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self._body(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked was killed

        def _body(self, content: bytes) -> None:
            if (end := site.cut.get(self.path)) is not None:
                self.wfile.write(content[:end])
                self.close_connection = True
                return
            at = site.held.get(self.path, len(content))
            self.wfile.write(content[:at])
            self.wfile.flush()
            if at < len(content):
                site.reached.set()
                site.go.wait(60)
                self.wfile.write(content[at:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
            """Say nothing."""

    return Handler


@contextmanager
def served() -> Iterator[Served]:
    """A server that ends with the `with`."""
    site = Served()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _answering(site)) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.go.set()
            server.shutdown()
            thread.join(timeout=10)
