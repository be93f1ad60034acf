"""The certificate authority, given to the cluster: what the real script sends, read as the API would."""

import base64
import platform

import pytest
import yaml

from tests.real.pi.box import MAIA, VALA, Box
from tests.real.pi.released import ASSETS, release
from tests.real.pi.served import Served

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(platform.machine() not in ASSETS, reason="k3s is released for x86_64 and arm64"),
]

PKI = "/var/lib/ilmarin/pki"


@pytest.fixture
def vala(pi: Box, site: Served) -> Box:
    """The first Vala with its authority, and an API that has the namespace."""
    release(site, "v1.2.3+k3s1")
    pi.settings({**VALA, "K3S_RELEASES": f"{site.url}/k3s", "NVME": "no"})
    for flag, text in {"synchronised": "yes\n", "ready": "ok", "namespace": ""}.items():
        pi.write(f"/run/{flag}", text)
    pi.works("pki")
    pi.works("k3s")
    return pi


def test_the_cluster_gets_the_intermediate_and_the_root_s_certificate_and_never_its_key(vala: Box) -> None:
    vala.works("trust")
    secret, published = yaml.safe_load_all(vala.read("/run/applied"))
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"] == {"name": "lab-ca-intermediate", "namespace": "cert-manager"}
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert data == {"tls.crt": vala.read(f"{PKI}/chain.crt"), "tls.key": vala.read(f"{PKI}/intermediate.key")}
    assert published["metadata"] == {"name": "lab-ca", "namespace": "cert-manager"}
    assert published["data"] == {
        "ca.crt": vala.read(f"{PKI}/root.crt"),
        "fingerprint": vala.read(f"{PKI}/root.sha256").strip(),
    }
    root_key = vala.read(f"{PKI}/root.key").splitlines()[1]
    assert root_key not in "".join(data.values())


def test_the_key_goes_through_a_pipe_and_is_nobody_s_argument(vala: Box) -> None:
    vala.works("trust")
    calls = vala.read("/run/k3s")
    assert "apply --server-side --force-conflicts --field-manager=ilmarin -f -" in calls
    assert base64.b64encode(vala.path(f"{PKI}/intermediate.key").read_bytes()).decode() not in calls
    assert not [path for path in vala.path("/tmp").iterdir() if path.is_file()]


def test_again_the_same_is_sent_and_the_system_s_own_trust_is_built_once(vala: Box) -> None:
    vala.works("trust")
    sent = vala.read("/run/applied")
    vala.works("trust")
    assert vala.read("/run/applied") == sent
    assert vala.read("/run/update-ca-certificates") == "run\n"
    assert vala.read("/usr/local/share/ca-certificates/ilmarin-homelab.crt") == vala.read(f"{PKI}/root.crt")


@pytest.mark.parametrize(("away", "words"), [("ready", "API does not answer"), ("namespace", "Argo CD brings it")])
def test_what_is_not_there_yet_is_no_failure(vala: Box, away: str, words: str) -> None:
    vala.path(f"/run/{away}").unlink()
    done = vala.run("trust")
    assert done.returncode == 75
    assert words in done.stdout
    assert not vala.is_there("/run/applied")


def test_an_api_that_refuses_is_told_with_its_words_and_without_the_key(vala: Box) -> None:
    vala.write("/run/refused", "error: secrets is forbidden")
    words = vala.refuses("trust")
    assert "secrets is forbidden" in words
    assert "KEY" not in words


def test_without_an_authority_it_says_where_to_look(vala: Box) -> None:
    vala.path(f"{PKI}/chain.crt").unlink()
    assert "journalctl -u ilmarin-pki" in vala.refuses("trust")


def test_everywhere_else_there_is_nothing_to_do(pi: Box) -> None:
    pi.settings(MAIA)
    assert "the first Vala's" in pi.works("trust")
