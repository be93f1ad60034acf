"""Whatever becomes of a line of a boot file, the proof says something of it and never breaks down itself."""

import dataclasses
import functools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foresight import boot, boot_dnsmasq, boot_nfs
from foresight.boot_manifest import Served
from model.laws.foreseen import FORESEEN
from tests.foresight.mutants import MAC, PI, lab

FILES = ("dnsmasq.conf", "boot.ipxe", MAC, "unknown.ipxe", f"{PI}/config.txt", f"{PI}/cmdline.txt", boot_nfs.FILE)


def _text(served: Served, file: str) -> str:
    if file in ("dnsmasq.conf", boot_nfs.FILE):
        return served.dnsmasq if file == "dnsmasq.conf" else served.exports
    return (served.tftp.get(file) or served.http[f"/{file}"]).text


def _with(served: Served, file: str, text: str) -> Served:
    if file in ("dnsmasq.conf", boot_nfs.FILE):
        changed = {"dnsmasq" if file == "dnsmasq.conf" else "exports": text}
        return dataclasses.replace(served, **changed)
    if file in served.tftp:
        return dataclasses.replace(
            served, tftp={**served.tftp, file: dataclasses.replace(served.tftp[file], text=text)}
        )
    path = f"/{file}"
    return dataclasses.replace(served, http={**served.http, path: dataclasses.replace(served.http[path], text=text)})


def _mangled(text: str) -> Iterator[str]:
    """Every line gone, twice, cut short, and changed with the next one."""
    told = text.splitlines()
    for at, line in enumerate(told):
        if line.startswith(("host-record", "local", "server")):
            continue
        around = told[:at], told[at + 1 :]
        for instead in ([], [line, line], [line[: len(line) // 2]], [line.partition("=")[0]], [*around[1][:1], line]):
            rest = around[1][1:] if len(instead) == 2 and instead[0] is not line else around[1]
            yield "\n".join([*around[0], *instead, *rest, ""])


@pytest.mark.parametrize("file", FILES)
def test_every_line_may_be_lost_doubled_cut_or_misplaced(file: str) -> None:
    environment, served, plan = lab()
    for text in _mangled(_text(served, file)):
        for one in boot.findings(boot.prove(environment, plan, _with(served, file, text))):
            assert one.code in FORESEEN
            assert "\n" not in one.message + one.hint


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60), max_size=12))
def test_any_text_is_read_or_refused_line_by_line(told: list[str]) -> None:
    read = boot_dnsmasq.read("dnsmasq.conf", "\n".join(told))
    assert {one.code for one in read.troubles} <= {"boot-unknown-line"}


VERBS = ("chain", "kernel", "initrd", "boot", "exit", "goto", "set", "isset", "iseq", "imgfree", "echo", "||", "&&")
NAMES = (":a", "a", "#", "1", "--autofree", "${mac}", "${x}", "ftp://x", "tftp://192.168.1.59/snponly.efi")
URLS = ("http://192.168.1.59/boot.ipxe", "http://192.168.1.59/unknown.ipxe")
WORDS = st.sampled_from((*VERBS, *NAMES, *URLS))
BUILT = functools.cache(lab)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), max_size=6))
def test_any_script_ends(told: list[str]) -> None:
    environment, served, plan = BUILT()
    proof = boot.prove(environment, plan, _with(served, MAC, "\n".join(["#!ipxe", *told, ""])))
    chain = next(one for one in proof.chains if one.machine == "valinor-1")
    assert chain.end == "kernel" or chain.troubles
