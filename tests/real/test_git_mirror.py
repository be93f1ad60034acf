"""The Git mirror's own programs, run for real over loopback: what it keeps, says and survives."""

import http.client
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.real.mirroring import Mirror, Upstream, asked, free_port, git, kill, serve

pytestmark = pytest.mark.real


@pytest.fixture
def upstream(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Upstream]:
    require_tool("git")
    require_tool("flock")
    found = Upstream(tmp_path / "upstream")
    found.up()
    yield found
    found.down()


@pytest.fixture
def mirror(tmp_path: Path, upstream: Upstream) -> Mirror:
    (tmp_path / "mirror").mkdir()
    return Mirror(tmp_path / "mirror", upstream.url)


def test_a_revision_is_there_by_branch_tag_and_commit(upstream: Upstream, mirror: Mirror) -> None:
    first = upstream.commit("one")
    git(upstream.work, "tag", "--annotate", "--message", "x", "v1.2.3")
    git(upstream.work, "push", "--quiet", "origin", "v1.2.3")
    second = upstream.commit("two")
    for revision, commit in (("main", second), ("v1.2.3", first), (first, first)):
        ran = mirror.fetch(revision)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{commit}\n", "")


def test_a_revision_that_upstream_lacks_is_told_with_what_it_has(upstream: Upstream, mirror: Mirror) -> None:
    upstream.commit("one")
    ran = mirror.fetch("mian")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"{upstream.url} has no branch, tag or commit mian; it has: main \n"


def test_an_empty_upstream_has_no_revision(mirror: Mirror) -> None:
    ran = mirror.fetch()
    assert ran.returncode == 2
    assert "has no branch, tag or commit at all" in ran.stderr


def test_while_upstream_is_down_what_was_fetched_counts_and_nothing_else(upstream: Upstream, mirror: Mirror) -> None:
    commit = upstream.commit("one")
    mirror.fetch()
    upstream.down()
    there, absent = mirror.fetch("main"), mirror.fetch("next")
    assert (there.returncode, there.stdout) == (0, f"{commit}\n")
    assert f"{upstream.url} did not answer as a repository: " in there.stderr
    assert there.stderr.endswith("what was fetched before is served\n")
    assert (absent.returncode, absent.stdout) == (1, "")
    assert absent.stderr.endswith("next is not in the mirror\n")


def test_a_first_fetch_without_upstream_says_so_and_the_next_one_heals(upstream: Upstream, mirror: Mirror) -> None:
    commit = upstream.commit("one")
    upstream.down()
    assert mirror.fetch("main").returncode == 1
    upstream.up()
    assert mirror.fetch("main").stdout == f"{commit}\n"


def test_a_wrong_address_is_told_and_takes_nothing_away(upstream: Upstream, mirror: Mirror) -> None:
    commit = upstream.commit("one")
    mirror.fetch()
    # The server here answers for its one repository by any name, but by no path below
    wrong = Mirror(mirror.folder, upstream.url.replace("iluvatar.git", "typo/iluvatar.git"))
    ran = wrong.fetch("main")
    assert (ran.returncode, ran.stdout) == (0, f"{commit}\n")
    assert "typo/iluvatar.git did not answer as a repository" in ran.stderr
    other = Mirror(mirror.folder / "fresh", wrong.url)
    assert other.fetch("main").returncode == 1


def test_a_forced_push_and_a_deleted_branch_are_followed(upstream: Upstream, mirror: Mirror) -> None:
    upstream.commit("one")
    upstream.commit("aside", branch="aside")
    mirror.fetch()
    assert mirror.has("refs/heads/aside")
    git(upstream.work, "checkout", "--quiet", "--orphan", "anew")
    rewritten = upstream.commit("other history", branch="main")
    git(upstream.work, "push", "--quiet", "origin", ":aside")
    assert mirror.fetch("main").stdout == f"{rewritten}\n"
    assert mirror.has("refs/heads/aside") is None


