"""Three Valar: each further one has the lab's root certificate before the token, and joins after the one before."""

import pulumi

from components.ainur import BootstrapCluster
from render.k3s_config import CA
from tests.recording import Recording, record
from tests.render.test_cloud_init import THREE


def recorded() -> Recording:
    def program() -> None:
        assert THREE.bootstrap
        made = BootstrapCluster(
            "ainur", THREE.bootstrap, "homelab", ssh_key=pulumi.Output.secret("key"), reading="first"
        )
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


def test_the_root_certificate_is_read_once_whoever_asks_for_it() -> None:
    names = [one.name for one in recorded().resources.values()]
    assert names.count("ainur-ca-vala-1") == 1
    assert not [name for name in names if name.startswith("ainur-authority-maia")]
