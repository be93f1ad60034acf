"""The gates' own texts, run by a real shell with a machine that answers as it is told to."""

import subprocess
from pathlib import Path

from render import k3s
from tests.labs import shipped_plan

PLAN = shipped_plan("homelab")
URL = "https://git-mirror.ainur.homelab.example.com/iluvatar.git"


def run(folder: Path, text: str, sudo: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """`text` where `sudo` does this and nothing waits; what it asked, one line a call."""
    asked = folder / "asked"
    asked.touch()
    for name, does in {"sudo": f'echo "$*" >>{asked}\n{sudo}', "sleep": ":"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", text], env=path, capture_output=True, text=True, check=False, timeout=60)
    return done, asked.read_text(encoding="utf-8").splitlines()


def test_a_maia_is_waited_for_only_once_its_root_is_made(tmp_path: Path) -> None:
    assert PLAN.bootstrap
    made, asked = run(tmp_path, k3s.pi_root(PLAN.bootstrap.first), "echo rolled out")
    assert (made.returncode, made.stdout) == (0, "rolled out\n")
    assert asked == ["k3s kubectl -n netboot rollout status daemonset/pi-system --timeout=1s"]


def test_a_root_that_is_never_made_is_told_with_what_was_last_said(tmp_path: Path) -> None:
    assert PLAN.bootstrap
    done, asked = run(tmp_path, k3s.pi_root(PLAN.bootstrap.first), "echo 0 of 1 updated pods are available; exit 1")
    assert (done.returncode, len(asked)) == (1, 180)
    assert "the root that Pis without a card boot from is not made: 0 of 1 updated pods" in done.stderr


def test_the_mirror_is_asked_as_its_reader_will_by_address_and_by_the_lab_s_root(tmp_path: Path) -> None:
    text = k3s.BASE + k3s.mirror_answers(URL, "192.168.1.57", "arda")
    done, asked = run(tmp_path, text, ":")
    assert done.returncode == 0
    (words,) = (line.split() for line in asked)
    assert words[words.index("--resolve") + 1] == "git-mirror.ainur.homelab.example.com:443:192.168.1.57"
    assert words[words.index("--cacert") + 1] == "/var/lib/ilmarin/pki/root.crt"
    assert words[-1] == f"{URL}/info/refs?service=git-upload-pack"


def test_a_mirror_that_is_filled_and_does_not_answer_is_told_with_curl_s_words(tmp_path: Path) -> None:
    text = k3s.BASE + k3s.mirror_answers(URL, "192.168.1.57", "arda")
    done, _ = run(tmp_path, text, "echo 'curl: (22) The requested URL returned error: 404' >&2; exit 22")
    assert done.returncode == 1
    assert f"does not answer at {URL} (192.168.1.57), where arda will ask: curl: (22)" in done.stderr


STANDING = """case "$*" in
*--version) cat {0}/version ;;
*condition=Ready*) {2} ;;
*etcd-snapshot*) echo "$*" >{0}/snapshot ;;
"systemctl restart ilmarin-k3s") {1} ;;
cp*|mv*|rm*|install*) exec "$@" ;;
*) : ;;
esac"""


def upgraded(
    folder: Path, restart: str, *, told: str = "v1.2.3+k3s1", wait: str = ":"
) -> tuple[subprocess.CompletedProcess[str], Path, list[str]]:
    """The first server's text on a Vala of an older release, whose unit does `restart`; `told`: its settings' release,
    `wait`: what kubectl does when it waits for servers."""
    assert PLAN.bootstrap
    settings = folder / "node.env"
    settings.write_text(f"NODE=vala-1\nK3S_VERSION={told}\nAPI=x\n", encoding="utf-8")
    (folder / "version").write_text("k3s version v1.2.3+k3s1 (abc)\n", encoding="utf-8")
    for name in ("cloud-init", "systemctl"):
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    text = k3s.first_server(PLAN.bootstrap).replace("/etc/ilmarin/node.env", str(settings))
    done, asked = run(folder, text, STANDING.format(folder, restart, wait))
    return done, settings, asked


def test_another_release_is_told_to_the_pi_s_own_unit_after_a_snapshot_of_etcd(tmp_path: Path) -> None:
    assert PLAN.bootstrap
    done, settings, asked = upgraded(tmp_path, ":")
    assert done.returncode == 0, done.stderr
    assert settings.read_text() == f"NODE=vala-1\nAPI=x\nK3S_VERSION={PLAN.bootstrap.k3s}\n"
    kept = f"k3s etcd-snapshot save --name before-{PLAN.bootstrap.k3s.replace('+', '-')}"
    assert asked.index(kept) < asked.index("systemctl restart ilmarin-k3s")
    assert [path.name for path in tmp_path.glob("node.env*")] == ["node.env"]


def test_a_release_that_does_not_come_leaves_the_settings_as_they_were(tmp_path: Path) -> None:
    done, settings, _ = upgraded(tmp_path, "exit 1")
    assert done.returncode == 1
    assert "and stays with k3s version v1.2.3+k3s1" in done.stderr
    assert "K3S_VERSION=v1.2.3+k3s1\n" in settings.read_text()
    assert [path.name for path in tmp_path.glob("node.env*")] == ["node.env"]


NEW = f"echo 'k3s version {PLAN.bootstrap.k3s if PLAN.bootstrap else ''} (abc)' >{{0}}/version"


def test_a_release_that_is_in_place_and_late_to_answer_stays_in_the_settings(tmp_path: Path) -> None:
    """Put back, the unit would call its own binary an older minor's way back, and start no k3s after a reboot."""
    assert PLAN.bootstrap
    done, settings, _ = upgraded(tmp_path, f"{NEW.format(tmp_path)}; exit 1")
    assert done.returncode == 1
    assert f"{PLAN.bootstrap.k3s} is in place on vala-1, and does not come up" in done.stderr
    assert f"K3S_VERSION={PLAN.bootstrap.k3s}\n" in settings.read_text()


def test_an_upgrade_that_was_cut_once_the_settings_were_written_still_knows_the_way_back(tmp_path: Path) -> None:
    assert PLAN.bootstrap
    done, settings, _ = upgraded(tmp_path, "exit 1", told=PLAN.bootstrap.k3s)
    assert done.returncode == 1
    assert "K3S_VERSION=v1.2.3+k3s1\n" in settings.read_text()


def test_settings_that_name_another_release_than_the_one_that_runs_are_mended(tmp_path: Path) -> None:
    assert PLAN.bootstrap
    upgraded(tmp_path, f"{NEW.format(tmp_path)}; exit 1")
    (tmp_path / "node.env").write_text("NODE=vala-1\nK3S_VERSION=v1.2.3+k3s1\n", encoding="utf-8")
    text = k3s.first_server(PLAN.bootstrap).replace("/etc/ilmarin/node.env", str(tmp_path / "node.env"))
    done, _ = run(tmp_path, text, STANDING.format(tmp_path, "exit 1", ":"))
    assert done.returncode == 0, done.stderr
    assert f"K3S_VERSION={PLAN.bootstrap.k3s}\n" in (tmp_path / "node.env").read_text()


def test_while_a_server_is_away_no_other_one_is_upgraded(tmp_path: Path) -> None:
    done, settings, asked = upgraded(tmp_path, ":", wait="echo timed out waiting on nodes/vala-3; exit 1")
    assert done.returncode == 1
    assert "so vala-1 is not upgraded: timed out waiting on nodes/vala-3" in done.stderr
    assert "systemctl restart ilmarin-k3s" not in asked
    assert not [line for line in asked if "etcd-snapshot" in line]
    assert "K3S_VERSION=v1.2.3+k3s1\n" in settings.read_text()
