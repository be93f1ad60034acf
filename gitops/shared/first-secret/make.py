"""Makes what the Secret `first-secret` of its namespace must hold, once, and puts it there.

Owns two kinds: `password` (with its bcrypt hash) and `gpg`. Refuses to change what is there, and to show it: it prints
which keys it made, and no value is an argument of any program.

Reads KIND and NAMESPACE from the environment, and the pod's own credentials. Ends with 0 once the Secret has every key.
"""

import base64
import ctypes
import json
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

ACCOUNT = Path(os.environ.get("ACCOUNT_FOLDER", "/var/run/secrets/kubernetes.io/serviceaccount"))
API = os.environ.get("API", "https://kubernetes.default.svc")
BCRYPT_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
COST = 12  # 2^12 rounds: some tenths of a second on a Pi 5
NAME = "first-secret"


def password() -> dict[str, bytes]:
    """A password of 160 bits, and its bcrypt hash as libcrypt makes it."""
    word = secrets.token_urlsafe(20).encode()
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = "".join(secrets.choice(BCRYPT_LETTERS) for _ in range(22))
    found: bytes | None = library.crypt(word, f"$2b${COST}${salt}".encode())
    if not found or not found.startswith(b"$2b$") or len(found) != 60:
        raise SystemExit("this image's libcrypt knows no bcrypt")
    return {"password": word, "hash": found}


def gpg() -> dict[str, bytes]:
    """A private key without a passphrase and without an end, as Omni asks for one."""
    with tempfile.TemporaryDirectory() as home:
        run = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        subprocess.run([*run, "--quick-gen-key", "Omni", "default", "default", "never"], check=True)
        export = subprocess.run([*run, "--armor", "--export-secret-keys", "Omni"], check=True, capture_output=True)
    return {"omni.asc": export.stdout}


KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[], dict[str, bytes]]]] = {
    "password": (("password", "hash"), password),
    "gpg": (("omni.asc",), gpg),
}
"""Kind → the keys of the Secret, and what makes them."""


def ask(method: str, url: str, body: object = None) -> dict[str, object]:
    """What the API server answers; `SystemExit` with its words when it refuses."""
    request = urllib.request.Request(url, method=method)
    request.add_header("Authorization", f"Bearer {(ACCOUNT / 'token').read_text().strip()}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/merge-patch+json")
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt")) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"{method} {url}: {refused.code} {refused.read().decode(errors='replace')[:500]}") from refused
    except OSError as unreachable:
        raise SystemExit(f"{method} {url}: {unreachable}; the Job tries again by itself") from unreachable


def main() -> None:
    """Make what is missing."""
    kind = os.environ.get("KIND", "")
    if kind not in KINDS:
        raise SystemExit(
            f"KIND is '{kind}', and must be one of {', '.join(KINDS)}: see the ConfigMap first-secret-kind"
        )
    keys, make = KINDS[kind]
    url = f"{API}/api/v1/namespaces/{os.environ['NAMESPACE']}/secrets/{NAME}"
    there = ask("GET", url)
    data, metadata = there.get("data") or {}, there["metadata"]
    if not isinstance(data, dict) or not isinstance(metadata, dict):
        raise SystemExit(f"{url} is no Secret")
    if all(data.get(key) for key in keys):
        print(f"{NAME} has {', '.join(keys)}: nothing to do")
        return
    if any(data.get(key) for key in keys):
        raise SystemExit(f"{NAME} has some of {', '.join(keys)} and not all: add the rest, or remove them all")
    made = {key: base64.b64encode(value).decode() for key, value in make().items()}
    # With the version that was read: whoever came in between is not overwritten, and the next try sees what he wrote
    ask("PATCH", url, {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "data": made})
    print(f"{NAME} has {', '.join(keys)} now")


if __name__ == "__main__":
    sys.exit(main())
