"""What the owner of a lab carried to its machines before anything else stood: the boot partition of each card, and what
the workstation serves while it does.

Owns rendering them for the rack, as `./lab render` does for a person. Refuses to make a key: of the pair whose public
half stands in the stack file nobody here has the other, so the public one stands for it on the simulated card.
"""

from __future__ import annotations

from typing import Any

from model.plan import plan
from render import pi_card, workstation
from stacks.judgement import judge

Cards = dict[str, dict[str, str]]
"""Host name → file name → text; the workstation's paths begin with `srv/`."""


def cards(environment: dict[str, Any], stack: str) -> Cards:
    """The card of every Pi that has one, by the plan of the raw `environment`, and the workstation's files; none where
    there is no plan. A card that its Pi writes itself stays blank.
    """
    judged = judge(environment, stack, set())
    if judged.environment is None:
        return {}
    decided = plan(judged.environment, judged.tree)
    nodes = decided.bootstrap.nodes if decided.bootstrap else ()
    found = {node.name: pi_card.files(decided, node) for node in nodes if node.persistent and not node.stamped}
    for node in nodes:
        if node.name in found and node.host_key:
            found[node.name][pi_card.HOST_KEY] = node.host_key
    carried = {path.removeprefix(f"{workstation.FOLDER}/"): text for path, text in workstation.files(decided).items()}
    return found | ({workstation.FOLDER: carried} if carried else {})
