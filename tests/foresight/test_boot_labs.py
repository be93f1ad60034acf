"""What the proof says of the labs that ship, of edits of them, and that `check` and the engine's door listen to it."""

import json
from typing import Any

import pulumi
import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from foresight import boot
from foresight.boot_chain import Chain, Firmware, Requested
from model.environment import Environment
from model.laws.foreseen import FORESEEN
from render import boot_files, dnsmasq
from stacks.judgement import judge
from stacks.lab import build
from tests.foresight.mutants import PI, both, conf, lab
from tests.labs import ROOT, SHIPPED, planned, raw
from tests.recording import record

Raw = dict[str, Any]


def _proof(edited: Raw) -> boot.Proof:
    return boot.prove(Environment.model_validate(edited), planned(edited))


def _chains(edited: Raw) -> dict[tuple[str, str], Chain]:
    return {(one.machine, one.firmware): one for one in _proof(edited).chains}


def _shown(requests: tuple[Requested, ...]) -> list[str]:
    return [f"{one.protocol} {one.name}{'' if one.found else ' ?'}" for one in requests]


@pytest.mark.parametrize("mode", ["proxy", "server"])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_machine_of_a_shipped_lab_comes_up(name: str, mode: str) -> None:
    edited = raw(name)
    for vlan in edited["network"]["vlans"].values():
        if "dhcp" in vlan:
            vlan["dhcp"]["mode"] = mode
    proof = _proof(edited)
    assert proof.sound
    assert boot.findings(proof) == []
    nodes = {*edited["cluster"]["nodes"], *edited.get("bootstrap", {}).get("nodes", {})}
    assert nodes <= {one.machine for one in proof.chains}
    assert all(one.end != "nothing" for one in proof.chains)


def test_a_netbooted_node_ends_in_its_own_kernel_whatever_its_firmware_announces() -> None:
    for firmware, announced in (("uefi", {"7", "9", "16"}), ("bios", {"0"})):
        edited = raw("homelab")
        edited["hardware"]["prodesk-400-g4"]["firmware"] = firmware
        edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = "proxy"
        chains = [one for (name, _), one in _chains(edited).items() if name == "istari-3"]
        assert {one.firmware.rpartition(" ")[2].rstrip(")") for one in chains} == announced
        assert {one.end for one in chains} == {"kernel"}
        cluster = planned(edited).cluster
        assert cluster
        image = next(one for one in cluster.nodes if one.name == "istari-3").image
        for one in chains:
            assert one.requests[-2:] == (
                Requested("http", "192.168.1.59", f"/{image.kernel_path}", True),
                Requested("http", "192.168.1.59", f"/{image.initramfs_path}", True),
            )


def test_every_step_that_a_file_decides_names_its_line() -> None:
    for one in _proof(raw("homelab")).chains:
        for step in one.steps:
            assert step.line is None or (step.line.text and step.line.number > 0), f"{one.machine}: {step}"
        decided = [step for step in one.steps if step.actor in ("dnsmasq", "iPXE") and "asks DHCP" not in step.says]
        assert all(step.line for step in decided), f"{one.machine}: a step of {decided} that nothing decides"


def test_flashed_machines_ask_nothing_and_say_whose_image_they_carry() -> None:
    for name in ("pitower", "turing"):
        plan = planned(raw(name))
        assert plan.cluster
        for one, node in zip(_proof(raw(name)).chains, plan.cluster.nodes, strict=True):
            assert (one.machine, one.requests, one.end) == (node.name, (), "disk")
            assert any(node.image.schematic_id in step.says for step in one.steps)


def test_an_unknown_machine_gets_what_the_lab_admits_and_only_where_it_runs() -> None:
    edited = raw("homelab")
    ends = {kind: one.end for (name, kind), one in _chains(edited).items() if name == "unknown"}
    assert ends == {
        "UEFI x64 (architecture 7)": "kernel",
        "BIOS x86 (architecture 0)": "kernel",
        "UEFI arm64 (architecture 11)": "disk",
    }
    edited["network"]["netboot"] = {**edited["network"]["netboot"], "unknown_machines": "local-disk"}
    assert {one.end for (name, _), one in _chains(edited).items() if name == "unknown"} == {"disk"}


def test_nobody_owes_an_answer_to_an_unknown_machine_of_another_kind() -> None:
    environment, served, plan = lab()
    silent = conf('pxe-service=tag:lab,tag:efi-arm64,tag:!ipxe,ARM64_EFI,"iPXE",snponly-arm64.efi,192.168.1.59\n', "")
    silent = both(silent, conf("dhcp-boot=tag:lab,tag:efi-arm64,tag:!ipxe,snponly-arm64.efi,,192.168.1.59\n", ""))
    proof = boot.prove(environment, plan, silent(served))
    other = next(one for one in proof.chains if one.machine == "unknown" and "arm64" in one.firmware)
    assert (other.end, other.troubles) == ("disk", ())
    mute = conf('X86-64_EFI,"iPXE",snponly.efi,192.168.1.59', "IA64_EFI,none")
    mute = both(mute, conf("dhcp-boot=tag:lab,tag:efi-x64,tag:!ipxe,snponly.efi,,192.168.1.59\n", ""))
    admitted = next(one for one in boot.prove(environment, plan, mute(served)).chains if one.machine == "unknown")
    assert [one.code for one in admitted.troubles] == ["boot-no-answer"], "the lab admits it into maintenance"


