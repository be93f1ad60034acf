"""Ainur and Eä by hand: the Pis become a cluster, and it serves what the other machines boot.

Owns these steps. Refuses the texts that run on a Pi, which are `render.k3s`'.
"""

from model.ainur import BootstrapNodePlan, BootstrapPlan
from model.gitops import MIRROR_APP, GitopsClusterPlan, MirrorPlan
from model.netboot import NETBOOT_NAMESPACE
from model.plan import Plan
from render import boot_files as published_files
from render import ipxe, k3s, k3s_tokens, manifests
from render.by_hand.step import Step, applied


def valar(plan: Plan) -> list[Step]:
    """From servers that have done their cloud-init to a cluster whose API answers."""
    lab = plan.bootstrap
    if lab is None:
        return []
    return [_first(lab), *_joining(lab, lab.valar[1:], "the other servers join", "valar"), _reaching(lab)]


def maiar(plan: Plan) -> list[Step]:
    """The agents, which boot from what runs on the servers."""
    lab = plan.bootstrap
    if lab is None:
        return []
    root = [_root(lab)] if any(node.stamped or not node.persistent for node in lab.maiar) else []
    return [*root, *_joining(lab, lab.maiar, "the agents join", "ready")]


def _root(lab: BootstrapPlan) -> Step:
    """The gate that agents without a system of their own may be switched on behind."""
    text = {f"{lab.name}/pi-root.sh": k3s.pi_root(lab.first)}
    command = f'{_ssh(lab, lab.first)} "$(cat {lab.name}/pi-root.sh)"'
    why = "What they boot is made of Ubuntu's image, which takes its time to come."
    return Step(f"{lab.name}: the root of the agents", why, (command,), (f"ainur-root-{lab.first.name}",), text)


def _first(lab: BootstrapPlan) -> Step:
    texts = {
        f"{lab.name}/first-server.sh": k3s.first_server(lab),
        f"{lab.name}/agent-token.sh": k3s_tokens.agents(lab.first),
        f"{lab.name}/known_hosts": "".join(f"{node.address} {node.host_key}\n" for node in lab.nodes if node.host_key),
    }
    first, further = lab.first, bool(lab.valar[1:])
    why = (
        f"{first.name} has its card and its power. Your SSH key is one of bootstrap.ssh.authorized_keys. "
        "Agents have a join token of their own; it goes on standard input and is kept where it outlives a reboot."
    )
    commands = (
        *_pinned(lab, first),
        f'{_ssh(lab, first)} "$(cat {lab.name}/first-server.sh)"',
        f'(umask 077 && {_ssh(lab, first)} "$(cat {lab.name}/agent-token.sh)" > {_token(lab, "agent")})',
        *([f"(umask 077 && {_ssh(lab, first)} '{k3s_tokens.SERVERS}' > {_token(lab, 'server')})"] if further else []),
    )
    does = (*_known(first), f"ainur-server-{first.name}", f"ainur-agent-token-{first.name}")
    does += (f"ainur-token-{first.name}",) if further else ()
    return Step(f"{lab.name}: the first server", why, commands, does, texts)


def _joining(lab: BootstrapPlan, nodes: tuple[BootstrapNodePlan, ...], what: str, gate: str) -> list[Step]:
    """These join, and then the gate is passed: of the servers, or of all."""
    standing = lab.valar if gate == "valar" else lab.nodes
    texts = {f"{lab.name}/{gate}.sh": k3s.ready(lab, standing)}
    texts |= {f"{lab.name}/join-{node.name}.sh": k3s.join(lab, node) for node in nodes}
    commands = (
        *(line for node in nodes for line in _pinned(lab, node)),
        *(line for node in nodes for line in _trusting(lab, node)),
        *(f'{_ssh(lab, node)} "$(cat {lab.name}/join-{node.name}.sh)" < {_token(lab, node.role)}' for node in nodes),
        f'{_ssh(lab, lab.first)} "$(cat {lab.name}/{gate}.sh)"',
    )
    further = [node for node in nodes if node.role == "server"]
    texts |= {f"{lab.name}/agents-{node.name}.sh": k3s.BASE + k3s_tokens.keep_agents(node) for node in further}
    trusting = (f"ainur-{part}-{node.name}" for node in further for part in ("authority", "agents"))
    joins = (*trusting, *(name for node in nodes for name in (*_known(node), f"ainur-join-{node.name}")))
    does = (*joins, f"ainur-{gate}-{lab.first.name}")
    why = "One after the other." if nodes else "There are none; what stands is asked."
    return [Step(f"{lab.name}: {what}", why, commands, does, texts)]


