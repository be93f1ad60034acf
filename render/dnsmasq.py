"""dnsmasq for Ainur: DHCP or proxyDHCP, boot options, the internal zone, TFTP; and the workstation's, without names.

Owns both files. Refuses VLANs that are the router's alone: dnsmasq listens only where the data says it answers.
"""

import re
from ipaddress import IPv4Address, IPv4Network

from jinja2 import BaseLoader, Environment, StrictUndefined

from model.addresses import Host, NetworkPlan, VlanPlan
from model.netboot import Loader, NetbootPlan

LEASES = "/var/lib/dnsmasq/dnsmasq.leases"
"""The lease file: on a disk that outlives dnsmasq, and in one place only."""
TFTP_ROOT = "/srv/tftp"

FILES: dict[Loader, str] = {"bios": "undionly.kpxe", "efi-x64": "snponly.efi", "efi-arm64": "snponly-arm64.efi"}
"""iPXE's loaders, as TFTP has them: those that use the firmware's own driver of the card."""
SYSTEMS: dict[Loader, str] = {"bios": "x86PC", "efi-x64": "X86-64_EFI", "efi-arm64": "ARM64_EFI"}
"""dnsmasq's words for them in `pxe-service`."""
ARCHITECTURES: dict[Loader, tuple[int, ...]] = {"bios": (0,), "efi-x64": (7, 9), "efi-arm64": (11,)}
"""What a firmware announces as DHCP option 93 when it boots by TFTP (IANA, processor architecture types)."""
HTTP_ARCHITECTURES: dict[Loader, int] = {"efi-x64": 16, "efi-arm64": 19}
"""What UEFI announces there when it boots by HTTP."""

NAMES = """\
# Eä's dnsmasq for {{ zone }}. Written by Ilúvatar from the table of addresses; changes here are lost.
{% for interface in interfaces -%}
interface={{ interface }}
{% endfor -%}
# A pod on dnsmasq's own machine asks over the bridge of k3s' pods, others over the link. No range lies there: no leases
interface=cni0
# An address that comes later, as the boot services' does, is listened on too; other links are never answered
bind-dynamic
no-resolv
no-hosts
bogus-priv
domain-needed
domain={{ zone }}
local=/{{ zone }}/
{% for reverse in reverse_zones -%}
local=/{{ reverse }}/
{% endfor -%}
{% for address in resolvers -%}
server={{ address }}
{% endfor %}
# Who is who, forward and reverse
{% for host in hosts -%}
host-record={{ host.name }}.{{ zone }},{{ host.name }},{{ host.address }}
{% endfor %}
{%- for zone, address in below %}
# Every other name below {{ zone }}: an application of the bootstrap cluster. `local` as well, or what is asked for
# beside the address (AAAA) is answered as if there were no such name, and some resolvers then believe just that
address=/{{ zone }}/{{ address }}
local=/{{ zone }}/
{% endfor %}
{%- if inside and inside.by == "k8s-gateway" %}
# {{ inside.domain }} on the LAN: k8s-gateway knows where each route leads, and asks outside for a name that has none
server=/{{ inside.domain }}/{{ inside.address }}
{% elif inside and inside.by == "ainur" %}
# {{ inside.domain }} on the LAN: straight to the gateways. A name of its own is a host-record, which is asked first:
# `address` twice for the domain would give every name both addresses
{% for name, address in inside.names if not name.startswith("*") -%}
host-record={{ name }},{{ address }}
{% endfor -%}
address=/{{ inside.domain }}/{{ inside.address }}
local=/{{ inside.domain }}/
{% endif %}
{%- if silent %}
# Silent for machines that boot: the workstation serves them (network.netboot.served_by), and two must never answer
{% endif %}"""

WORKSTATION = """\
# The workstation's: boot options beside the router's leases, and TFTP. Written by Ilúvatar; changes here are lost.
port=0
listen-address={{ server }}
bind-interfaces
no-resolv
no-hosts
log-dhcp
"""

