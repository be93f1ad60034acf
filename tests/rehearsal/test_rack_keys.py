"""A rack's own keys are real ones, made without any tool."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from rehearsal.keys import api_token, ssh_key


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