class Slow(BaseHTTPRequestHandler):
    """An upstream that begins to answer and goes on forever."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        self.end_headers()
        while True:
            self.wfile.write(b"0")
            time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        pass


def test_a_first_fetch_that_is_cut_leaves_nothing_in_the_way(upstream: Upstream, mirror: Mirror) -> None:
    """Killed while upstream sends, and with the leavings of a Git that was killed elsewhere."""
    hanging = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=hanging.serve_forever, daemon=True).start()
    run = Mirror(mirror.folder, f"http://127.0.0.1:{hanging.server_port}/iluvatar.git").start()
    for _ in range(100):
        if (mirror.repository / "HEAD").exists():
            break
        time.sleep(0.05)
    kill(run)
    hanging.shutdown()
    hanging.server_close()
    for left in ("packed-refs.lock", "HEAD.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_x"):
        (mirror.repository / left).write_text("half")
    commit = upstream.commit("one")
    assert mirror.fetch("main").stdout == f"{commit}\n"
    assert not list(mirror.repository.rglob("*.lock"))
    assert not list(mirror.repository.rglob("tmp_*"))


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.3])
def test_a_fetch_killed_at_any_moment_is_whole_or_not_at_all(upstream: Upstream, mirror: Mirror, after: float) -> None:
    first = upstream.commit("one")
    mirror.fetch()
    second = upstream.commit("two", size=4_000_000)
    run = mirror.start("main")
    time.sleep(after)
    kill(run)
    assert mirror.has("refs/heads/main") in (first, second)
    assert git(mirror.repository, "fsck", "--connectivity-only", "--no-dangling") == ""
    assert mirror.fetch("main").stdout == f"{second}\n"


def test_two_runs_at_once_wait_for_each_other(upstream: Upstream, mirror: Mirror) -> None:
    commit = upstream.commit("one", size=2_000_000)
    run = mirror.start()
    assert mirror.fetch("main").stdout == f"{commit}\n"
    assert run.wait(30) == 0


def test_a_call_that_makes_no_sense_is_refused(mirror: Mirror) -> None:
    assert [mirror.fetch(*words).returncode for words in (("a", "b"), ("--upload-pack=x",))] == [64, 64]


@pytest.fixture
def served(upstream: Upstream, mirror: Mirror) -> Iterator[str]:
    """The mirror over HTTP, before anything was fetched."""
    assert upstream.port
    mirror.repository.mkdir(parents=True)
    port = free_port()
    server = serve(mirror.repository, port)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


def test_the_mirror_is_ready_once_a_revision_is_there(upstream: Upstream, mirror: Mirror, served: str) -> None:
    assert asked(f"{served}/ready") == 503
    mirror.fetch()
    assert asked(f"{served}/ready") == 503
    upstream.commit("one")
    mirror.fetch()
    assert asked(f"{served}/ready") == 200


@pytest.mark.parametrize("version", ["0", "2"])
def test_git_clones_and_follows_the_mirror(upstream: Upstream, mirror: Mirror, served: str, version: str) -> None:
    upstream.commit("one", size=3_000_000)
    mirror.fetch()
    clone = mirror.folder / "clone"
    git(mirror.folder, "-c", f"protocol.version={version}", "clone", "--quiet", f"{served}/iluvatar.git", str(clone))
    second = upstream.commit("two")
    mirror.fetch()
    git(clone, "-c", f"protocol.version={version}", "pull", "--quiet")
    assert git(clone, "rev-parse", "HEAD") == second


def test_a_request_in_chunks_is_read_whole(upstream: Upstream, mirror: Mirror, served: str) -> None:
    """As Git sends one that is longer than `http.postBuffer`."""
    commit = upstream.commit("one")
    mirror.fetch()
    asking = http.client.HTTPConnection(served.removeprefix("http://"), timeout=20)
    headers = {"Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": "version=2"}
    body = iter([b"0014command=ls-", b"refs\n0000"])
    asking.request("POST", "/iluvatar.git/git-upload-pack", body, headers, encode_chunked=True)
    answer = asking.getresponse()
    assert answer.status == 200
    assert f"{commit} refs/heads/main".encode() in answer.read()
    asking.close()


def test_the_mirror_takes_no_push_and_serves_no_file(upstream: Upstream, mirror: Mirror, served: str) -> None:
    upstream.commit("one")
    mirror.fetch()
    clone = mirror.folder / "clone"
    git(mirror.folder, "clone", "--quiet", f"{served}/iluvatar.git", str(clone))
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "mine")
    with pytest.raises(subprocess.CalledProcessError):
        git(clone, "push", "--quiet")
    assert asked(f"{served}/iluvatar.git/git-receive-pack", b"0000") == 403
    for path in ("/iluvatar.git/config", "/iluvatar.git/../serve.log", "/a/b.git/info/refs?service=git-upload-pack"):
        assert asked(f"{served}{path}") == 404
    assert asked(f"{served}/by-its-own-name.git/info/refs?service=git-upload-pack") == 200
