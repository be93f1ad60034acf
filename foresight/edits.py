"""What an edit of a living lab must never do: rules over what was deployed and what is wanted now.

Owns the rules that need both sides; each has a code and a way out. Refuses what one side alone tells, which is
`model.laws`', and what only the running cluster knows, which its gates ask.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model.arda import Cluster, ClusterNode
from model.environment import Environment
from model.findings import Finding, Grade, one_line
from model.laws.registry import Breach

Check = Callable[[Environment, Environment], Iterator[Breach]]


@dataclass(frozen=True)
class Rule:
    """A rule, as documented in docs/impact.md."""

    code: str
    grade: Grade
    holds: str
    """The function's docstring: what must hold, and why."""
    by_hand: bool
    """Whether a person can see to it by hand, and then accept it; else nothing makes it pass."""
    check: Check


RULES: dict[str, Rule] = {}
"""Every rule by its code, in the order of definition."""


def rule(code: str, grade: Grade = "error", *, by_hand: bool = False) -> Callable[[Check], Check]:
    """Enter a rule. Errors: ValueError for a code given twice."""

    def enter(check: Check) -> Check:
        if code in RULES:
            raise ValueError(f"two rules are called {code}")
        RULES[code] = Rule(code, grade, " ".join((check.__doc__ or "").split()), by_hand, check)
        return check

    return enter


def judge(before: Environment, after: Environment) -> list[Finding]:
    """Every rule that the edit from `before` to `after` breaks; sorted by path, then code."""
    found = [
        Finding(one.code, one.grade, breach.path, one_line(breach.message), one_line(breach.hint), breach.against)
        for one in RULES.values()
        for breach in one.check(before, after)
    ]
    return sorted(found, key=lambda finding: (finding.path, finding.code))


def both_clusters(before: Environment, after: Environment) -> tuple[Cluster, Cluster] | None:
    """The Talos cluster before and after, where there is one on both sides."""
    return (before.cluster, after.cluster) if before.cluster and after.cluster else None


def staying(before: Environment, after: Environment) -> Iterator[tuple[str, ClusterNode, ClusterNode]]:
    """(name, before, after) of every node that is a member on both sides."""
    clusters = both_clusters(before, after)
    if clusters is None:
        return
    for name, node in clusters[0].nodes.items():
        new = clusters[1].nodes.get(name)
        if new and node.state == new.state == "member":
            yield name, node, new


@rule("change-cluster-renamed")
def the_cluster_keeps_its_name(before: Environment, after: Environment) -> Iterator[Breach]:
    """A cluster keeps its name: machines, kubeconfigs, state and the folders in Git are all found by it."""
    pairs = (("bootstrap", before.bootstrap, after.bootstrap), ("cluster", before.cluster, after.cluster))
    for realm, old, new in pairs:
        if old and new and old.name != new.name:
            message = f"the cluster that stands is {old.name}; as {new.name} all that was made on it would be made anew"
            yield Breach(f"{realm}.name", message, f"put back {old.name}")


@rule("change-environment-renamed")
def the_lab_keeps_its_name(before: Environment, after: Environment) -> Iterator[Breach]:
    """A lab keeps its name, by which its zone, its folders in Git and its stack are found."""
    if before.name != after.name:
        message = f"what stands is {before.name}, and this file describes {after.name}: another lab"
        yield Breach("name", message, f"put back {before.name}; a new lab is a stack of its own")


@rule("change-cluster-dropped")
def a_cluster_is_not_left_out(before: Environment, after: Environment) -> Iterator[Breach]:
    """A cluster that stands is given up by `pulumi destroy`, never by leaving it out: its machine secrets would go,
    and its machines would run on with nobody who can reach them."""
    pairs = (("bootstrap", before.bootstrap, after.bootstrap), ("cluster", before.cluster, after.cluster))
    for realm, old, new in pairs:
        if old and not new:
            message = f"{old.name} stands, and the file no longer has it"
            yield Breach(realm, message, "put it back; to give it up: pulumi destroy")


@rule("change-subnets")
def address_ranges_stay(before: Environment, after: Environment) -> Iterator[Breach]:
    """Pods and Services keep their addresses on a living cluster: nodes, Services and certificates hold old ones, and
    the two do not reach each other."""
    clusters = both_clusters(before, after)
    for what in ("pods", "services") if clusters else ():
        old, new = (getattr(cluster, what) for cluster in clusters or ())
        if old != new:
            message = f"{what} have {old} on the cluster that stands, and {new} reaches none of them"
            yield Breach(f"cluster.{what}", message, f"put back {old}; other {what} need a new cluster")


