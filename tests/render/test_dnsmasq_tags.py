"""A VLAN's name is a tag of dnsmasq's: the law of names knows every other tag that the configuration gives."""

import re

import pytest

from model.laws.names import TAGS
from render import dnsmasq
from tests.labs import planned, raw


@pytest.mark.parametrize("mode", ["proxy", "server"])
def test_no_vlan_can_be_called_what_dnsmasq_calls_a_kind_of_machine(mode: str) -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = mode
    given = set(re.findall(r"set:([\w-]+)", dnsmasq.configuration(planned(edited).network)))
    assert given - set(edited["network"]["vlans"]) <= TAGS.keys()
    assert {"pi", "ipxe", "bios", "efi-x64", "efi-arm64"} <= given
