"""What `up` says of a netbooted Pi that has only a key for the day: its text, run with a stand-in of ssh-keyscan."""

import os
import subprocess
from pathlib import Path

import pytest

from render import k3s
from tests.labs import shipped_plan

KEYSCAN = """#!/bin/sh
case "$*" in *{kind}*) for last; do :; done; echo "$last {shown} AAAA" ;; *) exit 1 ;; esac
"""


@pytest.mark.parametrize(
    ("kind", "shown", "code", "words"),
    [
        ("ecdsa", "ecdsa-sha2-nistp256", 1, "shows a key for today, and not its own"),
        ("ed25519", "ssh-ed25519", 0, ""),
        ("rsa", "ssh-rsa", 1, "does not answer over SSH"),
    ],
)
def test_a_key_for_the_day_is_never_pinned_and_is_told(
    tmp_path: Path, kind: str, shown: str, code: int, words: str
) -> None:
    cluster = shipped_plan("homelab").bootstrap
    assert cluster
    for name, text in {"ssh-keyscan": KEYSCAN.format(kind=kind, shown=shown), "sleep": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    text = k3s.pin(cluster.maiar[0])
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, env=environment, timeout=30, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ("" if code else f"{shown} AAAA\n")