def _trusting(lab: BootstrapPlan, node: BootstrapNodePlan) -> tuple[str, ...]:
    """A further server is brought the lab's root certificate, which its API server reads, and the agents' token."""
    brought = f"{_ssh(lab, lab.first)} '{k3s.ROOT_CERTIFICATE}' | {_ssh(lab, node)} '{k3s.TRUST.splitlines()[-1]}'"
    agents = f"sed 's/.*://' {_token(lab, 'agent')} | {_ssh(lab, node)} \"$(cat {lab.name}/agents-{node.name}.sh)\""
    return (brought, agents) if node.role == "server" else ()


def _token(lab: BootstrapPlan, role: str) -> str:
    """Where the token of a kind is kept meanwhile."""
    return f"secret/{lab.name}-{role}-token"


def _reaching(lab: BootstrapPlan) -> Step:
    texts = {f"{lab.name}/kubeconfig.sh": k3s.kubeconfig(lab, k3s.FIRST_READING)}
    edited = f"sed 's|https://127.0.0.1:6443|{lab.api}|' > secret/{lab.name}.kubeconfig"
    command = f'(umask 077 && {_ssh(lab, lab.first)} "$(cat {lab.name}/kubeconfig.sh)" | {edited})'
    why = f"k3s writes 127.0.0.1 into it; the API is at {lab.api}."
    return Step(f"{lab.name}: its kubeconfig", why, (command,), (f"ainur-kubeconfig-{lab.first.name}",), texts)


def boot_files(plan: Plan) -> list[Step]:
    """What the boot services read, as ConfigMaps."""
    if plan.bootstrap is None:
        return []
    bodies = {"ea-namespace-netboot": manifests.namespace(NETBOOT_NAMESPACE, "privileged")}
    for name, data in published_files.published(plan).items():
        bodies[f"ea-files-{name}"] = manifests.config_map(name, NETBOOT_NAMESPACE, data)
    commands, made = applied(f"secret/{plan.bootstrap.name}.kubeconfig", plan.bootstrap.name, bodies)
    why = "dnsmasq's configuration and every machine's boot script, as the folders ea/ show them."
    return [Step("Eä: boot files", why, commands, tuple(bodies), made)]


def boot_services(plan: Plan) -> list[Step]:
    """The gate that machines may be switched on behind."""
    netboot, lab = plan.network.netboot, plan.bootstrap
    if netboot is None or lab is None:
        return []
    why = f"http://{netboot.address}/boot.ipxe is served. Until now only servers need be on; now all may be."
    if netboot.served_by == "workstation":
        why += " By the workstation: workstation/README.md says how."
    command = f'{_ssh(lab, lab.first)} "$(cat {lab.name}/boot-answers.sh)"'
    text = {f"{lab.name}/boot-answers.sh": ipxe.served_at(netboot.address) + "\n"}
    return [Step("Eä: boot services answer", why, (command,), ("ea-netboot-answers",), text)]


def _pinned(lab: BootstrapPlan, node: BootstrapNodePlan) -> tuple[str, ...]:
    """Whose key nobody wrote down is asked for it once; what it shows is what is believed from then on."""
    return () if node.host_key else (f"ssh-keyscan -t ed25519 {node.address} >> {lab.name}/known_hosts",)


def _known(node: BootstrapNodePlan) -> tuple[str, ...]:
    """What the program asks of a Pi from the outside; by hand ssh itself holds the key against known_hosts."""
    return (*(() if node.host_key else (k3s.pinned(node),)), f"ainur-reach-{node.name}")


def mirrors(plan: Plan) -> list[Step]:
    """The Git mirror's first content, and its authority, for each cluster that reads it."""
    lab = plan.bootstrap
    if lab is None:
        return []
    return [_mirror(lab, one, one.mirror) for one in plan.gitops if one.mirror]


def _mirror(lab: BootstrapPlan, reader: GitopsClusterPlan, mirror: MirrorPlan) -> Step:
    first, text = lab.first, f"{lab.name}/mirror-{reader.cluster}.sh"
    commands = (
        f'{_ssh(lab, first)} "$(cat {text})"',
        f"{_ssh(lab, first)} '{k3s.ROOT_CERTIFICATE}' > {lab.name}/root.crt",
    )
    does = (f"ainur-mirror-{reader.cluster}-{first.name}", f"ainur-ca-{first.name}")
    why = f"{reader.cluster} reads {reader.repository}, which is certified by the lab's own authority."
    asked = k3s.mirror_answers(reader.repository, lab.ingress, reader.cluster)
    texts = {text: k3s.mirror_has(MIRROR_APP, mirror.upstream, reader.revision) + asked}
    return Step(f"{lab.name}: first content for the Git mirror", why, commands, does, texts)


def _ssh(lab: BootstrapPlan, node: BootstrapNodePlan) -> str:
    """An unknown host key is refused."""
    return f"ssh -o StrictHostKeyChecking=yes -o UserKnownHostsFile={lab.name}/known_hosts {lab.user}@{node.address}"
