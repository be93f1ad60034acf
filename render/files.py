"""Every file for every host, by path: what `./lab render` writes.

Owns the list of realms and the rule that a path has one owner. Refuses a file's contents. A realm adds its files by a
function here: plan → {path: text}, paths relative and with `/`.
"""

from collections.abc import Callable

from model.plan import Plan
from render import boot_files, by_hand, nut, router

Files = dict[str, str]


def _boot(plan: Plan) -> Files:
    """What Ainur's workloads read: a folder each, as they find it."""
    found = {}
    for name, files in boot_files.published(plan).items():
        found |= {f"ea/{name}/{file}": text for file, text in files.items() if file != boot_files.HASH}
    return found


def _router(plan: Plan) -> Files:
    return {"ea/router.txt": "".join(f"{line}\n" for line in router.checklist(plan.network))}


def _power(plan: Plan) -> Files:
    """What the watcher of each UPS has in its `/etc/nut`."""
    return {f"ups/{one.ups}/{name}": text for one in plan.power.shutdowns for name, text in nut.files(one).items()}


REALMS: tuple[Callable[[Plan], Files], ...] = (_boot, _router, _power, by_hand.files)
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
