"""Seeds of the shipped lab's Pis and of labs with more cards, as the tests of cloud-init and k3s read them."""

from typing import Any

import pytest
import yaml

from model.ainur import BootstrapNodePlan
from model.plan import Plan
from render import cloud_init, cloud_init_files, k3s_config
from tests.labs import planned, raw, shipped_plan


def with_cards(count: int) -> Plan:
    """homelab with so many servers, each with a card."""
    edited = raw("homelab")
    nodes = edited["bootstrap"]["nodes"]
    for index in range(2, count + 1):
        number = 60 + index
        nodes[f"vala-{index}"] = nodes["vala-1"] | {
            "address": f"192.168.1.{number}",
            "mac": f"02:00:00:00:01:{number}",
            "serial": f"10000000a1b2c3{number}",
            "port": f"usw-pro-24/{3 + index}",
        }
    return planned(edited)


ENABLE = ["systemctl", "enable", cloud_init_files.TARGET]
AGENT = {"node-name", "node-ip", "flannel-iface", "resolv-conf", "node-label", "kubelet-arg"} | {
    "server",
    "token-file",
}
ONE, THREE = shipped_plan("homelab"), with_cards(3)
NODES = [pytest.param(plan, node, id=f"{len(plan.bootstrap.nodes)}-{node.name}")
         for plan in (ONE, THREE) if plan.bootstrap for node in plan.bootstrap.nodes]  # fmt: skip


READ: dict[tuple[int, str], dict[str, Any]] = {}
"""What was read once, by plan and node: reading so much YAML takes a second."""


def user_data(plan: Plan, node: BootstrapNodePlan) -> dict[str, Any]:
    key = (id(plan), node.name)
    if key not in READ or not (plan is ONE or plan is THREE):
        READ[key] = yaml.safe_load(cloud_init.seed(plan, node)["user-data"])
    return READ[key]


def written(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    return {one["path"]: one["content"] for one in user_data(plan, node)["write_files"]}


def k3s(plan: Plan, node: BootstrapNodePlan) -> dict[str, Any]:
    return yaml.safe_load(written(plan, node)[k3s_config.FILE])


def settings(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    lines = written(plan, node)[cloud_init_files.SETTINGS].splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def servers(plan: Plan) -> list[BootstrapNodePlan]:
    assert plan.bootstrap
    return [node for node in plan.bootstrap.nodes if node.role == "server"]
