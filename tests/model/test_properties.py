"""What holds of every valid environment, and of the plan that follows from it."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.environment import Environment
from model.laws import examine
from model.plan import plan
from tests.model import cases, labs_of_many

PROPERTY = settings(max_examples=60, deadline=None)
SUBNETS = ["10.0.0.0/16", "192.168.7.0/24", "100.127.8.0/22", "10.11.12.0/23", "192.168.100.128/25"]
COUNTED = {"used", "free", "runs", "load", "free_ports"}
"""What the plan counts over all machines of a VLAN, a switch or a battery."""


@st.composite
def labs(draw: st.DrawFn) -> dict[str, Any]:
    """A valid environment: control planes, workers, and any of Pis, pool, gateways, BGP, storage, GitOps."""
    subnet = draw(st.sampled_from(SUBNETS))
    net = IPv4Network(subnet)
    raw = labs_of_many.lab(draw(st.sampled_from([1, 2, 3, 5])), draw(st.integers(0, 4)), subnet)
    cluster = raw["cluster"]
    if draw(st.booleans()):
        cluster["schedulable_control_planes"] = True
    if draw(st.booleans()):
        labs_of_many.add_bootstrap(raw, draw(st.sampled_from([1, 3])), draw(st.integers(0, 2)), first=60, vip=3)
        _netboot(raw, net, draw(st.sampled_from(["server", "proxy"])))
    if draw(st.booleans()):
        _pool(raw, net, draw(st.booleans()), draw(st.booleans()))
    if draw(st.booleans()):
        workers = [name for name, node in cluster["nodes"].items() if node["role"] == "worker"]
        system = {"kind": "longhorn", "disk": "sata", "nodes": workers, "replicas": max(len(workers), 1)}
        raw["storage"] = {"default": "longhorn", "systems": {"longhorn": system}} if workers else {}
    if draw(st.booleans()):
        named = {name: {"categories": ["seed"]} for name in ("arda", *(["ainur"] if "bootstrap" in raw else []))}
        raw["gitops"] = {"engine": "argocd", "repository": "https://git.example.com/o/r.git", "clusters": named}
    return raw


def _netboot(raw: dict[str, Any], net: IPv4Network, mode: str) -> None:
    first = net.network_address + 90
    raw["network"]["vlans"]["lan"]["dhcp"] = {"mode": mode, "range": f"{first}-{first + 19}"}
    members = {"bios": "undionly.kpxe", "efi-x64": "snponly.efi", "efi-arm64": "snponly-arm64.efi"}
    ipxe = {"url": "https://downloads.example.com/ipxe.deb", "sha256": "1" * 64, "members": members}
    raw["network"]["netboot"] = {"vlan": "lan", "address": str(net.network_address + 4), "ipxe": ipxe}
    raw["network"]["netboot"]["pi_image"] = {"url": "https://downloads.example.com/pi.img.xz", "sha256": "2" * 64}
    for node in raw["cluster"]["nodes"].values():
        node["boot"] = "netboot"
        node["reach"] = "our-reservation" if mode == "server" else "router-reservation"


def _pool(raw: dict[str, Any], net: IPv4Network, gateways: bool, bgp: bool) -> None:
    first = net.network_address + 112
    raw["cluster"]["load_balancer_pool"] = f"{first}-{first + 9}"
    if bgp:
        peer = {"address": raw["network"]["router"]["address"], "asn": 64513}
        raw["cluster"]["cni"] = {"l2_announcements": False, "bgp": {"asn": 64512, "peers": [peer]}}
    if gateways:
        inside = {"address": str(first + 1), "hostname": "inside.example.com", "audience": "lan"}
        outside = {"address": str(first), "hostname": "outside.example.com", "audience": "public"}
        cloudflare = {"account_id": "0" * 32, "zone_id": "1" * 32}
        raw["edge"] = {
            "cloudflare": cloudflare,
            "gateways": {"inside": inside, "outside": outside},
            "tunnel": {"name": "many", "gateway": "outside"},
        }


def planned(raw: dict[str, Any], tree: dict[str, str] | None = None) -> Any:
    """The plan, as plain data."""
    decided = plan(Environment.model_validate(raw), labs_of_many.tree() if tree is None else tree)
    return json.loads(json.dumps(asdict(decided), default=dict))


@given(labs())
@PROPERTY
def test_a_valid_lab_has_no_error_and_plans(raw: dict[str, Any]) -> None:
    tree = labs_of_many.tree(bgp="bgp" in raw["cluster"].get("cni", {}), gateways="edge" in raw)
    examined = examine(raw, tree)
    assert not examined.errors, examined.errors
    assert examined.environment is not None
    plan(examined.environment, tree)


@given(labs())
@PROPERTY
def test_every_planned_address_lies_in_its_subnet_and_is_nobody_elses(raw: dict[str, Any]) -> None:
    network = planned(raw)["network"]
    subnets = {vlan["name"]: IPv4Network(vlan["subnet"]) for vlan in network["vlans"]}
    addresses = [host["address"] for host in network["hosts"]]
    assert len(addresses) == len(set(addresses)), Counter(addresses).most_common(1)
    for host in network["hosts"]:
        assert host["vlan"] in subnets, f"{host['name']} stands in no VLAN"
        subnet, address = subnets[host["vlan"]], IPv4Address(host["address"])
        assert address in subnet
        assert address not in (subnet.network_address, subnet.broadcast_address)


@given(labs(), st.randoms(use_true_random=False))
@PROPERTY
def test_the_order_of_keys_decides_nothing(raw: dict[str, Any], chance: Any) -> None:
    shuffled = _shuffled(raw, chance)
    assert planned(shuffled) == planned(raw)
    before = [(f.code, f.path) for f in examine(raw, None).findings]
    assert [(f.code, f.path) for f in examine(shuffled, None).findings] == before


def _shuffled(node: Any, chance: Any) -> Any:
    if isinstance(node, list):
        return [_shuffled(one, chance) for one in node]
    if not isinstance(node, dict):
        return node
    keys = list(node)
    chance.shuffle(keys)
    return {key: _shuffled(node[key], chance) for key in keys}


@given(labs())
@PROPERTY
def test_planning_twice_gives_the_same_bytes_and_touches_nothing(raw: dict[str, Any]) -> None:
    environment, before = Environment.model_validate(raw), copy.deepcopy(raw)
    tree = labs_of_many.tree()
    first, second = repr(plan(environment, tree)), repr(plan(environment, tree))
    assert first == second
    assert raw == before
    assert tree == labs_of_many.tree()


@given(labs(), st.data())
@PROPERTY
def test_removing_a_machine_changes_only_what_derives_from_it(raw: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(raw["cluster"]["nodes"])[1:] or sorted(raw["cluster"]["nodes"])))
    if len(raw["cluster"]["nodes"]) < 2:
        return
    left = copy.deepcopy(raw)
    gone = left["cluster"]["nodes"].pop(name)
    systems = left.get("storage", {}).get("systems", {})
    for system in systems.values():
        system["nodes"] = [node for node in system["nodes"] if node != name]
    if not all(system["nodes"] for system in systems.values()):
        left["storage"] = {}  # a system that names no node would mean all of them
    marks = (f'{name}"', f'"{gone["address"]}"', f'"{gone["mac"]}"')
    for path, lost, new in differences(planned(raw), planned(left)):
        if path.rpartition(".")[2] in COUNTED or path.endswith("discovery.address"):
            continue
        assert new is None, f"{path}: {new} appeared when {name} left"
        assert any(mark in json.dumps(lost) for mark in marks), f"{path}: {lost} went with {name}"


def differences(before: Any, after: Any, path: str = "plan") -> Iterator[tuple[str, Any, Any]]:
    """(path, what was lost, what is new): mappings key by key, lists as bags, in which a name is a key."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        lost, new = _bag(before) - _bag(after), _bag(after) - _bag(before)
        named_lost, named_new = _named(lost), _named(new)
        for key in named_lost.keys() & named_new.keys():
            yield from differences(named_lost.pop(key), named_new.pop(key), f"{path}.{key}")
        yield from ((path, one, None) for one in named_lost.values())
        yield from ((path, None, one) for one in named_new.values())
    elif before != after:
        yield path, before, after


def _bag(items: list[Any]) -> Counter[str]:
    return Counter(json.dumps(item, sort_keys=True) for item in items)


def _named(bag: Counter[str]) -> dict[str, Any]:
    items = [json.loads(text) for text in bag.elements()]
    return {
        str(item["name"]) if isinstance(item, dict) and "name" in item else json.dumps(item): item for item in items
    }


@pytest.mark.parametrize("name", cases.STACKS)
def test_a_shipped_lab_does_not_depend_on_the_order_of_its_keys(name: str) -> None:
    raw = cases.stack(name)
    reversed_raw = _shuffled(raw, _Reverse())
    assert examine(reversed_raw, None).findings == examine(raw, None).findings


class _Reverse:
    def shuffle(self, keys: list[str]) -> None:
        keys.reverse()
