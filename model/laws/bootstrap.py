"""Laws of Ainur: what each Pi can be, who starts the cluster, how its machines are reached.

Owns the bootstrap cluster and the boot services. Refuses its addresses (`network`) and cables (`ports`).
"""

import base64
import binascii
import re
from collections.abc import Iterator

from model.ainur import BootstrapNode
from model.catalogue import boot_configuration
from model.environment import Environment
from model.hardware import NETBOOT_BOARDS
from model.laws.claims import repeated, talos_nodes
from model.laws.registry import Breach, law
from model.laws.words import listed

SERIAL = re.compile(r"[0-9a-f]{16}")
KEY_TYPES = r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com"
KEY = re.compile(rf"({KEY_TYPES}) ([A-Za-z0-9+/]+=*)( .*)?")


def pis(env: Environment) -> list[tuple[str, BootstrapNode]]:
    """The bootstrap cluster's machines; none without one."""
    return list(env.bootstrap.nodes.items()) if env.bootstrap else []


@law("bootstrap-quorum")
def servers_are_odd(env: Environment) -> Iterator[Breach]:
    """The bootstrap cluster has one server or three: two survive no more failures than one, more than three only make
    every write wait for more cards, and none starts nothing."""
    if env.bootstrap is None:
        return
    servers = sorted(name for name, pi in pis(env) if pi.role == "server")
    count = len(servers)
    if count == 0:
        yield Breach(
            "bootstrap.nodes",
            "no Pi is a server: nobody would start the cluster",
            "give one with an SD card role: server",
        )
    elif count not in (1, 3):
        near = min(count - 1, 3)
        why = "survive no more failures than one" if count == 2 else "make each write of etcd wait for more cards"
        yield Breach("bootstrap.nodes", f"{count} servers {why}", f"nearest: {near}, the others role: agent")


@law("bootstrap-server-card")
def server_is_persistent(env: Environment) -> Iterator[Breach]:
    """A server has an SD card, which holds its system: a netbooted one would forget the cluster."""
    for name, pi in pis(env):
        if pi.role == "server" and not boot_configuration(frozenset(pi.boot)).server:
            message = f"{name} is a server without an SD card: it would forget the cluster at every boot"
            yield Breach(
                f"bootstrap.nodes.{name}.boot",
                message,
                "add sd, or make it role: agent",
                f"bootstrap.nodes.{name}.role",
            )


@law("bootstrap-agent-memory")
def agent_remembers(env: Environment) -> Iterator[Breach]:
    """An agent has an SD card or NVMe: without either its token, node password and SSH host key are new at every boot,
    and the cluster refuses it."""
    for name, pi in pis(env):
        if pi.role == "agent" and not {"sd", "nvme"} & set(pi.boot):
            message = (
                f"{name} has neither SD card nor NVMe: it forgets its token and password, and is refused when it boots"
            )
            yield Breach(f"bootstrap.nodes.{name}.boot", message, "add nvme", f"bootstrap.nodes.{name}.role")


@law("bootstrap-boot-disk", unless=("hardware-class-unknown",))
def plugged_disks_exist(env: Environment) -> Iterator[Breach]:
    """A card or NVMe that is plugged into a Pi is one that its class has."""
    for name, pi in pis(env):
        hardware = env.hardware.get(pi.hardware)
        kinds = {disk.kind for disk in hardware.disks.values()} if hardware else set()
        for index, part in enumerate(pi.boot):
            if hardware and part != "poe" and part not in kinds:
                message = f"{name} has {part} plugged in, and its class {pi.hardware} has no such disk"
                hint = f"add a disk of kind {part} to the class, or leave it out here"
                yield Breach(f"bootstrap.nodes.{name}.boot.{index}", message, hint, f"hardware.{pi.hardware}.disks")


@law("bootstrap-boot-duplicate")
def parts_once(env: Environment) -> Iterator[Breach]:
    """A part is plugged into a Pi once."""
    for name, pi in pis(env):
        for index, part in enumerate(pi.boot):
            if part in pi.boot[:index]:
                yield Breach(f"bootstrap.nodes.{name}.boot.{index}", f"{name} has {part} twice", "leave one out")


@law("bootstrap-class", unless=("hardware-class-unknown", "hardware-firmware-arch"))
def pi_is_a_pi(env: Environment) -> Iterator[Breach]:
    """A machine of the bootstrap cluster is a Raspberry Pi: that is what its images and boot services are made for."""
    for name, pi in pis(env):
        hardware = env.hardware.get(pi.hardware)
        if hardware and hardware.firmware != "raspberry-pi":
            known = [one for one, shape in env.hardware.items() if shape.firmware == "raspberry-pi"]
            message = f"{name} is a {pi.hardware}, which starts by {hardware.firmware} and is no Raspberry Pi"
            hint = f"did you mean {known[0]}?" if known else "add a class with firmware: raspberry-pi"
            yield Breach(f"bootstrap.nodes.{name}.class", message, hint, f"hardware.{pi.hardware}.firmware")


