"""Three Valar: each further one has the lab's root certificate before the token, and joins after the one before."""

import pulumi

from components.ainur import BootstrapCluster
from model.plan import Plan
from render.k3s_config import CA
from tests.recording import Recording, record
from tests.render.seeds import ONE, THREE


def recorded(plan: Plan = THREE, key: str = "key") -> Recording:
    def program() -> None:
        assert plan.bootstrap
        made = BootstrapCluster("ainur", plan.bootstrap, "homelab", ssh_key=pulumi.Output.secret(key), reading="first")
        made.join_maiar([])
        pulumi.export("root", made.root_certificate())

    return record(program, "homelab", {}, preview=False)


def test_a_further_vala_has_the_root_certificate_before_it_joins() -> None:
    """Its API server reads it at its start, and the unit of the token refuses without it."""
    recording = recorded()
    for name in ("vala-2", "vala-3"):
        brought, joins = recording.named(f"ainur-authority-{name}"), recording.named(f"ainur-join-{name}")
        assert brought.inputs["create"].endswith(f"/dev/stdin {CA}\n")
        assert recording.named("ainur-ca-vala-1").urn in brought.depends_on
        assert brought.urn in joins.depends_on


def test_a_maia_is_brought_the_agents_token_and_never_the_servers() -> None:
    recording = recorded()
    servers, agents = recording.named("ainur-token-vala-1"), recording.named("ainur-agent-token-vala-1")
    for name in ("maia-1", "maia-2"):
        joins = recording.named(f"ainur-join-{name}")
        assert agents.urn in joins.depends_on
        assert servers.urn not in joins.depends_on
        assert "::node:" in joins.inputs["create"], "another kind is not kept"
    for name in ("vala-2", "vala-3"):
        joins = recording.named(f"ainur-join-{name}")
        assert servers.urn in joins.depends_on
        assert recording.named(f"ainur-agents-{name}").urn in joins.depends_on
        assert "::server:" in joins.inputs["create"]


def test_with_one_vala_nobody_reads_the_servers_token() -> None:
    names = [one.name for one in recorded(ONE).resources.values()]
    assert "ainur-agent-token-vala-1" in names
    assert not [name for name in names if name.startswith("ainur-token-")]


def test_the_root_certificate_is_read_once_whoever_asks_for_it() -> None:
    names = [one.name for one in recorded().resources.values()]
    assert names.count("ainur-ca-vala-1") == 1
    assert not [name for name in names if name.startswith("ainur-authority-maia")]


def test_another_ssh_key_alone_asks_first_whether_each_pi_is_there() -> None:
    """SSH dials a Pi that is off in silence; who asks before says which one is."""
    before, same, after = (recorded(ONE, key) for key in ("PRIVATE-ONE", "PRIVATE-ONE", "PRIVATE-TWO"))
    for name in ("ainur-reach-vala-1", "ainur-reach-maia-1"):
        texts = [one.named(name).inputs["create"] for one in (before, same, after)]
        assert texts[0] == texts[1] != texts[2]
        assert "PRIVATE" not in "".join(texts)