def test_the_predicted_files_are_those_of_the_firmware_in_its_order() -> None:
    edited = raw("homelab")
    environment, plan = Environment.model_validate(edited), planned(edited)
    own = "/02-00-00-00-02-01.ipxe"
    loaders: dict[Firmware, str] = {"bios": "undionly.kpxe", "uefi-x64": "snponly.efi", "uefi-x64-9": "snponly.efi"}
    for firmware, loader in loaders.items():
        files = boot.predicted_files(environment, plan, "valinor-1", firmware)
        assert _shown(files)[:3] == [f"tftp {loader}", "http /boot.ipxe", f"http {own}"]
        assert [one.rpartition("/")[2] for one in _shown(files)[3:]] == ["kernel-amd64", "initramfs-amd64.xz"]
    unknown = _shown(boot.predicted_files(environment, plan, "unknown", "bios"))
    assert unknown[2:3] == ["http /02-ff-ff-ff-ff-fe.ipxe ?"]
    assert unknown[3].startswith("http /unknown.ipxe?")
    assert _shown(boot.predicted_files(environment, plan, "maia-1"))[:2] == [
        f"tftp {PI}/start4.elf",
        f"tftp {PI}/config.txt",
    ]
    for name in ("vala-1", "nobody"):
        with pytest.raises(LookupError):
            boot.predicted_files(environment, plan, name)


@pytest.fixture
def looping(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that somebody changed: iPXE asks again, and gets itself again."""
    rendered = dnsmasq.configuration
    monkeypatch.setattr(dnsmasq, "configuration", lambda network: rendered(network).replace(",iPXE\n", ",gPXE\n"))


def test_a_wrong_template_is_an_error_of_the_lab_that_it_would_keep_dark(looping: None) -> None:
    findings = judge(raw("homelab"), "homelab", set(), ROOT / "gitops").findings
    errors = [one for one in findings if one.grade == "error"]
    assert {one.code for one in errors} == {"boot-loop"}
    assert all("at dnsmasq.conf:" in one.message for one in errors)
    assert "cluster.nodes.valinor-1" in {one.path for one in errors}
    for name in ("pitower", "turing"):
        assert not [one for one in judge(raw(name), name, set(), ROOT / "gitops").findings if one.grade == "error"]


@pytest.mark.parametrize("words", [["check", "homelab"], ["boot", "homelab"], ["boot", "homelab", "valinor-1"]])
def test_the_command_line_refuses_it_and_says_where(looping: None, words: list[str]) -> None:
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 1
    assert "boot-loop" in printed.output
    assert "dnsmasq.conf:" in printed.output


def test_a_preview_of_it_stops_before_anything_is_registered(looping: None) -> None:
    with pytest.raises(pulumi.RunError, match=r"nothing was touched[\s\S]*boot-loop[\s\S]*dnsmasq.conf:"):
        record(build, "homelab", {"iluvatar:environment": json.dumps(raw("homelab"))}, preview=True)


def test_boot_tells_a_program_everything() -> None:
    printed = CliRunner().invoke(app, ["boot", "homelab", "maia-1", "--json"])
    assert printed.exit_code == 0
    told = json.loads(printed.output)
    assert told["findings"] == []
    (chain,) = told["chains"]
    assert (chain["machine"], chain["end"]) == ("maia-1", "kernel")
    asked = [step["requested"]["name"] for step in chain["steps"] if step["requested"]]
    assert {f"{PI}/config.txt", f"/pi/{PI}/user-data", f"/pi/{PI}/vendor-data"} <= set(asked)
    assert {step["line"]["file"] for step in chain["steps"] if step["line"]} >= {"dnsmasq.conf", "ganesha.conf"}


def test_a_pi_that_comes_up_bare_is_no_error_and_no_plain_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot_files, "seeds", lambda *_: {})
    printed = CliRunner().invoke(app, ["boot", "homelab", "maia-1"])
    assert printed.exit_code == 0
    assert "✓" not in printed.output
    assert "! its system starts without a seed" in printed.output
    assert "homelab: 1 machine, no errors, 1 warning." in printed.output


def test_a_machine_that_is_not_there_is_wrong_usage_and_the_others_are_named() -> None:
    printed = CliRunner().invoke(app, ["boot", "turing", "talos-9"])
    assert printed.exit_code == 2
    assert "talos-4" in printed.output


def test_nothing_is_proven_of_a_lab_with_errors(looping: None) -> None:
    edited = raw("homelab")
    edited["cluster"]["vip"] = "192.168.1.101"
    codes = {one.code for one in judge(edited, "homelab", set(), ROOT / "gitops").findings if one.grade == "error"}
    assert codes
    assert not codes & FORESEEN.keys()