BOOT = """\
{%- if vlans and leases %}
log-dhcp
dhcp-leasefile={{ leases }}
{% endif %}
{%- if alone %}
# Nobody else leases here: a client with a lease of somebody else's is put right at once
dhcp-authoritative
{% endif %}
{%- for vlan in vlans %}
# VLAN {{ vlan.name }}: {{ "the router leases, we add boot options" if vlan.dhcp == "proxy" else "we lease" }}
{% if vlan.dhcp == "proxy" -%}
dhcp-range=set:{{ vlan.name }},{{ vlan.network }},proxy,{{ vlan.mask }}
{% else -%}
dhcp-range=set:{{ vlan.name }},{{ vlan.first }},{{ vlan.last }},{{ vlan.mask }},12h
dhcp-option=tag:{{ vlan.name }},option:router,{{ vlan.gateway }}
{% if dns -%}
dhcp-option=tag:{{ vlan.name }},option:dns-server,{{ dns }}
{% endif -%}
{% if time -%}
dhcp-option=tag:{{ vlan.name }},option:ntp-server,{{ time }}
{% endif -%}
{% for host in vlan.reserved -%}
dhcp-host={{ host.mac }},{{ host.address }},{{ host.name }}
{% endfor %}
{%- endif %}
{%- endfor %}
{%- if netboot %}
# Boot, on VLAN {{ on }}. A Pi is told apart first: it announces architecture 0 too, and the vendor class of every BIOS
# boot ROM. Its machine identifier (option 97) begins with RPi4 or RPi5; the known ones are told by their MAC as well
enable-tftp
tftp-root={{ tftp_root }}
dhcp-match=set:pi,97,RPi
{% for pi in netboot.pis -%}
dhcp-mac=set:pi,{{ pi.mac }}
{% endfor -%}
{% for loader, number in architectures -%}
dhcp-match=set:{{ loader }},option:client-arch,{{ number }}
{% endfor -%}
dhcp-userclass=set:ipxe,iPXE
pxe-service=tag:{{ on }},tag:pi,0,"Raspberry Pi Boot"
dhcp-boot=tag:{{ on }},tag:pi,,,{{ server }}
{% if leased -%}
dhcp-option=tag:{{ on }},tag:pi,option:tftp-server,{{ server }}
{% endif -%}
{% for one in offered -%}
{% if one.system -%}
pxe-service=tag:{{ on }},{{ one.tags }},tag:!ipxe,{{ one.system }},"iPXE",{{ one.file }},{{ server }}
{% endif -%}
dhcp-boot=tag:{{ on }},{{ one.tags }},tag:!ipxe,{{ one.file }},,{{ server }}
{% endfor -%}
{% if over_http -%}
# UEFI's HTTP boot: as proxy dnsmasq answers no vendor class but these
dhcp-pxe-vendor=PXEClient,HTTPClient
{% endif -%}
{% for loader, number, file in over_http -%}
dhcp-match=set:http-{{ loader }},option:client-arch,{{ number }}
dhcp-boot=tag:{{ on }},tag:http-{{ loader }},tag:!ipxe,http://{{ server }}/loaders/{{ file }},,{{ server }}
dhcp-option-force=tag:{{ on }},tag:http-{{ loader }},tag:!ipxe,option:vendor-class,HTTPClient
{% endfor -%}
# The second time iPXE itself asks, and must get the script: the loader again would be a loop
dhcp-boot=tag:{{ on }},tag:ipxe,http://{{ server }}/boot.ipxe,,{{ server }}
{% endif %}"""


def configuration(network: NetworkPlan) -> str:
    """The bootstrap cluster's whole `dnsmasq.conf`: names alone while the workstation serves machines that boot."""
    if network.netboot is None or network.netboot.served_by == "ainur":
        return _rendered(NAMES + BOOT, network)
    return _rendered(NAMES, network, silent=True)


def workstation(network: NetworkPlan) -> str:
    """The workstation's whole `dnsmasq.conf`: it leases nothing, and answers on the link of its address."""
    return _rendered(WORKSTATION + BOOT, network, leases="")


def _rendered(template: str, network: NetworkPlan, *, leases: str = LEASES, silent: bool = False) -> str:
    jinja = Environment(loader=BaseLoader(), undefined=StrictUndefined, autoescape=False)
    answered = [vlan for vlan in network.vlans if vlan.dhcp]
    return jinja.from_string(template).render(
        silent=silent,
        zone=network.zone,
        interfaces=network.interfaces,
        reverse_zones=network.reverse_zones,
        dns=network.dns,
        resolvers=network.resolvers,
        hosts=network.hosts,
        below=network.below,
        inside=network.inside,
        leases=leases,
        time=_time(network.time_servers),
        alone=bool(answered) and all(vlan.dhcp == "server" for vlan in answered),
        vlans=[_vlan(vlan, network.hosts) for vlan in answered],
        netboot=network.netboot,
        **(_boot(network.netboot, answered) if network.netboot else {}),
    )


def _time(servers: tuple[str, ...]) -> str:
    """Time servers that DHCP can tell of: option 42 has room for addresses only (RFC 2132, 8.3)."""
    return ",".join(one for one in servers if re.fullmatch(r"\d+(\.\d+){3}", one))


def _vlan(vlan: VlanPlan, hosts: tuple[Host, ...]) -> dict[str, object]:
    subnet = IPv4Network(vlan.subnet)
    first, _, last = (vlan.range or "").partition("-")
    return {
        "name": vlan.name,
        "dhcp": vlan.dhcp,
        "network": subnet.network_address,
        "mask": subnet.netmask,
        "first": first,
        "last": last,
        "gateway": vlan.gateway,
        "reserved": [host for host in hosts if host.reserve and host.mac and IPv4Address(host.address) in subnet],
    }


def _boot(netboot: NetbootPlan, answered: list[VlanPlan]) -> dict[str, object]:
    not_pi = {"bios": "tag:!pi,"}
    leased = any(vlan.name == netboot.vlan and vlan.dhcp == "server" for vlan in answered)
    # Leased by the one that has a service for it, UEFI asks port 4011 for the file; dnsmasq answers there as proxy only
    systems = {"bios": SYSTEMS["bios"]} if leased else SYSTEMS
    return {
        "on": netboot.vlan,
        "server": netboot.address,
        "tftp_root": TFTP_ROOT,
        "leased": leased,
        "architectures": [(loader, number) for loader in netboot.loaders for number in ARCHITECTURES[loader]],
        "offered": [
            {"tags": f"{not_pi.get(loader, '')}tag:{loader}", "system": systems.get(loader), "file": FILES[loader]}
            for loader in netboot.loaders
        ],
        "over_http": [
            (loader, HTTP_ARCHITECTURES[loader], FILES[loader])
            for loader in netboot.loaders
            if loader in HTTP_ARCHITECTURES
        ],
    }
