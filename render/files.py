"""Every file for every host, by path: what `./lab render` writes.

Owns the list of realms and the rule that a path has one owner. Refuses a file's contents. A realm adds its files by a
function here: plan → {path: text}, paths relative and with `/`.
"""

from collections.abc import Callable

from model.plan import Plan
from render import boot_files, by_hand, router

Files = dict[str, str]


def _boot(plan: Plan) -> Files:
    """What Ainur's workloads read: a folder each, as they find it."""
    found = {}
    for name, files in boot_files.published(plan.network).items():
        found |= {f"ea/{name}/{file}": text for file, text in files.items() if file != boot_files.HASH}
    return found


def _router(plan: Plan) -> Files:
    return {"ea/router.txt": "".join(f"{line}\n" for line in router.checklist(plan.network))}


REALMS: tuple[Callable[[Plan], Files], ...] = (_boot, _router, by_hand.files)
"""Who writes files."""


def files(plan: Plan) -> Files:
    """Path → text, sorted. Errors: ValueError for a path that two realms write."""
    found: Files = {}
    for realm in REALMS:
        for path, text in realm(plan).items():
            if path in found:
                raise ValueError(f"two realms write {path}")
            found[path] = text
    return dict(sorted(found.items()))
