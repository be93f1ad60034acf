"""Laws of hardware classes: arch, firmware, overlay, extensions and disks that fit each other.

Owns a class by itself, and whether the machines that name it can be what they are. Refuses where they stand.
"""

import re
from collections.abc import Iterator

from model.catalogue import EXTENSION_ARCH, EXTENSIONS, MICROCODE, OVERLAYS
from model.environment import Environment
from model.hardware import HardwareClass
from model.laws.claims import talos_nodes
from model.laws.registry import Breach, law
from model.laws.words import listed, nearest

FITS = {"bios": ("amd64",), "uefi": ("amd64", "arm64"), "raspberry-pi": ("arm64",), "u-boot": ("arm64",)}
"""Firmware → architectures it starts."""
SYSTEM_GB = 10
"""GB that Talos needs at least (its system requirements)."""


def users(env: Environment) -> Iterator[tuple[str, str]]:
    """(path of the reference, class) of everything that names a class."""
    for name, pi in env.bootstrap.nodes.items() if env.bootstrap else ():
        yield f"bootstrap.nodes.{name}.class", pi.hardware
    for name, node in talos_nodes(env):
        yield f"cluster.nodes.{name}.class", node.hardware
    if env.network.netboot and env.network.netboot.default_class:
        yield "network.netboot.default_class", env.network.netboot.default_class


def talos_classes(env: Environment) -> Iterator[tuple[str, HardwareClass]]:
    """Classes that run Talos, in the order of the file."""
    used = {node.hardware for _, node in talos_nodes(env)}
    boot = env.network.netboot
    if boot and boot.default_class and boot.unknown_machines == "maintenance":
        used.add(boot.default_class)
    return ((name, hardware) for name, hardware in env.hardware.items() if name in used)


@law("hardware-class-unknown")
def class_known(env: Environment) -> Iterator[Breach]:
    """Whatever names a hardware class names one of `hardware`."""
    for path, name in users(env):
        if name not in env.hardware:
            yield Breach(path, f"there is no hardware class '{name}'", nearest(name, env.hardware), "hardware")


@law("hardware-class-unused", "warning", unless=("hardware-class-unknown",))
def class_used(env: Environment) -> Iterator[Breach]:
    """A hardware class is some machine's."""
    used = {name for _, name in users(env)}
    for name in env.hardware:
        if name not in used:
            message = f"no machine is a {name}"
            hint = "name it at a node, or leave the class out"
            yield Breach(f"hardware.{name}", message, hint, "cluster.nodes", ("bootstrap.nodes",))


@law("hardware-firmware-arch")
def firmware_fits_arch(env: Environment) -> Iterator[Breach]:
    """The firmware is one that starts the architecture."""
    for name, hardware in env.hardware.items():
        fits = FITS[hardware.firmware]
        if hardware.arch not in fits:
            message = f"{name} is {hardware.arch}, and {hardware.firmware} starts {listed(fits)} only"
            near = "uefi" if hardware.arch == "amd64" else "raspberry-pi or u-boot"
            yield Breach(f"hardware.{name}.firmware", message, f"did you mean {near}?", f"hardware.{name}.arch")


@law("hardware-nic-duplicate")
def nics_once(env: Environment) -> Iterator[Breach]:
    """A class names each of its links once."""
    for name, hardware in env.hardware.items():
        for index, nic in enumerate(hardware.nics):
            if nic in hardware.nics[:index]:
                yield Breach(f"hardware.{name}.nics.{index}", f"{name} has {nic} twice", "leave one out")


@law("hardware-nic-form")
def nics_are_links(env: Environment) -> Iterator[Breach]:
    """A link's name is one that Linux gives: at most 15 letters, digits, `.`, `_` and `-`."""
    for name, hardware in env.hardware.items():
        for index, nic in enumerate(hardware.nics):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", nic):
                path = f"hardware.{name}.nics.{index}"
                yield Breach(path, f"'{nic[:40]}' is no link's name", "take it from `talosctl get links`, such as eno1")


@law("hardware-watchdog")
def watchdog_is_a_device(env: Environment) -> Iterator[Breach]:
    """A watchdog is a device file, /dev/watchdog0."""
    for name, hardware in env.hardware.items():
        if hardware.watchdog and not re.fullmatch(r"/dev/watchdog\d{0,2}", hardware.watchdog):
            message = f"'{hardware.watchdog[:40]}' is no watchdog device"
            yield Breach(f"hardware.{name}.watchdog", message, "did you mean /dev/watchdog0?")


@law("hardware-kernel-args")
def kernel_args_are_single(env: Environment) -> Iterator[Breach]:
    """A kernel argument is one word: several in one item would be one to the image factory."""
    for name, hardware in env.hardware.items():
        for index, argument in enumerate(hardware.talos.kernel_args):
            if len(argument.split()) != 1 or argument != argument.strip():
                path = f"hardware.{name}.talos.kernel_args.{index}"
                hint = f"write [{', '.join(argument.split())[:120]}]"
                yield Breach(path, f"'{argument[:60]}' is not one kernel argument", hint)


