"""A Raspberry Pi's EEPROM: which names it asks TFTP for, and what its `config.txt` makes of them.

Owns the EEPROM's rules (Raspberry Pi documentation: "Raspberry Pi bootloader configuration", "config.txt"). Refuses a
key of `config.txt` that it does not know rather than to pass over it.
"""

from dataclasses import dataclass, field
from typing import NoReturn

from foresight.boot_chain import Line, Requested, Stuck, Walk, lines
from foresight.boot_machines import Machine
from foresight.boot_manifest import Content, Served
from foresight.boot_nfs import exports, holding
from foresight.boot_offer import Offer
from foresight.boot_stamp import writes_its_card

SAID = "Raspberry Pi Boot"
"""What option 43 must contain for the EEPROM to believe an offer."""

TREES = {"4": "bcm2711-rpi-4-b.dtb", "5": "bcm2712-rpi-5-b.dtb"}
"""Generation → its device tree."""

KERNELS = {"4": ("kernel8.img",), "5": ("kernel_2712.img", "kernel8.img")}
"""Generation → what it asks for where `config.txt` names no kernel."""

SEED = ("meta-data", "user-data")
"""What cloud-init must find below the address that `ds=nocloud;s=` names (cloud-init documentation, "NoCloud")."""
OFFERED = "vendor-data"
"""What it asks for there too, and does without where it is not there."""

SECTIONS = {"4": ("all", "pi4"), "5": ("all", "pi5")}

QUIET = (
    "arm_64bit arm_boost auto_initramfs avoid_warnings camera_auto_detect disable_fw_kms_setup disable_overscan"
    " disable_splash display_auto_detect dtparam enable_uart gpu_mem hdmi_force_hotplug max_framebuffers uart_2ndstage"
    " usb_max_current_enable"
)
"""Keys of `config.txt` that decide nothing about which files are asked for."""


@dataclass
class Settings:
    """What `config.txt` says to one generation."""

    values: dict[str, str] = field(default_factory=dict)
    told_by: dict[str, Line] = field(default_factory=dict)
    overlays: list[tuple[str, Line]] = field(default_factory=list)


