"""The real Pulumi engine as a rack runs it: the `pulumi` CLI behind the Automation API, in the rack's own environment.

Owns the engine's process: what it may see of the user's environment (almost nothing) and how it is interrupted.
Refuses to own what the engine is told to do (`rack`), where the engine comes from (`cli`), and what it says (`events`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pulumi import automation as auto
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

KEPT_VARIABLES = ("COLORTERM", "COLUMNS", "LANG", "LC_ALL", "LC_CTYPE", "LINES", "NO_COLOR", "TERM", "TMPDIR", "TZ")
"""What a rack takes over from the person's environment: how to write to their terminal, and nothing else."""

ENGINE_PATH = "/usr/bin:/bin"


class EngineTrouble(Exception):
    """The engine cannot be run as it stands; the message is one a person can act on."""


@contextlib.contextmanager
def scrubbed_process(extra: Mapping[str, str]) -> Iterator[None]:
    """Take the person's environment out of this very process, where the inline program runs, and give it back after.

    `extra` is what the program is to find instead.

    Pulumi's packages read tokens and kubeconfigs from variables whenever an argument is missing, and gRPC obeys proxy
    variables even towards 127.0.0.1: inherited, either would tie a rehearsal to something real.
    """
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: before[name] for name in (*KEPT_VARIABLES, "PATH") if name in before})
    os.environ.update(extra)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def engine_environment(home: Path, backend: Path, passphrase: str, ports: Mapping[str, int]) -> dict[str, str]:
    """Everything the engine is to see, built from nothing.

    `ports` names the stand-in listening on 127.0.0.1 for each package; the engine connects to those instead of starting
    plugins, and is forbidden to look for, or fetch, any other.
    """
    return {
        **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
        "PATH": ENGINE_PATH,
        "HOME": str(home),
        "PULUMI_HOME": str(home / ".pulumi"),
        # Else the backend keeps a second file beside each and does not write it whole: an engine killed at that moment
        # leaves a state that no engine reads again ("failed to load checkpoint: EOF", engine 3.259)
        "PULUMI_BACKEND_URL": f"file://{backend}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": passphrase,
        "PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package, port in sorted(ports.items())),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


class Engine(auto.PulumiCommand):
    """The CLI at `binary`, run with exactly the environment it is given and interruptible from a signal handler.

    The Automation API's own command inherits the caller's whole environment, and leaves the engine running when Ctrl-C
    arrives; both are wrong for a rack.
    """

    def __init__(self, binary: Path, environment: Mapping[str, str], keep_open: Sequence[int] = ()) -> None:
        """Ask `binary` for its version; EngineTrouble when it will not say.

        `keep_open` are file descriptors the engine inherits: a lock held by one of them is held as long as it lives.
        """
        self.command = str(binary)
        self.environment = dict(environment)
        self._keep_open = tuple(keep_open)
        self._process: subprocess.Popen[str] | None = None
        self._interrupts = 0
        self.version = self._ask_version()

    def _ask_version(self) -> VersionInfo:
        try:
            answer = self.run(["version"], cwd=os.getcwd(), additional_env={}).stdout.strip()
            return VersionInfo.parse(answer.removeprefix("v"))
        except (OSError, ValueError, auto.CommandError) as trouble:
            raise EngineTrouble(f"{self.command} does not answer `version` as pulumi would: {trouble}") from None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: auto.OnOutput | None = None,
        on_error: auto.OnOutput | None = None,
        stdin: str = "",
    ) -> auto.CommandResult:
        """Run one command to its end and return what it said; CommandError when it failed.

        `stdin` is how a secret reaches the CLI: argv can be read by every process of the machine. The callbacks get
        their lines once the command is over: who wants progress follows the engine's events.
        """
        environment = {**self.environment, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        result = self._supervise([self.command, "--non-interactive", *args], cwd, environment, stdin)
        for said, callback in ((result.stdout, on_output), (result.stderr, on_error)):
            if callback:
                for line in said.splitlines():
                    callback(line)
        if result.code:
            raise create_command_error(result)
        return result

    def _supervise(self, command: list[str], cwd: str, environment: dict[str, str], stdin: str) -> auto.CommandResult:
        """Run `command` to its end, interruptible meanwhile."""
        self._interrupts = 0
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,  # a terminal's Ctrl-C must reach it through us, once, and not twice
            pass_fds=self._keep_open,
        ) as process:
            self._process = process
            try:
                stdout, stderr = process.communicate(stdin)
            finally:
                self._process = None
        return auto.CommandResult(stdout=stdout, stderr=stderr, code=process.returncode)

    def interrupt(self) -> bool:
        """Ask a running command to stop; False when none runs. Each further call is more insistent.

        First the engine finishes the operations under way and stops; asked again it abandons them; the third time it
        is killed. Safe to call from a signal handler.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return False
        self._interrupts += 1
        process.send_signal(signal.SIGINT if self._interrupts < 3 else signal.SIGKILL)
        return True
