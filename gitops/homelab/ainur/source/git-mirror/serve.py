"""Serves one bare repository over HTTP, to be read: Git's own `http-backend`, a CGI program, behind a listener.

Owns the listener. Refuses to write: of Git's two services only `git-upload-pack` is handed on. No well-kept image has
both Git's backend and a web server that runs CGI; the one that this runs in has Git and Python.

    serve.py PORT REPOSITORY      GET /NAME.git/info/refs?service=git-upload-pack, POST /NAME.git/git-upload-pack,
                                  by whatever NAME it has upstream: it is one repository all the same
                                  GET /ready is 200 once the repository has a branch, 503 before
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LARGEST_REQUEST = 16 * 1024 * 1024  # bytes: what a client has already, in lines of 50
REFERENCES, FETCH = (re.compile(rf"/[\w.-]+\.git/{what}", re.ASCII) for what in ("info/refs", "git-upload-pack"))
AT_ONCE = threading.BoundedSemaphore(4)  # packing is what costs memory


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    timeout = 120  # seconds: a client that says nothing is gone
    repository = ""

    def do_GET(self) -> None:
        """References, or whether there are any."""
        asked = urlsplit(self.path)
        if asked.path == "/ready":
            self._ready()
        elif REFERENCES.fullmatch(asked.path) and asked.query == "service=git-upload-pack":
            self._hand_on("/info/refs", asked.query, b"")
        else:
            self.send_error(HTTPStatus.NOT_FOUND, "only /NAME.git is served, to be read by Git")

    def do_POST(self) -> None:
        """A fetch."""
        if not FETCH.fullmatch(self.path):
            self.send_error(HTTPStatus.FORBIDDEN, "this is a mirror: push to what it mirrors")
            return
        body = self._body()
        if body is None:
            self.close_connection = True
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._hand_on("/git-upload-pack", "", body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        """Probes come every few seconds, and say nothing."""
        if self.path != "/ready":
            super().log_message(format, *args)

    def _ready(self) -> None:
        listing = subprocess.run(
            ["git", "-C", self.repository, "for-each-ref", "--count=1", "refs/heads"], capture_output=True, check=False
        )
        text = b"ready\n" if listing.stdout else b"nothing was fetched yet\n"
        self.send_response(HTTPStatus.OK if listing.stdout else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _body(self) -> bytes | None:
        """The request's body; None for one that is too large. Git sends long ones in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = self.headers.get("Content-Length", "0")
            return self.rfile.read(int(length)) if length.isdigit() and int(length) <= LARGEST_REQUEST else None
        found = bytearray()
        while size := int(self.rfile.readline(20).strip() or b"0", 16):
            if len(found) + size > LARGEST_REQUEST:
                return None
            found += self.rfile.read(size)
            self.rfile.readline(4)
        self.rfile.readline(4)
        return bytes(found)

    def _hand_on(self, path: str, query: str, body: bytes) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": os.path.dirname(self.repository),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{os.path.basename(self.repository)}{path}",
            "REQUEST_METHOD": self.command,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        with (
            AT_ONCE,
            subprocess.Popen(
                ["git", "http-backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            ) as backend,
        ):
            if backend.stdin is None or backend.stdout is None:
                raise RuntimeError("pipes were asked for, and are not there")
            # A request is small and read whole before the answer begins: neither side waits for the other
            backend.stdin.write(body)
            backend.stdin.close()
            status, headers = HTTPStatus.OK, []
            while line := backend.stdout.readline().strip():
                name, _, value = line.decode("latin-1").partition(": ")
                if name == "Status":
                    status = HTTPStatus(int(value.split()[0]))
                else:
                    headers.append((name, value))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Connection", "close")  # where a pack ends is not known before it has ended
            self.end_headers()
            shutil.copyfileobj(backend.stdout, self.wfile)


def main() -> None:
    """Listen until told to end."""
    port, Handler.repository = int(sys.argv[1]), os.path.abspath(sys.argv[2])
    ThreadingHTTPServer(("", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