@law("bootstrap-serial")
def serial_form(env: Environment) -> Iterator[Breach]:
    """A board serial has 16 hex digits, in lower case: the firmware asks for files by its low eight."""
    for name, pi in pis(env):
        if not SERIAL.fullmatch(pi.serial):
            near = pi.serial.lower().removeprefix("0x")
            hint = (
                f"did you mean {near.rjust(16, '0')}?"
                if re.fullmatch(r"[0-9a-f]{8,16}", near)
                else "read it on the Pi: cat /proc/device-tree/serial-number"
            )
            yield Breach(
                f"bootstrap.nodes.{name}.serial", f"'{pi.serial[:40]}' is no board serial of 16 hex digits", hint
            )


@law("bootstrap-netboot-missing")
def netbooting_pi_has_boot_services(env: Environment) -> Iterator[Breach]:
    """A Pi without an SD card, or that is to write its own, boots from the network, so the environment has boot
    services."""
    for name, pi in pis(env):
        if pi.netboots and env.network.netboot is None:
            why = "writes its card from the network" if "sd" in pi.boot else "has no SD card and boots from the network"
            message = f"{name} {why}, where nothing answers"
            yield Breach(f"bootstrap.nodes.{name}.boot", message, "add network.netboot, or a card", "network.netboot")


@law("bootstrap-board")
def netbooting_pi_is_known(env: Environment) -> Iterator[Breach]:
    """A Pi that boots from the network is of a board whose files are known: each asks for a device tree of its own."""
    booting: dict[str, list[str]] = {}
    for name, pi in pis(env):
        hardware = env.hardware.get(pi.hardware)
        if pi.netboots and hardware and hardware.firmware == "raspberry-pi":
            booting.setdefault(pi.hardware, []).append(name)
    for name, names in booting.items():
        board = env.hardware[name].board
        if board not in NETBOOT_BOARDS:
            said = f"is a {board}" if board else "does not say which board it is"
            message = f"{listed(names)} without an SD card: class {name} {said}, and only known boards are served"
            hint = f"write board: {' or '.join(NETBOOT_BOARDS)}, if it is one; or add sd to its boot"
            yield Breach(f"hardware.{name}.board", message, hint, f"bootstrap.nodes.{names[0]}.boot")


@law("bootstrap-link", unless=("hardware-class-unknown",))
def netbooted_pi_has_the_kernels_link(env: Environment) -> Iterator[Breach]:
    """The network card of a Pi that boots from the network is eth0: its root hangs on the link before anybody could
    name it otherwise (`net.ifnames=0`), and k3s is told to go by that name."""
    without_card = {pi.hardware: name for name, pi in pis(env) if "sd" not in pi.boot}
    for class_name, pi_name in without_card.items():
        hardware = env.hardware.get(class_name)
        if hardware and hardware.firmware == "raspberry-pi" and hardware.nics[0] != "eth0":
            message = f"{pi_name} boots from the network, where its card is eth0; its class says {hardware.nics[0]}"
            hint = "write nics: [eth0]; or give it an SD card, whose system calls the card as you say"
            yield Breach(f"hardware.{class_name}.nics.0", message, hint, f"bootstrap.nodes.{pi_name}.boot")


@law("network-netboot-vlan", unless=("network-vlan-unknown",))
def boot_services_stand_with_the_pis(env: Environment) -> Iterator[Breach]:
    """The boot services' VIP is in the VLAN of the Pis that hold it."""
    boot = env.network.netboot
    if boot and env.bootstrap and boot.vlan != env.bootstrap.vlan:
        message = f"the boot services are in VLAN {boot.vlan}, and the Pis that hold their VIP in {env.bootstrap.vlan}"
        yield Breach("network.netboot.vlan", message, f"did you mean {env.bootstrap.vlan}?", "bootstrap.vlan")


@law("network-netboot-nobody")
def somebody_serves(env: Environment) -> Iterator[Breach]:
    """Boot services are run by a bootstrap cluster."""
    if env.network.netboot and env.bootstrap is None:
        message = f"nobody would answer at {env.network.netboot.address}: there is no bootstrap cluster"
        yield Breach(
            "network.netboot", message, "leave netboot out and flash the machines, or add bootstrap", "bootstrap"
        )


