"""Laws of what the boot services fetch: everything served has a source, and every source has a judge.

Owns sources and their hashes. Refuses who is answered with what (`serving`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.images import image
from model.laws.registry import Breach, law
from model.laws.words import listed, nearest


@law("network-netboot-source")
def loaders_have_a_source(env: Environment) -> Iterator[Breach]:
    """iPXE's loaders that TFTP serves come from somewhere: nobody would put them there."""
    boot = env.network.netboot
    if boot is None:
        return
    members = boot.ipxe.members if boot.ipxe else {}
    for loader in boot.loaders:
        if boot.ipxe and loader not in members:
            message = f"the loader {loader} is served, and no member of the archive is it"
            hint = f"add {loader}: its path in the archive; or take it out of loaders"
            yield Breach("network.netboot.ipxe.members", message, hint, "network.netboot.loaders")
    if boot.loaders and boot.ipxe is None:
        message = f"the loaders {listed(boot.loaders)} are served, and nothing says where they come from"
        hint = "add ipxe with url, sha256 and members, as Pulumi.homelab.yaml has it"
        yield Breach("network.netboot.ipxe", message, hint, "network.netboot.loaders")


@law("network-netboot-unjudged")
def source_is_judged(env: Environment) -> Iterator[Breach]:
    """The archive of the loaders has a hash, or its publisher's list of hashes: it runs on every machine that boots."""
    ipxe = env.network.netboot.ipxe if env.network.netboot else None
    if ipxe and not (ipxe.sha256 or ipxe.sums):
        message = f"nothing judges what {ipxe.url.rpartition('/')[2]} is"
        hint = "add sha256, as its publisher states it; or sums, the address of the publisher's SHA256SUMS"
        yield Breach("network.netboot.ipxe.sha256", message, hint)


@law("network-netboot-pi-image")
def netbooted_pis_have_a_system(env: Environment) -> Iterator[Breach]:
    """A Pi that boots from the network finds firmware, kernel and root: the builder makes them of Ubuntu's image."""
    boot, nodes = env.network.netboot, env.bootstrap.nodes if env.bootstrap else {}
    netbooted = [name for name, pi in nodes.items() if pi.netboots]
    if boot and netbooted and boot.pi_image is None:
        verb = "boots" if len(netbooted) == 1 else "boot"
        message = f"{listed(netbooted)} {verb} from the network, and nothing says what"
        hint = "add pi_image with url and sha256, as Pulumi.homelab.yaml has it; or give each a card: sd in its boot"
        yield Breach("network.netboot.pi_image", message, hint, "bootstrap.nodes")


@law("network-netboot-checksum", "warning")
def checksums_pin_something(env: Environment) -> Iterator[Breach]:
    """A pinned checksum is of a file that is fetched: one misspelt, or of a version gone by, guards nothing."""
    boot, talos = env.network.netboot, env.versions.talos
    if boot is None or talos is None:
        return
    images = [image(name, hardware, talos) for name, hardware in env.hardware.items()]
    paths = sorted({path for one in images for path in (one.kernel_path, one.initramfs_path)})
    for path in boot.checksums:
        if path not in paths:
            message = f"no machine of Talos {talos} boots {path}"
            yield Breach(f"network.netboot.checksums.{path}", message, f"take it out; {nearest(path, paths)}")
