"""The boot server, the Pis' files and the NFS export: nobody gets more than is theirs, and a change is noticed."""

import re

import pytest
import yaml

from model.netboot import TALOS_ARGUMENTS, arguments
from render import boot_files, dnsmasq, ipxe, nfs, nginx, pi_boot, pi_card
from tests.labs import ROOT, SHIPPED, planned, raw, shipped_plan

PLAN = shipped_plan("homelab")
NETWORK = PLAN.network


def _netboot():
    assert NETWORK.netboot
    return NETWORK.netboot


def _edited(mode: str = "server", **boot: object):
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = mode
    edited["network"]["netboot"] |= boot
    return planned(edited).network


def test_boot_options_are_for_the_boot_vlan_alone() -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["iot"]["dhcp"] = {"mode": "server", "range": "192.168.20.100-192.168.20.200"}
    lines = dnsmasq.configuration(planned(edited).network).splitlines()
    boots = [line for line in lines if line.startswith(("dhcp-boot=", "pxe-service="))]
    assert len(boots) > 6
    assert all("=tag:lab," in line for line in boots)


def test_every_subnet_of_the_lab_has_its_reverse_zone_answered_here_and_asked_of_nobody_else() -> None:
    text = dnsmasq.configuration(NETWORK)
    assert {f"local=/{net}.168.192.in-addr.arpa/" for net in (1, 10, 20, 50)} <= set(text.splitlines())
    edited = raw("homelab")
    edited["network"]["vlans"]["iot"] |= {"subnet": "10.20.0.0/22", "gateway": "10.20.0.1"}
    zones = planned(edited).network.reverse_zones
    assert [zone for zone in zones if zone.endswith(".20.10.in-addr.arpa")] == [
        f"{third}.20.10.in-addr.arpa" for third in range(4)
    ]


def test_a_pi_s_link_has_the_kernel_s_own_name_from_a_card_and_from_the_network() -> None:
    assert NETWORK.netboot
    netbooted = pi_boot.cmdline(NETWORK.netboot, NETWORK.netboot.pis[0]).split()
    for words in (netbooted, pi_card.CMDLINE):
        assert {"net.ifnames=0", "multipath=off"} <= set(words)


def test_dnsmasq_answers_on_the_pis_own_link_and_their_pods_bridge_alone() -> None:
    assert re.findall("^interface=(.*)$", dnsmasq.configuration(NETWORK), re.MULTILINE) == ["eth0", "cni0"]


def test_uefi_http_boot_is_offered_and_the_client_told_that_it_is_meant() -> None:
    """Beside the router a raw client got no answer: as proxy dnsmasq answers PXEClient alone, until told of others."""
    for network in (NETWORK, _edited()):
        lines = dnsmasq.configuration(network).splitlines()
        assert "dhcp-pxe-vendor=PXEClient,HTTPClient" in lines
        assert "dhcp-match=set:http-efi-x64,option:client-arch,16" in lines
        assert "dhcp-option-force=tag:lab,tag:http-efi-x64,tag:!ipxe,option:vendor-class,HTTPClient" in lines


def test_uefi_that_we_lease_to_is_given_its_file_at_once_and_no_service() -> None:
    """UEFI in QEMU ended in "PXE-E16: No valid offer received" where dnsmasq leased.

    A pxe-service for it makes dnsmasq say PXEClient without a menu: the firmware then asks port 4011 for the file, and
    dnsmasq answers there as proxy only.
    """
    lines = dnsmasq.configuration(_edited()).splitlines()
    assert not [line for line in lines if line.startswith("pxe-service=") and ".efi" in line]
    assert "dhcp-boot=tag:lab,tag:efi-x64,tag:!ipxe,snponly.efi,,192.168.1.59" in lines
    beside = dnsmasq.configuration(NETWORK).splitlines()
    assert any(line.startswith("pxe-service=") and "X86-64_EFI" in line for line in beside)


def test_only_loaders_that_are_there_are_offered() -> None:
    text = dnsmasq.configuration(_edited(loaders=["efi-x64"]))
    assert "undionly" not in text
    assert "arm64" not in text
    assert "snponly.efi" in text


def test_nobody_else_leases_so_dnsmasq_is_the_authority_and_never_beside_a_router_that_leases() -> None:
    assert "dhcp-authoritative" in dnsmasq.configuration(_edited()).splitlines()
    assert "dhcp-authoritative" not in dnsmasq.configuration(NETWORK)