@law("hardware-cpu-arch")
def cpu_fits_arch(env: Environment) -> Iterator[Breach]:
    """The maker of the processor makes processors of that architecture."""
    for name, hardware in env.hardware.items():
        if hardware.cpu and (hardware.cpu == "arm") != (hardware.arch == "arm64"):
            near = "arm" if hardware.arch == "arm64" else "intel or amd"
            message = f"{name} is {hardware.arch}, and its processor {hardware.cpu}'s"
            yield Breach(f"hardware.{name}.cpu", message, f"did you mean {near}?", f"hardware.{name}.arch")


@law("hardware-board", unless=("hardware-firmware-arch",))
def board_is_a_pi(env: Environment) -> Iterator[Breach]:
    """Only a class that starts as a Raspberry Pi says which board it is."""
    for name, hardware in env.hardware.items():
        if hardware.board and hardware.firmware != "raspberry-pi":
            message = f"{name} is a {hardware.board}, and starts by {hardware.firmware}"
            hint = "write firmware: raspberry-pi, or leave board out"
            yield Breach(f"hardware.{name}.board", message, hint, f"hardware.{name}.firmware")


@law("hardware-overlay-unknown")
def overlay_known(env: Environment) -> Iterator[Breach]:
    """An overlay is one that Talos publishes."""
    for name, hardware in env.hardware.items():
        overlay = hardware.talos.overlay
        if overlay and overlay.name not in OVERLAYS:
            path = f"hardware.{name}.talos.overlay.name"
            yield Breach(path, f"there is no Talos overlay '{overlay.name[:60]}'", nearest(overlay.name, OVERLAYS))


@law("hardware-overlay-image")
def overlay_image_carries_it(env: Environment) -> Iterator[Breach]:
    """An overlay comes from the image that carries it."""
    for name, hardware in env.hardware.items():
        overlay = hardware.talos.overlay
        if overlay and overlay.name in OVERLAYS and overlay.image != OVERLAYS[overlay.name].image:
            message = f"{overlay.image[:60]} does not carry the overlay {overlay.name}"
            hint = f"did you mean {OVERLAYS[overlay.name].image}?"
            yield Breach(f"hardware.{name}.talos.overlay.image", message, hint, f"hardware.{name}.talos.overlay.name")


@law("hardware-overlay-board", unless=("hardware-firmware-arch", "hardware-overlay-unknown"))
def overlay_fits_board(env: Environment) -> Iterator[Breach]:
    """An overlay is for the class's firmware: a Pi's image does not start a PC."""
    for name, hardware in env.hardware.items():
        overlay = hardware.talos.overlay
        fact = OVERLAYS.get(overlay.name) if overlay else None
        if overlay and fact and (hardware.firmware != fact.firmware or hardware.arch != "arm64"):
            board = f"{hardware.arch} and starts by {hardware.firmware}"
            message = (
                f"the overlay {overlay.name} is for arm64 boards that start by {fact.firmware}, and {name} is {board}"
            )
            yield Breach(
                f"hardware.{name}.talos.overlay", message, "leave the overlay out", f"hardware.{name}.firmware"
            )


@law("hardware-overlay-missing", unless=("hardware-firmware-arch",))
def board_has_overlay(env: Environment) -> Iterator[Breach]:
    """A single-board computer that runs Talos names its overlay: without it the image does not start."""
    for name, hardware in talos_classes(env):
        if hardware.firmware in ("raspberry-pi", "u-boot") and hardware.talos.overlay is None:
            known = [overlay for overlay, fact in OVERLAYS.items() if fact.firmware == hardware.firmware]
            message = f"{name} starts by {hardware.firmware} and names no Talos overlay"
            yield Breach(
                f"hardware.{name}.talos.overlay", message, f"one of {listed(known)}", f"hardware.{name}.firmware"
            )


@law("hardware-extension-form")
def extension_is_a_full_name(env: Environment) -> Iterator[Breach]:
    """A system extension is named with its publisher, as the image factory lists it, and without a release."""
    for name, hardware in env.hardware.items():
        for index, extension in enumerate(hardware.talos.extensions):
            if not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", extension):
                bare = extension.partition("/")[2].partition(":")[0] or extension
                path = f"hardware.{name}.talos.extensions.{index}"
                message = f"'{extension[:60]}' is no extension's full name"
                yield Breach(path, message, nearest(f"siderolabs/{bare}", EXTENSIONS))


@law("hardware-extension-unknown", "warning", unless=("hardware-extension-form",))
def extension_known(env: Environment) -> Iterator[Breach]:
    """A system extension is one of the official ones that are known here: the image factory refuses any other."""
    for name, hardware in env.hardware.items():
        for index, extension in enumerate(hardware.talos.extensions):
            if extension not in EXTENSIONS:
                path = f"hardware.{name}.talos.extensions.{index}"
                message = f"{extension[:60]} is not among the official extensions known here"
                yield Breach(path, message, nearest(extension, EXTENSIONS))


