"""The lab sets itself up: once, whole or not at all, with any Python that will do, wherever it is called from."""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.fakes import write_script
from tests.house.sources import ROOT
from tools import bootstrap
from tools.bootstrap import SetupFailed
from tools.waiting import Progress

STUB_CLI = """
import os, sys, demo
print("lab", sys.argv[1:], os.getcwd(), os.environ["LAB_CALLED_FROM"], sep="|")
"""


def _wheel(folder: Path, version: str) -> str:
    """A wheel of one empty module in `folder`; its sha256."""
    info = f"demo-{version}.dist-info"
    content = {
        "demo.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digest = {name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for name, text in content.items()}
    rows = [f"{name},sha256={digest[name].decode().rstrip('=')},{len(text)}" for name, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"])
    path = folder / f"demo-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checkout(folder: Path) -> Path:
    """A checkout with the real set-up, a lock of one package that needs no network, and a stub of a command line."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__", "go.*"))
    shutil.copy(ROOT / "lab", folder / "lab")
    (folder / "cli").mkdir()
    (folder / "cli" / "__main__.py").write_text(STUB_CLI)
    (folder / "wheels").mkdir()
    _lock(folder, _wheel(folder / "wheels", "1.0"))
    return folder


def _lock(folder: Path, sha256: str) -> None:
    (folder / "requirements.txt").write_text(
        f"--no-index\n--find-links ./wheels\ndemo==1.0 \\\n    --hash=sha256:{sha256}\n"
    )


def _run(*command: str | Path, cwd: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env["PATH"] = path or env["PATH"]
    return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, env=env)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout that was set up by one run of ./lab, in a folder with a space in its name."""
    folder = _checkout(tmp_path_factory.mktemp("home") / "my lab")
    first = _run(folder / "lab", "first", cwd=folder)
    assert first.returncode == 0, first.stderr
    assert "Set up: the packages are in .venv" in first.stderr
    return folder


@pytest.fixture
def quiet():
    """A progress that nobody sees."""
    return Progress(io.StringIO())


def test_a_warm_lab_says_nothing_of_its_own(checkout):
    warm = _run(checkout / "lab", "check", "two words", cwd=checkout)
    assert (warm.returncode, warm.stderr) == (0, "")
    assert warm.stdout.startswith("lab|['check', 'two words']|")


def test_the_lab_works_from_another_folder_and_says_which(checkout, tmp_path):
    run = _run(checkout / "lab", cwd=tmp_path)
    assert run.stdout == f"lab|[]|{checkout.resolve()}|{tmp_path}\n"


def test_the_lab_works_through_a_chain_of_links(checkout, tmp_path):
    (tmp_path / "far").symlink_to(checkout / "lab")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lab").symlink_to("../far")
    run = _run("lab", cwd=tmp_path, path=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert run.stdout.startswith(f"lab|[]|{checkout.resolve()}|"), run.stderr


def test_an_exit_code_of_the_command_line_is_the_labs(checkout, monkeypatch):
    stub = checkout / "cli" / "__main__.py"
    stub.write_text("raise SystemExit(7)")
    try:
        assert _run(checkout / "lab", cwd=checkout).returncode == 7
    finally:
        stub.write_text(STUB_CLI)


def test_two_first_runs_at_once_set_up_once(tmp_path):
    folder = _checkout(tmp_path / "lab")
    runs = [
        subprocess.Popen([folder / "lab"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sum("Set up:" in stderr for _, stderr in said) == 1, said


def test_a_file_that_is_not_what_the_lock_says_is_not_installed(tmp_path):
    folder = _checkout(tmp_path / "lab")
    _lock(folder, "0" * 64)
    run = _run(folder / "lab", cwd=folder)
    assert run.returncode == 2
    assert "HASHES" in run.stderr, "pip's own reason is what helps"
    assert "Traceback" not in run.stderr
    assert not bootstrap.is_ready(folder)


@pytest.fixture
def bins(tmp_path):
    """A PATH of its own that holds `cmp` and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cmp", "readlink"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def _python(path: Path, probe: int) -> None:
    """A Python whose fitness probe ends with `probe`, and which says its name when it is to set up."""
    write_script(path, f'[ "$1" = -c ] && exit {probe}; echo "{path.name} $*"; exit 9')


def _cold(folder: Path) -> Path:
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.sh", folder / "tools")
    (folder / "requirements.txt").write_text("")
    return folder


def test_an_old_python3_is_passed_over_for_a_newer_one(tmp_path, bins):
    _python(bins / "python3", 4)
    _python(bins / "python3.12", 0)
    run = _run("/bin/sh", "tools/setup.sh", cwd=_cold(tmp_path / "lab"), path=str(bins))
    assert (run.returncode, run.stdout) == (9, "python3.12 -m tools.bootstrap\n"), run.stderr


def test_a_python_that_cannot_make_environments_is_the_last_resort(tmp_path, bins):
    _python(bins / "python3", 3)
    cold = _cold(tmp_path / "lab")
    assert _run("/bin/sh", "tools/setup.sh", cwd=cold, path=str(bins)).stdout.startswith("python3 -m")
    _python(bins / "python3.11", 0)
    assert _run("/bin/sh", "tools/setup.sh", cwd=cold, path=str(bins)).stdout.startswith("python3.11 -m")


def test_without_any_python_one_sentence_says_what_is_needed(tmp_path, bins):
    run = _run("/bin/sh", "tools/setup.sh", cwd=_cold(tmp_path / "lab"), path=str(bins))
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("Ilúvatar needs Python 3.11 or newer")
    assert run.stderr.count("\n") == 1


def test_a_python_without_ensurepip_is_told_how_to_mend_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SetupFailed, match=r"sudo apt install python3\.\d+-venv"):
        bootstrap.refuse_without_venv()


def _made_by(monkeypatch, install):
    def make_empty(venv: Path, _: Progress) -> None:
        shutil.rmtree(venv, ignore_errors=True)
        (venv / "bin").mkdir(parents=True)
        (venv / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(bootstrap, "make_empty", make_empty)
    monkeypatch.setattr(bootstrap, "install", install)


def test_a_set_up_cut_in_the_middle_is_never_taken_for_whole(tmp_path, monkeypatch, quiet):
    (tmp_path / "requirements.txt").write_text("demo==1.0\n")

    def cut(venv: Path, lock: Path, progress: Progress) -> None:
        (venv / "half").touch()
        raise KeyboardInterrupt

    _made_by(monkeypatch, cut)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.make(tmp_path, quiet)
    assert not bootstrap.is_ready(tmp_path)

    _made_by(monkeypatch, lambda venv, lock, progress: None)
    bootstrap.make(tmp_path, quiet)
    assert bootstrap.is_ready(tmp_path)
    assert not (tmp_path / ".venv" / "half").exists()


def test_another_lock_or_a_vanished_python_sets_up_anew(tmp_path, monkeypatch, quiet):
    (tmp_path / "requirements.txt").write_text("demo==1.0\n")
    _made_by(monkeypatch, lambda venv, lock, progress: None)
    bootstrap.make(tmp_path, quiet)
    (tmp_path / "requirements.txt").write_text("demo==1.1\n")
    assert not bootstrap.is_ready(tmp_path)
    bootstrap.make(tmp_path, quiet)
    (tmp_path / ".venv" / "bin" / "python").unlink()
    assert not bootstrap.is_ready(tmp_path)


def test_ctrl_c_ends_without_a_traceback(monkeypatch, capsys):
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "make", cut)
    assert bootstrap.main() == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "doing"),
    [
        ([], "fetching package 0 of 2"),
        (["Collecting a==1 (from -r x)", "  Downloading a"], "fetching package 1 of 2"),
        (["Collecting a==1", "Ignoring b: markers", "Installing collected packages: a"], "installing 2 packages"),
    ],
)
def test_progress_says_how_far_pip_is(tmp_path, monkeypatch, said, doing):
    shown: list[str] = []
    (tmp_path / "lock").write_text("a==1 \\\n    --hash=sha256:0\nb==2 ; sys_platform == 'win32'\n")
    monkeypatch.setattr(Progress, "show", lambda _, words: shown.append(words))
    monkeypatch.setattr(bootstrap, "watch", lambda command, tick, env: (tick(said), (0, said))[1])
    bootstrap.install(tmp_path, tmp_path / "lock", Progress(io.StringIO()))
    assert shown == [f"Setting up, once: {doing}"]


def test_a_log_gets_a_line_now_and_then_and_a_terminal_one_line_rewritten():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for out, expected in ((io.StringIO(), "a (0 s)\nc (12 s)\ndone (12 s)\n"), (Terminal(), None)):
        times = iter([0.0, 0.0, 5.0, 12.0, 12.0])
        progress = Progress(out, clock=lambda times=times: next(times))
        for doing in "abc":
            progress.show(doing)
        progress.close("done")
        assert out.getvalue() == (expected or "\r\033[Ka (0 s)\r\033[Kb (5 s)\r\033[Kc (12 s)\r\033[Kdone (12 s)\n")
