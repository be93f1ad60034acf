"""A lab that stands, and runs of the text that takes a node out of it, whole ones and ones that are killed.

Owns the lawful stack file such a run is planned from. Refuses to judge: the tests do.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from model.laws import examine
from rehearsal.standins.shell import Outcome, execute
from rehearsal.world import World
from rehearsal.world.host_tools import Call, Result, run
from rehearsal.world.kube_cluster import Cluster
from render.leaving import leave
from tests.labs import planned, raw
from tests.rehearsal.clusters import body

CHANGING = ("drain", "annotate", "leave", "remove-member", "reset", "delete")
"""The words by which the text changes anything; it may die right after each."""


class Standing:
    """A lab's World after its first `up`, to be changed freely, and the credentials that its owner has."""

    def __init__(self, lab: str, file: Path) -> None:
        self.lab = lab
        self.world = World(raw(lab), file=file)
        authority, self.record = next(iter(self.world.talos.clusters.items()))
        client = self.world.talos.new_client(authority)
        context = {"ca": client["caCertificate"], "crt": client["clientCertificate"], "key": client["clientKey"]}
        self.talosconfig = yaml.safe_dump({"context": "it", "contexts": {"it": context}})

    @property
    def cluster(self) -> Cluster:
        return self.world.kubernetes.clusters[self.record["name"]]

    def switch(self, name: str, *, on: bool) -> None:
        with self.world.change():
            self.world.machines.switch(name, on=on)

    def take_out(self, node: str, state: str = "leaving") -> Outcome:
        """Run the text for `node`, as the command of its `up` does, out of a stack file that breaks no law."""
        environment = raw(self.lab)
        environment["cluster"]["nodes"][node]["state"] = state
        for system in environment["storage"]["systems"].values():
            if state == "leaving" and node in system.get("nodes", ()):
                system["nodes"].remove(node)
                system["replicas"] = min(system["replicas"], len(system["nodes"]))
        assert not examine(environment, None).errors
        cluster = planned(environment).cluster
        assert cluster
        text = leave(cluster, cluster.going[0])
        return execute(self.world, self.world.hosts.workstation, "operator", text, self.talosconfig)

    def portrait(self, node: str) -> dict[str, Any]:
        """All that a leave changes."""
        found, record = self.cluster.get("Node", None, node), self.world.machines.records[node]
        return {
            "voters": sorted(self.record["members"]),
            "node": found and (found["spec"].get("unschedulable"), found["metadata"].get("annotations")),
            "machine": (record["power"], record["config"] is not None),
        }

    def place(self, kind: str, name: str, api: str, **rest: Any) -> None:
        """An object as a controller of the cluster would make it, its kind defined first."""
        group, _, version = api.rpartition("/")
        plural = f"{kind.lower()}s"
        if "." in group:
            names = {"kind": kind, "plural": plural}
            versions = [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": {}}}]
            spec = {"group": group, "names": names, "scope": "Namespaced", "versions": versions}
            definition = body("CustomResourceDefinition", f"{plural}.{group}", api="apiextensions.k8s.io/v1", spec=spec)
            self.cluster.place(definition, "test")
        self.cluster.place(body(kind, name, "storage", api=api, **rest), "test")


def dying_after(step: int) -> Callable[[Call], Result]:
    """Programs of a shell that is killed right after it has changed something for the `step`-th time."""
    changed = 0

    def till_death(call: Call) -> Result:
        nonlocal changed
        if changed >= step:
            return Result(code=137)
        done = run(call)
        changed += call.tool in ("talosctl", "kubectl") and not done.code and any(w in CHANGING for w in call.argv)
        return done

    return till_death


def uncordon(at: Standing, node: str) -> None:
    text = f"""\
config=$(cat)
kube=$(printf '%s' "$config" | talosctl --talosconfig /dev/stdin -e 192.168.1.11 -n 192.168.1.11 kubeconfig -)
printf '%s' "$kube" | kubectl --kubeconfig /dev/stdin uncordon {node}
"""
    assert execute(at.world, at.world.hosts.workstation, "operator", text, at.talosconfig).code == 0
