"""Nodes that stay, and nodes that leave the Talos cluster.

Owns the guard on every node's entry, and the one command that takes a node out. Refuses the steps of that command,
which are `render.leaving`'s, and configuring nodes, which is `components.arda`'s.
"""

from collections.abc import Sequence

import pulumi
from pulumi_command import local

from model.talos import ClusterNodePlan, ClusterPlan
from render.leaving import leave

TOKEN = "iluvatar:arda:Node"
LONGEST = "2h"
"""How long a node may take to leave: pods, copies of volumes and a reset together."""


class Node(pulumi.ComponentResource):
    """The entry of one machine in the stack file.

    While it says `member` it is protected: an entry that is deleted before its machine has left stops the preview, for
    the machine would go on as a member of etcd and Kubernetes that nobody here knows.
    """

    def __init__(self, node: ClusterNodePlan, parent: pulumi.Resource) -> None:
        opts = pulumi.ResourceOptions(parent=parent, protect=node.state == "member")
        super().__init__(TOKEN, f"arda-node-{node.name}", None, opts)
        self.register_outputs({"address": node.address, "role": node.role, "state": node.state})


def take_out(
    plan: ClusterPlan,
    node: ClusterNodePlan,
    talosconfig: pulumi.Input[str],
    after: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> local.Command:
    """Take `node` out of the cluster, once `after` is done: whoever joins in the same `up` has joined by then.

    It needs `talosctl` and `kubectl` on the machine that runs `pulumi`.
    """
    return local.Command(
        f"arda-leave-{node.name}",
        create=leave(plan, node),
        stdin=talosconfig,
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(after),
            custom_timeouts=pulumi.CustomTimeouts(create=LONGEST, update=LONGEST),
        ),
    )
