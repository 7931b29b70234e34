"""``load``: index files into a repository."""

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pkgdb.cli.database import (
    Connection,
    Failure,
    call,
    connected,
    dsn_option,
    json_option,
    print_json,
)
from pkgdb.indexes import FORMATS, Bad, Entry, Source, UnknownFormat, detect, read

_SHOWN = 20  # refused entries that are printed; --json has them all

BATCH = 2000
"""Entries per transaction: larger ones are hardly faster and keep others out for longer."""


@dataclass(frozen=True)
class Refusal:
    """An entry that was not loaded; ``sqlstate`` where the database refused it."""

    file: str
    line: int
    reason: str
    sqlstate: str | None = None


@dataclass
class Report:
    """What a load did, or would have done where ``loaded`` is false."""

    entries: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unregistered_files: int = 0
    refused: list[Refusal] = field(default_factory=list)
    seconds: float = 0
    loaded: bool = True

    def by_line(self) -> list[Refusal]:
        """What was refused, in the order of the files and not in that of their discovery."""
        return sorted(self.refused, key=lambda refusal: (refusal.file, refusal.line))

    def as_json(self) -> dict[str, Any]:
        return {
            "loaded": self.loaded,
            "entries": self.entries,
            "outcomes": dict(self.outcomes),
            "unregistered_files": self.unregistered_files,
            "refused": [vars(refusal) for refusal in self.by_line()],
            "seconds": round(self.seconds, 3),
        }


@dataclass
class Loader:
    """Sends entries to one repository, a batch a transaction."""

    connection: Connection
    namespace: str
    repository: str
    batch: int = BATCH
    actor: str | None = None
    report: Report = field(default_factory=Report)

    def load(self, file: str, entries: Iterable[Entry | Bad]) -> Iterator[int]:
        """Loads a file's entries; yields after each batch how many entries there were so far."""
        pending: list[Entry] = []
        started = time.monotonic()
        try:
            for entry in entries:
                self.report.entries += 1
                if isinstance(entry, Bad):
                    self.report.outcomes["unreadable"] += 1
                    self.report.refused.append(Refusal(file, entry.line, entry.reason))
                    continue
                pending.append(entry)
                if len(pending) == self.batch:
                    self._send(file, pending)
                    pending = []
                    yield self.report.entries
            if pending:
                self._send(file, pending)
        finally:
            self.report.seconds += time.monotonic() - started
        yield self.report.entries

    def _send(self, file: str, entries: list[Entry]) -> None:
        # Tags and the like go in the same transaction: a yanked version is never seen as latest.
        with self.connection.transaction():
            rows = call(
                self.connection,
                "publish_many",
                namespace=self.namespace,
                repository=self.repository,
                items=Jsonb([entry.item for entry in entries]),
                strict=False,
                actor=self.actor,
            )
            for row in rows:
                entry = entries[row["item"] - 1]
                self.report.outcomes[row["outcome"]] += 1
                if row["outcome"] == "refused":
                    self._refuse(file, entry, row["sqlstate"], row["message"])
                    continue
                self.report.unregistered_files += entry.unregistered
                self._follow(file, entry)
            # Plans made while the tables were empty would stay until they are analysed.
            self.connection.execute("discard plans")

    def _follow(self, file: str, entry: Entry) -> None:
        if entry.yanked is not False:
            reason = entry.yanked if isinstance(entry.yanked, str) else None
            self._mutate(file, entry, "yank", reason=reason or None)
        if entry.deprecated is not None:
            self._mutate(file, entry, "deprecate", message=entry.deprecated)
        for tag in entry.tags:
            self._mutate(file, entry, "set_tag", tag=tag)

    def _mutate(self, file: str, entry: Entry, function: str, **arguments: str | None) -> None:
        item = entry.item
        try:
            with self.connection.transaction():
                (row,) = call(
                    self.connection,
                    function,
                    namespace=self.namespace,
                    repository=self.repository,
                    ecosystem=item["ecosystem"],
                    name=item["name"],
                    version=item["version"],
                    variant=item.get("variant", ""),
                    actor=self.actor,
                    **arguments,
                )
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("RG"):
                raise
            self._refuse(file, entry, error.sqlstate, f"{function}: {error.diag.message_primary}")
        else:
            if row["outcome"] != "unchanged":
                self.report.outcomes[row["outcome"]] += 1

    def _refuse(self, file: str, entry: Entry, sqlstate: str | None, message: str) -> None:
        reason = f"{entry.label}: {message}"
        self.report.refused.append(Refusal(file, entry.line, reason, sqlstate))


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
)
@dsn_option
@click.option("--namespace", required=True)
@click.option("--repository", required=True)
@click.option("--create", is_flag=True, help="Create the repository where it is absent.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    help="Format of the files.  [default: what each one looks like]",
)
@click.option("--strict", is_flag=True, help="Load nothing unless every entry can be loaded.")
@click.option(
    "--batch",
    type=click.IntRange(1, 100_000),
    default=BATCH,
    show_default=True,
    help="Entries per call.",
)
@click.option("--actor", help="Whom the feed shall name.")
@json_option
def load(
    files: tuple[Path, ...],
    dsn: str | None,
    namespace: str,
    repository: str,
    create: bool,
    format_: str | None,
    strict: bool,
    batch: int,
    actor: str | None,
    as_json: bool,
) -> None:
    """Load index files into a repository.

    Reads Packages files of Debian archives, project pages of simple indexes (PEP 691), npm
    packuments and JSON lines, plain or compressed (gzip, xz, bzip2, lz4, zstd). Entries that
    cannot be loaded are reported with their line; the rest is loaded, and the exit code is 1. What
    is there already stays as it is, so that a load can be repeated.
    """
    with connected(dsn) as connection:
        loader = Loader(connection, namespace, repository, batch, actor)
        with _all_or_nothing(loader) if strict else _each_batch():
            if create:
                create_repository(connection, namespace, repository, actor)
            load_all(loader, files, format_)
    report = loader.report
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    sys.exit(1 if report.refused else 0)


