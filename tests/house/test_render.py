"""The folder that `./lab render` writes: what it holds, and what it never touches."""

import re
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.render import MARKER, NotOurs, write
from render.files import files
from render.pi_card import HOST_KEY
from tests.labs import ROOT, SHIPPED, raw, shipped_plan

KEYS, WORDS = ("PRIVATE KEY", "BEGIN OPENSSH"), ("password", "token:")


def rendered(lab: str, folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["render", lab, "--out", str(folder)])
    return result.exit_code, result.output


def held(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name not in (MARKER, HOST_KEY))
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


@pytest.mark.parametrize("lab", SHIPPED)
def test_it_holds_every_file_and_again_the_same(lab: str, tmp_path: Path) -> None:
    code, said = rendered(lab, tmp_path / "out")
    assert code == 0, said
    assert held(tmp_path / "out") == files(shipped_plan(lab))
    marker = (tmp_path / "out" / MARKER).read_bytes()
    assert rendered(lab, tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / MARKER).read_bytes() == marker


@pytest.mark.parametrize("lab", SHIPPED)
def test_nothing_in_it_is_secret(lab: str) -> None:
    for path, text in files(shipped_plan(lab)).items():
        text = text.replace("password = @PASSWORD@\n", "")  # what the watcher's own install.sh fills in
        text = text.replace("onepassword", "").replace("1password", "")  # a product's name
        text = re.sub(r"--from-file=\S+", "", text)  # which file a Secret's key is in
        # A Pi's seed carries scripts that speak of passwords and tokens: tests/render/test_cloud_init.py judges those
        speaks = path.endswith((".values.yaml", "user-data", "-pi-seed.yaml"))
        assert not [word for word in (KEYS if speaks else KEYS + WORDS) if word in text], path
        assert not path.startswith("secret/"), "that folder is its owner's"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_file_that_a_command_names_is_there(lab: str) -> None:
    made = files(shipped_plan(lab))
    words = made["by-hand.sh"].replace("@", " ").replace('"', " ").replace(")", " ").replace("=", " ").split()
    roots = {path.partition("/")[0] for path in made if "/" in path}
    named = {word for word in words if word.partition("/")[0] in roots and "/" in word and word.endswith(("ml", "sh"))}
    assert named
    assert named <= set(made)


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_scripts_are_scripts(lab: str, tmp_path: Path) -> None:
    assert rendered(lab, tmp_path / "out")[0] == 0
    scripts = list((tmp_path / "out").rglob("*.sh"))
    assert len(scripts) > 5
    for path in scripts:
        assert path.stat().st_mode & stat.S_IXUSR
        assert subprocess.run(["sh", "-n", str(path)], capture_output=True, check=False).returncode == 0, path


def test_a_folder_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs.txt").write_text("theirs")
    code, said = rendered("turing", tmp_path)
    assert code == 2
    assert "nothing there was written by" in said
    assert held(tmp_path) == {"theirs.txt": "theirs"}


def test_a_file_that_its_owner_changed_or_added_stops_everything_before_anything_is_touched(tmp_path: Path) -> None:
    made = {"a.txt": "1", "b/c.txt": "2"}
    write(tmp_path, "lab", made)
    (tmp_path / "b" / "c.txt").write_text("mine")
    with pytest.raises(NotOurs, match="was changed since"):
        write(tmp_path, "lab", {"a.txt": "new"})
    assert held(tmp_path) == {"a.txt": "1", "b/c.txt": "mine"}
    (tmp_path / "b" / "c.txt").write_text("2")
    (tmp_path / "new.txt").write_text("mine")
    with pytest.raises(NotOurs, match="was not written here"):
        write(tmp_path, "lab", {**made, "new.txt": "ours"})
    assert held(tmp_path) == {**made, "new.txt": "mine"}


def test_what_is_no_longer_made_goes_and_the_owner_s_secrets_stay(tmp_path: Path) -> None:
    write(tmp_path, "lab", {"a.txt": "1", "b/c/d.txt": "2"})
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secrets.yaml").write_text("the cluster")
    assert write(tmp_path, "lab", {"a.txt": "3"}) == ["b/c/d.txt"]
    assert held(tmp_path) == {"a.txt": "3", "secret/secrets.yaml": "the cluster"}
    assert not (tmp_path / "b").exists()


