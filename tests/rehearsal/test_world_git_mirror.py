"""What the Git mirror refuses, as who asks it reads it: a gate over SSH, and Argo CD's ApplicationSets."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.standins.shell import Outcome
from rehearsal.world import World
from rehearsal.world.git_mirror import ROOT, SCRIPT
from rehearsal.world.kubernetes import trouble_of
from render import k3s
from tests.rehearsal.clusters import REPOSITORY, body
from tests.rehearsal.folders import tree, with_argo
from tests.rehearsal.pis import a_lab, reach, run

HOST, INGRESS, AUTHORITY = "git-mirror.example.net", "10.0.0.57", "the lab's own root"
URL = f"https://{HOST}/lab.git"
UNTRUSTED = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


def ainur(*, installed: bool = True, named: bool = True) -> World:
    """The first Vala is up, with its authority; the mirror is `installed`, and its Ingress `named`."""
    world = a_lab()
    world.environment["gitops"] = {"repository": REPOSITORY, "revision": "main"}
    world.environment["bootstrap"]["ingress"] = INGRESS
    reach(world)
    world.hosts.write(world.hosts.records["vala-1"], ROOT, AUTHORITY, mode="0644", owner="root")
    cluster = world.kubernetes.clusters["boot"]
    if installed:
        spec = {"template": {"spec": {"containers": [{"name": "git", "image": "git"}]}}}
        cluster.place(body("Deployment", "git-mirror", "git-mirror", api="apps/v1", spec=spec), "test")
    if named:
        rules = [{"host": HOST}]
        ingress = body("Ingress", "git-mirror", "git-mirror", api="networking.k8s.io/v1", spec={"rules": rules})
        cluster.place(ingress, "test")
    return world


def fetch(world: World, words: str = f"{SCRIPT} main") -> Outcome:
    return run(world, f"sudo k3s kubectl -n git-mirror exec deploy/git-mirror -- {words}")


def gate(world: World, revision: str = "main", *, url: str = URL, at: str = INGRESS) -> Outcome:
    """The program's own gate before a cluster that reads the mirror is given its Argo CD."""
    return run(world, k3s.mirror_has("git-mirror", REPOSITORY, revision) + k3s.mirror_answers(url, at, "main"))


@pytest.fixture(autouse=True)
def soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate asks three times: sixty real shells say no more."""
    monkeypatch.setattr(k3s, "_ROUNDS", 3)


def test_a_mirror_that_holds_the_revision_and_answers_lets_the_gate_pass() -> None:
    done = gate(ainur())
    assert done.code == 0, done.stderr


def test_a_revision_that_upstream_has_not_ends_the_gate_at_once() -> None:
    done = gate(ainur(), "gone")
    assert done.code != 0
    assert f"the Git mirror cannot have it: {REPOSITORY} has no branch, tag or commit gone; it has: main" in done.stderr


def test_a_mirror_that_is_not_installed_is_said_when_the_gate_gives_up() -> None:
    done = gate(ainur(installed=False))
    assert done.code != 0
    assert 'Error from server (NotFound): deployments.apps "git-mirror" not found' in done.stderr


def test_only_its_own_script_runs_in_the_mirror() -> None:
    done = fetch(ainur(), "git gc")
    assert (done.code, done.stderr) == (126, f"exec: the rack's Git mirror knows {SCRIPT} REVISION only\n")


@pytest.mark.parametrize(
    ("words", "world", "asked"),
    [
        ("Could not resolve host:", {}, {"host": "elsewhere.example.net"}),
        ("port 443 after 3000 ms: No route to host", {}, {"at": "10.0.0.9"}),
        (
            "curl: (60) SSL certificate problem: unable to get local issuer certificate",
            {},
            {"trusted": "/etc/hostname"},
        ),
        ("curl: (22) The requested URL returned error: 404", {"named": False}, {}),
        ("curl: (22) The requested URL returned error: 503", {}, {}),
    ],
)
def test_curl_that_gets_nothing_from_the_mirror_says_why(words: str, world: Any, asked: Any) -> None:
    trusted, at = asked.get("trusted", ROOT), asked.get("at", INGRESS)
    url = f"https://{asked.get('host', HOST)}/lab.git/info/refs"
    done = run(ainur(**world), f"sudo curl -fsS --cacert {trusted} --resolve {HOST}:443:{at} -o /dev/null {url}")
    assert done.code != 0
    assert words in done.stderr


def test_a_gate_whose_mirror_nobody_finds_says_where_to_look() -> None:
    done = gate(ainur(named=False))
    assert done.code != 0
    assert f"the Git mirror is filled, and does not answer at {URL} ({INGRESS}), where main will ask" in done.stderr
    assert "The requested URL returned error: 404" in done.stderr


def read(root: Path, mirror: World, url: str = URL, *, trusts: str | None = AUTHORITY) -> str | None:
    """What is said of an ApplicationSet on another cluster of that World, whose source is the mirror."""
    found, made = with_argo(tree(root, "apps/one"), generator={"repoURL": url}, rules={"sourceRepos": ["*"]})
    found.world.kubernetes.clusters["boot"] = mirror.kubernetes.clusters["boot"]
    found.world.hosts.records |= mirror.hosts.records
    found.world.environment |= {"bootstrap": mirror.environment["bootstrap"]}
    found.world.section("git_mirror").update(mirror.section("git_mirror"))
    if trusts:
        known = body("ConfigMap", "argocd-tls-certs-cm", "argocd", data={HOST: trusts})
        found.apply(known, "test")
    found.work()
    return trouble_of(found, made)


@pytest.mark.parametrize(
    ("words", "over"),
    [
        (f"failed to list refs: repository not found: https://{HOST.replace('git', 'got')}", {"url": "other"}),
        (f'Get "{URL}/info/refs": {UNTRUSTED}', {"trusts": None}),
        (f'Get "{URL}/info/refs": {UNTRUSTED}', {"trusts": "another root"}),
    ],
)
def test_a_set_whose_mirror_gives_nothing_says_why(tmp_path: Path, words: str, over: dict[str, Any]) -> None:
    url = f"https://{HOST.replace('git', 'got')}/lab.git" if over.pop("url", None) else URL
    mirror = ainur()
    fetch(mirror)
    assert words in (read(tmp_path, mirror, url, **over) or "")


def test_a_mirror_that_has_fetched_nothing_serves_nobody(tmp_path: Path) -> None:
    mirror = ainur()
    assert f'Get "{URL}/info/refs": 503 Service Unavailable' in (read(tmp_path / "empty", mirror) or "")
    fetch(mirror)
    assert read(tmp_path / "filled", mirror) is None
