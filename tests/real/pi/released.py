"""Releases of k3s as a Pi downloads them: a stand-in for the binary, and the real file of checksums beside it.

Owns the stand-in, which says its version and writes down how it was called. Refuses to be a cluster.
"""

import hashlib
import platform

from tests.real.pi.served import Served

ASSETS = {"x86_64": ("k3s", "sha256sum-amd64.txt"), "aarch64": ("k3s-arm64", "sha256sum-arm64.txt")}

_BINARY = r"""#!/bin/sh
# k3s {says}
echo "{says} $*" >>/run/k3s
case "$*" in
    --version) echo "k3s version {says} (0123abcd)" ;;
    *readyz*) cat /run/ready 2>/dev/null || exit 1 ;;
    *"get namespace"*) [ -e /run/namespace ] ;;
    *"get node"*) [ -e /run/registered ] ;;
    *apply*) cat >/run/applied; [ ! -e /run/refused ] || { cat /run/refused >&2 && exit 1; } ;;
esac
"""


def release(site: Served, version: str, says: str | None = None, sums: str | None = None) -> bytes:
    """Serve a release below `/k3s`, and its binary. `says`: the version that it claims; `sums`: its checksums."""
    asset, listed = ASSETS[platform.machine()]
    binary = _BINARY.replace("{says}", says or version).encode()
    folder = f"/k3s/{version.replace('+', '%2B')}"
    site.files[f"{folder}/{asset}"] = binary
    right = {f"{asset}-airgap-images.tar": b"images", asset: binary}
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in right.items())
    site.files[f"{folder}/{listed}"] = (sums if sums is not None else lines).encode()
    return binary
