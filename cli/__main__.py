"""`./lab <verb> <stack>`: what a person types.

Owns the verbs' names, arguments and exit codes: 0 fine, 1 the lab is refused or failed, 2 wrong usage or something
missing here, 130 stopped by the person. Refuses to do any of the work, and to show a person a traceback for what is
foreseeable.
"""

from __future__ import annotations

import enum
import sys
from typing import Annotated

import typer

from cli.console import complain
from cli.stack_files import NoSuchStack, StackFile, find

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Project Ilúvatar: a homelab from one YAML file. Against real machines there is only `pulumi` itself.",
)

Stack = Annotated[str, typer.Argument(metavar="STACK|FILE", help="a stack, such as homelab, or a stack file")]


class Step(enum.StrEnum):
    """One step of a lab's life."""

    preview = "preview"
    up = "up"
    refresh = "refresh"
    destroy = "destroy"


@app.callback()
def lab() -> None:
    """Make typer treat even a single verb as a verb."""


@app.command()
def rehearse(
    stack: Stack,
    step: Annotated[Step | None, typer.Argument(help="one step, on the World as it was left")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="start anew: forget this rack's state and World")] = False,
    unprotect: Annotated[bool, typer.Option("--unprotect", help="with destroy: give up what is protected")] = False,
) -> None:
    """Live the lab's life with the real Pulumi engine and a simulated world: preview, up, up again unchanged."""
    # Here and not above: Pulumi takes half a second to import, and no other verb needs it.
    from cli.rehearse import rehearse as run

    if unprotect and step is not Step.destroy:
        raise typer.BadParameter("--unprotect goes with destroy: ./lab rehearse STACK destroy --unprotect")
    raise typer.Exit(run(_find(stack), step.value if step else None, fresh=fresh, unprotect=unprotect))


def _find(typed: str) -> StackFile:
    try:
        return find(typed)
    except NoSuchStack as missing:
        complain(str(missing))
        raise typer.Exit(2) from None


def main() -> int:
    """Run the verb that was typed; the exit code."""
    try:
        return int(app(prog_name="./lab", standalone_mode=True) or 0)
    except KeyboardInterrupt:
        complain("Stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
