"""The rack itself, with the real engine and a program of five resources: what it keeps, refuses and never touches."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.engine_events import Transcript
from rehearsal.rack import Rack, open_rack
from rehearsal.rack_folder import Lab
from rehearsal.report import plain_outputs, protected

TOY = Path(__file__).parent / "fixtures" / "toy"
AS_SHIPPED = (TOY / "Pulumi.toy.yaml").read_text()


class Toy:
    """The toy lab in a folder of its own; `write` changes its stack file as the owner would."""

    def __init__(self, folder: Path, engine: Path) -> None:
        self.file = folder / "Pulumi.toy.yaml"
        self.racks = folder / "racks"
        self.rack = self.racks / "toy"
        self._engine = engine
        self.write()

    def write(self, *lines: str) -> None:
        """The shipped stack file with `lines` added to its environment."""
        added = "".join(f"    {line}\n" for line in lines)
        self.file.write_text(AS_SHIPPED.replace("encryptionsalt:", f"{added}encryptionsalt:"))

    @contextmanager
    def open(self, *, fresh: bool = False) -> Iterator[Rack]:
        lab = Lab("toy", self.file, TOY / "gitops", TOY / "__main__.py", "toy")
        with open_rack(self.racks, lab, self._engine, fresh=fresh, doing="a test") as rack:
            yield rack


@pytest.fixture
def toy(tmp_path: Path, engine: Path) -> Toy:
    return Toy(tmp_path, engine)


def test_a_preview_promises_what_up_makes_and_a_second_up_has_nothing_to_do(toy: Toy):
    with toy.open() as rack:
        preview, first, second = rack.run("preview"), rack.run("up"), rack.run("up")
    assert [run.trouble for run in (preview, first, second)] == ["", "", ""]
    assert len(first.transcript.created()) == 4
    assert preview.transcript.created() == first.transcript.created()
    assert second.transcript.changed() == []


def test_a_rack_is_kept_between_calls_and_an_edit_changes_only_what_it_says(toy: Toy):
    with toy.open() as rack:
        assert rack.run("up").well
    toy.write("precious: true")
    with toy.open() as rack:
        assert [step.name for step in rack.run("preview").transcript.changed()] == ["arda-secrets"]
        assert [step.name for step in rack.run("up").transcript.changed()] == ["arda-secrets"]
    with toy.open(fresh=True) as rack:
        assert len(rack.run("preview").transcript.created()) == 5


def test_what_changes_without_an_edit_is_found(toy: Toy):
    toy.write("moody: true")
    with toy.open() as rack:
        rack.run("up")
        assert [step.name for step in rack.run("up").transcript.changed()] == ["arda-moody"]


def test_a_refused_destroy_has_touched_nothing(toy: Toy):
    """Incident: the Automation API destroys without looking first; what was not protected had gone already."""
    toy.write("precious: true")
    with toy.open() as rack:
        rack.run("up")
        refused = rack.run("destroy")
        assert refused.refused
        assert "protected" in refused.errors()[0].message
        assert len(rack.state()["resources"]) == 5
        assert [urn.split("::")[-1] for urn in protected(rack.state())] == ["arda-secrets"]
        rack.unprotect()
        assert rack.run("destroy").well
        assert not rack.state().get("resources")


def test_the_program_s_own_words_come_back_when_it_fails(toy: Toy):
    toy.write("fails: the pool swallows the VIP")
    with toy.open() as rack:
        run = rack.run("preview")
    assert not run.well
    assert not run.stopped
    assert [entry.message.splitlines()[0] for entry in run.errors()] == ["the pool swallows the VIP"]
    assert "Traceback" not in run.errors()[0].message


def test_the_person_s_own_files_and_environment_are_left_alone(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KUBECONFIG", "/real/kubeconfig")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://real.example.com")
    before, where = toy.file.read_text(), Path.cwd()
    with toy.open() as rack:
        assert rack.run("up").well
        outputs, _ = plain_outputs(rack.state())
    assert toy.file.read_text() == before
    assert list(home.iterdir()) == []
    assert "KUBECONFIG" not in outputs["sees"]
    assert "PULUMI_BACKEND_URL" not in outputs["sees"]
    assert os.environ["KUBECONFIG"] == "/real/kubeconfig"
    assert outputs["stands"] == str(toy.rack / "work")
    assert Path.cwd() == where


def test_no_secret_of_the_rack_stands_anywhere_in_clear(toy: Toy):
    with toy.open() as rack:
        rack.run("up")
        said = "".join(repr(rack.run("up").transcript))
    key = re.compile(rb"BEGIN OPENSSH PRIVATE KEY|b3BlbnNzaC1rZXk")  # the second is how its first bytes are encoded
    holding = [path for path in toy.rack.rglob("*") if path.is_file() and key.search(path.read_bytes())]
    assert holding == []
    assert not key.search(said.encode())


def test_a_rack_is_readable_by_its_owner_only(toy: Toy):
    with toy.open() as rack:
        rack.run("preview")
    assert toy.rack.stat().st_mode & 0o077 == 0
    for name in ("keys.json", "world.json", "sealed.yaml"):
        assert (toy.rack / name).stat().st_mode & 0o077 == 0, name


def _once(then: Callable[[], object]) -> Callable[[Transcript], None]:
    """A notice that does `then` once, from another thread, as soon as something is registered."""
    done = threading.Event()

    def notice(_: Transcript) -> None:
        if not done.is_set():
            done.set()
            threading.Thread(target=then).start()

    return notice


def test_ctrl_c_ends_the_engine_in_order_and_the_next_run_goes_on(toy: Toy):
    toy.write("sleeps: 2")
    with toy.open() as rack:
        run = rack.run("up", _once(lambda: os.kill(os.getpid(), signal.SIGINT)))
        assert run.stopped
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    toy.write()
    with toy.open() as rack:
        assert rack.lifted == []
        assert rack.run("up").well


def _engine_of(parent: int) -> int:
    """The process id of the engine that `parent` runs."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
    found = [line.split(None, 2) for line in listing.stdout.splitlines()]
    return next(int(pid) for pid, ppid, name in found if int(ppid) == parent and name == "pulumi")


def test_a_killed_engine_s_lock_is_lifted_by_the_next_run(toy: Toy):
    toy.write("sleeps: 1")
    pids: list[int] = []

    def kill() -> None:
        pids.append(_engine_of(os.getpid()))
        os.kill(pids[0], signal.SIGKILL)

    with toy.open() as rack:
        run = rack.run("up", _once(kill))
        assert not run.well
        assert "died without a word" in run.errors()[0].message
    with toy.open() as rack:
        assert [lock.pid for lock in rack.lifted] == pids
        assert rack.run("up").well


def test_what_a_killed_rehearsal_started_ends_by_itself_and_is_waited_for(toy: Toy, tmp_path: Path, engine: Path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from tests.rehearsal.test_rack_life import Toy\n"
        "with Toy(Path(sys.argv[2]), Path(sys.argv[3])).open():\n"
        "    print('open', flush=True)\n"
        "    input()\n"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", script, root, str(tmp_path), str(engine)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        process.kill()
    with toy.open() as rack:
        assert rack.run("preview").well
