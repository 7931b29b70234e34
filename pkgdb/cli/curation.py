"""What the commands of curation have in common."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from pkgdb.cli.backend import actor_option, namespace_option
from pkgdb.cli.database import dsn_option, json_option, print_json
from pkgdb.cli.show import state_of

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Row = dict[str, Any]

ALL = "Name"
"""A query that matches every version."""

dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would change.")
description_option = click.option("--description", default="", help="Free text, for people.")
queries_argument = click.argument("queries", nargs=-1, required=True, metavar="QUERY...")
follow_kinds_option = click.option(
    "--kind",
    "kinds",
    multiple=True,
    default=("depends", "pre-depends"),
    show_default=True,
    help="Relations of this kind.",
)
architecture_option = click.option(
    "--architecture",
    "architectures",
    multiple=True,
    help="Dependencies of this one.  [default: all that there are]",
)


def reading(command: _Command) -> _Command:
    """The options of a command that changes nothing."""
    return dsn_option(namespace_option(json_option(command)))


def changing(command: _Command) -> _Command:
    """The options of a command that changes something."""
    return dsn_option(namespace_option(actor_option(json_option(command))))


def say(reference: _Row, text: str, as_json: bool) -> None:
    """Prints what became of something: what the function returned, or a line."""
    if as_json:
        print_json(reference)
    else:
        click.echo(text)


def print_changes(changes: Iterable[_Row]) -> None:
    for change in changes:
        click.echo(f"{'+' if change['action'] == 'add' else '-'} {label(change)}")


def print_content(rows: list[_Row], with_files: bool) -> None:
    """One line for each version, and below it each of its files."""
    for row in rows:
        # In a snapshot it stays, whatever becomes of it in its repository.
        here = row | {"status": "available"} if row["status"] == "pending_destruction" else row
        state = state_of(here).plain
        click.echo(label(row) + (f" ({state})" if state else ""))
        if with_files:
            for file in row["files"] or ():
                click.echo(f"    {file['sha256']} {file['size']} {file['filename']}")
    click.echo(f"{len(rows):,} versions", err=True)


def counted(counts: Mapping[str, int]) -> str:
    """What there is of each, without what there is nothing of."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "nothing"


def label(row: _Row) -> str:
    keys = ("component", "ecosystem", "name", "version", "variant")
    return " ".join(filter(None, (row.get(key) for key in keys)))


def pairs(given: Iterable[str], option: str) -> list[tuple[str, str]]:
    """The two sides of each `KEY=VALUE`."""
    found = []
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.UsageError(f"{option} {text}: not KEY=VALUE")
        found.append((key, value))
    return found


def as_value(text: str) -> Any:
    """A JSON value where it is one, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
