"""Ainur and Eä by hand: the Pis become a cluster, and it serves what the other machines boot.

Owns these steps. Refuses the texts that run on a Pi, which are `render.k3s`'.
"""

from model.ainur import BootstrapNodePlan, BootstrapPlan
from model.netboot import NETBOOT_NAMESPACE
from model.plan import Plan
from render import boot_files as published_files
from render import ipxe, k3s, manifests
from render.by_hand.step import Step, applied


def pis(plan: Plan) -> list[Step]:
    """From Pis that have done their cloud-init to a cluster whose API answers."""
    lab = plan.bootstrap
    if lab is None:
        return []
    return [_first(lab), _joining(lab), _reaching(lab)]


def _first(lab: BootstrapPlan) -> Step:
    texts = {
        f"{lab.name}/first-server.sh": k3s.first_server(),
        f"{lab.name}/known_hosts": "".join(f"{node.address} {node.host_key}\n" for node in lab.nodes if node.host_key),
    }
    why = f"{lab.first.name} has its card and its power. Your SSH key is one of bootstrap.ssh.authorized_keys."
    command = f'{_ssh(lab, lab.first)} "$(cat {lab.name}/first-server.sh)"'
    commands = (*_pinned(lab, lab.first), command)
    return Step(f"{lab.name}: the first server", why, commands, (f"ainur-server-{lab.first.name}",), texts)


def _joining(lab: BootstrapPlan) -> Step:
    first, token = lab.first, f"secret/{lab.name}-token"
    texts = {f"{lab.name}/ready.sh": k3s.ready(lab) + "\n"}
    texts |= {f"{lab.name}/join-{node.name}.sh": k3s.join(node) for node in lab.joining}
    commands = (
        f"(umask 077 && {_ssh(lab, first)} '{k3s.JOIN_TOKEN}' > {token})",
        *(line for node in lab.joining for line in _pinned(lab, node)),
        *(f'{_ssh(lab, node)} "$(cat {lab.name}/join-{node.name}.sh)" < {token}' for node in lab.joining),
        f'{_ssh(lab, first)} "$(cat {lab.name}/ready.sh)"',
    )
    joins = (f"ainur-join-{node.name}" for node in lab.joining)
    does = (f"ainur-token-{first.name}", *joins, f"ainur-ready-{first.name}")
    why = "The join token is k3s' own; it goes on standard input and is kept on each Pi's NVMe."
    return Step(f"{lab.name}: the others join", why, commands, does, texts)


def _reaching(lab: BootstrapPlan) -> Step:
    edited = f"sed 's|https://127.0.0.1:6443|{lab.api}|' > secret/{lab.name}.kubeconfig"
    command = f"(umask 077 && {_ssh(lab, lab.first)} '{k3s.KUBECONFIG}' | {edited})"
    why = f"k3s writes 127.0.0.1 into it; the API is at {lab.api}."
    return Step(f"{lab.name}: its kubeconfig", why, (command,), (f"ainur-kubeconfig-{lab.first.name}",))


def boot_files(plan: Plan) -> list[Step]:
    """What the boot services read, as ConfigMaps."""
    if plan.bootstrap is None:
        return []
    bodies = {"ea-namespace-netboot": manifests.namespace(NETBOOT_NAMESPACE, "privileged")}
    for name, data in published_files.published(plan.network).items():
        bodies[f"ea-files-{name}"] = manifests.config_map(name, NETBOOT_NAMESPACE, data)
    commands, made = applied(f"secret/{plan.bootstrap.name}.kubeconfig", plan.bootstrap.name, bodies)
    why = "dnsmasq's configuration and every machine's boot script, as the folders ea/ show them."
    return [Step("Eä: boot files", why, commands, tuple(bodies), made)]


def boot_services(plan: Plan) -> list[Step]:
    """The gate that machines may be switched on behind."""
    netboot, lab = plan.network.netboot, plan.bootstrap
    if netboot is None or lab is None:
        return []
    why = (
        f"http://{netboot.address}/boot.ipxe is served. Until now no other machine need be switched on; now all may be."
    )
    command = f'{_ssh(lab, lab.first)} "$(cat {lab.name}/boot-answers.sh)"'
    text = {f"{lab.name}/boot-answers.sh": ipxe.served_at(netboot.address) + "\n"}
    return [Step("Eä: boot services answer", why, (command,), ("ea-netboot-answers",), text)]


def _pinned(lab: BootstrapPlan, node: BootstrapNodePlan) -> tuple[str, ...]:
    """Whose key nobody wrote down is asked for it once; what it shows is what is believed from then on."""
    return () if node.host_key else (f"ssh-keyscan -t ed25519 {node.address} >> {lab.name}/known_hosts",)


def _ssh(lab: BootstrapPlan, node: BootstrapNodePlan) -> str:
    """An unknown host key is refused."""
    return f"ssh -o StrictHostKeyChecking=yes -o UserKnownHostsFile={lab.name}/known_hosts {lab.user}@{node.address}"
