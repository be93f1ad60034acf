"""Laws of Talos' typed settings: labels, taints, mirrors, certificates, modules, bonds, further VLANs.

Owns the form of what stands in a layer, and how a node's links fit its hardware and the network. Refuses which free
keys a layer may have (`layers`).
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from model.environment import Environment
from model.fields import LABEL
from model.laws.claims import talos_nodes
from model.laws.layers import layers
from model.laws.registry import Breach, law
from model.laws.words import listed, nearest
from model.layers import TalosLayer, reaching

LABEL_NAME = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
DURATION = re.compile(r"(?:(\d{1,3})m)?(?:(\d{1,4})s)?")
LEAST_WATCHDOG = 10
"""Seconds; Talos takes no shorter timeout (1.12, `MinWatchdogTimeout`)."""
OWN_PREFIXES = ("node.kubernetes.io", "kubelet.kubernetes.io")
"""Prefixes of Kubernetes' own that a kubelet may give its node (Kubernetes, "NodeRestriction")."""


def qualified(key: str) -> bool:
    """Whether a label's or annotation's key is well-formed: an optional DNS prefix and a name."""
    prefix, slash, bare = key.rpartition("/")
    return bool(bare and len(bare) <= 63 and LABEL_NAME.fullmatch(bare) and (not slash or PREFIX.fullmatch(prefix)))


def labels(env: Environment) -> Iterator[tuple[str, str, str | None]]:
    """(path, key, value) of every label, in layers and at nodes; a value of None takes one away."""
    for path, layer in layers(env):
        for key, value in (layer.labels or {}).items():
            yield f"{path}.labels", key, value
    for name, node in talos_nodes(env):
        for key, value in node.labels.items():
            yield f"cluster.nodes.{name}.labels", key, value


@law("cluster-label-form")
def labels_are_labels(env: Environment) -> Iterator[Breach]:
    """A node's labels are well-formed: an optional DNS prefix, a name, and a value of at most 63 characters each."""
    for path, key, value in labels(env):
        text = value or ""
        if not (qualified(key) and len(text) <= 63 and LABEL_NAME.fullmatch(text)):
            message = f"'{key[:40]}={text[:40]}' is no Kubernetes label"
            yield Breach(path, message, "letters, digits, - _ . as in example.com/tier: storage")


@law("cluster-label-reserved", unless=("cluster-label-form",))
def labels_are_free(env: Environment) -> Iterator[Breach]:
    """A node does not give itself labels of Kubernetes' own: NodeRestriction refuses them, and the kubelet
    does not start."""
    for path, key, _ in labels(env):
        prefix = key.rpartition("/")[0]
        allowed = prefix in OWN_PREFIXES or prefix.endswith(tuple(f".{one}" for one in OWN_PREFIXES))
        if not allowed and (prefix in ("kubernetes.io", "k8s.io") or prefix.endswith((".kubernetes.io", ".k8s.io"))):
            message = f"a node may not give itself the label {key[:60]}: it is Kubernetes' own"
            yield Breach(path, message, f"did you mean {env.domain}/{key.rpartition('/')[2]}?")


@law("talos-annotation-form")
def annotations_have_keys(env: Environment) -> Iterator[Breach]:
    """An annotation's key is an optional DNS prefix and a name; its value is free."""
    for path, layer in layers(env):
        for key in layer.annotations or {}:
            if not qualified(key):
                yield Breach(f"{path}.annotations", f"'{key[:60]}' is no annotation's key", "as in example.com/rack")


@law("talos-taint-form")
def taints_have_effects(env: Environment) -> Iterator[Breach]:
    """A taint is a key with `value:Effect` or an effect alone: Kubernetes knows three effects."""
    for path, layer in layers(env):
        for key, said in (layer.taints or {}).items():
            value, _, effect = (said or EFFECTS[0]).rpartition(":")
            if not qualified(key) or not LABEL_NAME.fullmatch(value) or effect not in EFFECTS:
                message = f"'{key[:40]}: {(said or '')[:40]}' is no taint"
                yield Breach(
                    f"{path}.taints", message, f"as in example.com/gpu: present:{EFFECTS[0]}; {listed(EFFECTS)}"
                )


