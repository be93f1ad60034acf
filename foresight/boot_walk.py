"""One machine's way from power-on to its kernel, through the files that are served.

Owns the order of things: discover, offer, loader, iPXE's own discover, script, kernel; or the disk. Refuses to judge
what a line means: that is the interpreters'.
"""

from foresight.boot_chain import Chain, End, Firmware, Line, Requested, Stuck, Walk, brief
from foresight.boot_dnsmasq import Configuration
from foresight.boot_firmware import Client, as_ipxe, client
from foresight.boot_ipxe import Ipxe, Kernel
from foresight.boot_machines import Machine
from foresight.boot_manifest import Content, Served
from foresight.boot_offer import File, Offer, Silence, answer
from foresight.boot_pi import Eeprom
from model.hardware import Arch

NEEDED = ("talos.platform=metal", "talos.halt_if_installed")
"""Kernel arguments without which Talos does not start, or installs over what is there."""


def from_network(machine: Machine, firmware: Firmware, conf: Configuration, served: Served) -> Chain:
    """What happens when a machine's firmware asks the network."""
    walk = Walk()
    asks = client(firmware, machine.mac)
    end: End = "nothing"
    try:
        end = _walked(walk, machine, asks, conf, served)
    except Stuck as stuck:
        if stuck.trouble.code == "boot-no-answer" and _may_stay_silent(machine, asks):
            walk.step("firmware", f"{stuck.trouble.message}; it boots its own disk", stuck.trouble.line)
            end = "disk"
        else:
            walk.troubles.append(stuck.trouble)
    return Chain(machine.name, machine.path, asks.shown, tuple(walk.steps), tuple(walk.troubles), end)


def _may_stay_silent(machine: Machine, asks: Client) -> bool:
    """Nobody owes an answer to a machine that nobody listed, unless the lab admits its kind into maintenance."""
    return machine.origin == "anything" and (machine.image is None or machine.image.arch != asks.loads[1])


def _walked(walk: Walk, machine: Machine, asks: Client, conf: Configuration, served: Served) -> End:
    if machine.blank_card:
        walk.step(
            "firmware", "finds nothing to boot on its card, and asks the network; once that is written, never again"
        )
    offer = _asked(walk, machine, asks, conf)
    if asks.loads[0] == "raspberry-pi":
        Eeprom(machine, asks.generation, served, walk).boot(offer)
        return "kernel"
    _is_told_at_once(asks, offer)
    file = _one_file(asks, offer)
    if asks.from_http:
        _means_http(asks, offer, file)
    loader = _loader(walk, asks, file, conf, served)
    if loader.kind == "loader":
        second = as_ipxe(asks)
        offer = _asked(walk, machine, second, conf)
        file = _one_file(second, offer)
        _has_server(second, offer, file)
        walk.step("dnsmasq", f"names {file.name}", file.line)
    ipxe = Ipxe(served, asks, walk, {"next-server": file.server or served.address})
    kernel = ipxe.boot(_url(file, served), file.line)
    return _ended(walk, machine, asks, kernel)


def _asked(walk: Walk, machine: Machine, asks: Client, conf: Configuration) -> Offer:
    walk.step(_who(asks), f"asks DHCP as {asks.shown}, {asks.vendor_class}")
    offer = answer(conf, asks, machine.network)
    if isinstance(offer, Silence):
        raise Stuck(
            "boot-no-answer",
            f"{asks.shown} gets no answer: {offer.why}",
            "let dnsmasq answer on this VLAN, or let the machine boot its own disk (boot: flashed)",
            offer.line,
        )
    if offer.address is None:
        walk.step("router", "leases the address; dnsmasq adds what to boot", offer.range.line)
    else:
        walk.step("dnsmasq", f"leases {offer.address}", offer.reserved or offer.range.line)
    return offer


def _who(asks: Client) -> str:
    return "iPXE" if asks.user_class else "firmware"


