"""The builder's script, run for real against a server on loopback: what it lets through, survives and says."""

import functools
import io
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.real.fetching import SCRIPT, Builder, Handler, Publisher, sha256

pytestmark = pytest.mark.real
KERNEL, LOADER = b"kernel" * 5000, b"loader" * 3000
TALOS = "talos/1234/v1.2.3/kernel-amd64"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    published = Publisher()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, published))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    published.address = f"http://127.0.0.1:{server.server_port}"
    yield published
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["sh", "busybox"])
def builder(request: pytest.FixtureRequest, tmp_path: Path, require_tool: Callable[[str], str]) -> Builder:
    """With this machine's shell and programs, and with those of the builder's image: BusyBox's, and curl."""
    curl = require_tool("curl")
    if request.param == "sh":
        require_tool("xz")
        return Builder(tmp_path / "files", ["sh"], os.environ["PATH"])
    programs, busybox = tmp_path / "bin", require_tool("busybox")
    programs.mkdir()
    subprocess.run([busybox, "--install", "-s", str(programs)], check=True, timeout=30)
    (programs / "curl").symlink_to(curl)
    return Builder(tmp_path / "files", [str(programs / "sh")], str(programs))


def test_what_is_listed_is_brought_and_the_next_start_asks_nobody(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/k": KERNEL, "/l": LOADER}
    builder.lines = [f"{TALOS} first {publisher.at('/k')}", f"tftp/l sha256:{sha256(LOADER)} {publisher.at('/l')}"]
    first = builder.run()
    assert (first.returncode, first.stderr) == (0, "")
    assert (builder.file(TALOS), builder.file("tftp/l")) == (KERNEL, LOADER)
    assert f"network.netboot.checksums: {TALOS}: {sha256(KERNEL)}" in first.stdout
    publisher.asked.clear()
    again = builder.run()
    assert (again.returncode, publisher.asked) == (0, [])
    assert again.stdout.splitlines() == [f"{TALOS}: stands", "tftp/l: stands", "all is there"]
    assert sorted(one.name for one in (builder.folder / "fetched").iterdir()) == ["record"]


def test_a_wrong_hash_is_refused_and_the_old_file_stays(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/old": LOADER, "/new": b"not what was promised"}
    builder.lines = [f"tftp/l sha256:{sha256(LOADER)} {publisher.at('/old')}"]
    assert builder.run().returncode == 0
    builder.lines = [f"tftp/l sha256:{sha256(KERNEL)} {publisher.at('/new')}"]
    refused = builder.run()
    assert refused.returncode == 1
    assert f"came with sha256 {sha256(b'not what was promised')}, and {sha256(KERNEL)} is what" in refused.stderr
    assert builder.file("tftp/l") == LOADER
    publisher.files["/new"] = KERNEL
    assert builder.run().returncode == 0, "nothing of the wrong one is gone on with"
    assert builder.file("tftp/l") == KERNEL


def test_what_nobody_publishes_a_hash_of_may_never_change(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/k": KERNEL}
    builder.lines = [f"{TALOS} first {publisher.at('/k')}"]
    assert builder.run().returncode == 0
    (builder.folder / TALOS).unlink()
    publisher.files = {"/k": b"another kernel"}
    refused = builder.run()
    assert refused.returncode == 1
    assert f"and {sha256(KERNEL)} is what it must have" in refused.stderr
    assert builder.file(TALOS) is None
    publisher.files = {"/k": KERNEL}
    assert builder.run().returncode == 0


def test_a_file_that_rotted_on_the_disk_is_noticed_and_brought_again(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/k": KERNEL}
    builder.lines = [f"{TALOS} first {publisher.at('/k')}"]
    assert builder.run().returncode == 0
    (builder.folder / TALOS).write_bytes(KERNEL[:-1] + b"!")
    assert builder.run().returncode == 0
    assert builder.file(TALOS) == KERNEL


def test_a_transfer_cut_in_the_middle_is_gone_on_with(builder: Builder, publisher: Publisher) -> None:
    publisher.files, publisher.cut_after = {"/k": KERNEL}, 12_000
    builder.lines = [f"{TALOS} sha256:{sha256(KERNEL)} {publisher.at('/k')}"]
    cut = builder.run()
    assert (cut.returncode, builder.file(TALOS)) == (1, None)
    assert "/k: curl: (18)" in cut.stderr
    builder.run()
    assert builder.run().returncode == 0
    assert [ranged for _, ranged in publisher.asked] == ["", "bytes=12000-", "bytes=24000-"]
    assert builder.file(TALOS) == KERNEL


def test_killed_in_the_middle_it_goes_on_at_its_next_start(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/old": LOADER, "/k": KERNEL}
    builder.lines = [f"{TALOS} first {publisher.at('/old')}"]
    assert builder.run().returncode == 0
    publisher.cut_after, publisher.hangs = 12_000, True
    builder.lines = [f"{TALOS} sha256:{sha256(KERNEL)} {publisher.at('/k')}"]
    command, environment = builder.command()
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    assert publisher.stalls.wait(30)
    part = builder.folder / "fetched" / f"{sha256(publisher.at('/k').encode())[:16]}.part"
    for _ in range(500):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait(30) == -signal.SIGKILL
    assert builder.file(TALOS) == LOADER, "what is served stays"
    left = part.stat().st_size
    publisher.cut_after, publisher.hangs = None, False
    assert builder.run().returncode == 0
    assert builder.file(TALOS) == KERNEL
    assert publisher.asked[-1][1] == f"bytes={left}-"


def test_what_no_hash_will_judge_is_begun_anew_when_cut(builder: Builder, publisher: Publisher) -> None:
    """Two halves of two files would be written down as the right one, for ever."""
    publisher.files, publisher.cut_after = {"/k": KERNEL}, 12_000
    builder.lines = [f"{TALOS} first {publisher.at('/k')}"]
    assert builder.run().returncode == 1
    publisher.cut_after = None
    assert builder.run().returncode == 0
    assert [ranged for _, ranged in publisher.asked] == ["", ""]
    assert builder.file(TALOS) == KERNEL


def test_a_download_that_was_whole_when_the_builder_was_killed_is_used(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/k": KERNEL}
    url = publisher.at("/k")
    part = builder.folder / "fetched" / f"{sha256(url.encode())[:16]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(KERNEL)
    builder.lines = [f"{TALOS} sha256:{sha256(KERNEL)} {url}"]
    assert builder.run().returncode == 0
    assert builder.file(TALOS) == KERNEL


def test_what_is_not_there_is_one_sentence_and_the_rest_is_brought(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/l": LOADER}
    builder.lines = [f"{TALOS} first {publisher.at('/gone')}", f"tftp/l first {publisher.at('/l')}"]
    result = builder.run()
    assert (result.returncode, builder.file("tftp/l")) == (1, LOADER)
    assert result.stderr.splitlines() == [
        f"{publisher.at('/gone')}: curl: (22) The requested URL returned error: 404",
        "1 not brought; what was there before is served. It is tried again when this is started again",
    ]


def test_a_server_that_is_down_is_one_sentence(builder: Builder, publisher: Publisher) -> None:
    builder.lines = [f"{TALOS} first http://127.0.0.1:1/k"]
    result = builder.run()
    assert result.returncode == 1
    assert "http://127.0.0.1:1/k: curl: (7) Failed to connect" in result.stderr


def test_a_publishers_own_sums_are_asked_once(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/d/l": LOADER, "/d/SHA256SUMS": f"{'0' * 64} *other\n{sha256(LOADER)} *l\n".encode()}
    builder.lines = [f"tftp/l sums:{publisher.at('/d/SHA256SUMS')} {publisher.at('/d/l')}"]
    assert builder.run().returncode == 0
    publisher.files["/d/SHA256SUMS"] = f"{sha256(KERNEL)} *l\n".encode()
    publisher.files["/d/l"] = KERNEL
    (builder.folder / "tftp/l").unlink()
    assert builder.run().returncode == 1, "whoever changes the file may change the list beside it"
    publisher.files["/d/SHA256SUMS"] = b""
    builder.lines = [f"tftp/n sums:{publisher.at('/d/SHA256SUMS')} {publisher.at('/d/n')}"]
    assert "does not list n; is the version still published?" in builder.run().stderr


def _tar(mode: str, members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType] # the mode is data
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _deb(members: dict[str, bytes]) -> bytes:
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": _tar("w:xz", members)}
    packed = b"!<arch>\n"
    for name, content in parts.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        packed += b"\n" * (len(content) % 2)
    return packed


@pytest.mark.parametrize("kind", ["deb", "tar.gz"])
def test_members_are_taken_out_of_one_download(builder: Builder, publisher: Publisher, kind: str) -> None:
    members = {"usr/one": KERNEL, "usr/two": LOADER}
    packed = _deb({f"./{name}": content for name, content in members.items()}) if kind == "deb" else b""
    packed = packed or _tar("w:gz", members)
    publisher.files = {f"/p.{kind}": packed}
    source = f"sha256:{sha256(packed)} {publisher.at(f'/p.{kind}')}"
    builder.lines = [f"tftp/one {source} usr/one", f"tftp/two {source} usr/two"]
    result = builder.run()
    assert (result.returncode, result.stderr) == (0, "")
    assert (builder.file("tftp/one"), builder.file("tftp/two")) == (KERNEL, LOADER)
    assert len(publisher.asked) == 1
    builder.lines.append(f"tftp/three {source} usr/three")
    missing = builder.run()
    assert missing.returncode == 1
    assert "tftp/three: tar: " in missing.stderr
    assert builder.file("tftp/three") is None


def test_another_source_for_a_path_replaces_what_is_there(builder: Builder, publisher: Publisher) -> None:
    publisher.files = {"/v1": LOADER, "/v2": KERNEL}
    builder.lines = [f"tftp/l first {publisher.at('/v1')}"]
    assert builder.run().returncode == 0
    builder.lines = [f"tftp/l first {publisher.at('/v2')}"]
    assert builder.run().returncode == 0
    assert builder.file("tftp/l") == KERNEL
    builder.lines = [f"tftp/l first {publisher.at('/v1')}"]
    assert builder.run().returncode == 0
    assert builder.file("tftp/l") == LOADER


def test_what_left_the_list_goes_once_the_rest_is_there_and_nothing_else_goes(
    builder: Builder, publisher: Publisher
) -> None:
    publisher.files = {"/v1": KERNEL}
    builder.lines = [f"talos/1/k first {publisher.at('/v1')}"]
    assert builder.run().returncode == 0
    (builder.folder / "tftp" / "a1b2c351").mkdir(parents=True)
    (builder.folder / "tftp" / "a1b2c351" / "config.txt").write_text("somebody else's")
    builder.lines = [f"talos/2/k first {publisher.at('/v2')}"]
    assert builder.run().returncode == 1
    assert builder.file("talos/1/k") == KERNEL, "what is served stays until the new one is whole"
    publisher.files["/v2"] = LOADER
    assert "talos/1/k: no longer on the list, removed" in builder.run().stdout
    assert (builder.file("talos/1/k"), builder.file("talos/2/k")) == (None, LOADER)
    assert builder.file("tftp/a1b2c351/config.txt") == b"somebody else's"


def test_a_full_disk_is_said_and_leaves_what_is_served(
    builder: Builder, publisher: Publisher, require_tool: Callable[[str], str]
) -> None:
    limit = f'ulimit -f 16; exec {" ".join(builder.shell)} "$0" "$@"'  # 512 bytes each: no file beyond 8 KiB
    builder.shell = [require_tool("sh"), "-c", limit]
    publisher.files = {"/small": b"small", "/large": KERNEL}
    builder.lines = [f"tftp/l first {publisher.at('/small')}"]
    assert builder.run().returncode == 0
    builder.lines = [f"tftp/l first {publisher.at('/large')}"]
    full = builder.run()
    assert (full.returncode, builder.file("tftp/l")) == (1, b"small")
    assert f"{publisher.at('/large')}: " in full.stderr


def test_only_tls_is_spoken_where_no_test_says_otherwise(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files = {"/k": KERNEL}
    (tmp_path / "boot.list").write_text(f"{TALOS} first {publisher.at('/k')}\n")
    command = [shutil.which("sh") or "/bin/sh", str(SCRIPT), str(tmp_path / "boot.list"), str(tmp_path / "files")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert publisher.asked == []


def test_the_script_pleases_shellcheck(require_tool: Callable[[str], str]) -> None:
    result = subprocess.run([require_tool("shellcheck"), str(SCRIPT)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
