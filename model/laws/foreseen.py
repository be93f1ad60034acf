"""Codes of what is found by looking ahead, beyond what a law sees: `foresight/` reports, docs/findings.md lists them.

Owns the codes, their grades and what holds. Refuses to find any of it: that needs rendered text, above this room.
"""

from typing import NamedTuple

from model.findings import Grade


class Foreseen(NamedTuple):
    """What must hold, and how grave it is when it does not."""

    grade: Grade
    holds: str


FORESEEN: dict[str, Foreseen] = {
    "boot-argument": Foreseen(
        "error", "A kernel is started with what it needs; Talos' never installs over a disk that carries Talos."
    ),
    "boot-export-open": Foreseen(
        "error", "The system that netbooted Pis share is exported to the boot VLAN alone, and read-only."
    ),
    "boot-foreign-image": Foreseen("error", "A machine boots the kernel and initrd of its own class and release."),
    "boot-loop": Foreseen("error", "Asking again leads on: iPXE never gets iPXE, no script comes back to itself."),
    "boot-missing-file": Foreseen("error", "Every file that a machine is told to fetch is served."),
    "boot-no-answer": Foreseen("error", "A machine that boots from the network is told what to boot."),
    "boot-secret-served": Foreseen("error", "No file that is served in the clear holds a secret."),
    "boot-seed-missing": Foreseen(
        "warning", "A netbooted Pi's cloud-init finds the seed that gives it its name, its login and its cluster."
    ),
    "boot-two-answers": Foreseen("error", "A machine is told one thing: a menu of several waits for a person."),
    "boot-undefined-label": Foreseen("error", "A script jumps only to labels that it has."),
    "boot-unknown-line": Foreseen("error", "Every line of the boot files is one whose effect is known, and so proven."),
    "boot-wrong-architecture": Foreseen("error", "What a machine is told to start runs on its firmware and processor."),
}
"""Code → grade and meaning, for every kind of finding of `foresight/`."""
