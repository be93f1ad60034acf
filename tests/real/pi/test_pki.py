"""The certificate authority, made with the real openssl: once, whole, and by a clock that is right."""

import re
from datetime import UTC, datetime

import pytest

from tests.real.pi.box import MAIA, VALA, Box

pytestmark = pytest.mark.real

PKI = "/var/lib/ilmarin/pki"
STEPS = ("chmod", "mkdir", "mv", "rm", "sync")
"""What openssl writes counts when it is moved into its place: cuts before, between and after that are all there are."""
MADE = ("chain.crt", "intermediate.crt", "intermediate.key", "root.crt", "root.key", "root.sha256")


@pytest.fixture
def vala(pi: Box) -> Box:
    """The first Vala, whose clock a time server has set."""
    pi.settings(VALA)
    pi.write("/run/synchronised", "yes\n")
    return pi


def everything(pi: Box) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(pi.path(PKI).iterdir())}


def told_of(pi: Box, certificate: str) -> str:
    return pi.tell("openssl", "x509", "-in", f"{PKI}/{certificate}", "-noout", "-text")


def consistent(pi: Box) -> bool:
    """One root, one intermediate of it, their keys, and nothing else."""
    assert tuple(everything(pi)) == MADE
    for name in ("root", "intermediate"):
        public = pi.tell("openssl", "pkey", "-in", f"{PKI}/{name}.key", "-pubout")
        assert pi.tell("openssl", "x509", "-in", f"{PKI}/{name}.crt", "-noout", "-pubkey") == public
    pi.tell("openssl", "verify", "-CAfile", f"{PKI}/root.crt", f"{PKI}/intermediate.crt")
    return pi.read("/etc/ilmarin/ca.crt") == pi.read(f"{PKI}/root.crt")


def test_a_root_and_an_intermediate_that_signs_no_further_authority_are_made(vala: Box) -> None:
    vala.works("pki")
    assert consistent(vala)
    root, intermediate = told_of(vala, "root.crt"), told_of(vala, "intermediate.crt")
    assert "CN = homelab root CA" in root
    assert "CA:TRUE, pathlen:0" in intermediate
    for text in (root, intermediate):
        assert "ASN1 OID: prime256v1" in text
        assert "Name Constraints: critical" in text
        assert "DNS:homelab.example.com" in text
    assert vala.read(f"{PKI}/chain.crt") == vala.read(f"{PKI}/intermediate.crt") + vala.read(f"{PKI}/root.crt")
    assert re.fullmatch("([0-9A-F]{2}:){31}[0-9A-F]{2}\n", vala.read(f"{PKI}/root.sha256"))


def test_keys_are_root_s_alone_and_only_the_certificate_is_for_everybody(vala: Box) -> None:
    vala.works("pki")
    assert vala.mode(PKI) == "0700"
    assert vala.mode(f"{PKI}/root.key") == vala.mode(f"{PKI}/intermediate.key") == "0600"
    assert vala.mode("/etc/ilmarin/ca.crt") == "0644"
    assert "PRIVATE" not in vala.read("/etc/ilmarin/ca.crt") + vala.read(f"{PKI}/chain.crt")


def test_at_the_next_boots_nothing_is_made_again_whatever_the_clock_says(vala: Box) -> None:
    vala.works("pki")
    was = everything(vala)
    vala.write("/run/synchronised", "no\n")
    vala.works("pki", WAIT="0")
    assert everything(vala) == was


def signed(pi: Box, name: str) -> str:
    """What a verifier says of a certificate for a name, made by the intermediate as cert-manager would."""
    pi.write("/tmp/leaf.cnf", f"subjectAltName={name}\n")
    pi.tell("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=x", "-keyout", "/tmp/leaf.key", "-out", "/tmp/leaf.csr")  # fmt: skip
    pi.tell("openssl", "x509", "-req", "-in", "/tmp/leaf.csr", "-CA", f"{PKI}/intermediate.crt", "-CAkey",
            f"{PKI}/intermediate.key", "-extfile", "/tmp/leaf.cnf", "-out", "/tmp/leaf.crt")  # fmt: skip
    verify = "openssl verify -CAfile {0}/root.crt -untrusted {0}/intermediate.crt /tmp/leaf.crt 2>&1 || :"
    return pi.tell("sh", "-c", verify.format(PKI))


