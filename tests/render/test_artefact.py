"""The artefact's bytes: what belongs to it, and that nothing of the machine that packed it is in them."""

import gzip
import io
import json
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from render.artefact import belonging, pack

ORIGIN = {"created": "2026-01-01T00:00:00Z", "source": "https://git.example.com/lab", "revision": "main@sha1:0"}
UP = b"../../../../shared"
LISTING = {
    "gitops/lab/main/apps/one/kustomization.yaml": b"resources: [%s/base]\ncomponents: [%s/part]" % (UP, UP),
    "gitops/lab/main/apps/two/kustomization.yaml": b"configMapGenerator: [{files: [a=%s/file/one.conf]}]" % UP,
    "gitops/lab/main/apps/two/notes.yaml": b"see: ../../../../shared/mentioned",
    "gitops/other/main/apps/one/kustomization.yaml": b"resources: [../../../../shared/others]",
    "gitops/shared/base/kustomization.yaml": b"resources: [thing.yaml, ../deep]",
    "gitops/shared/base/thing.yaml": b"kind: Thing",
    "gitops/shared/deep/kustomization.yaml": b"resources: [../base]",
    "gitops/shared/part/kustomization.yaml": b"kind: Component",
    "gitops/shared/file/one.conf": b"1",
    "gitops/shared/file/two.conf": b"2",
    "gitops/shared/mentioned/kustomization.yaml": b"",
    "gitops/shared/others/kustomization.yaml": b"",
}


def test_an_artefact_holds_its_environment_and_what_that_reaches_of_the_shared() -> None:
    held = belonging("lab", LISTING)
    reached = ("base/", "deep/", "part/", "file/")
    assert list(held) == sorted(
        path for path in LISTING if path.startswith(("gitops/lab/", *(f"gitops/shared/{one}" for one in reached)))
    )
    assert belonging("nobody", LISTING) == {}


def test_what_cannot_be_read_reaches_nothing_and_is_packed_as_it_is() -> None:
    broken = {"gitops/lab/kustomization.yaml": b"resources: [", "gitops/shared/base/a.yaml": b""}
    assert list(belonging("lab", broken)) == ["gitops/lab/kustomization.yaml"]


@given(
    st.dictionaries(st.from_regex(r"gitops/[a-z]{1,9}(/[a-zé.]{1,120}){1,3}", fullmatch=True), st.binary(max_size=300))
)
def test_every_file_comes_back_and_the_order_of_the_listing_does_not_matter(files: dict[str, bytes]) -> None:
    made = pack(files, **ORIGIN)
    assert pack(dict(reversed(files.items())), **ORIGIN) == made
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(made.layer))) as tar:
        members = tar.getmembers()
        assert {one.name: (tar.extractfile(one) or io.BytesIO()).read() for one in members} == files
        assert all((one.mtime, one.uid, one.gid, one.uname, one.mode) == (0, 0, 0, "", 0o644) for one in members)


def test_the_digest_is_the_same_on_every_machine() -> None:
    """Compressed by zlib it was another one with each zlib. Whoever changes this changes every artefact there is."""
    made = pack({"gitops/lab/a.yaml": b"a: 1\n" * 20_000}, **ORIGIN)
    assert made.digest == "sha256:1dc3494beefa5b6a86839c4c07a760615f798100e5184c339e80f4c376f50516"
    assert len(made.layer) > 100_000, "stored, not compressed"


def test_the_manifest_is_the_one_that_flux_pushes() -> None:
    manifest = json.loads(pack({"gitops/lab/a.yaml": b""}, **ORIGIN).manifest)
    assert sorted(manifest) == ["annotations", "config", "layers", "mediaType", "schemaVersion"]
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.flux.config.v1+json"
    assert [one["mediaType"] for one in manifest["layers"]] == ["application/vnd.cncf.flux.content.v1.tar+gzip"]
    assert manifest["annotations"] == {f"org.opencontainers.image.{name}": text for name, text in ORIGIN.items()}
