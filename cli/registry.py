"""An OCI registry: the five calls that push one artefact (OCI distribution specification 1.1, "Push" and "Pull").

Owns the requests, the login that a registry asks for (Basic, or a Bearer token), and saying in a sentence what went
wrong. Refuses what is pushed (`render.artefact`) and where a login is kept (`cli.registry_login`), and to show one.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from cli.registry_login import Login
from render.artefact import MANIFEST_TYPE, digest

_TIMEOUT = 60.0
_LARGEST_MANIFEST = 4 * 1024 * 1024
"""What a registry need not accept more of (distribution specification, "Pushing Manifests")."""
_READ = (
    f"{MANIFEST_TYPE}, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3})(:\d+)?")
_DOCKER_HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
"""The one registry whose API is at another host than its addresses say."""
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_Method = Literal["GET", "HEAD", "POST", "PUT"]


class RegistryTrouble(Exception):
    """The registry did not do it; the message says what, where and what mends it."""


@dataclass(frozen=True)
class Answer:
    """What a registry answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Repository:
    """One repository of a registry, named as in the stack file: `oci://host/owner/name`."""

    def __init__(self, address: str, login: Login | None, instead: str | None = None) -> None:
        """`instead`: an http address where the registry answers in place of its own host (the rack)."""
        self.host, _, self.path = address.removeprefix("oci://").partition("/")
        scheme = "http" if _LOOPBACK.fullmatch(self.host) else "https"
        self._base = instead or f"{scheme}://{_DOCKER_HUB.get(self.host, self.host)}"
        self._login = login
        self._authorization = ""
        local = _LOOPBACK.fullmatch(urllib.parse.urlsplit(self._base).netloc)
        self._opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))

    def manifest(self, tag: str) -> bytes | None:
        """The manifest that a tag names, None when there is no such tag, or no such repository yet."""
        answer = self._call("GET", f"manifests/{tag}", headers={"Accept": _READ}, fine=(200, 404))
        return answer.body if answer.status == 200 else None

    def push(self, tag: str, blobs: list[bytes], manifest: bytes) -> None:
        """Put the blobs there that are missing, then the manifest under its tag: until then nobody sees any of it."""
        for blob in blobs:
            name = digest(blob)
            if self._call("HEAD", f"blobs/{name}", fine=(200, 404)).status == 404:
                begun = self._call("POST", "blobs/uploads/", fine=(202,))
                self._call("PUT", _with_digest(self._location(begun), name), body=blob, fine=(201,))
        self._call("PUT", f"manifests/{tag}", body=manifest, headers={"Content-Type": MANIFEST_TYPE}, fine=(201,))

    def _location(self, begun: Answer) -> str:
        where = begun.headers.get("location", "")
        if not where:
            raise RegistryTrouble(f"{self.host} began an upload and did not say where to. Is that a registry?")
        url = urllib.parse.urljoin(f"{self._base}/v2/{self.path}/", where)
        if self._base.startswith("https:") and not url.startswith("https:"):
            raise RegistryTrouble(
                f"{self.host} wants the upload at '{_place(url)}', which is not https. Nothing was sent there; is a "
                "proxy before the registry that does not tell it (X-Forwarded-Proto)?"
            )
        return url

    def _call(
        self,
        method: _Method,
        what: str,
        *,
        fine: tuple[int, ...],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, log in once when asked to, and give an answer whose status is one of `fine`."""
        url = what if "://" in what else f"{self._base}/v2/{self.path}/{what}"
        sent = {"Content-Type": "application/octet-stream"} if body is not None else {}
        answer = self._ask(method, url, body, {**sent, **(headers or {})})
        if answer.status == 401 and self._answer_challenge(answer):
            answer = self._ask(method, url, body, {**sent, **(headers or {})})
        if answer.status not in fine:
            raise RegistryTrouble(self._trouble(answer, method))
        return answer

    def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], authorization: str | None = None
    ) -> Answer:
        request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)
        known = authorization
        if known is None:  # the registry's own login is for the registry alone, wherever an upload may lead
            known = self._authorization if _place(url) == _place(self._base) else ""
        if known:
            request.add_unredirected_header("Authorization", known)  # a redirect leads to somebody else's storage
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return _answer(cast(http.client.HTTPResponse, response))
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error)
        except urllib.error.URLError as error:
            raise RegistryTrouble(_unreachable(urllib.parse.urlsplit(url).netloc, error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RegistryTrouble(_unreachable(urllib.parse.urlsplit(url).netloc, error)) from None

    def _answer_challenge(self, answer: Answer) -> bool:
        """Log in as the registry asks (RFC 9110, 11.6.1; Docker's token specification). False when that is no use."""
        scheme, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
        before, basic = self._authorization, self._login.basic if self._login else ""
        if scheme.lower() == "basic":
            self._authorization = basic and f"Basic {basic}"
        elif scheme.lower() == "bearer":
            self._authorization = f"Bearer {self._token(dict(_PARAMETER.findall(rest)), basic)}"
        return self._authorization not in ("", before)

    def _token(self, challenge: Mapping[str, str], basic: str) -> str:
        realm = urllib.parse.urlsplit(challenge.get("realm", ""))
        if realm.scheme != "https" and not _LOOPBACK.fullmatch(realm.netloc):
            raise RegistryTrouble(f"{self.host} sends logins to '{realm.geturl()[:80]}', which is not https. Not sent.")
        asked = {"scope": challenge.get("scope") or f"repository:{self.path}:pull,push"}
        asked |= {"service": challenge["service"]} if "service" in challenge else {}
        url = f"{realm.geturl()}{'&' if realm.query else '?'}{urllib.parse.urlencode(asked)}"
        answer = self._ask("GET", url, None, {}, basic and f"Basic {basic}")
        try:
            found = json.loads(answer.body)
            return str(found.get("token") or found["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise RegistryTrouble(self._trouble(answer, "GET")) from None

    def _trouble(self, answer: Answer, method: _Method) -> str:
        what = "push to" if method in ("POST", "PUT") else "look at"
        said = _errors(answer.body)
        told = f" It said: {said}." if said else ""
        where = f"{self.host}/{self.path}"
        if answer.status in (401, 403):
            if self._login is None:
                return f"{self.host} wants a login to {what} {where}.{told} {Login.how(self.host)}"
            return f"{self.host} does not let {self._login.of} {what} {where}.{told} {Login.how(self.host)}"
        if answer.status == 404:
            return f"{self.host} has no repository {self.path}, or hides it from this login.{told}"
        return f"{self.host} answered {answer.status} to an attempt to {what} {where}.{told} Try again later."


def _place(url: str) -> str:
    """Scheme, host and port of an address, in full: who is spoken to, and how."""
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _answer(response: http.client.HTTPResponse | urllib.error.HTTPError) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(int(response.status or 0), headers, response.read(_LARGEST_MANIFEST))


def _errors(body: bytes) -> str:
    """A registry's own words (distribution specification, "Error Codes")."""
    try:
        found = [f"{one['code']}: {one.get('message') or ''}".strip(": ") for one in json.loads(body)["errors"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "; ".join(found)[:300]


def _unreachable(host: str, reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted here: {reason.verify_message}"
        return f"{host} cannot be spoken to: {why}. A CA of your own goes into the file that SSL_CERT_FILE names."
    if isinstance(reason, ssl.SSLError):
        return f"{host} does not speak TLS as this program does ({reason.reason}). Is that the registry's port?"
    said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return f"{host} cannot be reached: {said}. Nothing was pushed; try again when it answers."


def _with_digest(url: str, name: str) -> str:
    return f"{url}{'&' if urllib.parse.urlsplit(url).query else '?'}{urllib.parse.urlencode({'digest': name})}"
