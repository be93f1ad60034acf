"""Which fields of a machine's configuration change, and whether Talos reboots for them.

Owns the comparison of documents and Talos' rule for a reboot, minor by minor. Refuses to know what the fields are for.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foresight.machine_configuration import Document, Secret, identity

Verdict = Literal["yes", "no", "unknown"]
Minor = tuple[int, int]

NEVER_REBOOT = (
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
"""What a running Talos of `KNOWN` takes in without a reboot (siderolabs/talos, `CanApplyImmediate`)."""
KNOWN: tuple[Minor, ...] = ((1, 12), (1, 13))
"""The minors whose rule this is. 1.14 gave it up."""
UNTIL_UPGRADE = ("machine.install",)
"""What Talos reads only while it installs or upgrades."""
SECRET_LEAF = re.compile(
    r"(?:^|\.)(?:token|secret|password|auth|identityToken|secretboxEncryptionSecret|aescbcEncryptionSecret|passphrase)$"
    r"|(?:^|\.)(?:ca|acceptedCAs|aggregatorCA|serviceAccount|etcd\.ca|tls|clientIdentity)\.key$|\.static\.passphrase$"
)
"""Paths whose value is shown as a hash."""


@dataclass(frozen=True)
class Field:
    """One field that changes. None is a field that is not there."""

    document: str
    """`` for the machine's own document, else its kind and name, `LinkConfig eno1`."""
    path: str
    """Dotted; `` where the whole document comes or goes."""
    before: Any
    after: Any

    @property
    def place(self) -> str:
        """Document and path, as a person names them."""
        return " ".join(part for part in (self.document, self.path) if part)

    @property
    def waits(self) -> bool:
        """Whether it has no effect until the machine is upgraded or installed anew."""
        return not self.document and below(self.path, UNTIL_UPGRADE)


@dataclass(frozen=True)
class Reboot:
    """Whether applying a change reboots a running machine, and which rule says so."""

    verdict: Verdict
    rule: str
    because: tuple[str, ...]
    """The fields that decide it; empty when none does."""


def changed(before: Sequence[Document], after: Sequence[Document]) -> tuple[Field, ...]:
    """Every field that differs, document by document; a list is one field, for Talos takes it as a whole."""
    old, new = ({identity(document): document for document in side} for side in (before, after))
    found = [field for name in sorted({*old, *new}) for field in _in_document(name, old.get(name), new.get(name))]
    return tuple(found)


def _in_document(name: str, before: Document | None, after: Document | None) -> Iterator[Field]:
    if before is None or after is None:
        yield Field(name, "", before, after)
        return
    for path, old, new in _leaves(before, after, ""):
        yield Field(name, path, old, new)


def _leaves(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _leaves(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield path, before, after


def reboot(fields: Sequence[Field], running: Minor | None) -> Reboot:
    """Whether a machine that runs Talos `running` reboots to take `fields` in."""
    if not fields:
        return Reboot("no", "nothing changes", ())
    if running not in KNOWN:
        said = "of an unknown version" if running is None else f"{running[0]}.{running[1]}"
        note = ": 1.14 gave up the reboot on apply, and what waits for the next boot is not known here"
        rule = f"Talos {said} is outside the rule of 1.12 and 1.13{note if running and running >= (1, 14) else ''}"
        return Reboot("unknown", rule, tuple(field.place for field in fields))
    release = f"Talos {running[0]}.{running[1]}"
    forcing = tuple(field.place for field in fields if not field.document and not below(field.path, NEVER_REBOOT))
    if forcing:
        return Reboot("yes", f"{release} reboots for a field outside its allow-list", forcing)
    if all(field.document for field in fields):
        return Reboot("no", f"{release} never reboots for documents of their own", ())
    return Reboot("no", f"{release} takes every one of these fields in while it runs", ())


def below(path: str, tops: tuple[str, ...]) -> bool:
    """Whether a path is one of `tops`, or lies in one."""
    return any(path == top or path.startswith(f"{top}.") for top in tops)


def shown(value: Any, path: str = "") -> str:
    """A value as one short text: a secret as the beginning of its hash, so that two can be told apart."""
    if value is None:
        return "not set"
    if isinstance(value, Secret):
        return "a machine secret"
    if path and SECRET_LEAF.search(path):
        return f"sha256:{hashlib.sha256(_plain(value).encode()).hexdigest()[:12]}"
    return value if isinstance(value, str) and value else _plain(hidden(value))


def hidden(value: Any, path: str = "") -> Any:
    """A value with every secret in it replaced by its hash."""
    if isinstance(value, dict):
        return {key: hidden(one, f"{path}.{key}" if path else str(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [hidden(one, path) for one in value]
    if isinstance(value, Secret) or (path and value and SECRET_LEAF.search(path)):
        return shown(value, path)
    return value


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
