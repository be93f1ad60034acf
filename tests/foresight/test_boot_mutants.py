"""A boot file with one thing wrong in it: the proof names the code and the very line."""

import dataclasses
from collections.abc import Callable

import pytest

from foresight import boot, boot_manifest
from foresight.boot_chain import Line, Trouble
from foresight.boot_manifest import Content, Served
from model.environment import Environment
from tests.labs import planned, raw

MAC = "02-00-00-00-02-01.ipxe"
Edit = Callable[[Served], Served]


def _lab(mode: str = "proxy", firmware: str = "uefi") -> tuple[Environment, Served, boot.Plan]:
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = mode
    edited["hardware"]["prodesk-400-g4"]["firmware"] = firmware
    plan = planned(edited)
    served = boot_manifest.served(plan)
    assert served
    return Environment.model_validate(edited), served, plan


def conf(before: str, after: str) -> Edit:
    """Edit dnsmasq.conf; an empty `after` drops the line."""

    def edit(served: Served) -> Served:
        assert before in served.dnsmasq, f"dnsmasq.conf has no {before}"
        return dataclasses.replace(served, dnsmasq=served.dnsmasq.replace(before, after))

    return edit


def script(name: str, before: str, after: str) -> Edit:
    """Edit a served script."""

    def edit(served: Served) -> Served:
        content = served.http[f"/{name}"]
        assert before in content.text, f"{name} has no {before}"
        changed = dataclasses.replace(content, text=content.text.replace(before, after))
        return dataclasses.replace(served, http={**served.http, f"/{name}": changed})

    return edit


def gone(*names: str) -> Edit:
    """Take files away from TFTP or HTTP, by the end of their name."""

    def edit(served: Served) -> Served:
        tftp = {name: content for name, content in served.tftp.items() if not name.endswith(names)}
        http = {name: content for name, content in served.http.items() if not name.endswith(names)}
        assert len(tftp) + len(http) < len(served.tftp) + len(served.http), f"nothing is called {names}"
        return dataclasses.replace(served, tftp=tftp, http=http)

    return edit


def both(*edits: Edit) -> Edit:
    """One edit after another."""

    def edit(served: Served) -> Served:
        for one in edits:
            served = one(served)
        return served

    return edit


def _troubles(edit: Edit, mode: str = "proxy", firmware: str = "uefi", machine: str = "valinor-1") -> list[Trouble]:
    environment, served, plan = _lab(mode, firmware)
    proof = boot.prove(environment, plan, edit(served))
    chain = next(one for one in proof.chains if one.machine == machine)
    return [*proof.troubles, *chain.troubles]


def _line(edit: Edit, file: str, text: str) -> Line:
    """Where the edited file has a line that begins so."""
    served = edit(_lab()[1])
    whole = served.dnsmasq if file == "dnsmasq.conf" else served.http[f"/{file}"].text
    found = [Line(file, at, one.strip()) for at, one in enumerate(whole.splitlines(), 1) if one.startswith(text)]
    assert found, f"{file} has no line that begins with {text}"
    return found[0]


UEFI_SERVICE = 'pxe-service=tag:efi-x64,tag:!ipxe,X86-64_EFI,"iPXE",snponly.efi,192.168.1.59'
UEFI_BOOT = "dhcp-boot=tag:efi-x64,tag:!ipxe,snponly.efi,,192.168.1.59"
IPXE_BOOT = "dhcp-boot=tag:ipxe,http://192.168.1.59/boot.ipxe"