def _one_file(asks: Client, offer: Offer) -> File:
    """The one file that an answer names."""
    if not offer.files:
        raise Stuck(
            "boot-no-answer",
            f"dnsmasq answers {asks.shown} and names no file",
            f"give tags {', '.join(sorted(offer.tags))} a dhcp-boot line",
            offer.range.line,
        )
    first = offer.files[0]
    if len(offer.files) > 1:
        told = " and ".join(f"{one.name or 'its own disk'} ({one.line})" for one in offer.files)
        raise Stuck("boot-two-answers", f"{asks.shown} is told {told}", "leave it one of them", offer.files[1].line)
    if not first.name:
        raise Stuck(
            "boot-no-answer",
            f"{asks.shown} is told to boot its own disk, by `{first.line.text}`",
            "name the file that it boots, or keep this line from its tags",
            first.line,
        )
    return first


def _means_http(asks: Client, offer: Offer, file: File) -> None:
    if offer.http_class is None:
        raise Stuck(
            "boot-no-answer",
            f"{asks.shown} passes the answer over: option 60 does not say HTTPClient",
            "dhcp-option-force=tag:<its tag>,60,HTTPClient",
            file.line,
        )


def _is_told_at_once(asks: Client, offer: Offer) -> None:
    """With one service for it dnsmasq shows UEFI no menu, and it asks port 4011: answered there by a proxy alone."""
    if asks.architecture >= 6 and not offer.range.proxy and offer.menu_line and len(offer.menu) == 1:
        raise Stuck(
            "boot-no-answer",
            f"{asks.shown} asks port 4011 for its file, where dnsmasq answers only as proxy",
            "leave this pxe-service line out where dnsmasq leases: dhcp-boot names the file",
            offer.menu_line,
        )


def _has_server(asks: Client, offer: Offer, file: File) -> None:
    """As proxy dnsmasq puts its own address into the answer to UEFI only; iPXE ignores a proxy's offer without one."""
    if offer.range.proxy and asks.architecture < 6 and not file.server:
        raise Stuck(
            "boot-no-answer",
            f"{asks.shown} passes the proxy's answer over: it names {file.name}, and no server",
            "end the dhcp-boot line with the server's address",
            file.line,
        )


def _url(file: File, served: Served) -> str:
    """A file of an offer as iPXE fetches it."""
    return file.name if "://" in file.name else f"tftp://{file.server or served.address}/{file.name}"


def _loader(walk: Walk, asks: Client, file: File, conf: Configuration, served: Served) -> Content:
    """Fetch what the firmware was told, and see that the firmware can start it."""
    walk.step("dnsmasq", f"names {file.name}", file.line)
    if "://" in file.name:
        server, _, name = file.name.partition("://")[2].partition("/")
        content = served.http.get(f"/{name}") if server == served.address else None
        requested = Requested("http", server, f"/{name}", content is not None)
        if not asks.from_http:
            raise Stuck(
                "boot-wrong-architecture",
                f"{asks.shown} loads by TFTP and cannot fetch {file.name}",
                "name a loader first; the script is iPXE's (tag it with iPXE's user class)",
                file.line,
            )
    else:
        content = _by_tftp(file, conf, served)
        requested = Requested("tftp", file.server, file.name, content is not None)
    walk.step(_who(asks), f"fetches {file.name} by {requested.protocol.upper()}", file.line, requested)
    if content is None:
        loaders = [name for name, one in served.tftp.items() if one.kind == "loader"]
        raise Stuck(
            "boot-missing-file",
            f"{file.name} is not served by {requested.protocol.upper()}",
            f"loaders that are: {', '.join(loaders) or 'none'}",
            file.line,
        )
    if content.runs_on != asks.loads:
        _cannot_run(asks, file, content)
    return content


def _by_tftp(file: File, conf: Configuration, served: Served) -> Content | None:
    if conf.tftp is None or conf.tftp_root is None:
        raise Stuck(
            "boot-missing-file",
            f"nobody serves {file.name}: dnsmasq's TFTP is off",
            "enable-tftp, and tftp-root with the folder of the loaders",
            file.line,
        )
    return served.tftp.get(file.name.removeprefix("/")) if file.server in ("", served.address) else None


