"""`./lab artefact` against a real registry: what is pushed is what Flux takes, and no tag is moved by accident."""

import gzip
import hashlib
import io
import json
import stat
import subprocess
import tarfile
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from render.artefact import CONFIG_TYPE, CONTENT_TYPE, MANIFEST_TYPE
from tests.real.registries import PASSWORD, USER, Checkout, Registry, as_json, free_port

pytestmark = pytest.mark.real


@pytest.fixture(params=[False])
def registry(request: pytest.FixtureRequest, tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Registry]:
    found = Registry(require_tool("docker-registry"), tmp_path / "registry", f"127.0.0.1:{free_port()}", request.param)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def checkout(registry: Registry, tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "lab", registry.host)
    made.make()
    return made


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def at_tag(registry: Registry) -> bytes:
    found = registry.get("manifests/main", MANIFEST_TYPE)
    assert found
    return found


def test_what_is_pushed_is_an_artefact_as_source_controller_takes_one(registry: Registry, checkout: Checkout) -> None:
    """source-controller 1.7, `ocirepository_controller.go`: the manifest's first layer is unpacked by fluxcd/pkg's
    `tar.Untar`, which wants gzip and takes regular files with relative names, and no link."""
    first = checkout.git("rev-parse", "HEAD").strip()
    done = checkout.artefact()
    assert (done.returncode, done.stderr) == (0, "")
    raw = at_tag(registry)
    manifest = json.loads(raw)
    assert f"digest     {sha256(raw)}" in done.stdout
    assert f"Flux sees  main@{sha256(raw)}" in done.stdout
    assert (manifest["mediaType"], manifest["config"]["mediaType"]) == (MANIFEST_TYPE, CONFIG_TYPE)
    assert [layer["mediaType"] for layer in manifest["layers"]] == [CONTENT_TYPE]
    assert manifest["annotations"] == {
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        "org.opencontainers.image.revision": f"main@sha1:{first}",
        "org.opencontainers.image.source": "https://git.example.com/owner/lab",
    }, "and the remote's token is in none of it"
    layer = registry.get(f"blobs/{manifest['layers'][0]['digest']}")
    assert layer
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
        members = tar.getmembers()
        assert all(member.isreg() and not member.name.startswith(("/", "..")) for member in members)
        held = {member.name: found.read() for member in members if (found := tar.extractfile(member))}
    own = [path for path in (checkout.folder / "gitops").rglob("*") if path.is_file()]
    assert held == {path.relative_to(checkout.folder).as_posix(): path.read_bytes() for path in own}
    diff = as_json(registry.get(f"blobs/{manifest['config']['digest']}"))["rootfs"]["diff_ids"]
    assert diff == [sha256(gzip.decompress(layer))]


def test_flux_own_libraries_pull_it_and_unpack_every_byte(
    registry: Registry, checkout: Checkout, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """`tools/fluxpull`: what source-controller calls, from the tag to the files, and every digest checked besides."""
    fluxpull = require_tool("fluxpull")
    assert checkout.artefact().returncode == 0
    command = [fluxpull, f"{registry.host}/owner/turing:main", str(tmp_path / "pulled")]
    pulled = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (pulled.returncode, pulled.stderr) == (0, "")
    assert pulled.stdout == f"main@{sha256(at_tag(registry))}\n"
    files = [path for path in (checkout.folder / "gitops").rglob("*") if path.is_file()]
    there = {path.relative_to(checkout.folder): path.read_bytes() for path in files}
    pulled_files = [path for path in (tmp_path / "pulled").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "pulled"): path.read_bytes() for path in pulled_files} == there


