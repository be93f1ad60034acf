"""What talosctl changes: upgrades, and etcd's snapshot on the machine that asked for it.

Owns the subcommands' own rules. What an upgrade does to a machine is ``talos_upgrade``'s.
"""

from __future__ import annotations

from rehearsal.world import talos_upgrade
from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.talosctl import Asked, Command
from rehearsal.world.talosctl_look import of_etcd


def _upgrade(asked: Asked) -> Result:
    node = asked.one()
    talos_upgrade.upgrade(asked.call.world, node, asked.options.get("image", ""))
    return Result(stderr=f"watching nodes: [{asked.nodes[0]}]\n    * {asked.nodes[0]}: post check passed\n")


def _upgrade_kubernetes(asked: Asked) -> Result:
    node = asked.one()
    told = talos_upgrade.upgrade_kubernetes(asked.call.world, node, asked.options.get("to", ""))
    return Result("".join(f"{line}\n" for line in told))


def _snapshot(asked: Asked) -> Result:
    node = asked.one()
    cluster = of_etcd(asked, node)
    if len(asked.words) != 1:
        raise Failed(f"accepts 1 arg(s), received {len(asked.words)}")
    path, content = asked.words[0], f"etcd snapshot of {', '.join(cluster['members'])}\n"
    if not asked.call.world.hosts.is_dir(asked.call.host, path.rpartition("/")[0]):
        raise Failed(f"error creating temporary file: open {path}.part: no such file or directory")
    asked.call.write(path, content, "0600")
    asked.call.world.journal("snapshot etcd", kind="talos", subject=node.hostname)
    return Result(f'etcd snapshot saved to "{path}" ({len(content)} bytes)\n')


COMMANDS: dict[str, Command] = {
    "upgrade": Command(_upgrade, {"image": True, "timeout": True, "wait": False}),
    "upgrade-k8s": Command(_upgrade_kubernetes, {"to": True, "with-docs": False, "with-examples": False}),
    "etcd snapshot": Command(_snapshot),
}
