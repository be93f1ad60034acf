"""A boot file with one thing wrong in it: the proof names the code and the very line."""

import dataclasses

import pytest

from foresight import boot
from foresight.boot_manifest import Content, Served
from model.laws.foreseen import FORESEEN
from tests.foresight.mutants import MAC, both, conf, gone, lab, line, script, troubles
from tests.foresight.test_boot_pi import PI_MUTANTS

UEFI_SERVICE = 'pxe-service=tag:lab,tag:efi-x64,tag:!ipxe,X86-64_EFI,"iPXE",snponly.efi,192.168.1.59'
UEFI_BOOT = "dhcp-boot=tag:lab,tag:efi-x64,tag:!ipxe,snponly.efi,,192.168.1.59"
IPXE_BOOT = "dhcp-boot=tag:lab,tag:ipxe,http://192.168.1.59/boot.ipxe,,192.168.1.59"


def another_image(served: Served) -> Served:
    """A kernel of another class stands beside the node's own, and its script names that."""
    path = next(name for name in served.http if name.endswith("/kernel-amd64"))
    other = path.replace("/talos/", "/talos/f00")
    served = dataclasses.replace(
        served, http={**served.http, other: Content("kernel", image="talos/f00", arch="amd64")}
    )
    return script(MAC, f"kernel http://192.168.1.59{path}", f"kernel http://192.168.1.59{other}")(served)


