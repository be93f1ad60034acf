"""How long the door takes: `check` of a thousand nodes stays under two seconds, right or wrong, and grows in a line."""

import time
from typing import Any

import yaml

from model.document import parse
from model.laws import examine
from tests.model import cases
from tests.model.labs_of_many import lab

BUDGET_SECONDS = 2.0


def seconds(text: str) -> float:
    """Seconds to read and examine a stack file: the better of two runs."""
    best = float("inf")
    for _ in range(2):
        begun = time.perf_counter()
        document = parse(text, "many")
        examined = examine(document.environment, None)
        best = min(best, time.perf_counter() - begun)
        assert examined.environment is not None, "the measure is of something else"
    return best


def written(raw: dict[str, Any]) -> str:
    return yaml.safe_dump({"config": {"iluvatar:environment": raw}}, sort_keys=False)


def test_a_thousand_nodes_are_checked_within_the_budget() -> None:
    taken = seconds(written(lab(3, 997)))
    print(f"\n1,000 nodes, all right: {taken:.2f} s")
    assert taken < BUDGET_SECONDS


def test_a_thousand_wrong_nodes_are_checked_within_the_budget() -> None:
    raw = lab(3, 997)
    for node in raw["cluster"]["nodes"].values():
        node |= {
            "address": "10.0.0.77",
            "mac": "02:00:00:00:00:01",
            "port": "switch-0/1",
            "reach": "static",
            "class": "pcc",
        }
    taken = seconds(written(raw))
    print(f"\n1,000 nodes, all wrong: {taken:.2f} s")
    assert taken < BUDGET_SECONDS


def test_twice_the_nodes_take_about_twice_the_time() -> None:
    small, large = seconds(written(lab(3, 997))), seconds(written(lab(3, 3997)))
    print(f"\n4,000 nodes take {large / small:.1f} times as long as 1,000")
    assert large / small < 10, "some law compares every node with every other"


def test_two_hundred_apps_are_read_within_the_budget() -> None:
    """The folders are a graph of needs: it grows with what they hold, and `check` with it."""
    raw = cases.stack("homelab")
    many = cases.own_tree("homelab")
    shared = many["../shared/cloudflared/deployment.yaml"]
    for number in range(200):
        folder = f"arda/networking/app-{number}"
        many[f"{folder}/kustomization.yaml"] = f"namespace: networking\nresources: [app.yaml]\n# {number}\n"
        many[f"{folder}/app.yaml"] = shared.replace("name: cloudflared\n", f"name: app-{number}\n")
    begun = time.process_time()
    examined = examine(raw, many)
    taken = time.process_time() - begun
    print(f"\n200 apps more: {taken:.2f} s of one core")
    assert not examined.errors
    assert taken < BUDGET_SECONDS
