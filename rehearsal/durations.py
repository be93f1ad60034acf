"""How long operations take on real machines.

Owns a range of seconds per operation, each with where it comes from. It refuses to own time itself: nothing here
waits, the report only adds up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Duration:
    """Between ``low`` and ``high`` seconds; ``source`` cites, or says ``assumed``."""

    low: float
    high: float
    source: str


_CALL = Duration(0.2, 2.0, "assumed: one API call")
_NOTHING = Duration(0.0, 0.1, "assumed: computed on this machine")

_MACHINES = {
    "machines.uefi.netboot": Duration(
        60, 180, "assumed: firmware, DHCP, iPXE, a kernel and initramfs of 120 MB over HTTP"
    ),
    "machines.bios.netboot": Duration(
        60, 180, "assumed: firmware, DHCP, iPXE, a kernel and initramfs of 120 MB over HTTP"
    ),
    "machines.uefi.flashed": Duration(30, 120, "assumed: one boot from its own disk"),
    "machines.u-boot.flashed": Duration(30, 120, "assumed: one boot from its own disk"),
    "machines.raspberry-pi.flashed": Duration(30, 120, "assumed: one boot from its own card"),
    "hosts.cloud-init": Duration(120, 900, "assumed: a Pi's first boot, packages installed by cloud-init"),
    "hosts.boot": Duration(30, 120, "assumed: one boot from its own card"),
    "hosts.stamp": Duration(180, 1200, "assumed: an image of 1.5 GB over the network, written to a card at 20 MB/s"),
    "hosts.told": Duration(0.0, 0.0, "nothing happens: it is only told"),
    "k3s.server": Duration(30, 180, "assumed: first start of k3s on a Raspberry Pi 5"),
    "k3s.join": Duration(20, 120, "assumed: first start of a k3s agent on a Raspberry Pi 5"),
}
_TALOS = {
    "talos.install": Duration(60, 300, "assumed: the installer pulled and written to disk, one reboot"),
    "talos.reboot": Duration(60, 180, "assumed: one reboot of a PC"),
    "talos.reset": Duration(60, 600, "assumed; high: the provider's delete timeout, 10 m"),
    "talos.bootstrap": Duration(
        60, 600, "assumed: etcd and the control plane's images; high: the provider's timeout, 10 m"
    ),
    "talos.Secrets.create": _NOTHING,
    "talos.ConfigurationApply.create": Duration(
        60, 600, "assumed: the install; high: the provider's create timeout, 10 m"
    ),
    "talos.ConfigurationApply.update": Duration(1, 180, "assumed: at once, or with one reboot of a PC"),
    "talos.ConfigurationApply.delete": Duration(
        0, 600, "nothing, or a reset; high: the provider's delete timeout, 10 m"
    ),
    "talos.Bootstrap.create": Duration(60, 180, "assumed; high: its create timeout, 3 m"),
}
_REST = {
    "registry.push": Duration(1, 30, "assumed: some 100 KB pushed over the internet"),
    "command.Command.create": Duration(1, 30, "assumed: seconds; what it starts or waits for has rows of its own"),
    "command.Command.update": Duration(1, 60, "assumed: a command that finds its work done"),
    "random.RandomBytes.create": _NOTHING,
}
_KUBERNETES = {
    "kubernetes.drain": Duration(5, 600, "assumed: pods stop and start elsewhere; high: the drain's own limit, 10 m"),
    "kubernetes.api-answers": Duration(30, 300, "assumed: the control plane's images pulled and started"),
    "kubernetes.Release.create": Duration(20, 900, "assumed: images pulled and started; high: the seeds' timeout"),
    "kubernetes.Release.create.cilium": Duration(60, 300, "assumed: agents of 250 MB pulled and started on every node"),
    "kubernetes.Release.create.argo-cd": Duration(40, 300, "assumed: images of 500 MB pulled by one node"),
    "kubernetes.Release.create.gateway-helm": Duration(20, 120, "assumed: one controller pulled and started"),
    "kubernetes.Release.create.flux-operator": Duration(15, 120, "assumed: one controller pulled and started"),
    "kubernetes.Release.create.flux-instance": Duration(
        3, 60, "assumed: one object applied, its readiness not awaited"
    ),
    "kubernetes.Gateway.create": Duration(0.2, 60, "assumed: one API call; traffic flows when Envoy is pulled"),
    "kubernetes.Namespace.delete": Duration(5, 120, "assumed: everything in it ends first"),
}
_TABLE: dict[str, Duration] = _MACHINES | _TALOS | _KUBERNETES | _REST


def duration(operation: str) -> Duration:
    """The range of ``operation`` (``<package>.<Kind>.<operation>``); one API call when nothing longer is known."""
    return _TABLE.get(operation, _CALL)
