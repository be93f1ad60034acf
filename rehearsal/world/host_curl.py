"""curl on a simulated host.

Owns what curl finds in the World: the boot server's files over HTTP, and Kubernetes' APIs over HTTPS, who let nobody in
without a credential. It lets time pass while it retries. It refuses options it was not taught.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from rehearsal.world import git_mirror, netboot_desk, netboot_files
from rehearsal.world.factory import read_boot_file
from rehearsal.world.host_tools import Call, Failed, Result, Tool
from rehearsal.world.netboot import NAMESPACE, SCRIPTS, absent

_DELAYS = (1.0, 600.0)
"""Without ``--retry-delay`` curl doubles its waiting from one second up to ten minutes (curl(1), ``--retry``)."""
_MOST_RETRIES = 10_000


def _curl(call: Call) -> Result:
    long = {
        "fail": "f", "silent": "s", "show-error": "S", "location": "L", "insecure": "k", "retry": "r",
        "retry-delay": "d", "retry-connrefused": "c", "retry-all-errors": "a", "retry-max-time": "x", "max-time": "m",
        "connect-timeout": "t", "output": "o", "write-out": "w", "head": "I", "range": "g",
        "resolve": "h", "cacert": "e",
    }  # fmt: skip
    options, urls = call.options("fsSLkI", "ordwxmtghe", long)
    if not urls:
        raise Failed("curl: (2) no URL specified", 2)
    quiet = "s" in options and "S" not in options
    try:
        status, body = _fetch(call, urls[0], options)
    except Failed as failed:
        return Result(_written(options, 0), "" if quiet else f"{failed.message}\n", failed.code)
    if status >= 400 and "f" in options:
        error = "" if quiet else f"curl: (22) The requested URL returned error: {status}\n"
        return Result(_written(options, status), error, 22)
    if options.get("o"):
        call.write(options["o"], body)
        body = ""
    return Result(body + _written(options, status))


def _written(options: dict[str, str], status: int) -> str:
    return options.get("w", "").replace("%{http_code}", f"{status:03d}").replace("\\n", "\n")


def _fetch(call: Call, url: str, options: dict[str, str]) -> tuple[int, str]:
    """``(status, body)``; ``Failed`` with curl's own number when nobody answers."""
    address = urlsplit(url if "://" in url else f"http://{url}")
    if address.scheme == "https" and "h" in options:
        git_mirror.asked_by_curl(call.world, address, options["h"], call.read(options.get("e", "/dev/null")))
        return 200, ""
    if address.scheme == "https":
        return _api(call, address, options)
    if netboot_desk.serves(call.world) and address.hostname == netboot_desk.address(call.world):
        there = netboot_desk.files(call.world).get(SCRIPTS)
        if there is None:
            raise _refused(address)
        return (200, there[address.path.lstrip("/")]) if address.path.lstrip("/") in there else (404, "")
    boot_server = str(((call.world.environment.get("network") or {}).get("netboot") or {}).get("address"))
    cluster = call.world.kubernetes.clusters.get(str((call.world.environment.get("bootstrap") or {}).get("name")))
    if cluster is None or address.scheme != "http" or address.hostname != boot_server:
        raise _refused(address)
    if absent(cluster, "pi-netboot", SCRIPTS):
        raise _refused(address)
    files = (cluster.get("ConfigMap", NAMESPACE, SCRIPTS) or {}).get("data", {})
    path = address.path.lstrip("/")
    if path in files:
        return 200, files[path]
    image = read_boot_file(address.path)
    if image is not None and netboot_files.lacks(call.world, cluster, path) is None:
        return 200, f"{image.schematic} {image.version} {image.arch}\n"
    return 404, ""


def _api(call: Call, address: SplitResult, options: dict[str, str]) -> tuple[int, str]:
    """A Kubernetes API: 401 to whoever shows no credential, for Talos and k3s serve nothing to anonymous callers."""
    url = address.geturl()
    if not call.world.kubernetes.answers(url, patience=_patience(options)):
        raise _refused(address)
    if "k" not in options:
        raise Failed("curl: (60) SSL certificate problem: unable to get local issuer certificate", 60)
    return 401, '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}\n'


def _patience(options: dict[str, str]) -> float:
    """Seconds that curl goes on asking one who refuses the connection: a refusal alone is nothing it retries."""
    if "a" not in options and "c" not in options:
        return 0.0
    retries = min(int(options.get("r") or 0), _MOST_RETRIES)
    first, last = _DELAYS
    fixed = float(options.get("d") or 0)
    waited = sum(fixed or min(first * 2.0 ** min(number, 10), last) for number in range(retries))
    return min(waited, float(options.get("x") or waited))


def _refused(address: SplitResult) -> Failed:
    port = address.port or (443 if address.scheme == "https" else 80)
    return Failed(
        f"curl: (7) Failed to connect to {address.hostname} port {port} after 0 ms: Could not connect to server", 7
    )


TOOLS: dict[str, Tool] = {"curl": _curl}
