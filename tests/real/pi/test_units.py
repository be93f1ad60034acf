"""The Pis' units, judged by systemd; the scripts' headings held against what the scripts do."""

import configparser
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.pi.box import SCRIPTS, VALA

pytestmark = pytest.mark.real

UNITS = SCRIPTS.parent / "units"
JOBS = sorted(script.stem for script in SCRIPTS.glob("*.sh"))


def unit(name: str) -> configparser.ConfigParser:
    """A unit's text; of a key that comes several times the last."""
    read = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment]  # a key's case matters to systemd
    read.read_string((UNITS / name).read_text())
    return read


def test_systemd_has_nothing_to_say_of_any_unit(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """In a root of their own, where what they run is there: a command that is missing would be all it speaks of."""
    analyze = require_tool("systemd-analyze")
    place = tmp_path / "etc" / "systemd" / "system"
    place.mkdir(parents=True)
    library = tmp_path / "usr" / "lib" / "systemd"
    library.parent.mkdir(parents=True)
    shutil.copytree("/lib/systemd/system", library / "system", symlinks=True)
    programs = [f"usr/local/lib/ilmarin/{job}.sh" for job in JOBS]
    for program in (*programs, "usr/local/bin/k3s", "usr/bin/systemctl", "sbin/modprobe", "bin/sh"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    ours = sorted(UNITS.iterdir())
    for one in ours:
        (place / one.name).write_text(one.read_text())
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", f"--root={tmp_path}"]
    done = subprocess.run(
        [*command, *(one.name for one in ours)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("job", JOBS)
def test_every_script_has_a_unit_that_runs_it_and_is_wanted_by_the_pi_s_target(job: str) -> None:
    read = unit(f"ilmarin-{job}.service")
    assert read["Service"]["ExecStart"] == f"/usr/local/lib/ilmarin/{job}.sh"
    trigger = {"trust": "ilmarin-trust.timer"}.get(job, f"ilmarin-{job}.service")
    assert unit(trigger)["Install"]["WantedBy"] == "ilmarin.target"


def test_no_unit_starts_a_refused_token_again() -> None:
    """Neither the path, which would while the file exists, nor the service, when the script says that it is final."""
    assert set(unit("ilmarin-token.path")["Path"]) == {"PathChanged"}
    assert unit("ilmarin-token.service")["Service"]["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize("name", sorted(one.name for one in UNITS.glob("*.service")))
def test_what_is_started_again_ends_at_a_limit(name: str) -> None:
    """But what waits for the internet or the cluster: those may be away for days, and nobody looks then."""
    read = unit(name)
    if name in ("ilmarin-k3s.service", "ilmarin-packages.service", "ilmarin-token.service"):
        assert read["Unit"]["StartLimitIntervalSec"] == "0"
        assert int(read["Service"]["RestartSec"]) >= 60
    elif "Restart" in read["Service"]:
        assert int(read["Unit"]["StartLimitBurst"]) > 1
        assert read["Unit"]["StartLimitIntervalSec"] != "0"


def test_the_authority_is_looked_at_every_month_and_not_at_boots_alone() -> None:
    """A timer starts nothing that is still active: a service that remained so would never run again."""
    assert unit("ilmarin-pki.timer")["Timer"]["OnCalendar"] == "monthly"
    assert "RemainAfterExit" not in unit("ilmarin-pki.service")["Service"]
    assert "Wants" not in unit("ilmarin-trust.service")["Unit"], "it would sign every two minutes"


def test_a_late_disk_lets_in_what_was_refused_for_want_of_it() -> None:
    """systemd starts nobody again whose dependency failed."""
    text = (UNITS / "ilmarin-keep.service").read_text()
    needs = [one.name for one in UNITS.iterdir() if "Requires=ilmarin-keep.service" in one.read_text()]
    assert len(needs) > 2
    for name in needs:
        assert f"--no-block start {name}" in text


@pytest.mark.parametrize("job", JOBS)
def test_a_heading_names_every_setting_that_the_script_wants(job: str) -> None:
    text = (SCRIPTS / f"{job}.sh").read_text()
    heading, _, body = text.partition("set -eu")
    wanted = set(re.findall(r"^for key in ([A-Z0-9_ ]+); do$", body, re.M)[0].split())
    optional = set(re.findall(r"\$\{([A-Z0-9_]+):-", body))
    reads = re.search(r"^# Reads (.*?)^# Leaves", heading, re.M | re.S)
    assert reads
    assert wanted | optional <= set(re.findall(r"[A-Z][A-Z0-9_]+", reads[1]))
    assert "# Refuses " in heading


@pytest.mark.parametrize("job", JOBS)
def test_a_setting_that_is_missing_is_named_by_every_script(job: str, tmp_path: Path) -> None:
    """Run where nothing of a Pi is: the very first thing is to read the settings."""
    wanted = re.findall(r"^for key in ([A-Z0-9_ ]+); do$", (SCRIPTS / f"{job}.sh").read_text(), re.M)[0].split()
    settings = tmp_path / "node.env"
    settings.write_text("".join(f"{key}={value}\n" for key, value in VALA.items() if key != wanted[0]))
    text = (SCRIPTS / f"{job}.sh").read_text().replace("/etc/ilmarin/node.env", str(settings))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr == f"ilmarin-{job}: {wanted[0]} is missing in {settings}: render the seed again\n"


def test_the_page_of_the_scripts_has_every_script_unit_and_setting() -> None:
    page = (SCRIPTS.parent / "README.md").read_text()
    for job in JOBS:
        assert f"\n| {job} |" in page
    for one in UNITS.iterdir():
        assert f"`{one.name}`" in page
    for key in {*VALA, "K3S_RELEASES", "IMAGE_URL", "IMAGE_SHA256", "SEED_URL", "WAIT"}:
        assert f"`{key}`" in page