@pytest.mark.parametrize("minor", TALOS_ARGUMENTS)
def test_arguments_are_those_of_the_talos_release_with_the_class_s_own_and_the_guard(minor: str) -> None:
    edited = raw("homelab")
    edited["versions"]["talos"] = f"v{minor}.0"
    edited["hardware"]["prodesk-400-g4"]["talos"]["kernel_args"] = ["net.ifnames=0"]
    netboot = planned(edited).network.netboot
    assert netboot
    script = ipxe.scripts(netboot)["02-00-00-00-02-01.ipxe"]
    wanted = " ".join((*TALOS_ARGUMENTS[minor], "net.ifnames=0", "talos.halt_if_installed=1"))
    assert f" {wanted}\n" in script


def test_a_release_newer_than_all_that_are_known_gets_what_the_newest_known_gets() -> None:
    from model.environment import Environment

    hardware = Environment.model_validate(raw("homelab")).hardware["prodesk-400-g4"]
    assert arguments("v9.1.0", hardware, None)[:-1] == list(TALOS_ARGUMENTS.values())[-1]


def test_an_unknown_machine_of_another_architecture_boots_its_own_disk() -> None:
    script = ipxe.scripts(_netboot())["unknown.ipxe"].splitlines()
    assert script[2] == "iseq ${buildarch} i386 || iseq ${buildarch} x86_64 || goto disk"
    assert script[-2:] == [":disk", "exit"]


def test_an_unknown_machine_says_what_it_is_where_the_log_hears_it() -> None:
    asked = ipxe.scripts(_netboot())["boot.ipxe"].split("unknown.ipxe?")[1]
    said = re.findall(r"(\w+)=\S*?\$\{", asked)
    heard = re.findall(r"\$arg_(\w+) \$discovered_", nginx.server(_netboot()))
    assert sorted(said) == sorted(heard) == ["arch", "mac", "model", "name", "serial"]


def test_the_proposed_entry_has_a_class_of_the_machine_s_own_architecture() -> None:
    """An arm64 machine was offered the class of amd64 PCs: its image does not start there."""
    edited = raw("homelab")
    edited["hardware"]["ampere"] = edited["hardware"]["prodesk-400-g4"] | {"arch": "arm64", "cpu": "arm"}
    for lab, classes in (
        (raw("homelab"), {"i386": "prodesk-400-g4", "x86_64": "prodesk-400-g4"}),
        (edited, {"arm64": "ampere", "i386": "prodesk-400-g4", "x86_64": "prodesk-400-g4"}),
    ):
        netboot = planned(lab).network.netboot
        assert netboot
        text = nginx.server(netboot)
        assert dict(re.findall(r"^  (\w+) '\$discovered_name: \{ class: (\S+),", text, re.MULTILINE)) == classes
        assert "  default '# $discovered_mac: nothing yet, no class under hardware is of this architecture" in text


def test_the_discovery_log_proposes_an_entry_that_is_whole_and_free() -> None:
    text = nginx.server(_netboot())
    entry = re.search(r"x86_64 '(\$discovered_name: \{.*\})';", text)
    assert entry
    import yaml

    mac, name = "02:00:00:00:77:01", "machine-02-00-00-00-77-01"
    edited = raw("homelab")
    edited["cluster"]["nodes"] |= yaml.safe_load(
        entry[1].replace("$discovered_name", name).replace("$discovered_mac", mac)
    )
    from model.laws import examine

    assert not examine(edited, None).errors
    assert planned(edited).network.netboot


def test_a_pi_s_folder_is_the_low_half_of_its_serial_and_its_system_is_never_written_to() -> None:
    files = pi_boot.files(_netboot())
    assert sorted(files) == [
        f"{folder}/{name}" for folder in ("a1b2c351", "a1b2c352") for name in ("cmdline.txt", "config.txt")
    ]
    line = files["a1b2c351/cmdline.txt"]
    assert line.count("\n") == 1
    words = line.split()
    assert "nfsroot=192.168.1.59:/srv/nfs/790652faeb4f,vers=3,tcp,ro" in words
    assert {"ip=dhcp", "root=/dev/nfs", "overlayroot=tmpfs"} <= set(words)
    assert words[-1] == "ds=nocloud;s=http://192.168.1.59/pi/a1b2c351/"


def test_the_export_is_read_only_and_for_the_boot_vlan_alone() -> None:
    text = nfs.conf(_netboot())
    assert re.findall(r"Clients = (.*);", text) == ["192.168.1.0/24"]
    assert re.findall(r"Access_Type = (.*);", text) == ["None", "RO"], "nobody, and then the boot VLAN"


