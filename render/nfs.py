"""The NFS server of the netbooted Pis' system: what it exports, and to whom.

Owns `exports` and `nfs.conf`. Refuses to export to anyone outside the boot VLAN, and to let anyone write.
"""

from model.netboot import NetbootPlan

ROOT = "/srv/nfs/ubuntu"
"""The system that every netbooted Pi mounts; each lays its own overlay over it, in its own memory."""


def exports(netboot: NetbootPlan) -> str:
    """`/etc/exports`: the system, read-only, to the boot VLAN.

    `no_root_squash`, because a Pi reads its system as root. Nothing secret lies in it: the whole VLAN may read it.
    """
    options = "ro,sync,no_subtree_check,no_root_squash"
    return f"# Written by Ilúvatar; changes here are lost.\n{ROOT} {netboot.subnet}({options})\n"


def conf() -> str:
    """`/etc/nfs.conf`: version 3 alone, which is what the kernel's NFS root asks for."""
    return "# Written by Ilúvatar; changes here are lost.\n[nfsd]\nudp=n\ntcp=y\nvers3=y\nvers4=n\n"
