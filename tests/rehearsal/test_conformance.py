"""CONFORMANCE.md says what is so."""

from rehearsal.conformance import PAGE, faults, load, page
from rehearsal.serve import standins


def test_the_page_is_made_from_its_data():
    assert PAGE.read_text() == page(load()), "run: python -m rehearsal.conformance"


def test_every_behaviour_has_a_test_that_is_there():
    assert list(faults(load())) == []


def test_a_row_without_its_test_is_seen():
    document = load()
    document["behaviours"]["Random"].append(["x", "test_standin_random.py::test_that_is_not_there", "random"])
    assert list(faults(document)) == ["there is no test test_standin_random.py::test_that_is_not_there"]


def test_a_refusal_that_no_test_hears_is_seen():
    document = load()
    rows = document["behaviours"]["Talos, the machines"]
    rows[:] = [row for row in rows if "test_a_worker_passes_nothing_on" not in row[1]]
    assert list(faults(document)) == [
        "no row's test hears world/talos_door.py::dial: is a worker: it passes nothing on"
    ]


def test_every_package_of_the_rack_has_its_part():
    parts = " ".join(load()["behaviours"]).lower()
    for package in standins():
        assert package.package in parts, f"{package.package} has no part in conformance.yaml"


def test_what_the_rack_cannot_do_is_said():
    gaps = load()["gaps"]
    assert len(gaps) >= 5
    assert not [gap for gap in gaps if not isinstance(gap, str)], "a colon and a space make YAML read a mapping"
