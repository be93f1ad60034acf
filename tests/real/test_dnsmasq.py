"""dnsmasq itself reads every configuration that is rendered for it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from render import dnsmasq
from tests.labs import planned, raw

pytestmark = pytest.mark.real


@pytest.mark.parametrize("mode", ["proxy", "server"])
def test_dnsmasq_reads_its_configuration(mode: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = mode
    file = tmp_path / "dnsmasq.conf"
    file.write_text(dnsmasq.configuration(planned(edited).network))
    command = [require_tool("dnsmasq"), "--test", f"--conf-file={file}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
