"""Eä, the network: racks, switches, power, VLANs, DHCP, DNS and the boot services' addresses.

Owns the network's shape and its plan: the one table of addresses, and the router's checklist. Refuses to drive the
router, which is the owner's.
"""

from typing import Literal

from pydantic import Field

from model.fields import Address, Asn, Flag, HttpsFile, Mac, Member, Name, Positive, Range, Sha256, Shape, Subnet, Text


class Router(Shape):
    """The owner's router. Never driven by this program."""

    address: Address
    """Its address on the boot VLAN."""
    model: Text | None = None
    """What it is, for the checklist."""
    asn: Asn | None = None
    """Its BGP AS number, where the cluster peers with it."""
    leases: tuple[Name, ...] | None = None
    """VLANs that it is the DHCP server of. Left out: all where our dnsmasq is not."""


class Dhcp(Shape):
    """How addresses are leased on a VLAN where our dnsmasq answers."""

    mode: Literal["server", "proxy"]
    """`server`: dnsmasq owns leases and reservations. `proxy`: the router does, dnsmasq only adds boot options."""
    range: Range
    """The dynamic scope; in mode `proxy` it is the router's, stated so that nothing else is put into it."""


class Vlan(Shape):
    """One layer-2 segment and its subnet."""

    subnet: Subnet
    """Its subnet."""
    gateway: Address
    """The router's address in it."""
    tag: int | None = Field(default=None, strict=True)
    """802.1Q tag, 1 to 4094. Left out: untagged."""
    dhcp: Dhcp | None = None
    """Left out: our dnsmasq is silent here and the router alone leases."""
    mtu: Positive = 1500
    """MTU of the segment."""


class Download(Shape):
    """A file that the builder fetches, and what says that it is the right one."""

    url: HttpsFile
    """Where it is; its version is part of the address."""
    sha256: Sha256 | None = None
    """Its hash, as the publisher states it."""
    sums: HttpsFile | None = None
    """The publisher's SHA256SUMS, asked at the first fetch where `sha256` is left out."""


class Ipxe(Download):
    """The archive (.deb, .tar.gz) that iPXE's loaders are taken from."""

    members: dict[Literal["bios", "efi-x64", "efi-arm64"], Member]
    """Loader → its path inside the archive."""


class PiImage(Shape):
    """Ubuntu Server's image for the Raspberry Pi, preinstalled: the netbooted Pis' system is made of it."""

    url: HttpsFile
    """Where it is; its release is part of the address."""
    sha256: Sha256
    """Its hash, as the publisher's SHA256SUMS has it: root on every netbooted Pi is what comes from there."""


class Netboot(Shape):
    """Where machines boot from."""

    vlan: Name
    """The VLAN that machines boot on."""
    address: Address
    """The VIP of TFTP and HTTP, held by whichever Pi leads."""
    workstation: Address | None = None
    """The machine that serves the very first boot, before the bootstrap cluster stands; REQUIRED where it serves."""
    served_by: Literal["workstation", "ainur"] = "ainur"
    """Which of the two machines are sent to: the workstation, or the bootstrap cluster. Never both."""
    unknown_machines: Literal["local-disk", "maintenance"] = "local-disk"
    """What a machine nobody listed may do: boot its own disk, or come up in Talos maintenance mode, without secrets."""
    default_class: Name | None = None
    """The hardware class whose image an unknown machine gets; REQUIRED with `maintenance`."""
    loaders: tuple[Literal["bios", "efi-x64", "efi-arm64"], ...] = ("bios", "efi-x64", "efi-arm64")
    """iPXE's loaders that TFTP has, by the firmware that each is for."""
    ipxe: Ipxe | None = None
    """Where the loaders come from; REQUIRED where any is served."""
    pi_image: PiImage | None = None
    """The netbooted Pis' system; REQUIRED where a Pi has no card."""
    checksums: dict[Text, Sha256] = Field(default_factory=dict)
    """What the image factory's files must be: `talos/<schematic>/<version>/<file>`, as it is served → SHA-256."""
    untagged_ports: Flag = False
    """Whether the switch hands a tagged boot VLAN to these machines untagged (access ports), as firmware needs it."""


class Switch(Shape):
    """A switch in a rack."""

    model: Text
    """What it is."""
    ports: Positive
    """How many ports it has; they are numbered from 1."""
    poe_budget_watts: Positive | None = None
    """What it can feed over PoE in all. Left out: no PoE."""
    poe_ports: Positive | None = None
    """How many ports, from 1, give PoE. Left out: all of them."""
    watts: Positive = 30
    """Its own draw, without PoE."""
    vlan: Name | None = None
    """VLAN of its management address."""
    address: Address | None = None
    """Its management address."""


class Ups(Shape):
    """A battery, and what hangs on it."""

    model: Text
    """What it is."""
    watts: Positive
    """What it can carry, in watts (not VA)."""
    feeds: tuple[Name, ...] = Field(min_length=1)
    """The supplies, switches, nodes and devices that hang on it."""
    vlan: Name | None = None
    """VLAN of its management address."""
    address: Address | None = None
    """Its management address; REQUIRED of a watched one whose driver is `snmp-ups`, which asks it there."""
    watcher: Name | None = None
    """The device that watches it and tells the others to shut down."""
    driver: Literal["usbhid-ups", "blazer_usb", "nutdrv_qx", "snmp-ups"] = "usbhid-ups"
    """The driver of Network UPS Tools that speaks to it: over USB, or (`snmp-ups`) over the network."""
    runtime_minutes: Positive | None = None
    """How long it carries what hangs on it. Left out: not judged."""
    shutdown_after: Positive = 120
    """Seconds on battery before the watcher begins to shut the lab down; a low battery begins it at once."""
    stage_seconds: Positive = 60
    """Seconds that each stage of the shutdown is given: workers, storage, control planes, the bootstrap cluster."""


class Supply(Shape):
    """A power supply that several machines share, such as a board's."""

    model: Text
    """What it is."""
    watts: Positive
    """What it delivers."""
    feeds: tuple[Name, ...] = Field(min_length=1)
    """The supplies, switches, nodes and devices that it feeds."""


class Device(Shape):
    """A machine on the network that is neither a cluster node nor a switch: a NAS, a watcher, a KVM."""

    model: Text
    """What it is."""
    vlan: Name
    """VLAN it stands in."""
    address: Address
    """Its address there."""
    mac: Mac | None = None
    """Its MAC, where an address is to be reserved for it."""
    port: Text | None = None
    """Its switch port, `switch/number`."""
    watts: Positive = 10
    """Worst-case draw in watts."""
    poe: Flag = False
    """Whether the switch port feeds it."""


class Rack(Shape):
    """A rack and what is screwed into it."""

    switches: dict[Name, Switch] = Field(default_factory=dict)
    """Its switches by name."""
    ups: dict[Name, Ups] = Field(default_factory=dict)
    """Its batteries by name."""
    supplies: dict[Name, Supply] = Field(default_factory=dict)
    """Its shared power supplies by name."""
    devices: dict[Name, Device] = Field(default_factory=dict)
    """Its other devices by name."""


class Network(Shape):
    """The world the clusters live in."""

    router: Router
    """The owner's router."""
    resolvers: tuple[Address, ...] = ()
    """DNS servers for names that are not ours."""
    time_servers: tuple[Text, ...] = ()
    """NTP servers for every machine."""
    vlans: dict[Name, Vlan] = Field(min_length=1)
    """Segments by name."""
    netboot: Netboot | None = None
    """Left out: no machine here boots from the network."""
    racks: dict[Name, Rack] = Field(default_factory=dict)
    """Racks by name."""
