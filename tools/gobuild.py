"""Builds a tool that a Go module under `tools/` pins, once, into the user's cache. Standard library only.

A pin is a `tool` directive in `tools/<folder>/go.mod`; the go.mod says the version and the Go it takes, the go.sum what
every file must hash to. A tool may also be a few lines of our own, beside the go.mod that pins what they use.
`python -m tools.gobuild NAME` builds one by hand and prints its path.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.running import watch
from tools.waiting import Progress, only_one

PINS = Path(__file__).resolve().parent
VERSION_VARIABLES = {"pulumi": "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"}
"""Where a tool keeps its version for the linker to fill in: an engine that does not know its own is refused."""
OURS = "of-this-checkout"
"""The version of a tool whose own few lines lie beside its go.mod."""
GO_ANSWERS_WITHIN = 300.0
"""Seconds for `go env`: an old Go fetches the newer one that the module asks for, and answers with that."""


class CannotBuild(Exception):
    """The tool could not be built; the message is the middle of a sentence that says why."""


@dataclass(frozen=True)
class Pin:
    """One tool as a Go module pins it."""

    name: str
    package: str
    version: str
    go: str
    folder: Path

    def key(self) -> str:
        """What tells this build from every other: the version, and what the pins and the machine hash to."""
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
        for file in (self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.glob("*.go"))):
            digest.update(file.read_bytes())
        return f"{self.version}-{digest.hexdigest()[:16]}"

    def cached(self) -> Path:
        """Where the built tool is, or will be."""
        return _cache() / self.folder.name / self.key() / self.name


def pin_of(name: str, pins: Path = PINS) -> Pin:
    """The pin of the tool `name`; LookupError when no module under `pins` has it."""
    for go_mod in sorted(pins.glob("*/go.mod")):
        directives = list(_directives(go_mod.read_text(encoding="utf-8")))
        for package in (rest for verb, rest in directives if verb == "tool" and _program(rest) == name):
            required = dict(rest.split()[:2] for verb, rest in directives if verb == "require")
            module = max((path for path in required if f"{package}/".startswith(f"{path}/")), key=len, default="")
            go = next(rest for verb, rest in directives if verb == "go")
            return Pin(name, package, required.get(module, OURS), go, go_mod.parent)
    raise LookupError(f"no module under {pins} pins a tool named {name}")


def _program(package: str) -> str:
    """What `go build` calls a package's program: its folder, but for a major version's."""
    return re.sub(r"/v\d+$", "", package).rpartition("/")[2]


def _directives(go_mod: str) -> Iterator[tuple[str, str]]:
    """(verb, rest) of every directive, those in parentheses one by one."""
    block = None
    for line in go_mod.splitlines():
        words = line.partition("//")[0].split()
        if words[1:] == ["("]:
            block = words[0]
        elif words == [")"]:
            block = None
        elif words:
            yield (block, " ".join(words)) if block else (words[0], " ".join(words[1:]))


def build_tool(name: str, pins: Path = PINS) -> Path:
    """The pinned tool `name` from the cache, built first when it is not there. Raises CannotBuild."""
    pin = pin_of(name, pins)
    tool = pin.cached()
    if tool.exists():
        return tool
    require_go(pin)
    tool.parent.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(sys.stderr)
    meanwhile = f"Another run is building {name} {pin.version}; waiting for it"
    with only_one(tool.parent.with_name(f"{tool.parent.name}.lock"), progress, meanwhile):
        if not tool.exists():
            _build(pin, tool, progress)
    return tool


def require_go(pin: Pin) -> None:
    """Raise CannotBuild unless there is a Go that can build `pin`.

    Asked inside the module: a Go that may fetch a newer one does so there and answers with that one's version.
    """
    try:
        asked = subprocess.run(
            ["go", "env", "GOVERSION"],
            cwd=pin.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=GO_ANSWERS_WITHIN,
        )
    except FileNotFoundError:
        raise CannotBuild("there is no Go to build it with") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(f"the Go on PATH does not answer ({error})") from None
    if asked.returncode:
        raise CannotBuild(f"the Go on PATH cannot build it ({_last(asked.stderr.splitlines())})")
    if _numbers(asked.stdout) < _numbers(pin.go):
        raise CannotBuild(f"the Go on PATH is too old to build it ({asked.stdout.strip() or 'of no version'})")


def _build(pin: Pin, tool: Path, progress: Progress) -> None:
    """Build beside the cache's entry and move it there whole; alone, as the caller holds the lock."""
    partial = tool.parent.with_name(f"{tool.parent.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    flags = "-s -w"
    if pin.name in VERSION_VARIABLES:
        flags += f" -X {VERSION_VARIABLES[pin.name]}={pin.version}"
    command = ["go", "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", flags]
    try:
        code, said = watch(
            [*command, "-o", str(partial / pin.name), pin.package],
            lambda so_far: progress.show(f"Building {pin.name} {pin.version}, once: {_doing(so_far, pin)}"),
            cwd=pin.folder,
            env=_environment(),
        )
        if code:
            progress.wipe()
            raise CannotBuild(f"building it failed ({_last(_complaints(said))})")
        partial.rename(tool.parent)
    except KeyboardInterrupt:
        progress.close(f"Stopped building {pin.name}; the next run builds on what Go has compiled so far")
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    progress.close(f"Built {pin.name} {pin.version}: kept in {tool.parent}")


def _doing(said: list[str], pin: Pin) -> str:
    modules = sum(line.startswith("go: downloading ") for line in said)
    packages = sum(_is_package(line) for line in said)
    if pin.package in said:
        return "linking"
    return f"{packages} packages compiled" if packages else f"{modules} modules fetched"


def _is_package(line: str) -> bool:
    return bool(line) and " " not in line and not line.startswith("#")


def _complaints(said: list[str]) -> list[str]:
    return [line for line in said if not _is_package(line) and not line.startswith("go: downloading ")]


def _last(lines: list[str]) -> str:
    """The last line that says something, whole lines of Go's being the best there is."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "and it did not say why")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(number or 0) for number in found.groups()) if found else ()


def _environment(outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The person's own Go settings (proxy, checksum database, caches), less what would build something else."""
    kept = {name: value for name, value in outer.items() if name not in {"GOOS", "GOARCH", "GOEXPERIMENT"}}
    return kept | {"GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0"}


def _cache(outer: Mapping[str, str] = os.environ) -> Path:
    configured = outer.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored, says the XDG specification.
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "iluvatar"


def main(names: list[str]) -> int:
    """Build the tools `names` and print their paths; 2 with a sentence when one cannot be."""
    for name in names:
        try:
            print(build_tool(name))
        except (CannotBuild, LookupError) as failure:
            print(f"No {name}: {failure}.", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