@law("talos-sysctl-form")
def sysctls_are_parameters(env: Environment) -> Iterator[Breach]:
    """A kernel parameter is written with dots, `net.core.rmem_max`, and has a value of one line."""
    for path, layer in layers(env):
        for key in layer.sysctls or {}:
            if not re.fullmatch(r"[a-z0-9_]+(\.[A-Za-z0-9_*/-]+)+", key):
                near = key.strip("/").removeprefix("proc/sys/").replace("/", ".")
                yield Breach(f"{path}.sysctls", f"'{key[:60]}' is no kernel parameter", f"did you mean {near[:60]}?")


@law("talos-module-form")
def modules_are_names(env: Environment) -> Iterator[Breach]:
    """A kernel module is a name, and each of its parameters `name=value`."""
    for path, layer in layers(env):
        for name, parameters in (layer.kernel_modules or {}).items():
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                hint = "the module's name alone, its parameters as a list: { nvme_tcp: [] }"
                yield Breach(f"{path}.kernel_modules", f"'{name[:60]}' is no kernel module", hint)
            for given in parameters or ():
                if not re.fullmatch(r"[A-Za-z0-9_.-]+(=\S*)?", given):
                    message = f"'{given[:60]}' is no parameter of {name[:40]}"
                    yield Breach(f"{path}.kernel_modules.{name}", message, "as in max_part=8, each an item of its own")


@law("talos-mirror-form")
def mirrors_have_urls(env: Environment) -> Iterator[Breach]:
    """A mirror is for a registry's host, and is reached by URLs that hold no password: they are no secret here."""
    for path, layer in layers(env):
        for registry, mirror in (layer.registry_mirrors or {}).items():
            place = f"{path}.registry_mirrors.{registry}"
            if registry != "*" and not re.fullmatch(r"[a-z0-9.-]+(:\d{1,5})?", registry):
                bare = registry.partition("://")[2] or registry
                hint = f"did you mean {bare.split('/')[0][:60]}?"
                yield Breach(place, f"'{registry[:60]}' is no registry's host", hint)
            for index, url in enumerate(mirror.endpoints if mirror else ()):
                if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/\S*)?", url):
                    hint = "as in https://mirror.example.com"
                    yield Breach(f"{place}.endpoints.{index}", f"'{url.split('@')[-1][:60]}' is no mirror's URL", hint)


@law("talos-root-form")
def roots_are_certificates(env: Environment) -> Iterator[Breach]:
    """A trusted root is one or more certificates as PEM text, and no key."""
    for path, layer in layers(env):
        for name, text in (layer.trusted_roots or {}).items():
            begun, certificates = (text or "").count("-----BEGIN "), (text or "").count("-----BEGIN CERTIFICATE-----")
            if text is not None and (begun != certificates or not begun):
                said = "holds something besides certificates" if begun else "is no PEM certificate"
                yield Breach(f"{path}.trusted_roots.{name}", f"{name} {said}", "paste the CA's .crt, as a block (|)")


@law("talos-name-form")
def names_are_hosts(env: Environment) -> Iterator[Breach]:
    """A time server or a certificate's further name is a host name or an IPv4 address."""
    for path, layer in layers(env):
        for field, names in (("time_servers", layer.time_servers), ("cert_sans", layer.cert_sans)):
            for index, name in enumerate(names or ()):
                if not all(LABEL.fullmatch(part) for part in name.lower().removeprefix("*.").split(".")):
                    message = f"'{name[:60]}' is no host name and no address"
                    yield Breach(f"{path}.{field}.{index}", message, "as in k8s.example.com or 192.168.1.100")


@law("talos-watchdog-timeout")
def watchdog_waits_long_enough(env: Environment) -> Iterator[Breach]:
    """A watchdog's timeout is ten seconds at least, and is for machines that have one."""
    for path, layer in layers(env):
        text = layer.watchdog_timeout
        match = DURATION.fullmatch(text) if text else None
        seconds = int(match[1] or 0) * 60 + int(match[2] or 0) if match else 0
        if text and seconds < LEAST_WATCHDOG:
            message = f"'{text[:40]}' is no timeout of a watchdog: ten seconds at least"
            yield Breach(f"{path}.watchdog_timeout", message, "as in 5m or 90s")


