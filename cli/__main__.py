"""`./lab <verb> <stack>`: what a person types.

Owns the verbs' names, arguments and exit codes: 0 fine, 1 the lab is refused or failed, 2 wrong usage or something
missing here, 130 stopped by the person. Refuses to do any of the work, and to show a person a traceback for what is
foreseeable.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from cli.console import complain
from cli.stack_files import NoSuchStack, find

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Project Ilúvatar: a homelab from one YAML file. Against real machines there is only `pulumi` itself.",
)

Stack = Annotated[str, typer.Argument(metavar="STACK|FILE", help="a stack, such as homelab, or a stack file")]
Json = Annotated[bool, typer.Option("--json", help="as JSON, for a program to read")]


class Step(enum.StrEnum):
    """One step of a lab's life."""

    preview = "preview"
    up = "up"
    refresh = "refresh"
    destroy = "destroy"


class Cut(enum.StrEnum):
    """Which run the crash matrix kills: the first up, the up after an edit of the file, a destroy."""

    up = "up"
    edit = "edit"
    destroy = "destroy"


class From(enum.StrEnum):
    """What an edit is held against."""

    file = "file"
    deployed = "deployed"
    rack = "rack"


@app.command()
def check(stack: Stack, as_json: Json = False) -> None:
    """Say everything that is wrong with a stack file at once, each with the place and how to mend it."""
    from cli.check import check as run

    _do(lambda: run(find(stack), as_json=as_json))


@app.command()
def plan(
    stack: Stack,
    as_json: Json = False,
    ledger: Annotated[bool, typer.Option("--ledger", help="only who writes each object, and when it passes")] = False,
    route: Annotated[str | None, typer.Option("--route", metavar="HOST", help="only how one name is answered")] = None,
) -> None:
    """Show what follows from a stack file: every address, name, version and order."""
    from cli.plan import plan as run

    if route is not None:
        from cli.route import route as follow

        if ledger:
            raise typer.BadParameter("--ledger and --route each show one thing: one of them")
        _do(lambda: follow(find(stack), route, as_json=as_json))
    _do(lambda: run(find(stack), as_json=as_json, owners=ledger))


@app.command()
def boot(
    stack: Stack,
    node: Annotated[str | None, typer.Argument(help="one machine; `unknown` is any that nobody listed")] = None,
    as_json: Json = False,
) -> None:
    """Show what every machine does from power-on to its kernel, and the line of the file that decides each step."""
    from cli.boot import boot as run

    _do(lambda: run(find(stack), node, as_json=as_json))


@app.command()
def impact(
    stack: Stack,
    to: Annotated[str | None, typer.Option("--to", metavar="FILE", help="what the stack's file would become")] = None,
    source: Annotated[From | None, typer.Option("--from", help="what it is held against")] = None,
    as_json: Json = False,
) -> None:
    """Show what an edit would do: against what was deployed last, or with --to from one file to another."""
    from cli.impact import impact as run

    _do(lambda: run(find(stack), find(to) if to else None, source.value if source else None, as_json=as_json))


@app.command()
def render(
    stack: Stack,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="a new folder, or one written by this before")],
) -> None:
    """Write every file for every host, and the commands that make the lab by hand."""
    from cli.render import render as run

    _do(lambda: run(find(stack), out))


@app.command()
def artefact(
    stack: Stack,
    if_absent: Annotated[bool, typer.Option("--if-absent", help="only the first one: never move a tag")] = False,
    move: Annotated[bool, typer.Option("--move", help="move the tag although another's artefact is there")] = False,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="write the .tar.gz, push nothing")] = None,
    username: Annotated[str | None, typer.Option("--username", help="who logs in to the registry")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="their password, on stdin")] = False,
) -> None:
    """Pack the GitOps folders as one OCI artefact and push it to where the environment's Flux fetches it."""
    from cli.artefact import Asked
    from cli.artefact import artefact as run

    if bool(username) is not password_stdin:
        raise typer.BadParameter("--username and --password-stdin go together; without them, Docker's login is used")
    if if_absent and move:
        raise typer.BadParameter("--if-absent never moves a tag, --move does: one of them")
    _do(lambda: run(find(stack), Asked(if_absent, move, out, username)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a stack file, for an editor."""
    from model.schema import text

    print(text(), end="")


@app.command()
def rehearse(
    stack: Stack,
    step: Annotated[Step | None, typer.Argument(help="one step, on the World as it was left")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="start anew: forget this rack's state and World")] = False,
    unprotect: Annotated[bool, typer.Option("--unprotect", help="with destroy: give up what is protected")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="with up: type what a cut-off create asks for")] = False,
    crash_matrix: Annotated[bool, typer.Option("--crash-matrix", help="kill it at every moment there is")] = False,
    of: Annotated[Cut, typer.Option(help="with --crash-matrix: which run is killed")] = Cut.up,
    sample: Annotated[int, typer.Option(min=0, help="with --crash-matrix: only so many moments; 0 is all")] = 0,
    seed: Annotated[int, typer.Option(help="with --sample: which ones")] = 1,
) -> None:
    """Live the lab's life with the real Pulumi engine and a simulated world: preview, up, up again unchanged."""
    from cli.rehearse import rehearse as run

    if unprotect and step is not Step.destroy:
        raise typer.BadParameter("--unprotect goes with destroy: ./lab rehearse STACK destroy --unprotect")
    if resume and step is not Step.up:
        raise typer.BadParameter("--resume goes with up: ./lab rehearse STACK up --resume")
    if of is not Cut.up and not crash_matrix:
        raise typer.BadParameter(f"--of goes with --crash-matrix: ./lab rehearse STACK --crash-matrix --of {of}")
    if crash_matrix:
        from cli.crash import crash_matrix as kill

        if step:
            raise typer.BadParameter("--crash-matrix lives the lab by itself, without a step")
        _do(lambda: kill(find(stack), of.value, sample, seed))
    _do(lambda: run(find(stack), step.value if step else None, fresh=fresh, unprotect=unprotect, resume=resume))


def _do(verb: Callable[[], int]) -> None:
    """Do it and leave with its exit code. The verbs' rooms are imported one by one: each costs what it alone needs."""
    try:
        raise typer.Exit(verb())
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
