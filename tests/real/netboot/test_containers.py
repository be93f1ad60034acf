"""Every shipped container of the boot services does its work with what its manifest declares, and with no more."""

import hashlib
import re
import sys
from collections.abc import Iterator

import pytest

from tests.labs import shipped_plan
from tests.real.netboot.site import NETBOOT, Site, contained, shipped_pods, site

pytestmark = pytest.mark.real

VALA = {"node-role.kubernetes.io/control-plane": "true"}
"""What k3s writes on a Vala, and on no Maia."""


MOUNTS = ("/srv/read", "/srv/write")


@pytest.fixture
def bare(tmp_path, require_tool) -> Iterator[Site]:
    """homelab's site with nothing running but the router."""
    with site(shipped_plan("homelab"), tmp_path, require_tool) as made:
        yield made


def test_nginx_starts_with_the_capabilities_it_declares(bare: Site) -> None:
    """It never started: `[emerg] chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)`.

    Its manifest dropped CHOWN, and the tests ran its command with all that root may.
    """
    bare.start_nginx()


def test_the_judge_gives_what_a_manifest_declares_and_no_more(bare: Site) -> None:
    for path in MOUNTS:
        bare.net.path(path).mkdir(parents=True)
    container = {
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "SETUID"]},
        },
        "volumeMounts": [{"mountPath": path, "readOnly": path == "/srv/read"} for path in MOUNTS],
    }
    tried = (
        "for at in / /etc /run /srv /srv/read /srv/write; do touch $at/one || true; done 2>&1; cat /proc/self/status"
    )
    said = bare.net.run("server", *contained(container), "sh", "-c", tried)
    assert said.count("Read-only file system") == 5
    assert bare.net.path("/srv/write/one").exists()
    status = dict(re.findall(r"^(\w+):\t(.*)$", said, re.MULTILINE))
    # linux/capability.h: SETUID is bit 7, NET_ADMIN bit 12
    assert (int(status["CapEff"], 16), status["NoNewPrivs"]) == (1 << 7 | 1 << 12, "1")


def test_the_discovery_log_does_not_grow_for_ever(bare: Site) -> None:
    """Whoever asks for unknown.ipxe makes it longer, and nothing ever made it shorter."""
    bare.net.write("/run/bin/sleep", "#!/bin/sh\nexec /bin/sleep 0.1\n")
    bare.net.path("/run/bin/sleep").chmod(0o755)
    bare.start_nginx()
    log, aside = (bare.net.path(f"/var/log/discovered/discovered.log{end}") for end in ("", ".1"))
    with log.open("a") as grown:
        grown.write("# told before\n" * 100_000)
    bare.net.wait("it is put aside", lambda: aside.exists() and log.stat().st_size == 0)
    ask = f"http://{bare.address}/unknown.ipxe?mac=02:00:00:00:99:01&arch=x86_64"
    bare.net.run("desk", "curl", "--silent", "--fail", "--output", "/dev/null", ask)
    bare.net.wait("nginx writes on", lambda: '"02:00:00:00:99:01"' in log.read_text())


def test_the_builder_brings_its_files_without_any_capability(bare: Site) -> None:
    loader = b"a loader" * 1000
    bare.net.write("/srv/publisher/loader", loader)
    bare.net.start("publisher", "server", sys.executable, "-m", "http.server", "--directory", "/srv/publisher", "8000")
    bare.net.wait("the publisher listens", lambda: ":8000" in bare.net.run("server", "ss", "-Hltn"))
    hashed = hashlib.sha256(loader).hexdigest()
    bare.start_builder(f"tftp/loader sha256:{hashed} http://127.0.0.1:8000/loader\n")
    bare.net.wait("it is ready", lambda: bare.net.path("/run/whole").exists())
    assert bare.net.path("/srv/files/tftp/loader").read_bytes() == loader


@pytest.mark.parametrize("pod", shipped_pods(), ids=lambda pod: pod["containers"][0]["name"])
def test_what_is_kept_on_a_disk_is_kept_where_there_is_one(pod) -> None:
    """Both servers of files ran on every Pi: on a Maia without a card the disk is RAM, and the images lay in it."""
    if any("hostPath" in volume for volume in pod["volumes"]):
        assert pod["nodeSelector"] == VALA


@pytest.mark.parametrize("pod", shipped_pods(), ids=lambda pod: pod["containers"][0]["name"])
def test_one_slow_answer_ends_nothing(pod) -> None:
    """One `cmp` of more than a second ended DHCP and DNS: failureThreshold 1, with Kubernetes' own timeout of 1 s."""
    for container in pod["containers"]:
        probe = container["livenessProbe"]
        assert probe["failureThreshold"] >= 3
        assert probe["timeoutSeconds"] >= 5


def test_the_log_is_read_from_every_pod() -> None:
    """`kubectl logs ds/boot-http` reads one pod of several, and another was asked."""
    for file in NETBOOT.rglob("*.yaml"):
        assert "logs ds/" not in file.read_text().replace("`logs ds/boot-http` would", "")