def test_the_same_content_has_the_same_digest_wherever_it_is_packed(
    registry: Registry, checkout: Checkout, tmp_path: Path
) -> None:
    assert checkout.artefact().returncode == 0
    before = at_tag(registry)
    other = Checkout(tmp_path / "elsewhere" / "clone", registry.host)
    other.folder.parent.mkdir()
    checkout.git("clone", "--quiet", str(checkout.folder), str(other.folder))
    other.git("remote", "set-url", "origin", "git@git.example.com:owner/lab.git")
    for file in (other.folder / "gitops").rglob("*.yaml"):
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    other.git("config", "core.fileMode", "false")
    other.write("README.md", "nothing that is packed")
    other.commit("a commit that changes nothing packed", "2026-02-02T00:00:00Z")
    again = other.artefact()
    assert again.returncode == 0, again.stderr
    assert "is there already; nothing was pushed" in again.stdout
    assert at_tag(registry) == before


def test_only_a_free_tag_is_filled_if_absent(registry: Registry, checkout: Checkout) -> None:
    assert checkout.artefact("--if-absent").returncode == 0
    first = at_tag(registry)
    checkout.write("gitops/turing/rk1/configs/more.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n")
    checkout.commit("more", "2026-01-02T00:00:00Z")
    again = checkout.artefact("--if-absent")
    assert (again.returncode, at_tag(registry)) == (0, first)
    assert "was left as it is" in again.stdout
    assert sha256(first) in again.stdout


def test_a_tag_moves_on_with_the_history_and_says_from_what(registry: Registry, checkout: Checkout) -> None:
    assert checkout.artefact().returncode == 0
    first = at_tag(registry)
    checkout.write("gitops/turing/rk1/configs/more.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n")
    second = checkout.commit("more", "2026-01-02T00:00:00Z")
    done = checkout.artefact()
    assert done.returncode == 0, done.stderr
    assert f"before     {sha256(first)}" in done.stdout
    assert json.loads(at_tag(registry))["annotations"]["org.opencontainers.image.revision"] == f"main@sha1:{second}"


def test_a_deleted_app_is_a_change_that_the_tag_moves_on_to(registry: Registry, checkout: Checkout) -> None:
    """The last commit that touched any file that is left is older than what the tag holds; the folder's is not."""
    more = "gitops/turing/rk1/configs/more.yaml"
    checkout.write(more, "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n")
    checkout.commit("more", "2026-01-02T00:00:00Z")
    assert checkout.artefact().returncode == 0
    (checkout.folder / more).unlink()
    done = checkout.artefact("--out", "layer.tgz")
    assert done.returncode == 0
    assert f"Not committed: {more}." in done.stderr
    without = checkout.commit("more is gone", "2026-01-03T00:00:00Z")
    done = checkout.artefact()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(at_tag(registry))["annotations"]["org.opencontainers.image.revision"] == f"main@sha1:{without}"


def test_what_is_not_committed_is_told_and_stands_in_the_revision(registry: Registry, checkout: Checkout) -> None:
    checkout.write("gitops/turing/rk1/configs/more.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: more}\n")
    checkout.write(".gitignore", "*.agekey\n")
    checkout.write("gitops/turing/keys.agekey", "what Git ignores is not packed")
    done = checkout.artefact()
    assert done.returncode == 0
    assert "Not committed: gitops/turing/rk1/configs/more.yaml." in done.stderr
    manifest = json.loads(at_tag(registry))
    assert manifest["annotations"]["org.opencontainers.image.revision"].endswith("+uncommitted")
    layer = registry.get(f"blobs/{manifest['layers'][0]['digest']}")
    assert layer
    assert b"what Git ignores" not in layer


def test_a_tag_that_somebody_else_moved_is_told_and_not_moved_back(
    registry: Registry, checkout: Checkout, tmp_path: Path
) -> None:
    other = Checkout(tmp_path / "other", registry.host)
    other.make()
    other.write("gitops/turing/rk1/configs/theirs.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: theirs}\n")
    theirs = other.commit("theirs", "2026-01-03T00:00:00Z")
    assert other.artefact().returncode == 0
    before = at_tag(registry)
    refused = checkout.artefact()
    assert (refused.returncode, at_tag(registry)) == (1, before)
    assert f"it holds is of commit {theirs[:12]}, which yours does not follow" in refused.stderr
    assert sha256(before) in refused.stderr
    assert "--move" in refused.stderr
    assert checkout.artefact("--move").returncode == 0
    assert at_tag(registry) != before