def test_a_folder_holds_one_lab_since_its_secrets_are_one_lab_s(tmp_path: Path) -> None:
    write(tmp_path, "one", {"a.txt": "1"})
    with pytest.raises(NotOurs, match="is one's"):
        write(tmp_path, "other", {"a.txt": "1"})


def test_a_run_that_was_cut_off_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "lab", {"a.txt": "1", "b.txt": "1"})
    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        if target.name == "b.txt":
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, "lab", {"a.txt": "2", "b.txt": "2"})
    write(tmp_path, "lab", {"a.txt": "2", "b.txt": "2"})
    assert {path: text for path, text in held(tmp_path).items() if not path.startswith(".")} == {
        "a.txt": "2",
        "b.txt": "2",
    }


@pytest.mark.parametrize(
    "marker", ["", "[]", "{}", '{"lab": "lab", "files": {"../a": []}}', '{"lab": "lab", "files": 7}']
)
def test_a_marker_that_somebody_wrote_is_not_trusted(marker: str, tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(marker)
    with pytest.raises(NotOurs):
        write(tmp_path, "lab", {"a.txt": "1"})


def test_an_invalid_lab_is_refused_with_its_findings(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text("config:\n  iluvatar:environment:\n    name: bad\n")
    code, said = rendered(str(file), tmp_path / "out")
    assert code == 1
    assert "domain" in said
    assert not (tmp_path / "out").exists()


CARD = "ainur/vala-1/card"


def _printed_keys(said: str) -> list[str]:
    return [line.strip().removeprefix("host_key: ") for line in said.splitlines() if "host_key: ssh-" in line]


def test_a_card_gets_a_host_key_once_and_the_line_for_the_stack_file_until_it_stands_there(tmp_path: Path) -> None:
    code, said = rendered("homelab", tmp_path / "out")
    assert code == 0, said
    key = tmp_path / "out" / CARD / HOST_KEY
    private = key.read_text()
    public = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    assert _printed_keys(said) == [" ".join(public.split()[:2])]
    assert str(key) in said.replace("\n", "")
    again = rendered("homelab", tmp_path / "out")[1]
    assert key.read_text() == private, "a card may be made of it already"
    assert _printed_keys(again) == _printed_keys(said)
    known = (
        (ROOT / "Pulumi.homelab.yaml")
        .read_text()
        .replace(raw("homelab")["bootstrap"]["nodes"]["vala-1"]["host_key"], public.strip())
    )
    file = tmp_path / "Pulumi.homelab.yaml"
    file.write_text(known)
    assert not _printed_keys(rendered(str(file), tmp_path / "out")[1])


def test_a_card_s_private_half_is_its_owner_s_alone_and_nowhere_else(tmp_path: Path) -> None:
    code, said = rendered("homelab", tmp_path / "out")
    assert code == 0, said
    secret = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text()]
    assert [path.relative_to(tmp_path / "out").as_posix() for path in secret] == [f"{CARD}/{HOST_KEY}"]
    assert "PRIVATE KEY" not in said
    assert stat.S_IMODE(secret[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(secret[0].parent.stat().st_mode) == 0o700
    assert not list((tmp_path / "out" / CARD).glob("*.pub"))


def test_a_card_s_private_half_cannot_reach_a_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert rendered("homelab", tmp_path / "out")[0] == 0
    subprocess.run(["git", "-C", str(tmp_path), "add", "--all"], check=True)
    listed = subprocess.run(["git", "-C", str(tmp_path), "ls-files"], capture_output=True, text=True, check=True).stdout
    assert f"out/{CARD}/user-data" in listed
    assert HOST_KEY not in listed


def test_a_host_key_that_cannot_be_read_is_said_and_not_replaced(tmp_path: Path) -> None:
    assert rendered("homelab", tmp_path / "out")[0] == 0
    key = tmp_path / "out" / CARD / HOST_KEY
    key.write_text("damaged")
    code, said = rendered("homelab", tmp_path / "out")
    assert code == 2
    assert HOST_KEY in said
    assert key.read_text() == "damaged"
