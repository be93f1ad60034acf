"""What is foretold of a machine's configuration is what the World's Talos makes of it, field by field."""

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foresight.fields import NEVER_REBOOT, SECRET_LEAF, changed, hidden, reboot, shown
from foresight.impact import Impact, Side, impact
from model.laws import examine
from rehearsal.world import talos_config
from tests.foresight import changes
from tests.labs import raw

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def foretold(pair: tuple[dict[str, Any], dict[str, Any]]) -> tuple[Side, Side, Impact]:
    """Both sides of an edit that the laws allow, and what is foretold."""
    before, after = pair
    assume(not examine(after, None).errors)
    old, new = changes.side(before), changes.side(after)
    return old, new, impact(old, new)


@given(changes.edited())
@MANY
def test_fields_and_reboots_are_those_of_the_world(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new, told = foretold(pair)
    assert old.cluster
    assert new.cluster
    nodes = {node.name: node for node in told.nodes}
    standing = {node.name: node for node in old.cluster.members}
    for node in new.cluster.members:
        if node.name not in standing:
            assert nodes[node.name].touch == "joins"
            continue
        before = changes.configuration(old.cluster, standing[node.name])
        after = changes.configuration(new.cluster, node)
        said = nodes.get(node.name)
        fields = {(field.document, field.path) for field in said.fields} if said else set()
        assert fields == changes.places(before, after)
        verdict = said.reboot.verdict if said else "no"
        assert verdict == ("yes" if talos_config.needs_reboot(before, after) else "no")


PATHS = [*NEVER_REBOOT, "machine.udev.rules", "machine.files", "machine.features.rbac", "machine.env", "persist"]


@given(st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["a", "b"])), st.sampled_from([(1, 12), (1, 13)]))
@settings(max_examples=400, deadline=None)
def test_the_rule_for_a_reboot_is_talos_own_up_to_1_13(wanted: dict[str, str], running: tuple[int, int]) -> None:
    before: dict[str, Any] = {"version": "v1alpha1", "persist": True, "machine": {"type": "worker"}, "cluster": {}}
    after: dict[str, Any] = {"version": "v1alpha1", "persist": True, "machine": {"type": "worker"}, "cluster": {}}
    for path, value in wanted.items():
        *way, last = path.split(".")
        holder = after
        for part in way:
            holder = holder.setdefault(part, {})
            assume(isinstance(holder, dict))
        holder[last] = value
    told = reboot(changed([before], [after]), running)
    assert told.verdict == ("yes" if talos_config.needs_reboot([before], [after]) else "no")
    assert bool(told.because) is (told.verdict == "yes")


@given(changes.edited())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_talos_that_nobody_here_knows_is_unknown_and_never_no(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = pair
    for side in (before, after):
        side["versions"]["talos"] = "v1.14.0"
    try:
        told = impact(changes.side(before), changes.side(after))
    except ValidationError:
        assume(False)
        return
    for node in told.nodes:
        if node.touch == "changes" and node.fields:
            assert node.reboot.verdict == "unknown"
            assert "1.14" in node.reboot.rule


def test_separate_documents_never_reboot() -> None:
    before, after = raw("homelab"), raw("homelab")
    after["network"]["resolvers"] = ["1.1.1.1"]
    told = impact(changes.side(before), changes.side(after))
    assert {field.document for node in told.nodes for field in node.fields} == {"ResolverConfig"}
    assert {(node.reboot.verdict, node.reboot.rule) for node in told.nodes} == {
        ("no", "Talos 1.12 never reboots for documents of their own")
    }


def test_the_image_waits_for_the_upgrade_and_nothing_else_does() -> None:
    before, after = raw("homelab"), raw("homelab")
    after["versions"]["talos"] = "v1.12.9"
    told = impact(changes.side(before), changes.side(after))
    assert len(told.nodes) == 6
    for node in told.nodes:
        assert [field.path for field in node.waiting] == ["machine.install.image"]
        assert node.waiting == node.fields
        assert node.image


def test_control_planes_are_touched_before_workers_and_in_the_order_of_the_steps() -> None:
    before, after = raw("homelab"), raw("homelab")
    after["network"]["resolvers"] = ["1.1.1.1"]
    told = impact(changes.side(before), changes.side(after))
    assert [node.name for node in told.nodes] == [
        "valinor-1", "valinor-2", "valinor-3", "istari-1", "istari-2", "istari-3",
    ]  # fmt: skip


def test_no_edit_is_no_impact() -> None:
    told = impact(changes.side(raw("turing")), changes.side(raw("turing")))
    assert told.nothing


def test_a_secret_leaf_is_a_hash_that_tells_two_apart() -> None:
    one, two = (shown(value, "machine.token") for value in ("abcdef.0123456789abcdef", "abcdef.0123456789abcdeg"))
    assert one.startswith("sha256:")
    assert one != two
    assert "abcdef" not in one
    body = {"auth": "dXNlcjpwYXNz", "username": "me", "tls": {"clientIdentity": {"key": "-----KEY"}}}
    kept = str(hidden({"config": {"registry.example.com": body}}))
    assert "dXNlcjpwYXNz" not in kept
    assert "-----KEY" not in kept
    assert "me" in kept
    assert not SECRET_LEAF.search("machine.kubelet.image")
