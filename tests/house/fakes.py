"""Programs that stand on PATH in place of the real ones: small shell scripts that note how they were called."""

from pathlib import Path


def write_script(path: Path, body: str) -> Path:
    """An executable shell script at `path`."""
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class FakeGo:
    """A `go` that says it is new, and whose build runs the shell lines `build`, then writes a script for a program."""

    def __init__(self, bins: Path, notes: Path, *, version: str = "go99.0.0", build: str = "") -> None:
        self._notes = notes / "go-build.txt"
        write_script(
            bins / "go",
            f"""
case "$1" in
env) echo {version}; exit 0 ;;
build) echo "$@ GOWORK=$GOWORK CGO_ENABLED=$CGO_ENABLED GOOS=$GOOS" >> '{self._notes}' ;;
esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; package=$1; shift; done
echo 'go: downloading example.invalid/a v1.2.3'
echo example.invalid/a
mkdir -p "${{out%/*}}"
echo half > "$out"
{build}
echo "$package"
printf '#!/bin/sh\\necho built\\n' > "$out"
chmod +x "$out"
""",
        )

    def builds(self) -> int:
        """How often something was built."""
        return len(self._notes.read_text(encoding="utf-8").splitlines()) if self._notes.exists() else 0

    def last_build(self) -> str:
        """The last build's command, with what of its environment matters."""
        return self._notes.read_text(encoding="utf-8").splitlines()[-1]
