"""dnsmasq and iPXE: every machine finds its own image, and nothing answers where it should not."""

import re

from render import dnsmasq, ipxe
from tests.labs import planned, raw, shipped_plan

NETWORK = shipped_plan("homelab").network


def test_every_netbooted_node_has_a_script_with_its_own_kernel() -> None:
    plan = shipped_plan("homelab")
    assert plan.cluster
    assert plan.network.netboot
    scripts = ipxe.scripts(plan.network.netboot)
    for node in plan.cluster.nodes:
        script = scripts[node.mac.replace(":", "-") + ".ipxe"]
        assert f"kernel http://192.168.1.59/{node.image.kernel_path} " in script
        assert f"initrd http://192.168.1.59/{node.image.initramfs_path}\n" in script
        assert "talos.halt_if_installed=1" in script, "an installed machine must not be reinstalled by a network boot"


def test_an_unknown_machine_boots_its_own_disk_unless_the_lab_admits_maintenance() -> None:
    edited = raw("homelab")
    edited["network"]["netboot"] |= {"unknown_machines": "local-disk"}
    netboot = planned(edited).network.netboot
    assert netboot
    assert "kernel" not in ipxe.scripts(netboot)["unknown.ipxe"]
    assert NETWORK.netboot
    assert "kernel" in ipxe.scripts(NETWORK.netboot)["unknown.ipxe"]


def test_the_menu_names_the_server_since_next_server_is_the_router_under_proxy_dhcp() -> None:
    assert NETWORK.netboot
    menu = ipxe.scripts(NETWORK.netboot)["boot.ipxe"]
    assert "next-server" not in menu
    assert menu.count("http://192.168.1.59/") == 2


def test_ipxe_asking_a_second_time_gets_the_script_and_never_the_loader_again() -> None:
    lines = dnsmasq.configuration(NETWORK).splitlines()
    loaders = [line for line in lines if "undionly.kpxe" in line or "snponly" in line]
    assert loaders
    assert all("tag:!ipxe" in line for line in loaders)
    assert "dhcp-boot=tag:lab,tag:ipxe,http://192.168.1.59/boot.ipxe,,192.168.1.59" in lines


def test_ipxe_gets_a_server_with_its_script_or_it_ignores_the_offer() -> None:
    """A BIOS machine in QEMU stopped at "Nothing to boot": the proxy's offer had the script's URL, but no next server.

    iPXE takes a proxyDHCP offer only with both. UEFI machines booted, since dnsmasq fills the server in for those.
    """
    scripts = [line for line in dnsmasq.configuration(NETWORK).splitlines() if "tag:ipxe" in line]
    assert scripts == ["dhcp-boot=tag:lab,tag:ipxe,http://192.168.1.59/boot.ipxe,,192.168.1.59"]


def test_a_pi_is_told_apart_before_the_bios_loader_is_offered() -> None:
    lines = dnsmasq.configuration(NETWORK).splitlines()
    bios = [line for line in lines if "tag:bios" in line and line.startswith(("dhcp-boot", "pxe-service"))]
    assert bios
    assert all("tag:!pi" in line for line in bios)


def test_dnsmasq_answers_only_on_vlans_it_was_given() -> None:
    ranges = [line for line in dnsmasq.configuration(NETWORK).splitlines() if line.startswith("dhcp-range")]
    assert ranges == ["dhcp-range=set:lab,192.168.1.0,proxy,255.255.255.0"]


def test_as_server_it_leases_the_range_and_keeps_every_reservation() -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = "server"
    text = dnsmasq.configuration(planned(edited).network)
    assert "dhcp-option=tag:lab,option:dns-server,192.168.1.59\n" in text
    assert "dhcp-range=set:lab,192.168.1.150,192.168.1.199,255.255.255.0,12h\n" in text
    assert "dhcp-option=tag:lab,option:router,192.168.1.1\n" in text
    assert "dhcp-host=02:00:00:00:02:01,192.168.1.101,valinor-1\n" in text
    assert len(re.findall("^dhcp-host=", text, re.MULTILINE)) == 9


def test_every_name_of_the_table_is_answered_once() -> None:
    records = re.findall(r"^host-record=([^,]+),", dnsmasq.configuration(NETWORK), re.MULTILINE)
    assert sorted(records) == sorted(f"{host.name}.{NETWORK.zone}" for host in NETWORK.hosts)
    assert len(set(records)) == len(records)


def test_nothing_in_a_served_file_is_longer_than_a_path_or_a_hash() -> None:
    assert NETWORK.netboot
    known = {entry.image.schematic_id for entry in NETWORK.netboot.entries if entry.image}
    for name, text in ipxe.scripts(NETWORK.netboot).items():
        tokens = {token for token in re.findall(r"[A-Za-z0-9+/=]{40,}", text) if "/" not in token}
        assert tokens <= known, f"{name} serves {tokens - known}"


def test_a_node_reached_by_a_kernel_argument_gets_its_address_with_its_kernel() -> None:
    edited = raw("homelab")
    edited["cluster"]["nodes"]["istari-1"]["reach"] = "kernel-argument"
    netboot = planned(edited).network.netboot
    assert netboot
    scripts = ipxe.scripts(netboot)
    wanted = " ip=192.168.1.104::192.168.1.1:255.255.255.0:istari-1:eno1:off\n"
    assert wanted in scripts["02-00-00-00-02-04.ipxe"]
    assert not [name for name, text in scripts.items() if " ip=" in text and name != "02-00-00-00-02-04.ipxe"]
