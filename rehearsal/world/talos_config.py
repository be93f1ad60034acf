"""Talos machine configuration as text: reading, patching, and which changes need a reboot.

Owns Talos' own rules for documents and merges. It refuses to own whether a configuration suits a machine
(``talos_validate``).
"""

from __future__ import annotations

import copy
import functools
import hashlib
from typing import Any

from rehearsal.world.errors import Refusal
from rehearsal.world.go_yaml import dump_all, load_all
from rehearsal.world.talos_keys import unknown_keys

Document = dict[str, Any]

_REPLACED_LISTS = frozenset({"podSubnets", "serviceSubnets", "auditPolicy", "ingress", "ports"})
_LISTS_BY_KEY = {"interfaces": "interface", "vlans": "vlanId", "admissionControl": "name", "configFiles": "mountPath"}
"""Lists whose items merge where this field is equal, instead of being appended."""

_NO_REBOOT_BELOW = (
    "debug",
    "cluster",
    *(
        f"machine.{name}"
        for name in (
            "ca",
            "acceptedCAs",
            "time",
            "certSANs",
            "install",
            "network",
            "sysfs",
            "sysctls",
            "logging",
            "controlPlane",
            "kubelet",
            "kernel",
            "registries",
            "pods",
            "seccompProfiles",
            "nodeAnnotations",
            "nodeLabels",
            "nodeTaints",
            "features.kubernetesTalosAPIAccess",
            "features.kubePrism",
            "features.hostDNS",
            "features.imageCache",
            "features.nodeAddressSortAlgorithm",
        )
    ),
)
"""What a running Talos up to 1.13 takes in without a reboot."""


@functools.lru_cache(maxsize=128)
def parse(text: str) -> list[Document]:
    """The documents of a configuration or patch, the v1alpha1 document first. Shared: only to be read.

    ``Refusal`` in the decoder's words for text that is no YAML, an unknown document kind or an unknown key.
    """
    documents = []
    for document in load_all(text):
        if not isinstance(document, dict):
            raise Refusal("missing kind")
        found = unknown_keys(document)
        if found and document.get("kind") and found == [f'"{document["kind"]}"']:
            raise Refusal(f'"{document["kind"]}" "{document.get("apiVersion", "")}": not registered')
        if found:
            raise Refusal("unknown keys found during decoding:\n" + "\n".join(found))
        documents.append(document)
    return sorted(documents, key=lambda document: "kind" in document)


def main_document(documents: list[Document]) -> Document:
    """The v1alpha1 document, ``{}`` when there is none."""
    return next((document for document in documents if "kind" not in document), {})


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    """The documents of one kind, in their order."""
    return [document for document in documents if document.get("kind") == kind]


def patched(documents: list[Document], patches: list[str]) -> list[Document]:
    """``documents`` with strategic merge ``patches`` applied one after another."""
    result = copy.deepcopy(documents)
    for patch in patches:
        loaded = load_all(patch)
        if any(isinstance(document, list) for document in loaded):
            raise Refusal("JSON6902 patches are not supported for multi-document machine configuration")
        for document in parse(patch):
            _merge_document(result, document)
    return result


def _merge_document(documents: list[Document], patch: Document) -> None:
    identity = _identity(patch)
    for index, document in enumerate(documents):
        if _identity(document) == identity:
            if patch.get("$patch") == "delete":
                del documents[index]
            else:
                documents[index] = merge(document, patch)
            return
    if patch.get("$patch") == "delete":
        raise Refusal(f"failed to delete {'/'.join(identity)}: not found")
    documents.append(merge({}, patch))


def _identity(document: Document) -> tuple[str, str, str]:
    version = str(document.get("apiVersion", "v1alpha1"))
    return version, str(document.get("kind", "")), str(document.get("name", ""))


def merge(left: Document, right: Document) -> Document:
    """Talos' strategic merge: maps by key, lists appended but for a few that replace, empty values change nothing."""
    result = dict(left)
    for name, value in right.items():
        if isinstance(value, dict) and value.get("$patch") == "delete":
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = merge(before if isinstance(before, dict) else {}, value)
        elif isinstance(value, list) and isinstance(result.get(name), list) and name not in _REPLACED_LISTS:
            result[name] = _merge_lists(result[name], value, _LISTS_BY_KEY.get(name))
        elif value in (None, "") and name in result:
            continue
        else:
            result[name] = copy.deepcopy(value)
    return result


def _merge_lists(left: list[Any], right: list[Any], key: str | None) -> list[Any]:
    result = list(left)
    for item in right:
        twin = next(
            (
                index
                for index, before in enumerate(result)
                if key and isinstance(before, dict) and isinstance(item, dict) and before.get(key) == item.get(key)
            ),
            None,
        )
        if twin is None:
            result.append(copy.deepcopy(item))
        else:
            result[twin] = merge(result[twin], item)
    return result


def text_of(documents: list[Document]) -> str:
    """The configuration as Talos' clients print it."""
    return dump_all(documents)


def hash_of(text: str) -> str:
    """SHA-256 of a rendered configuration, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def needs_reboot(before: list[Document], after: list[Document]) -> bool:
    """Whether a running node must reboot to take ``after`` in; separate documents never need it."""
    changed = _changed(main_document(before), main_document(after), "")
    return any(not _is_below(path, _NO_REBOOT_BELOW) for path in changed)


def _is_below(path: str, tops: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith(f"{top}.") for top in tops)


def _changed(before: Any, after: Any, path: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = [name for name in {*before, *after} if before.get(name) != after.get(name)]
        return [found for name in names for found in _changed(before.get(name), after.get(name), f"{path}.{name}")]
    return [path.lstrip(".")]