@law("network-netboot-class")
def unknown_machines_get_an_image(env: Environment) -> Iterator[Breach]:
    """Where unknown machines come up in maintenance mode, a class says which image they get, and it can netboot."""
    boot = env.network.netboot
    if boot is None or boot.unknown_machines != "maintenance":
        return
    path, hardware = "network.netboot.default_class", env.hardware.get(boot.default_class or "")
    good = [name for name, shape in env.hardware.items() if shape.firmware in ("uefi", "bios")]
    hint = f"did you mean {good[0]}?" if good else "set unknown_machines: local-disk"
    if boot.default_class is None:
        yield Breach(path, "unknown machines may boot, and no class says which image they get", hint, "hardware")
    elif hardware and hardware.firmware not in ("uefi", "bios"):
        message = f"{boot.default_class} starts by {hardware.firmware}, which boots no Talos image from the network"
        yield Breach(path, message, hint, f"hardware.{boot.default_class}.firmware")


@law("network-netboot-idle", "warning", unless=("network-netboot-nobody",))
def somebody_netboots(env: Environment) -> Iterator[Breach]:
    """Boot services have a machine to serve."""
    boot = env.network.netboot
    if boot is None or boot.unknown_machines == "maintenance":
        return
    pi_boots = any(pi.netboots for _, pi in pis(env))
    if not pi_boots and not any(node.boot == "netboot" for _, node in talos_nodes(env)):
        yield Breach("network.netboot", "no machine boots from the network", "leave netboot out", "cluster.nodes")


@law("bootstrap-key-form")
def keys_are_public_keys(env: Environment) -> Iterator[Breach]:
    """What may log in, and what a Pi proves itself with, is an OpenSSH public key: type, key, comment."""
    for path, key in _keys(env):
        if not _is_public_key(key) and "PRIVATE KEY" not in key:
            yield Breach(path, f"'{key[:30]}…' is no OpenSSH public key", "paste the whole line of the .pub file")


@law("secret-private-key")
def keys_are_not_private(env: Environment) -> Iterator[Breach]:
    """No private key stands in the stack file in clear."""
    for path, key in _keys(env):
        if "PRIVATE KEY" in key:
            yield Breach(
                path, "this is a private key, in clear", "make a new pair, and paste the .pub file's line here"
            )


def _keys(env: Environment) -> Iterator[tuple[str, str]]:
    if env.bootstrap:
        for index, key in enumerate(env.bootstrap.ssh.authorized_keys):
            yield f"bootstrap.ssh.authorized_keys.{index}", key
    for name, key in _host_keys(env):
        yield f"bootstrap.nodes.{name}.host_key", key


def _host_keys(env: Environment) -> Iterator[tuple[str, str]]:
    """(Pi, the host key that stands in the data), of those that have one."""
    return ((name, pi.host_key) for name, pi in pis(env) if pi.host_key is not None)


def _is_public_key(text: str) -> bool:
    match = KEY.fullmatch(text.strip())
    if not match:
        return False
    try:
        blob = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        return False
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length] == match[1].encode() and len(blob) > 4 + length


@law("bootstrap-host-key-shared")
def host_key_once(env: Environment) -> Iterator[Breach]:
    """Two Pis have two host keys: with one, either could pass for the other."""
    keys = ((" ".join(key.split()[:2]), f"bootstrap.nodes.{name}.host_key") for name, key in _host_keys(env))
    for _, first, later in repeated(keys):
        message = f"{later.split('.')[2]} and {first.split('.')[2]} have one host key"
        yield Breach(later, message, "make a card of its own for each", first)


@law("bootstrap-host-key-unknown", "warning")
def card_has_its_host_key(env: Environment) -> Iterator[Breach]:
    """A Pi with a card is known by the host key that its card was made with: else whoever answers at its address when
    the first `up` asks is believed, and given the join token."""
    for name, pi in pis(env):
        if pi.host_key is None and not pi.netboots:
            message = f"nobody wrote {name}'s host key down: whoever answers first at {pi.address} passes for it"
            hint = "the line that `./lab render` prints with its card, or that its own console shows at first boot"
            yield Breach(f"bootstrap.nodes.{name}.host_key", message, hint)


@law("bootstrap-host-key-pinned", "note")
def netbooted_pi_is_pinned(env: Environment) -> Iterator[Breach]:
    """A netbooted Pi makes its host key itself: the first `up` that reaches it keeps what it
    sees, and refuses another."""
    for name, pi in pis(env):
        if pi.host_key is None and pi.netboots:
            message = f"{name}'s host key is pinned at first contact: what answers at {pi.address} then is believed"
            hint = f"nothing to do; to pin it here as well, once it runs: ssh-keyscan -t ed25519 {pi.address}"
            yield Breach(f"bootstrap.nodes.{name}.host_key", message, hint)


@law("bootstrap-user")
def user_is_not_a_default(env: Environment) -> Iterator[Breach]:
    """The login is the owner's own: `root` is closed, and `ubuntu` and `pi` are what every scanner tries first."""
    if env.bootstrap and env.bootstrap.ssh.user in ("root", "ubuntu", "pi", "admin"):
        message = f"'{env.bootstrap.ssh.user}' is a login that every scanner tries"
        yield Breach("bootstrap.ssh.user", message, "choose a name of your own")
