"""dnsmasq for Ainur: DHCP or proxyDHCP, boot options, the internal zone, TFTP.

Owns `dnsmasq.conf`. Refuses VLANs that are the router's alone: dnsmasq listens only where the data says it answers.
"""

from ipaddress import IPv4Address, IPv4Network

from jinja2 import BaseLoader, Environment, StrictUndefined

from model.addresses import Host, NetworkPlan, VlanPlan

TEMPLATE = """\
# Eä's dnsmasq for {{ zone }}. Written by Ilúvatar from the table of addresses; changes here are lost.
no-resolv
no-hosts
bogus-priv
domain-needed
domain={{ zone }}
local=/{{ zone }}/
{% for address in resolvers -%}
server={{ address }}
{% endfor %}
# Who is who
{% for host in hosts -%}
host-record={{ host.name }}.{{ zone }},{{ host.name }},{{ host.address }}
{% endfor %}
{% for vlan in vlans %}
# VLAN {{ vlan.name }}: {{ "the router leases, we add boot options" if vlan.dhcp == "proxy" else "we lease" }}
{% if vlan.dhcp == "proxy" -%}
dhcp-range=set:{{ vlan.name }},{{ vlan.network }},proxy,{{ vlan.mask }}
{% else -%}
dhcp-range=set:{{ vlan.name }},{{ vlan.first }},{{ vlan.last }},{{ vlan.mask }},12h
dhcp-option=tag:{{ vlan.name }},option:router,{{ vlan.gateway }}
{% for host in vlan.reserved -%}
dhcp-host={{ host.mac }},{{ host.address }},{{ host.name }}
{% endfor %}
{%- endif %}
{%- endfor %}
{% if netboot %}
# Boot. The Pi is told apart first: it announces architecture 0 too, and the vendor class of every BIOS boot ROM.
# Its machine identifier (option 97) begins with RPi4 or RPi5
dhcp-leasefile=/var/lib/dnsmasq/dnsmasq.leases
enable-tftp
tftp-root=/srv/tftp
dhcp-match=set:pi,97,RPi
dhcp-match=set:bios,option:client-arch,0
dhcp-match=set:efi-x64,option:client-arch,7
dhcp-match=set:efi-x64,option:client-arch,9
dhcp-match=set:efi-arm64,option:client-arch,11
dhcp-userclass=set:ipxe,iPXE
pxe-service=tag:pi,0,"Raspberry Pi Boot"
pxe-service=tag:!pi,tag:bios,tag:!ipxe,x86PC,"iPXE",undionly.kpxe,{{ netboot }}
pxe-service=tag:efi-x64,tag:!ipxe,X86-64_EFI,"iPXE",snponly.efi,{{ netboot }}
pxe-service=tag:efi-arm64,tag:!ipxe,ARM64_EFI,"iPXE",snponly-arm64.efi,{{ netboot }}
dhcp-boot=tag:!pi,tag:bios,tag:!ipxe,undionly.kpxe,,{{ netboot }}
dhcp-boot=tag:efi-x64,tag:!ipxe,snponly.efi,,{{ netboot }}
dhcp-boot=tag:efi-arm64,tag:!ipxe,snponly-arm64.efi,,{{ netboot }}
# The second time iPXE itself asks, and must get the script: the loader again would be a loop
dhcp-boot=tag:ipxe,http://{{ netboot }}/boot.ipxe,,{{ netboot }}
{% endif %}"""


def configuration(network: NetworkPlan) -> str:
    """The whole `dnsmasq.conf`."""
    jinja = Environment(loader=BaseLoader(), undefined=StrictUndefined, autoescape=False)
    return jinja.from_string(TEMPLATE).render(
        zone=network.zone,
        resolvers=network.resolvers,
        hosts=network.hosts,
        vlans=[_vlan(vlan, network.hosts) for vlan in network.vlans if vlan.dhcp],
        netboot=network.netboot.address if network.netboot else None,
    )


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
