"""Laws of names: each is one thing's, and none is a word that something else answers to.

Owns names across realms. Refuses their spelling, which a field checks by itself (`model.fields`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.findings import Finding
from model.laws.claims import batteries, machines, repeated, switches
from model.laws.registry import Breach, law
from model.laws.shape import NO_NAME

RESERVED = {
    "localhost": "every machine calls itself that",
    "router": "the router has it in the internal zone",
    "netboot": "the boot services have it in the internal zone",
    "workstation": "the bootstrap workstation has it in the internal zone",
    "unknown": "it is what an unlisted machine boots",
    "kubernetes": "Talos makes certificates for it",
}
"""Names that mean something already, and what."""


TAGS = {
    "pi": "Raspberry Pis",
    "ipxe": "iPXE",
    "bios": "BIOS machines",
    "efi-x64": "UEFI machines",
    "efi-arm64": "UEFI machines for arm64",
    "http-efi-x64": "UEFI machines that boot over HTTP",
    "http-efi-arm64": "UEFI machines for arm64 that boot over HTTP",
    "known": "every machine that has a reservation",
    "known-othernet": "machines with a reservation elsewhere",
    "bootp": "machines that ask by BOOTP",
    "dhcp": "machines that ask by DHCP",
}
"""Tags that dnsmasq gives machines, ours and its own, and whom they mean. A VLAN's name is a tag too."""


def named(env: Environment) -> Iterator[tuple[str, str]]:
    """(name, path) of everything that gets a record in the internal zone."""
    if env.bootstrap:
        yield env.bootstrap.name, "bootstrap.name"
    if env.cluster:
        yield env.cluster.name, "cluster.name"
    yield from ((machine.name, machine.path) for machine in machines(env))
    yield from ((name, path) for path, name, _ in (*switches(env), *batteries(env)))
    yield from ((name, f"edge.gateways.{name}") for name in env.edge.gateways)
    yield from ((name, f"edge.hops.{name}") for name in env.edge.hops)
    if env.edge.dns.inside and env.edge.dns.inside.address:
        yield "k8s-gateway", "edge.dns.inside"


@law("name-duplicate")
def name_once(env: Environment) -> Iterator[Breach]:
    """A name in the internal zone belongs to one thing."""
    for name, first, later in repeated(named(env)):
        yield Breach(later, f"'{name}' names two things, {first} and {later}", f"did you mean '{name}-2'?", first)


@law("name-reserved")
def name_free(env: Environment) -> Iterator[Breach]:
    """Nothing has a name that is taken already."""
    for name, path in named(env):
        if name in RESERVED:
            yield Breach(path, f"'{name}' is taken: {RESERVED[name]}", f"did you mean '{name}-1'?")


@law("name-vlan-tag")
def vlan_is_no_other_tag(env: Environment) -> Iterator[Breach]:
    """No VLAN is called what dnsmasq calls a kind of machine: its lines for that kind would be for the whole VLAN."""
    for name in env.network.vlans:
        if name in TAGS:
            message = f"'{name}' is what dnsmasq calls {TAGS[name]}: what is meant for them would go to the whole VLAN"
            yield Breach(f"network.vlans.{name}", message, f"did you mean '{name}-lan'?")


@law("name-numeric")
def name_is_no_number(env: Environment) -> Iterator[Breach]:
    """No host name is all digits: tools take it for an address, and YAML takes it for a number."""
    for name, path in named(env):
        if name.isdigit():
            yield Breach(path, f"'{name}' is all digits: tools take it for an address", f"did you mean 'node-{name}'?")


@law("name-domain-wildcard")
def domain_is_plain(env: Environment) -> Iterator[Breach]:
    """The lab's domain is a plain one: names are put before it."""
    if env.domain.startswith("*."):
        yield Breach("domain", f"{env.domain} is a wildcard, not a domain", f"did you mean {env.domain[2:]}?")


@law("name-domain-local")
def domain_is_not_mdns(env: Environment) -> Iterator[Breach]:
    """The domain does not end in `.local` or `.localhost`: the first is multicast DNS' alone (RFC 6762), the second
    is every machine's own (RFC 6761)."""
    last = env.domain.rpartition(".")[2]
    if last in ("local", "localhost"):
        yield Breach(
            "domain", f"names under .{last} never reach a DNS server", "use a domain you own, or home.arpa (RFC 8375)"
        )


@law("name-zone-long")
def zone_fits(env: Environment) -> Iterator[Breach]:
    """The longest name in the internal zone stays within DNS' 253 characters."""
    longest = max((len(name) for name, _ in named(env)), default=0)
    whole = longest + len(env.name) + len(env.domain) + 2
    if whole > 253:
        yield Breach(
            "domain",
            f"names under {env.name}.{env.domain[:40]}… would have {whole} characters",
            "253 is the most: shorten it",
        )


def of_its_stack(environment: Environment, stack: str) -> list[Finding]:
    """The environment is named as the stack it is: two stacks of one name would be one cluster to the engine.

    Silent where the name could not be read: that is a finding already.
    """
    if environment.name in (stack, NO_NAME):
        return []
    message = f"the stack is {stack}, but its environment says it is '{environment.name}'"
    hint = f"write name: {stack}, or select the stack {environment.name}"
    return [Finding("name-stack", "error", "name", message, hint)]