def _bonds(env: Environment) -> Iterator[tuple[str, str, str, TalosLayer]]:
    """(path, node, class, layer) of the layer whose bond a node has."""
    for name, node in talos_nodes(env):
        chosen = None
        found = reaching(env.cluster.talos, node.role, node.hardware, node.talos) if env.cluster else []
        for place, layer in found:
            if "bond" in layer.model_fields_set:
                chosen = (f"cluster.talos.{place}" if place else f"cluster.nodes.{name}.talos", layer)
        if chosen and chosen[1].bond and node.hardware in env.hardware:
            yield f"{chosen[0]}.bond", name, node.hardware, chosen[1]


@law("talos-bond-links")
def bonds_are_of_the_machines_cards(env: Environment) -> Iterator[Breach]:
    """A bond's cards are cards of every class it reaches, each once, the one that boots among them and two at least."""
    told: set[str] = set()
    for path, node, hardware, layer in _bonds(env):
        links, nics = layer.bond.links if layer.bond else (), env.hardware[hardware].nics
        wrong = _bond_mistake(node, hardware, links, nics)
        if wrong and path not in told:
            told.add(path)
            yield Breach(f"{path}.links", *wrong, f"hardware.{hardware}.nics")


def _bond_mistake(node: str, hardware: str, links: tuple[str, ...], nics: tuple[str, ...]) -> tuple[str, str] | None:
    """What is wrong with a bond on a node, and how to mend it."""
    strange = [link for link in links if link not in nics]
    if strange:
        return f"{node} is of class {hardware}, which has no card {listed(strange)}", nearest(strange[0], nics)
    if len(set(links)) < len(links) or len(links) < 2:
        return f"a bond of {listed(links)} is no bond", f"two or more of {listed(nics)}, each once"
    if links[0] != nics[0]:
        rest = [link for link in links if link != nics[0]]
        return f"{nics[0]} boots {node}, and the bond begins with {links[0]}", f"write [{', '.join([nics[0], *rest])}]"
    return None


@law("talos-bond-lacp")
def lacp_rate_is_lacps(env: Environment) -> Iterator[Breach]:
    """LACP's rate is for 802.3ad: Talos refuses it with any other mode."""
    for path, layer in layers(env):
        if layer.bond and layer.bond.lacp_rate and layer.bond.mode != "802.3ad":
            message = f"mode {layer.bond.mode} speaks no LACP, and has a rate for it"
            yield Breach(f"{path}.bond.lacp_rate", message, "leave it out, or mode: 802.3ad", f"{path}.bond.mode")


@law("cluster-node-vlan")
def further_vlans_are_tagged(env: Environment) -> Iterator[Breach]:
    """A node's further VLAN is one of the network's, tagged, and not the one it stands in already."""
    for name, node in talos_nodes(env):
        for vlan in node.vlans:
            path, known = f"cluster.nodes.{name}.vlans.{vlan}", env.network.vlans
            if vlan not in known:
                yield Breach(path, f"there is no VLAN '{vlan}'", nearest(vlan, known), "network.vlans")
            elif env.cluster and vlan == env.cluster.vlan:
                yield Breach(path, f"{name} stands in VLAN {vlan} already", "leave it out", "cluster.vlan")
            elif known[vlan].tag is None:
                message = f"VLAN {vlan} has no tag, and a further VLAN comes on the same cable"
                yield Breach(path, message, "give it a tag", f"network.vlans.{vlan}.tag")


@law("talos-resolver-loop", "warning")
def layered_resolvers_stand_outside(env: Environment) -> Iterator[Breach]:
    """No resolver of a layer stands on the cluster that needs it to start."""
    own: set[IPv4Address] = {node.address for _, node in talos_nodes(env)}
    pool = env.cluster.load_balancer_pool if env.cluster else None
    for path, layer in layers(env):
        for index, address in enumerate(layer.resolvers or ()):
            if address in own or (pool and address in pool):
                message = f"{address} is the cluster's own: nodes that start would wait for themselves"
                yield Breach(f"{path}.resolvers.{index}", message, f"name {env.network.router.address}", "cluster")
