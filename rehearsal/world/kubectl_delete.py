"""What kubectl deletes by hand: the Secrets in which Helm keeps a release's revisions.

Owns choosing them by their labels. It refuses every other Secret: the rack's person mends Helm's memory, not the lab's
own secrets. What a release is without its last revision is ``kube_helm``'s.
"""

from __future__ import annotations

from rehearsal.world import kube_helm
from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.kubectl import Asked, Command


def _delete_secret(asked: Asked) -> Result:
    pairs = [each.partition("=") for each in asked.options.get("selector", "").split(",") if each]
    wanted = {name: value for name, _, value in pairs}
    if asked.words or wanted.get("owner") != "helm":
        raise Failed("the rack's kubectl deletes Helm's secrets only, chosen by labels (owner=helm)")
    kept = kube_helm.secrets(asked.cluster, asked.namespace)
    chosen = [each for each in kept if wanted.items() <= each["labels"].items()]
    for each in reversed(chosen):
        kube_helm.forget(asked.cluster, asked.namespace, each)
        subject = f"{asked.cluster.name}/Secret/{asked.namespace}/{each['name']}"
        asked.call.world.journal("delete", kind="kubernetes", subject=subject)
    said = [f'secret "{each["name"]}" deleted from {asked.namespace} namespace\n' for each in chosen]
    return Result("".join(said) or "No resources found\n")


COMMANDS: dict[str, Command] = {"delete secret": Command(_delete_secret)}