def test_another_image_is_another_root() -> None:
    """A Pi that runs keeps the one that it booted with: it is exported on, and never changed under it."""
    netboot = _edited("proxy", pi_image={"url": "https://example.com/other.img.xz", "sha256": "0" * 64}).netboot
    assert netboot
    assert nfs.root(netboot) == f"{nfs.FOLDER}/000000000000" != nfs.root(_netboot())
    assert f":{nfs.root(netboot)}," in pi_boot.cmdline(netboot, netboot.pis[0])


def test_a_changed_file_changes_the_hash_that_its_reader_watches_and_no_other() -> None:
    edited = raw("homelab")
    edited["network"]["netboot"]["unknown_machines"] = "local-disk"
    before, after = boot_files.published(PLAN), boot_files.published(planned(edited))
    changed = {name for name in before if before[name][boot_files.HASH] != after[name][boot_files.HASH]}
    assert changed == {"boot"}
    assert all(re.fullmatch("[-._a-zA-Z0-9]+", key) for files in before.values() for key in files)


def test_a_lab_without_boot_services_publishes_names_alone() -> None:
    assert set(boot_files.published(shipped_plan("turing"))) == {"dnsmasq"}


@pytest.mark.parametrize("lab", SHIPPED)
def test_nothing_that_is_published_looks_like_a_secret(lab: str) -> None:
    """All of it may be read by anyone on the VLAN: over HTTP, TFTP or NFS."""
    plan = shipped_plan(lab)
    network = plan.network
    entries = network.netboot.entries if network.netboot else ()
    known = {entry.image.schematic_id for entry in entries if entry.image}
    if network.netboot and network.netboot.ipxe:
        known.add(network.netboot.ipxe.check.removeprefix("sha256:"))
    if network.netboot and network.netboot.pi_system:
        known.add(network.netboot.pi_system.sha256)
    for name, files in boot_files.published(plan).items():
        for file, text in files.items():
            # A seed is scripts, which name what they guard: foresight reads each of its lines
            if file == boot_files.HASH or name == "pi-seed":
                continue
            assert not re.search(r"(?i)passw|private key|token[:= ]|secret|talos\.config", text), f"{name}/{file}"
            tokens = {one for one in re.findall(r"[A-Za-z0-9+/=]{40,}", text) if "/" not in one}
            assert tokens <= known, f"{name}/{file} holds {tokens - known}"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_address_that_anything_uses_stands_in_the_one_table(lab: str) -> None:
    """Reservations, names, boot files, and the nodes' own configuration: nobody writes an address down twice."""
    plan = shipped_plan(lab)
    table = {host.name: host.address for host in plan.network.hosts}
    nodes = [*(plan.cluster.nodes if plan.cluster else ()), *(plan.bootstrap.nodes if plan.bootstrap else ())]
    assert nodes
    for node in nodes:
        assert table[node.name] == node.address
    free = {*table.values(), *plan.network.resolvers}
    text = "\n".join(text for files in boot_files.published(plan).values() for text in files.values())
    ranges = {str(part) for vlan in plan.network.vlans for part in ((vlan.range or "").split("-"))}
    nets = {part for vlan in plan.network.vlans for part in (vlan.subnet.partition("/")[0], "255.255.255.0")}
    discovery = plan.network.netboot.discovery if plan.network.netboot else None
    proposed = {discovery.address} if discovery else set()
    used = set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d.])", text))
    own = {one for one in used if one.startswith("127.") or one == "0.0.0.0"}  # a machine's words for itself
    assert used - own <= free | ranges | nets | proposed


def test_dnsmasq_stays_on_a_vala_that_went_silent_for_silent_is_not_dead() -> None:
    """Where only k3s is away its containers go on, and a second dnsmasq elsewhere would not know the leases. So it
    tolerates `unreachable:NoExecute` for ever, and a person moves it who sees that the Vala is off."""
    path = ROOT / "gitops" / "homelab" / "ainur" / "netboot" / "dnsmasq" / "deployment.yaml"
    pod = yaml.safe_load(path.read_text())["spec"]["template"]["spec"]
    assert pod["hostNetwork"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    page = (ROOT / "docs" / "day-2" / "ainur.md").read_text()
    assert "## A Vala is dead" in page
    assert '"A Vala is dead"' in path.read_text()
    assert "delete pod -l app.kubernetes.io/name=dnsmasq --force" in page
