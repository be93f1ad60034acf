"""A rack's own keys are real ones, made without any tool."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from rehearsal.keys import api_token, ed25519_public, ssh_key

RFC_8032_TEST_1 = (
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
)
RFC_8032_TEST_2 = (
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
)


def test_public_keys_are_those_of_the_standard():
    for secret, public in (RFC_8032_TEST_1, RFC_8032_TEST_2):
        assert ed25519_public(bytes.fromhex(secret)).hex() == public


def test_openssh_reads_a_rack_s_key_and_finds_the_same_public_half(require_tool: Callable[[str], str], tmp_path: Path):
    key = ssh_key("rack")
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(key.private)
    said = subprocess.run(
        [require_tool("ssh-keygen"), "-y", "-f", str(file)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert said.stdout.split()[:2] == key.public.split()[:2]


def test_no_two_racks_share_a_key():
    assert ssh_key("rack").private != ssh_key("rack").private
    assert api_token() != api_token()


def test_the_token_has_the_form_that_the_provider_demands():
    assert len(api_token()) == 40
    assert api_token().replace("-", "").replace("_", "").isalnum()
