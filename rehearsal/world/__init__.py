"""The simulated outside world.

Owns what exists outside the program during a rehearsal, section by section, with a journal of what happened and a file
in which all of it outlives the process. It refuses to own gRPC and Pulumi (``rehearsal.standins``), and it never asks
the program's own rooms what would be right: it reads the raw environment and judges from its own facts.
"""

from __future__ import annotations

import datetime
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rehearsal import faults as fault_data
from rehearsal.durations import duration
from rehearsal.world.clock import Clock
from rehearsal.world.cloudflare import Cloudflare
from rehearsal.world.errors import Refusal
from rehearsal.world.factory import Factory
from rehearsal.world.hosts import Hosts
from rehearsal.world.invariants import Invariants
from rehearsal.world.kubernetes import Kubernetes
from rehearsal.world.machines import Machines
from rehearsal.world.registry import Registry
from rehearsal.world.talos import Talos

VERSION = 1
ACTING: ContextVar[str] = ContextVar("acting", default="")
"""For whom the World is being changed: the logical name of the resource whose operation this is."""

_BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class World:
    """Everything outside the program. All that must last lies in ``data``, as JSON.

    Every room gets ``section(name)`` and keeps its facts there; whoever changes something does it inside ``change()``,
    which holds the lock and saves. ``environment`` is the raw dict of the stack file, ``repository`` a folder holding
    the ``gitops/`` tree that the World's Git server hands out, ``stack_file`` the file that ``./lab`` there reads.
    """

    def __init__(
        self,
        environment: dict[str, Any],
        *,
        file: Path | None = None,
        repository: Path | None = None,
        faults: fault_data.Faults | None = None,
        authorized_keys: tuple[str, ...] = (),
        stack_file: Path | None = None,
        cards: dict[str, dict[str, str]] | None = None,
        git_readers: tuple[str, ...] = (),
    ) -> None:
        """``cards``: host name → file name → text on the boot partition of the card that its owner wrote.

        ``git_readers``: whom the Git server lets in, as the public key, or as ``sha256:`` and the token's hash.
        """
        self.environment = environment
        self.file = file
        self.repository = repository
        self.faults = faults or fault_data.Faults()
        self.authorized_keys = authorized_keys
        self.stack_file = stack_file
        self.cards = cards or {}
        self.git_readers = git_readers
        self.lock = threading.RLock()
        self.data: dict[str, Any] = _load(file) or {"version": VERSION, "clock": 0.0, "journal": [], "sections": {}}
        self.clock = Clock(self)
        self.registry = Registry(self)
        self.kubernetes = Kubernetes(self)
        self.cloudflare = Cloudflare(self)
        self.factory = Factory(self)
        self.machines = Machines(self)
        self.talos = Talos(self)
        self.hosts = Hosts(self)
        self.invariants = Invariants(self)
        self._changing = 0
        self._saved = ""

    def section(self, name: str) -> dict[str, Any]:
        """The room's own part of ``data``: made empty at first, changed in place."""
        sections: dict[str, Any] = self.data["sections"]
        return sections.setdefault(name, {})

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold the World, then judge and save it: also when a refusal leaves half of a change behind, as outside."""
        with self.lock:
            self._changing += 1
            try:
                yield
            finally:
                self._changing -= 1
                if not self._changing:
                    self.invariants.judge(ACTING.get())
                self.save()

    def journal(self, operation: str, *, kind: str, subject: str, duration_of: str = "") -> None:
        """Write down that ``operation`` happened to ``subject``, and let the simulated clock pass. Holds no secrets."""
        takes = duration(duration_of or f"{kind}.{operation}")
        entries: list[dict[str, Any]] = self.data["journal"]
        entries.append(
            {
                "at": self.clock.now,
                "operation": operation,
                "kind": kind,
                "subject": subject,
                "resource": ACTING.get(),
                "low": takes.low,
                "high": takes.high,
                "source": takes.source,
            }
        )
        self.data["clock"] += takes.low

    def entries(self) -> list[dict[str, Any]]:
        """The journal, oldest first: ``{at, operation, kind, subject, resource, low, high, source}``, times in s."""
        return list(self.data["journal"])

    def now(self, later: float = 0.0) -> str:
        """The World's own time, RFC 3339: a fixed start, what the journal's operations took at least, all waiting.

        ``later`` seconds are added.
        """
        moment = _BEGIN + datetime.timedelta(seconds=self.clock.now + later)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def issue_secret(self, value: str) -> str:
        """Remember that the World gave out ``value`` as a secret, and hand it back."""
        issued: list[str] = self.section("secrets").setdefault("issued", [])
        if value not in issued:
            issued.append(value)
        return value

    def issued_secrets(self) -> list[str]:
        """Every secret value the World ever gave out: none may be found in state, events or output in clear."""
        return list(self.section("secrets").get("issued", []))

    def leftovers(self) -> list[str]:
        """What stands that was not there before the program came, ``<where>/<what>/<name>``, sorted."""
        machines = [f"machine/{name}" for name, record in self.machines.records.items() if record["config"]]
        hosts = [
            f"host/{name}"
            for name, host in self.hosts.records.items()
            if any(service["active"] for key, service in host["services"].items() if key.startswith("k3s"))
        ]
        return sorted([*machines, *hosts, *self.kubernetes.leftovers(), *self.cloudflare.leftovers()])

    def save(self) -> None:
        """Write ``data`` to the file, whole or not at all, readable by its owner only; not what is there already."""
        if self.file is None:
            return
        with self.lock:
            text = json.dumps(self.data, separators=(",", ":"))
            if text == self._saved and self.file.exists():
                return
            draft = self.file.with_name(f".{self.file.name}.draft")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            draft.replace(self.file)
            self._saved = text


def _load(file: Path | None) -> dict[str, Any] | None:
    if file is None or not file.exists():
        return None
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if data.get("version") != VERSION:
        raise Refusal(f"{file}: a world of version {data.get('version')}, this rack knows version {VERSION}")
    return data