def _cannot_run(asks: Client, file: File, content: Content) -> None:
    runs = " ".join(content.runs_on) if content.runs_on else f"no firmware (it is a {content.kind})"
    kind, arch = asks.loads
    raise Stuck(
        "boot-wrong-architecture",
        f"{asks.shown} is told {file.name}, which runs on {runs}",
        f"name a loader for {kind} {arch}",
        file.line,
    )


def _ended(walk: Walk, machine: Machine, asks: Client, kernel: Kernel | None) -> End:
    """Where iPXE's scripts end, and whether that is where this machine is to end."""
    if kernel is None:
        if machine.origin == "network" and not walk.troubles:
            # The first script that said so, not those that had called it
            last = next((step.line for step in walk.steps if step.says.startswith("leaves ")), walk.steps[-1].line)
            walk.trouble(
                "boot-no-answer",
                "iPXE leaves it to its own disk, and that is empty before the first boot",
                "give it a kernel and an initrd, or let it boot its own disk (boot: flashed)",
                last,
            )
        walk.step("firmware", "boots its own disk, and stops where that is empty")
        return "disk"
    _judge(walk, machine, asks.loads[1], kernel)
    walk.step("kernel", f"starts: {' '.join(kernel.arguments)}", kernel.line)
    if machine.image:
        walk.step("Talos", "comes up in maintenance mode, without secrets, and waits for its configuration")
    return "kernel"


def _judge(walk: Walk, machine: Machine, arch: Arch, kernel: Kernel) -> None:
    parts = [(kernel.content, kernel.line), *kernel.initrds]
    if not kernel.initrds:
        walk.trouble("boot-missing-file", "a kernel without an initrd", "name one with `initrd`", kernel.line)
    for content, line in parts:
        if content.arch != arch:
            walk.trouble(
                "boot-wrong-architecture",
                f"a {content.kind} for {content.arch or 'no processor'} on a machine that is {arch}",
                "name the one of its own class",
                line,
            )
        elif machine.image and content.image != _folder(machine):
            walk.trouble(
                "boot-foreign-image",
                f"the {content.kind} is of {brief(content.image)}, its class boots {brief(_folder(machine))}",
                "name the image of its own class and release",
                line,
            )
    if machine.image:
        _judge_arguments(walk, kernel.arguments, kernel.line)


def _folder(machine: Machine) -> str:
    return machine.image.kernel_path.rpartition("/")[0] if machine.image else ""


def _judge_arguments(walk: Walk, arguments: tuple[str, ...], line: Line) -> None:
    for needed in NEEDED:
        if not any(one == needed or one.startswith(f"{needed}=") for one in arguments):
            hint = f"add {needed}" if "=" in needed else f"add {needed}=1"
            walk.trouble("boot-argument", f"the kernel's arguments lack {needed}", hint, line)


def from_disk(machine: Machine) -> Chain:
    """What a machine does that never asks the network."""
    walk = Walk()
    if machine.origin == "network":
        walk.trouble(
            "boot-no-answer",
            f"it is to boot from the network; its firmware, {machine.firmware}, never asks there, or nobody serves",
            "boot: flashed, or network.netboot for those whose firmware asks",
        )
        return Chain(machine.name, machine.path, "no network boot", (), tuple(walk.troubles), "nothing")
    if machine.origin == "card":
        walk.step("firmware", "boots the SD card that carries its system; nothing is asked of the network")
    elif machine.image:
        image = machine.image
        walk.step("firmware", f"{machine.firmware} boots its own {machine.disk}; nothing is asked of the network")
        walk.step(
            "disk",
            f"holds Talos {machine.talos} for {image.hardware} ({image.arch}), once you have written it there: the "
            f"image factory's metal-{image.arch} of schematic {image.schematic_id}",
        )
        walk.step("Talos", "comes up in maintenance mode, without secrets, and waits for its configuration")
        walk.step("pulumi up", f"hands it its configuration, which installs {image.installer}")
    return Chain(machine.name, machine.path, "its own disk", tuple(walk.steps), (), "disk")
