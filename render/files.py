"""Every file for every host, by path: what `./lab render` writes.

Owns the list of realms and the rule that a path has one owner. Refuses a file's contents. A realm adds its files by a
function here: plan → {path: text}, paths relative and with `/`.
"""

from collections.abc import Callable

from model.ainur import BootstrapNodePlan
from model.plan import Plan
from render import boot_files, by_hand, cloud_init, nut, pi_card, router, workstation

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


def _pis(plan: Plan) -> Files:
    """What each Pi's card carries beside Ubuntu's own files, or what a netbooted one is served as its seed.

    Both, where it writes its card itself.
    """
    found: Files = {}
    if plan.bootstrap is None:
        return found
    for node in plan.bootstrap.nodes:
        made = pi_card.files(plan, node) if node.persistent else cloud_init.seed(plan, node)
        found |= {f"{overlay(plan.bootstrap.name, node)}/{name}": text for name, text in made.items()}
        if node.stamped:
            made = cloud_init.stamping_seed(plan, node)
            found |= {f"{plan.bootstrap.name}/{node.name}/netboot/{name}": text for name, text in made.items()}
    return found


def overlay(cluster: str, node: BootstrapNodePlan) -> str:
    """The folder of a Pi's own files."""
    return f"{cluster}/{node.name}/{'card' if node.persistent else 'netboot'}"


def _ignored(_plan: Plan) -> Files:
    """What must never reach a repository, wherever the folder is."""
    return {".gitignore": f"# Written by ./lab render: these are secret\n/secret/\n{pi_card.HOST_KEY}\n"}


REALMS: tuple[Callable[[Plan], Files], ...] = (_boot, workstation.files, _pis, _router, _power, by_hand.files, _ignored)
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