def test_it_vouches_for_names_of_the_lab_and_for_no_bank(vala: Box) -> None:
    vala.works("pki")
    assert "OK" in signed(vala, "DNS:dex.ainur.homelab.example.com")
    assert "permitted subtree violation" in signed(vala, "DNS:bank.example.org")
    assert "excluded subtree violation" in signed(vala, "IP:192.168.1.50")


@pytest.mark.slow
def test_cut_before_any_of_its_commands_it_ends_with_one_pair_and_a_root_that_was_there_stays(vala: Box) -> None:
    cut, kept = 1, 0
    while vala.cut("pki", cut, STEPS):
        there = {
            name: vala.read(f"{PKI}/{name}") for name in ("root.key", "root.crt") if vala.is_there(f"{PKI}/{name}")
        }
        kept += len(there)
        vala.works("pki")
        assert consistent(vala)
        assert {name: vala.read(f"{PKI}/{name}") for name in there} == there
        vala.tell("rm", "-r", PKI, "/etc/ilmarin/ca.crt")
        cut += 1
    assert cut > 20
    assert kept > 20


def test_by_a_clock_that_nobody_confirmed_nothing_is_signed(vala: Box) -> None:
    vala.write("/run/synchronised", "no\n")
    words = vala.refuses("pki", WAIT="0")
    assert f"the clock says {datetime.now(UTC):%Y-%m-%d}" in words
    assert "Is a time server reachable" in words
    assert not [name for name in everything(vala) if name.endswith(".crt")]
    vala.write("/run/synchronised", "yes\n")
    vala.works("pki")
    assert consistent(vala)


def test_an_intermediate_that_soon_ends_is_made_anew_and_the_root_is_not(vala: Box) -> None:
    vala.works("pki")
    was = everything(vala)
    vala.tell("openssl", "req", "-new", "-key", f"{PKI}/intermediate.key", "-subj", "/CN=old", "-out", "/tmp/old.csr")
    vala.tell("openssl", "x509", "-req", "-in", "/tmp/old.csr", "-CA", f"{PKI}/root.crt", "-CAkey", f"{PKI}/root.key",
              "-days", "30", "-out", f"{PKI}/intermediate.crt")  # fmt: skip
    vala.works("pki")
    assert consistent(vala)
    now = everything(vala)
    assert {name for name in now if now[name] != was[name]} == {"chain.crt", "intermediate.crt"}


@pytest.mark.parametrize("lost", ["intermediate.key", "intermediate.crt", "chain.crt", "root.sha256"])
def test_what_follows_from_the_root_is_made_anew_when_it_is_lost(vala: Box, lost: str) -> None:
    vala.works("pki")
    root = vala.read(f"{PKI}/root.crt") + vala.read(f"{PKI}/root.key")
    vala.path(f"{PKI}/{lost}").unlink()
    vala.works("pki")
    assert consistent(vala)
    assert vala.read(f"{PKI}/root.crt") + vala.read(f"{PKI}/root.key") == root


def test_a_root_whose_certificate_is_lost_gets_one_of_the_same_key(vala: Box) -> None:
    vala.works("pki")
    key = vala.read(f"{PKI}/root.key")
    vala.path(f"{PKI}/root.crt").unlink()
    vala.works("pki")
    assert vala.read(f"{PKI}/root.key") == key
    assert consistent(vala)


def test_a_root_whose_key_is_lost_or_damaged_or_another_is_refused_and_not_made_anew(vala: Box) -> None:
    vala.works("pki")
    was = everything(vala)
    vala.path(f"{PKI}/root.key").unlink()
    assert "root.key is gone" in vala.refuses("pki")
    vala.write(f"{PKI}/root.key", "half a key", 0o600)
    assert "cannot be read as a key" in vala.refuses("pki")
    vala.write(f"{PKI}/root.key", was["intermediate.key"], 0o600)
    assert "are no pair" in vala.refuses("pki")
    assert everything(vala) == {**was, "root.key": was["intermediate.key"]}


def test_everywhere_else_there_is_nothing_to_do(pi: Box) -> None:
    pi.settings(MAIA)
    assert "the first Vala's" in pi.works("pki")
    assert not pi.is_there(PKI)