def test_what_is_no_artefact_of_flux_is_not_overwritten(registry: Registry, checkout: Checkout) -> None:
    assert checkout.artefact().returncode == 0
    image = json.loads(at_tag(registry))
    image["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
    put(registry, json.dumps(image).encode())
    refused = checkout.artefact()
    assert refused.returncode == 1
    assert "it holds something that is no artefact of Flux'" in refused.stderr


def put(registry: Registry, manifest: bytes) -> None:
    url = f"http://{registry.host}/v2/owner/turing/manifests/main"
    request = urllib.request.Request(url, data=manifest, method="PUT", headers={"Content-Type": MANIFEST_TYPE})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        assert answer.status == 201


@pytest.mark.parametrize("registry", [True], indirect=True)
def test_a_registry_that_wants_a_login_gets_dockers_or_the_one_on_stdin(
    checkout: Checkout, registry: Registry, tmp_path: Path
) -> None:
    refused = checkout.artefact(DOCKER_CONFIG=str(tmp_path))
    assert refused.returncode == 1
    assert f"{registry.host} wants a login to look at {registry.host}/owner/turing" in refused.stderr
    assert "UNAUTHORIZED" in refused.stderr
    assert f"docker login {registry.host}" in refused.stderr
    wrong = checkout.artefact("--username", USER, "--password-stdin", stdin="not it\n")
    assert wrong.returncode == 1
    assert f"does not let {USER} look at" in wrong.stderr
    assert "not it" not in wrong.stderr + wrong.stdout
    given = checkout.artefact("--username", USER, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert given.returncode == 0, given.stderr
    helper = tmp_path / "docker-credential-lab"
    helper.write_text(f'#!/bin/sh\nread -r host\nprintf \'{{"Username":"{USER}","Secret":"{PASSWORD}"}}\'\n')
    helper.chmod(0o700)
    encoded = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for kept in ({"auths": {registry.host: {"auth": encoded}}}, {"credHelpers": {registry.host: "lab"}}):
        (tmp_path / "config.json").write_text(json.dumps(kept))
        path = f"{tmp_path}:{Path('/usr/bin')}:/bin"
        again = checkout.artefact(DOCKER_CONFIG=str(tmp_path), PATH=path)
        assert again.returncode == 0, again.stderr
        assert "is there already" in again.stdout


def test_a_registry_that_is_down_is_told_and_nothing_is_half_done(registry: Registry, checkout: Checkout) -> None:
    registry.stop()
    down = checkout.artefact()
    assert down.returncode == 1
    assert (
        down.stderr
        == f"{registry.host} cannot be reached: Connection refused. Nothing was pushed; try again when it answers.\n"
    )
    registry.start()
    assert registry.get("manifests/main") is None
    assert checkout.artefact().returncode == 0


def test_a_stack_that_check_refuses_is_never_pushed(registry: Registry, checkout: Checkout) -> None:
    checkout.write("gitops/turing/rk1/configs/broken.yaml", "kind: [\n")
    refused = checkout.artefact()
    assert refused.returncode == 1
    assert "gitops-yaml" in refused.stderr
    assert registry.get("manifests/main") is None


def test_a_link_is_refused_because_flux_takes_none(checkout: Checkout) -> None:
    (checkout.folder / "gitops/turing/rk1/configs/link.yaml").symlink_to("/etc/hostname")
    refused = checkout.artefact("--out", "packed.tgz")
    assert refused.returncode == 1
    assert "link.yaml is a link, and Flux takes no links" in refused.stderr
