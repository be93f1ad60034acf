"""The NFS server of the netbooted Pis' system: what it exports, and to whom.

Owns `ganesha.conf`, for the server in `pi-netboot/nfs.yaml`. Refuses to export to anyone outside the boot VLAN, and to
let anyone write.
"""

from model.netboot import NetbootPlan

FOLDER = "/srv/nfs"
"""The systems, a folder each; every netbooted Pi lays its own overlay over one, in its own memory. All are exported: a
Pi that runs keeps the one that it booted with until it boots again."""


def root(netboot: NetbootPlan) -> str:
    """The folder of the system that a Pi mounts at its next boot; ends with `/` where the data name none."""
    return f"{FOLDER}/{netboot.pi_system.id if netboot.pi_system else ''}"


def conf(netboot: NetbootPlan) -> str:
    """`ganesha.conf`: the systems, read-only, to the boot VLAN, by NFS 3 over TCP, which Ubuntu's initramfs mounts.

    Root stays root, because a Pi reads its system as root. Nothing secret lies in it: the whole VLAN may read it.
    """
    return f"""\
# The netbooted Pis' systems. Written by Ilúvatar; changes here are lost.
NFS_CORE_PARAM {{
  Protocols = 3;
  NFS_Port = 2049;
  MNT_Port = 20048;
  Enable_NLM = false;
  Enable_RQUOTA = false;
}}
EXPORT {{
  Export_Id = 1;
  Path = {FOLDER};
  Pseudo = {FOLDER};
  Protocols = 3;
  Transports = TCP;
  SecType = sys;
  Squash = No_Root_Squash;
  Access_Type = None;
  CLIENT {{
    Clients = {netboot.subnet};
    Access_Type = RO;
  }}
  FSAL {{
    Name = VFS;
  }}
}}
"""