MUTANTS = {
    "two entries in the menu wait for a person": (
        conf(UEFI_SERVICE, f"{UEFI_SERVICE}\n{UEFI_SERVICE.replace('snponly.efi', 'ipxe.efi')}"),
        ("boot-two-answers", "dnsmasq.conf", UEFI_SERVICE.replace("snponly.efi", "ipxe.efi")),
    ),
    "the kernel of another class": (another_image, ("boot-foreign-image", MAC, "kernel ")),
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
        (
            "boot-wrong-architecture",
            "dnsmasq.conf",
            'pxe-service=tag:lab,tag:efi-x64,tag:!ipxe,X86-64_EFI,"iPXE",http:',
        ),
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
        ("boot-missing-file", "boot.ipxe", "chain http"),
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
        ("boot-wrong-architecture", "dnsmasq.conf", "dhcp-boot=tag:lab,tag:ipxe,"),
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
    found = troubles(edit)
    assert [one.code for one in found] == [code], f"{mutant}: {found}"
    wanted = line(edit, file, text) if file and text else None
    assert found[0].line == wanted
    assert found[0].message
    assert found[0].hint


def test_a_menu_of_two_waits_for_a_person_on_bios_too() -> None:
    service = 'pxe-service=tag:lab,tag:!pi,tag:bios,tag:!ipxe,x86PC,"iPXE",undionly.kpxe,192.168.1.59'
    found = troubles(conf(service, f'{service}\npxe-service=tag:bios,x86PC,"Disk"'), firmware="bios")
    assert [one.code for one in found] == ["boot-two-answers"], found


def test_the_menu_and_dhcp_boot_that_name_different_files_are_two_answers() -> None:
    edit = conf("tag:bios,tag:!ipxe,undionly.kpxe,,", "tag:bios,tag:!ipxe,ipxe.pxe,,")
    assert [one.code for one in troubles(edit, firmware="bios")] == ["boot-two-answers"]


def test_a_pi_told_by_its_vendor_class_takes_every_bios_machine_with_it() -> None:
    """The vendor class of a Pi is that of every BIOS boot ROM: told by it, BIOS machines booted their empty disks."""
    edit = conf("dhcp-match=set:pi,97,RPi", "dhcp-vendorclass=set:pi,PXEClient:Arch:00000:UNDI:002001")
    assert not troubles(lambda served: served, firmware="bios")
    found = troubles(edit, firmware="bios")
    assert [one.code for one in found] == ["boot-no-answer"]
    assert found[0].line
    assert "Raspberry Pi Boot" in found[0].line.text


def test_as_server_dhcp_boot_decides_for_uefi_and_a_pxe_service_alone_names_nothing() -> None:
    """dnsmasq shows UEFI no menu of one service, and names its file as proxy only (`pxe_uefi_workaround`)."""
    assert not troubles(lambda served: served, mode="server")
    found = troubles(conf(UEFI_BOOT, ""), mode="server")
    assert [one.code for one in found] == ["boot-no-answer"]
    assert not troubles(conf(UEFI_BOOT, ""), mode="proxy")[1:], "as proxy, architecture 7 has its service"


def test_a_kernel_for_another_processor_is_refused() -> None:
    def edit(served: Served) -> Served:
        path = next(name for name in served.http if name.endswith("/kernel-amd64"))
        wrong = Content("kernel", image=served.http[path].image, arch="arm64")
        return dataclasses.replace(served, http={**served.http, path: wrong})

    found = troubles(edit)
    assert [one.code for one in found] == ["boot-wrong-architecture"]
    assert str(found[0].line).startswith(MAC)


def test_a_listed_machine_whose_image_is_not_there_boots_no_other_class_image() -> None:
    """It booted the default class' image after a bump of Talos, until the builder was done: `own || unknown`.

    And the boot server's log called it unknown. Only who has no script may be sent on.
    """
    environment, served, plan = lab()
    image = next(line for line in served.http[f"/{MAC}"].text.splitlines() if line.startswith("initrd "))
    proof = boot.prove(environment, plan, gone(image.removeprefix("initrd http://192.168.1.59"))(served))
    chains = [one for one in proof.chains if one.machine == "valinor-1"]
    assert all("boot-missing-file" in {one.code for one in chain.troubles} for chain in chains)
    asked = {
        one.machine for one in proof.chains for step in one.steps if "fetches http://192.168.1.59/unknown" in step.says
    }
    assert asked == {"unknown"}


def test_what_ipxe_fetched_and_never_ran_goes_to_the_kernel_as_an_initrd() -> None:
    found = troubles(script(MAC, "kernel ", "imgfetch http://192.168.1.59/unknown.ipxe\nkernel "))
    assert [(one.code, str(one.line).startswith(MAC)) for one in found] == [("boot-wrong-architecture", True)]


def test_every_code_of_the_proof_has_a_mutant() -> None:
    mutants = (*MUTANTS.values(), *PI_MUTANTS.values())
    assert {code for _, (code, _, _) in mutants} == {code for code in FORESEEN if code.startswith("boot-")}


def test_machines_that_stumble_over_one_line_share_a_finding() -> None:
    environment, served, plan = lab()
    found = boot.findings(boot.prove(environment, plan, gone("snponly.efi")(served)))
    found = [one for one in found if "snponly" in one.message and "dnsmasq.conf" in one.message]
    assert {one.code for one in found} == {"boot-missing-file"}
    assert found[0].path.startswith("cluster.nodes.")
    assert "istari-1 and 3 more" in found[0].message


def test_ipxe_on_bios_ignores_a_proxys_answer_without_a_server() -> None:
    """It did on a real one: dnsmasq as proxy gives BIOS machines no address of its own, and iPXE wants one."""
    edit = conf(IPXE_BOOT, IPXE_BOOT.removesuffix(",,192.168.1.59"))
    assert [one.code for one in troubles(edit, firmware="bios")] == ["boot-no-answer"]
    assert not troubles(edit, firmware="uefi")
    assert not troubles(edit, firmware="bios", mode="server")


def test_uefi_that_is_leased_to_with_a_service_asks_where_nobody_answers() -> None:
    """One in QEMU did, and ended in "PXE-E16: No valid offer received"."""
    boots = "dhcp-boot=tag:lab,tag:efi-x64,tag:!ipxe,snponly.efi,,192.168.1.59"
    service = 'pxe-service=tag:lab,tag:efi-x64,tag:!ipxe,X86-64_EFI,"iPXE",snponly.efi,192.168.1.59'
    edit = conf(boots, f"{boots}\n{service}")
    (trouble,) = troubles(edit, mode="server")
    assert trouble.code == "boot-no-answer"
    assert trouble.line
    assert trouble.line.text == service
    assert not troubles(edit, mode="server", firmware="bios")


def test_uefi_http_boot_must_be_told_that_it_is_meant() -> None:
    """By option 60; dnsmasq sends it back to a vendor class it knows, or, where it leases, as it is told to."""
    told = "dhcp-option-force=tag:lab,tag:http-efi-x64,tag:!ipxe,option:vendor-class,HTTPClient"
    known = "dhcp-pxe-vendor=PXEClient,HTTPClient"
    cases = (
        ("server", both(conf(told, ""), conf(known, "")), [["boot-no-answer"]]),
        ("server", conf(told, ""), [[]]),
        ("server", conf(known, ""), [[]]),
        ("proxy", conf(told, ""), [[]]),
        ("proxy", conf(known, ""), []),  # nobody answers, and it goes on by PXE
    )
    for mode, edit, codes in cases:
        environment, served, plan = lab(mode)
        chains = boot.prove(environment, plan, edit(served)).chains
        found = [one for one in chains if one.machine == "valinor-1" and "HTTP boot" in one.firmware]
        assert [[trouble.code for trouble in one.troubles] for one in found] == codes, mode