MUTANTS = {
    "the script's line is gone": (
        conf(IPXE_BOOT, "# "),
        ("boot-no-answer", "dnsmasq.conf", "dhcp-range="),
    ),
    "iPXE gets its loader again": (
        both(conf(UEFI_SERVICE, UEFI_SERVICE.replace("tag:!ipxe,", "")), conf(IPXE_BOOT, "# ")),
        ("boot-loop", "dnsmasq.conf", UEFI_SERVICE.replace("tag:!ipxe,", "")),
    ),
    "iPXE's user class is not looked at": (
        conf("dhcp-userclass=set:ipxe,iPXE", ""),
        ("boot-loop", "dnsmasq.conf", UEFI_SERVICE),
    ),
    "the BIOS loader for UEFI": (
        conf(UEFI_SERVICE, UEFI_SERVICE.replace("snponly.efi", "undionly.kpxe")),
        ("boot-wrong-architecture", "dnsmasq.conf", UEFI_SERVICE.replace("snponly.efi", "undionly.kpxe")),
    ),
    "the loader is not there": (
        gone("snponly.efi"),
        ("boot-missing-file", "dnsmasq.conf", UEFI_SERVICE),
    ),
    "a misspelt loader": (
        conf(UEFI_SERVICE, UEFI_SERVICE.replace("snponly.efi", "snp-only.efi")),
        ("boot-missing-file", "dnsmasq.conf", UEFI_SERVICE.replace("snponly.efi", "snp-only.efi")),
    ),
    "TFTP is off": (
        conf("enable-tftp\n", ""),
        ("boot-missing-file", "dnsmasq.conf", UEFI_SERVICE),
    ),
    "the loader from a server that is not ours": (
        conf(UEFI_SERVICE, UEFI_SERVICE.replace("192.168.1.59", "192.168.1.77")),
        ("boot-missing-file", "dnsmasq.conf", UEFI_SERVICE.replace("192.168.1.59", "192.168.1.77")),
    ),
    "the script is offered to the firmware": (
        conf(UEFI_SERVICE, UEFI_SERVICE.replace("snponly.efi", "http://192.168.1.59/boot.ipxe")),
        ("boot-wrong-architecture", "dnsmasq.conf", 'pxe-service=tag:efi-x64,tag:!ipxe,X86-64_EFI,"iPXE",http:'),
    ),
    "no range on the VLAN": (
        conf("dhcp-range=set:lab,192.168.1.0", "dhcp-range=set:lab,192.168.7.0"),
        ("boot-no-answer", None, None),
    ),
    "a directive that nobody here knows": (
        conf("enable-tftp", "dhcp-relay=192.168.1.1,192.168.1.2\nenable-tftp"),
        ("boot-unknown-line", "dnsmasq.conf", "dhcp-relay="),
    ),
    "the machine is ignored": (
        conf("enable-tftp", "dhcp-ignore=tag:efi-x64\nenable-tftp"),
        ("boot-no-answer", "dnsmasq.conf", "dhcp-ignore="),
    ),
    "the menu chains to itself": (
        script("boot.ipxe", "${net0/mac:hexhyp}.ipxe", "boot.ipxe"),
        ("boot-loop", "boot.ipxe", "chain "),
    ),
    "no script for anyone": (
        both(gone(MAC), gone("unknown.ipxe")),
        ("boot-missing-file", "boot.ipxe", "chain "),
    ),
    "the kernel is not there": (
        script(MAC, "kernel http://192.168.1.59/talos/", "kernel http://192.168.1.59/talos/0000"),
        ("boot-missing-file", MAC, "kernel "),
    ),
    "the initrd of another schematic": (
        script(MAC, "initrd http://192.168.1.59/talos/", "initrd http://192.168.1.59/talos/0000"),
        ("boot-missing-file", MAC, "initrd "),
    ),
    "no initrd": (
        script(MAC, "initrd ", "echo "),
        ("boot-missing-file", MAC, "kernel "),
    ),
    "boot before the kernel": (
        script(MAC, "kernel ", "boot\nkernel "),
        ("boot-missing-file", MAC, "boot"),
    ),
    "a label that is not there": (
        script(MAC, "kernel ", "goto install\nkernel "),
        ("boot-undefined-label", MAC, "goto "),
    ),
    "a label that comes back to itself": (
        script(MAC, "kernel ", ":again\ngoto again\nkernel "),
        ("boot-loop", MAC, "goto again"),
    ),
    "a command that nobody here knows": (
        script(MAC, "kernel ", "sanboot http://192.168.1.59/disk\nkernel "),
        ("boot-unknown-line", MAC, "sanboot "),
    ),
    "its script leaves it to an empty disk": (
        script(MAC, "kernel ", "exit\nkernel "),
        ("boot-no-answer", MAC, "exit"),
    ),
    "the guard of an installed disk is gone": (
        script(MAC, " talos.halt_if_installed=1", ""),
        ("boot-argument", MAC, "kernel "),
    ),
    "the platform is not said": (
        script(MAC, " talos.platform=metal", ""),
        ("boot-argument", MAC, "kernel "),
    ),
    "a script without its first line": (
        script("boot.ipxe", "#!ipxe\n", ""),
        ("boot-wrong-architecture", "dnsmasq.conf", "dhcp-boot=tag:ipxe,"),
    ),
    "a join token in a served file": (
        script("unknown.ipxe", "#!ipxe\n", "#!ipxe\nset join-token K10" + "0af1" * 16 + "\n"),
        ("boot-secret-served", "unknown.ipxe", "set "),
    ),
    "the cluster's configuration by URL": (
        script(MAC, "talos.platform=metal", "talos.platform=metal talos.config=http://192.168.1.59/valinor-1.yaml"),
        ("boot-secret-served", MAC, "kernel "),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_one_wrong_thing_is_named_with_its_line(mutant: str) -> None:
    edit, (code, file, text) = MUTANTS[mutant]
    troubles = _troubles(edit)
    assert [one.code for one in troubles] == [code], f"{mutant}: {troubles}"
    wanted = _line(edit, file, text) if file and text else None
    assert troubles[0].line == wanted
    assert troubles[0].message
    assert troubles[0].hint


def test_two_menu_entries_wait_for_a_person() -> None:
    second = UEFI_SERVICE.replace("snponly.efi", "ipxe.efi")
    edit = conf(UEFI_SERVICE, f"{UEFI_SERVICE}\n{second}")
    bios = 'pxe-service=tag:!pi,tag:bios,tag:!ipxe,x86PC,"iPXE",undionly.kpxe,192.168.1.59'
    for firmware, added in (("uefi", edit), ("bios", conf(bios, f'{bios}\npxe-service=tag:bios,x86PC,"Disk"'))):
        troubles = _troubles(added, firmware=firmware)
        assert [one.code for one in troubles] == ["boot-two-answers"], troubles


def test_the_menu_and_dhcp_boot_that_name_different_files_are_two_answers() -> None:
    edit = conf(
        "dhcp-boot=tag:!pi,tag:bios,tag:!ipxe,undionly.kpxe,,", "dhcp-boot=tag:!pi,tag:bios,tag:!ipxe,ipxe.pxe,,"
    )
    assert [one.code for one in _troubles(edit, firmware="bios")] == ["boot-two-answers"]


def test_a_pi_told_by_its_vendor_class_takes_every_bios_machine_with_it() -> None:
    """The vendor class of a Pi is that of every BIOS boot ROM: told by it, BIOS machines booted their empty disks."""
    edit = conf("dhcp-match=set:pi,97,RPi", "dhcp-vendorclass=set:pi,PXEClient:Arch:00000:UNDI:002001")
    assert not _troubles(lambda served: served, firmware="bios")
    troubles = _troubles(edit, firmware="bios")
    assert [one.code for one in troubles] == ["boot-no-answer"]
    assert troubles[0].line
    assert "Raspberry Pi Boot" in troubles[0].line.text


def test_as_server_dhcp_boot_decides_for_uefi_and_a_pxe_service_alone_names_nothing() -> None:
    """dnsmasq shows UEFI no menu of one service, and names its file as proxy only (`pxe_uefi_workaround`)."""
    assert not _troubles(lambda served: served, mode="server")
    troubles = _troubles(conf(UEFI_BOOT, ""), mode="server")
    assert [one.code for one in troubles] == ["boot-no-answer"]
    assert not _troubles(conf(UEFI_BOOT, ""), mode="proxy")[1:], "as proxy, architecture 7 has its service"


def test_a_kernel_for_another_processor_is_refused() -> None:
    def edit(served: Served) -> Served:
        path = next(name for name in served.http if name.endswith("/kernel-amd64"))
        wrong = Content("kernel", image=served.http[path].image, arch="arm64")
        return dataclasses.replace(served, http={**served.http, path: wrong})

    troubles = _troubles(edit)
    assert [one.code for one in troubles] == ["boot-wrong-architecture"]
    assert str(troubles[0].line).startswith(MAC)


def test_a_kernel_of_another_class_is_refused() -> None:
    def edit(served: Served) -> Served:
        path = next(name for name in served.http if name.endswith("/kernel-amd64"))
        other = path.replace("/talos/", "/talos/f00")
        moved = {other: Content("kernel", image="talos/f00", arch="amd64")}
        return script(MAC, f"kernel http://192.168.1.59{path}", f"kernel http://192.168.1.59{other}")(
            dataclasses.replace(served, http={**served.http, **moved})
        )

    assert [one.code for one in _troubles(edit)] == ["boot-foreign-image"]


def test_machines_that_stumble_over_one_line_share_a_finding() -> None:
    environment, served, plan = _lab()
    found = boot.findings(boot.prove(environment, plan, gone("snponly.efi")(served)))
    found = [one for one in found if "snponly" in one.message and "dnsmasq.conf" in one.message]
    assert {one.code for one in found} == {"boot-missing-file"}
    assert found[0].path.startswith("cluster.nodes.")
    assert "istari-2" in found[0].message