@rule("change-vip", by_hand=True)
def the_api_stays_where_it_is(before: Environment, after: Environment) -> Iterator[Breach]:
    """The API keeps its address: every kubeconfig and every node that is not changed yet asks at the old one, and
    from the first changed control plane on nobody holds it for sure."""
    clusters = both_clusters(before, after)
    if clusters and clusters[0].vip != clusters[1].vip:
        old, new = clusters[0].vip, clusters[1].vip
        message = f"the API answers at {old}, and kubeconfigs and nodes ask there; an `up` to {new} loses it half-way"
        yield Breach("cluster.vip", message, f"put back {old}")


@rule("change-contract-lowered")
def the_contract_is_never_lowered(before: Environment, after: Environment) -> Iterator[Breach]:
    """The contract that the machine secrets were made with is never lowered: that replaces the cluster's whole PKI,
    and no machine trusts the new one."""
    clusters = both_clusters(before, after)
    if clusters and _minor(clusters[1].talos_contract) < _minor(clusters[0].talos_contract):
        old, new = clusters[0].talos_contract, clusters[1].talos_contract
        message = f"the machine secrets were made with {old}; {new} would replace them, and no machine trusts the new"
        yield Breach("cluster.talos_contract", message, f"put back {old}; it stays when Talos changes")


@rule("change-contract-raised", "warning")
def the_contract_stays(before: Environment, after: Environment) -> Iterator[Breach]:
    """The contract stays when Talos is upgraded: raised, it hides every machine's configuration from the preview, and
    brings in a newer generator's defaults with it."""
    clusters = both_clusters(before, after)
    if clusters and _minor(clusters[1].talos_contract) > _minor(clusters[0].talos_contract):
        old, new = clusters[0].talos_contract, clusters[1].talos_contract
        message = f"from {old} to {new} no preview can show what changes on the machines, and any of them may reboot"
        yield Breach("cluster.talos_contract", message, f"put back {old}: Talos is upgraded by versions.talos alone")


def _minor(version: str) -> tuple[int, ...]:
    """(1, 12) of `v1.12` or `v1.2.3`; the shape has seen to the form."""
    return tuple(int(part) for part in version.lstrip("v").split("-")[0].split("+")[0].split(".")[:2])


@rule("change-adopt-secrets")
def a_cluster_is_taken_over_once(before: Environment, after: Environment) -> Iterator[Breach]:
    """Whether a cluster was taken over is settled by its first `up`: the line decides where its secrets came from, and
    that nobody bootstraps it."""
    clusters = both_clusters(before, after)
    if clusters is None or clusters[0].adopt_secrets == clusters[1].adopt_secrets:
        return
    old, new = (cluster.adopt_secrets for cluster in clusters)
    if old and not new:
        message = f"{clusters[0].name} was taken over and has data: without the line it would be bootstrapped again"
        hint = f"put back adopt_secrets: {old}; the line stays, the file may go"
    else:
        stand = f"came from {old}" if old else "were made here"
        message = f"the secrets that every machine trusts {stand}; {new} would replace them"
        hint = f"put back adopt_secrets: {old}" if old else "take the line out: it is for a cluster's first `up` here"
    yield Breach("cluster.adopt_secrets", message, hint)


@rule("change-encryption")
def partitions_stay_as_they_are(before: Environment, after: Environment) -> Iterator[Breach]:
    """Disk encryption is chosen before the first `up`: Talos encrypts an empty partition only, and does not start from
    one that is not as its configuration says."""
    clusters = both_clusters(before, after)
    if clusters and clusters[0].disk_encryption != clusters[1].disk_encryption:
        stand = "encrypted" if clusters[0].disk_encryption else "in clear"
        message = f"the machines' partitions are {stand}, and Talos does not convert one that holds data"
        hint = f"put back {str(clusters[0].disk_encryption).lower()}; it is chosen for a new cluster"
        yield Breach("cluster.disk_encryption", message, hint)


@rule("change-gitops-engine", "warning")
def one_engine_reconciles(before: Environment, after: Environment) -> Iterator[Breach]:
    """One GitOps engine at a time: what the old one installed stays, itself included, and both would set it right."""
    if before.gitops and after.gitops and before.gitops.engine != after.gitops.engine:
        old, new = before.gitops.engine, after.gitops.engine
        message = f"{old} runs on the clusters and is not taken away: with {new} beside it, both reconcile"
        yield Breach("gitops.engine", message, f"take {old} off the clusters first, its applications orphaned")