@dataclass
class Eeprom:
    """One Pi from its offer on."""

    machine: Machine
    generation: str
    served: Served
    walk: Walk
    server: str = ""
    prefix: str = ""

    def boot(self, offer: Offer) -> None:
        """Ask for everything, and start the kernel. Errors: Stuck where it stays dark."""
        if not any(SAID in text for text in offer.menu):
            raise Stuck(
                "boot-no-answer",
                f"the Pi passes the offer over: option 43 does not say {SAID}",
                f'pxe-service=tag:<its tag>,0,"{SAID}"',
                offer.menu_line or offer.range.line,
            )
        self.walk.step("dnsmasq", f"says {SAID}: the Pi believes it", offer.menu_line)
        told = offer.next_server
        self.server = told.server if told else ""
        if self.server and self.server != self.served.address:
            self._missing("start4.elf", told.line if told else None, f"no TFTP of ours is at {self.server}")
        self._find_folder(told.line if told else offer.menu_line)
        self._load()

    def _find_folder(self, line: Line | None) -> None:
        """Without a start file in it, the EEPROM takes its own folder for empty."""
        self.prefix = f"{self.machine.serial.lower()[-8:]}/"
        if not any(self._ask(name, line, "its start file") for name in ("start4.elf", "start.elf")):
            self.walk.step("firmware", f"drops {self.prefix}: no start file is in it, so all is asked for at the root")
            self.prefix = ""

    def _ask(self, name: str, line: Line | None, why: str) -> Content | None:
        """Ask TFTP for a name."""
        path = f"{self.prefix}{name}"
        content = self.served.tftp.get(path)
        requested = Requested("tftp", self.server, path, content is not None)
        self.walk.step("firmware", f"fetches {path}, {why}{'' if content else ': not there'}", line, requested)
        return content

    def _need(self, name: str, line: Line | None, why: str) -> Content:
        content = self._ask(name, line, why)
        if content is None:
            self._missing(f"{self.prefix}{name}", line, f"{why} is not there")
        return content

    def _missing(self, path: str, line: Line | None, why: str) -> NoReturn:
        beside = sorted(name for name in self.served.tftp if name.startswith(self.prefix))[:6]
        raise Stuck(
            "boot-missing-file",
            f"{path} is not served by TFTP: {why}",
            f"put it there; what is: {', '.join(beside) or 'nothing'}",
            line,
        )

    def _load(self) -> None:
        text = self._need("config.txt", None, "what it is to load").text
        conf = settings(f"{self.prefix}config.txt", text, self.generation)
        if self.generation == "4":
            self._ask("fixup4.dat", None, "the memory's layout")
        where = conf.values.get("os_prefix", "")
        self._need(conf.values.get("device_tree", f"{where}{TREES[self.generation]}"), None, "its device tree")
        if conf.overlays:
            self._ask(f"{where}overlays/overlay_map.dtb", None, "names of overlays")
        for name, line in conf.overlays:
            self._need(f"{where}overlays/{name}.dtbo", line, "an overlay")
        line = conf.told_by.get("cmdline")
        name = f"{where}{conf.values.get('cmdline', 'cmdline.txt')}"
        arguments = self._need(name, line, "the kernel's arguments").text
        if "initramfs" in conf.values:
            self._need(f"{where}{conf.values['initramfs']}", conf.told_by["initramfs"], "its initrd")
        self._kernel(conf, where)
        self._root(f"{self.prefix}{name}", arguments)

    def _kernel(self, conf: Settings, where: str) -> None:
        line = conf.told_by.get("kernel")
        *probes, last = (conf.values["kernel"],) if line else KERNELS[self.generation]
        if not any(self._ask(f"{where}{name}", line, "its kernel") for name in probes):
            self._need(f"{where}{last}", line, "its kernel")

    def _root(self, file: str, arguments: str) -> None:
        """What the kernel mounts as its root, and whether it may."""
        line = next(lines(file, arguments), None)
        told = {word.partition("=")[0]: word.partition("=")[2] for word in arguments.split()}
        self.walk.step("kernel", f"starts: {arguments.strip()}", line)
        if told.get("root") != "/dev/nfs":
            self.walk.trouble("boot-argument", "the kernel's root is not NFS", "root=/dev/nfs nfsroot=…", line)
            return
        server, _, path = told.get("nfsroot", "").partition(",")[0].partition(":")
        allowed = exports(self.served.exports)
        export = holding(allowed, path)
        if server != self.served.address or export is None:
            self.walk.trouble(
                "boot-missing-file",
                f"the root {server}:{path} is exported by nobody",
                f"export it, or name one that is: {', '.join(allowed) or 'none'}",
                line,
            )
        elif not export.reaches(self.machine.network):
            self.walk.trouble(
                "boot-no-answer",
                f"{path} is not exported to {self.machine.network}, where the Pi stands",
                "export it to the boot VLAN",
                export.line,
            )
        elif export.squash != "No_Root_Squash":
            self.walk.trouble(
                "boot-no-answer",
                f"{path} is read as nobody, and half of a system is for root alone",
                "say Squash = No_Root_Squash",
                export.line,
            )
        else:
            self.walk.step("kernel", f"mounts {server}:{path} as its root", export.line)
        self._seed(told.get("ds", "").partition("s=")[2], line)

    def _seed(self, url: str, line: Line | None) -> None:
        """What makes the one system that all Pis mount this Pi's own."""
        server, _, folder = url.partition("://")[2].partition("/")
        missing: list[str] = []
        for name in (*SEED, OFFERED) if url else ():
            path = f"/{folder}{name}"
            found = server == self.served.address and path in self.served.http
            said = f"fetches {path}, of its seed{'' if found else ': not there'}"
            self.walk.step("cloud-init", said, line, Requested("http", server, path, found))
            missing += [] if found or name == OFFERED else [name]
        if missing or not url:
            why = f"nobody serves {' or '.join(missing)} below {url}" if url else "its kernel's arguments name none"
            self.walk.trouble(
                "boot-seed-missing",
                f"its system starts without a seed, so without name, login and cluster: {why}",
                "name its folder at the boot server, with a slash at the end: ds=nocloud;s=http://…/pi/<folder>/",
                line,
            )
        elif self.machine.blank_card:
            writes_its_card(self.walk, self.served, f"/{folder}user-data")


def settings(file: str, text: str, generation: str) -> Settings:
    """`config.txt` as one generation reads it. Errors: Stuck for a key that is not known here."""
    found = Settings()
    section = "all"
    for line in lines(file, text):
        if line.text.startswith("["):
            section = line.text.strip("[]")
        elif section in SECTIONS[generation]:
            _setting(found, line)
    return found


def _setting(found: Settings, line: Line) -> None:
    key, _, value = line.text.partition(" " if line.text.startswith("initramfs ") else "=")
    if key == "dtoverlay":
        found.overlays.append((value.partition(",")[0], line))
    elif key in ("kernel", "initramfs", "cmdline", "os_prefix", "device_tree"):
        found.values[key] = value.split()[0] if value.split() else ""
        found.told_by[key] = line
    elif key not in QUIET.split():
        raise Stuck(
            "boot-unknown-line",
            f"nobody here knows what a Pi makes of `{line.text}`, so nothing is proven of what comes up",
            "teach foresight/boot_pi.py the key, or leave the line out",
            line,
        )
