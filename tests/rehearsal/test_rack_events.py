"""What the engine says is kept as facts: names and counts, never a value."""

from typing import Any

from pulumi import automation as auto

from rehearsal.engine_events import Listener, readable

STACK = "urn:pulumi:toy::iluvatar::pulumi:pulumi:Stack::iluvatar-toy"
THING = "urn:pulumi:toy::iluvatar::iluvatar:ea:Network$command:remote:Command::ea-dns"
PASSPHRASE = "correct horse battery staple"


def _heard(*events: dict[str, Any]) -> Listener:
    listener = Listener()
    for number, event in enumerate(events):
        listener(auto.EngineEvent.from_json({"sequence": number, "timestamp": 0, **event}))
    return listener


def _pre(operation: str, **more: Any) -> dict[str, Any]:
    metadata = {"op": operation, "urn": THING, "type": "command:remote:Command", "provider": "", **more}
    return {"resourcePreEvent": {"metadata": metadata}}


def _said(severity: str, message: str, urn: str = "", **more: Any) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": severity, "message": message, "urn": urn, "color": "never", **more}}


def test_a_step_knows_which_properties_changed_and_not_what_they_hold():
    new = {"type": "t", "urn": THING, "inputs": {"stdin": PASSPHRASE}}
    event = _pre("update", new=new, detailedDiff={"stdin": {"diffKind": "update"}, "create": {"diffKind": "update"}})
    step = _heard(event).transcript.changed()[0]
    assert (step.name, step.properties) == ("ea-dns", ("create", "stdin"))
    assert PASSPHRASE not in repr(step)


def test_a_replacement_told_in_three_steps_is_one_replacement():
    told = _heard(_pre("create-replacement"), _pre("replace"), _pre("delete-replaced")).transcript
    assert told.counts() == {"replace": 1}
    assert told.created() == {THING}


def test_same_read_and_refresh_change_nothing():
    for operation in ("same", "read", "refresh"):
        assert _heard(_pre(operation)).transcript.changed() == []


def test_an_error_is_heard_once_and_named_after_its_resource():
    told = _heard(_said("error", "<{%fg 1%}>no<{%reset%}>\n", THING), _said("error", "no", THING)).transcript
    assert [(entry.subject, entry.message) for entry in told.diagnostics] == [("ea-dns", "no")]


def test_what_is_about_the_stack_is_about_the_whole_run():
    assert _heard(_said("warning", "careful", STACK)).transcript.diagnostics[0].subject == ""


def test_what_the_program_itself_remarks_is_kept():
    told = _heard(_said("info", "Upgrade plan", STACK)).transcript
    assert [(entry.grade, entry.subject) for entry in told.diagnostics] == [("info", "")]


def test_passing_remarks_are_not_kept():
    told = _heard(_said("info", "fyi", THING), _said("error", "spinning", THING, ephemeral=True)).transcript
    assert told.diagnostics == []


def test_a_program_s_exception_is_told_without_other_people_s_frames():
    message = (
        "python inline source runtime error: the pool swallows the VIP\nTraceback (most recent call last):\n"
        '  File "/x/site-packages/pulumi/runtime/stack.py", line 133, in run_pulumi_func\n    await result\n'
        '  File "/home/me/lab/stacks/lab.py", line 7, in build\n    enter(config)\n'
        '  File "<frozen runpy>", line 88, in _run_code\n'
        "ValueError: the pool swallows the VIP"
    )
    assert readable(message) == "the pool swallows the VIP\n(raised at stacks/lab.py:7)"
    assert readable(f"an unhandled error occurred: {message}") == readable(message)


def test_an_exception_without_words_is_told_by_its_name():
    message = (
        "python inline source runtime error: \nTraceback (most recent call last):\n"
        '  File "/home/me/lab/model/ea.py", line 3, in plan\nbuiltins.StopIteration'
    )
    assert readable(message) == "StopIteration\n(raised at model/ea.py:3)"


def test_whoever_follows_is_told_after_each_event_that_counts():
    seen: list[int] = []
    listener = Listener(lambda transcript: seen.append(len(transcript.steps)))
    for event in (_pre("create"), {"cancelEvent": {}}, _said("info", "fyi", THING)):
        listener(auto.EngineEvent.from_json({"sequence": 0, "timestamp": 0, **event}))
    assert seen == [1]