@law("hardware-extension-arch")
def extension_fits_arch(env: Environment) -> Iterator[Breach]:
    """What a system extension is for exists in the class's architecture."""
    for name, hardware in env.hardware.items():
        for index, extension in enumerate(hardware.talos.extensions):
            arch = EXTENSION_ARCH.get(extension)
            if arch and arch != hardware.arch:
                message = f"{extension} is for {arch} only, and {name} is {hardware.arch}"
                path = f"hardware.{name}.talos.extensions.{index}"
                yield Breach(path, message, "leave it out", f"hardware.{name}.arch")


@law("hardware-extension-duplicate")
def extension_once(env: Environment) -> Iterator[Breach]:
    """A class names an extension once: twice is another image id with nothing else in it."""
    for name, hardware in env.hardware.items():
        every = hardware.talos.extensions
        for index, extension in enumerate(every):
            if extension in every[:index]:
                path = f"hardware.{name}.talos.extensions.{index}"
                yield Breach(path, f"{name} has {extension} twice", "leave one out")


@law("hardware-microcode", unless=("hardware-extension-arch",))
def microcode_fits(env: Environment) -> Iterator[Breach]:
    """Microcode is for the maker of the processor."""
    for name, hardware in env.hardware.items():
        for index, extension in enumerate(hardware.talos.extensions):
            maker = MICROCODE.get(extension)
            if maker and hardware.cpu and maker != hardware.cpu:
                message = f"{extension} is for {maker} processors, and {name} has an {hardware.cpu} one"
                path = f"hardware.{name}.talos.extensions.{index}"
                yield Breach(path, message, f"did you mean siderolabs/{hardware.cpu}-ucode?", f"hardware.{name}.cpu")


@law("hardware-microcode-unjudged", "warning", unless=("hardware-extension-arch",))
def microcode_is_judged(env: Environment) -> Iterator[Breach]:
    """A class with microcode says whose processor it has: else nobody sees that it is the other maker's."""
    for name, hardware in env.hardware.items():
        for index, extension in enumerate(hardware.talos.extensions):
            maker = MICROCODE.get(extension)
            if maker and hardware.cpu is None:
                message = f"{extension} is for {maker} processors, and {name} does not say which it has"
                path = f"hardware.{name}.talos.extensions.{index}"
                yield Breach(path, message, f"add cpu: {maker}, if it is one", f"hardware.{name}.cpu")


@law("hardware-secure-boot", unless=("hardware-firmware-arch",))
def secure_boot_needs_uefi(env: Environment) -> Iterator[Breach]:
    """Secure boot is UEFI's."""
    for name, hardware in env.hardware.items():
        if hardware.talos.secure_boot and hardware.firmware != "uefi":
            message = f"{name} starts by {hardware.firmware}, which knows no secure boot"
            path = f"hardware.{name}.talos.secure_boot"
            yield Breach(path, message, "set it to false, or firmware to uefi", f"hardware.{name}.firmware")


@law("hardware-system-disk")
def one_system_disk(env: Environment) -> Iterator[Breach]:
    """A class that runs Talos has exactly one disk to install to."""
    for name, hardware in talos_classes(env):
        system = [disk for disk, shape in hardware.disks.items() if shape.role == "system"]
        if len(system) != 1:
            said = f"would be installed to {listed(system)}" if system else "has no disk of role system"
            yield Breach(
                f"hardware.{name}.disks", f"{name} {said}: Talos needs exactly one", "give one disk role: system"
            )


@law("hardware-system-disk-small", unless=("hardware-system-disk",))
def system_disk_holds_talos(env: Environment) -> Iterator[Breach]:
    """The disk that Talos is installed to has at least 10 GB."""
    for name, hardware in talos_classes(env):
        for disk, shape in hardware.disks.items():
            if shape.role == "system" and shape.size_gb < SYSTEM_GB:
                message = f"{disk} of {name} has {shape.size_gb} GB, and Talos needs {SYSTEM_GB}"
                yield Breach(f"hardware.{name}.disks.{disk}.size_gb", message, f"at least {SYSTEM_GB}")


@law("hardware-memory")
def memory_is_enough(env: Environment) -> Iterator[Breach]:
    """A control plane has 2 GiB of memory at least (Talos' system requirements)."""
    small = {name for name, hardware in env.hardware.items() if hardware.memory_gib < 2}
    for name, node in talos_nodes(env):
        if node.role == "control-plane" and node.hardware in small:
            memory = env.hardware[node.hardware].memory_gib
            message = f"control plane {name} has {memory} GiB of memory, and needs 2"
            path = f"hardware.{node.hardware}.memory_gib"
            yield Breach(f"cluster.nodes.{name}.class", message, "choose a bigger class, or make it a worker", path)
