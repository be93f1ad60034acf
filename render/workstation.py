"""The workstation as boot server: what it serves before the bootstrap cluster does, and how it is started there.

Owns the folder `workstation/` of `./lab render`: below `srv/` what goes to its `/srv`, and the page that says how; none
of it unless the data say that the workstation serves. Refuses the files' contents, which are the cluster's own with
another address in them, and to start anything.
"""

from model.ainur import BootstrapPlan
from model.netboot import NETBOOT_NAMESPACE, NetbootPlan
from model.plan import Plan
from render import boot_files, dnsmasq, downloads, nginx

FOLDER = "workstation"
ROOT = "/srv"
"""Where all of it lies there: what serves runs as users who may not look into a home."""


def files(plan: Plan) -> dict[str, str]:
    """Path → text; nothing while the bootstrap cluster serves."""
    netboot = plan.network.netboot
    if netboot is None or plan.bootstrap is None or netboot.served_by != "workstation":
        return {}
    served = boot_files.served(plan, netboot)
    found = {"dnsmasq.conf": dnsmasq.workstation(plan.network), "nginx.conf": nginx.whole(netboot, ROOT)}
    found |= served["boot-downloads"] | {f"boot/{name}": text for name, text in served["boot"].items()}
    if netboot.pis:
        texts = served["pi-boot"] | {boot_files.HASH: boot_files.digest(served["pi-boot"])}
        found |= served["pi-nfs"] | {f"pi-boot/{name}": text for name, text in texts.items()}
        found |= {f"seeds/{name}": text for name, text in served["pi-seed"].items()}
    return {
        f"{FOLDER}/README.md": page(plan.name, netboot, plan.bootstrap),
        **{f"{FOLDER}{ROOT}/{path}": text for path, text in found.items()},
    }


def page(lab: str, netboot: NetbootPlan, bootstrap: BootstrapPlan) -> str:
    """README.md: the commands, in order, for a workstation with Debian or Ubuntu."""
    builders = f"gitops/{lab}/{bootstrap.name}/{NETBOOT_NAMESPACE}/pi-netboot"
    pis = bool(netboot.pis and netboot.pi_system)
    packages = "dnsmasq-base nginx-light curl xz-utils"
    packages += " fdisk mtools e2fsprogs rpcbind nfs-ganesha nfs-ganesha-vfs" if pis else ""
    made = f"\n    sudo sh ~/lab/{builders}/pi-system.sh {ROOT}/pi-boot {ROOT}" if pis else ""
    nfs = f"\n    sudo ganesha.nfsd -F -L /dev/stderr -f {ROOT}/ganesha.conf" if pis else ""
    own = "nginx nfs-ganesha" if pis else "nginx"
    ports = "80, and for NFS 111, 2049 and 20048" if pis else "80"
    return f"""\
# {lab}: the workstation serves what machines boot

For a workstation with Debian or Ubuntu and the address {netboot.address} on VLAN {netboot.vlan}. It leases nothing;
the router does, whose DHCP option 66 (for the Pis) is {netboot.address}. While `network.netboot.served_by` is
`workstation`, {bootstrap.name}'s own dnsmasq says nothing to a machine that boots. Nothing here is secret. In this
folder, with the checkout at `~/lab`:

    sudo apt-get install {packages}
    sudo systemctl disable --now {own}        # as the packages started them
    sudo rm -rf {ROOT}/boot {ROOT}/seeds {ROOT}/pi-boot && sudo cp -r .{ROOT}/. {ROOT}/
    sudo mkdir -p /var/log/discovered

What others publish, each file judged by its hash; again whenever `{downloads.LIST}` is another:

    sudo sh ~/lab/{builders}/fetch.sh {ROOT}/{downloads.LIST} {ROOT}{made}

The servers, each in a terminal of its own; Ctrl-C ends one:

    sudo nginx -e stderr -c {ROOT}/nginx.conf
    sudo dnsmasq --keep-in-foreground --log-facility=- --conf-file={ROOT}/dnsmasq.conf{nfs}

It serves when `curl http://{netboot.address}/boot.ipxe` answers; `./lab boot {lab}` has proved these very files.
A firewall there lets in UDP 67, 69 and 4011, what follows of TFTP, and TCP {ports}.

{_handover(netboot, bootstrap)}"""


def _handover(netboot: NetbootPlan, bootstrap: BootstrapPlan) -> str:
    return f"""\
## Handing over

`pulumi up` makes {bootstrap.name}'s boot services stand meanwhile. When `curl http://{netboot.vip}/boot.ipxe` answers:

1. Here: Ctrl-C on dnsmasq. From now on nobody answers, and a machine that asks waits or boots its disk; never do two.
2. The stack file: `network.netboot.served_by: ainur`.
3. The router: DHCP option 66 is {netboot.vip}.
4. `pulumi up`. A minute later {bootstrap.name}'s dnsmasq answers.
5. Machines that run with a root from here boot once more; then the other servers may be ended, and `{ROOT}` cleared.
"""