def create_repository(
    connection: Connection, namespace: str, repository: str, actor: str | None = None
) -> None:
    """Creates a repository with the default policy, unless there is one, whatever its policy."""
    if not _is_there(connection, namespace, repository):
        call(
            connection,
            "create_repository",
            namespace=namespace,
            repository=repository,
            actor=actor,
        )


def require_repository(connection: Connection, namespace: str, repository: str) -> None:
    """Says so where there is no such repository."""
    if not _is_there(connection, namespace, repository):
        raise Failure(f"no repository {repository!r} in namespace {namespace!r}")


def _is_there(connection: Connection, namespace: str, repository: str) -> bool:
    known = connection.execute(
        "select from pkgdb.repositories where namespace = %s and repository = %s",
        [namespace, repository],
    )
    return known.fetchone() is not None


@contextmanager
def _each_batch() -> Iterator[None]:
    yield


@contextmanager
def _all_or_nothing(loader: Loader) -> Iterator[None]:
    with loader.connection.transaction():
        yield
        if loader.report.refused:
            loader.report.loaded = False
            raise psycopg.Rollback


def load_all(
    loader: Loader,
    files: Iterable[Path],
    format_: str | None = None,
    deadline: float = math.inf,
) -> bool:
    """Loads files, with a progress bar where someone looks; False if the deadline came first."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        for path in files:
            with Source(path) as source:
                try:
                    known = format_ or detect(source)
                except UnknownFormat as error:
                    raise Failure(str(error)) from error
                task = progress.add_task(_short(path.name), total=source.size, rate="")
                before, started = loader.report.entries, time.monotonic()
                for entries in loader.load(str(path), read(source, known)):
                    rate = (entries - before) / max(time.monotonic() - started, 1e-9)
                    progress.update(
                        task,
                        completed=source.position,
                        rate=f"{entries - before:,} entries, {rate:,.0f}/s",
                    )
                    if time.monotonic() > deadline:
                        return False
    return True


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"...{name[-29:]}"


def _print(report: Report) -> None:
    console = Console(highlight=False)
    if report.refused:
        table = Table("file", "line", "reason", title=f"{len(report.refused):,} not loaded")
        table.columns[0].overflow = "fold"
        table.columns[1].justify = "right"
        for refusal in report.by_line()[:_SHOWN]:
            code = f"{refusal.sqlstate}: " if refusal.sqlstate else ""
            name = Path(refusal.file).name
            table.add_row(name, str(refusal.line), code + refusal.reason)
        console.print(table, markup=False)
        if len(report.refused) > _SHOWN:
            console.print(f"... and {len(report.refused) - _SHOWN:,} more; --json has them all")
    if not report.loaded:
        console.print("nothing was loaded")
        return
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.items())
    rate = report.entries / max(report.seconds, 1e-9)
    console.print(
        f"{report.entries:,} entries in {report.seconds:.1f} s ({rate:,.0f}/s):"
        f" {outcomes or 'nothing to do'}"
    )
    if report.unregistered_files:
        console.print(
            f"{report.unregistered_files:,} files stay in the metadata: their index does not state"
            " SHA-256 and size"
        )
