"""The builder's list is what the proof takes for served, file by file, and each line has a source and a judge."""

from typing import Any

from foresight.boot_manifest import served
from render import boot_files, downloads, pi_boot
from tests.labs import planned, raw, shipped_plan

PLAN = shipped_plan("homelab")


def _lines(edited: dict[str, Any] | None = None) -> dict[str, list[str]]:
    published = boot_files.published(planned(edited) if edited else PLAN)
    words = [line.split() for line in published["boot-downloads"][downloads.LIST].splitlines()]
    return {line[0]: line[1:] for line in words if line[0] != "#"}


def test_everything_the_proof_counts_on_is_listed_rendered_or_the_pis_own_system() -> None:
    """A file that a machine is foretold to fetch and that nobody brings would be found missing on the machine."""
    manifest = served(PLAN)
    assert manifest
    by_http = {
        name.lstrip("/").replace("loaders/", "tftp/")
        for name, one in manifest.http.items()
        if one.kind in ("kernel", "initrd", "loader")
    }
    by_tftp = {f"tftp/{name}" for name, one in manifest.tftp.items() if one.kind == "loader"}
    assert PLAN.network.netboot
    assert PLAN.network.netboot.pi_system
    image = downloads.pi_image(PLAN.network.netboot.pi_system)
    assert by_http | by_tftp | {image} == set(_lines())
    rest = {name.rpartition("/")[2] for name, one in manifest.tftp.items() if one.kind == "firmware"}
    assert rest == set(pi_boot.BUILT)


def test_a_kernel_comes_from_the_factory_under_the_nodes_own_schematic_and_version() -> None:
    edited = raw("homelab")
    edited["hardware"]["prodesk-400-g4"]["talos"]["extensions"] = []
    edited["versions"]["talos"] = "v1.2.3"
    lines = _lines(edited)
    bare = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
    for name in ("kernel-amd64", "initramfs-amd64.xz"):
        assert lines[f"talos/{bare}/v1.2.3/{name}"] == [
            "first",
            f"https://factory.talos.dev/image/{bare}/v1.2.3/{name}",
        ]


def test_a_pinned_checksum_judges_its_file_and_no_other() -> None:
    edited = raw("homelab")
    own = next(path for path in _lines() if path.endswith("/kernel-amd64"))
    edited["network"]["netboot"]["checksums"] = {own: "1" * 64}
    assert [path for path, words in _lines(edited).items() if words[0] == f"sha256:{'1' * 64}"] == [own]


def test_without_a_hash_the_publishers_own_list_judges_the_loaders() -> None:
    edited = raw("homelab")
    ipxe = edited["network"]["netboot"]["ipxe"]
    del ipxe["sha256"]
    ipxe["sums"] = "https://downloads.example.com/SHA256SUMS"
    judged = {words[0] for path, words in _lines(edited).items() if path.startswith("tftp/")}
    assert judged == {"sums:https://downloads.example.com/SHA256SUMS"}


def test_only_the_loaders_that_are_served_are_fetched() -> None:
    edited = raw("homelab")
    edited["network"]["netboot"]["loaders"] = ["efi-x64"]
    assert [path for path in _lines(edited) if path.startswith("tftp/")] == ["tftp/snponly.efi"]
