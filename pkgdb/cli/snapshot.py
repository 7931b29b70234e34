"""``snapshot``: freeze repositories, and make snapshots of others."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from psycopg.types.json import Jsonb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pkgdb.cli.backend import extra
from pkgdb.cli.curation import (
    architecture_option,
    changing,
    counted,
    description_option,
    dry_run_option,
    follow_kinds_option,
    print_changes,
    print_content,
    queries_argument,
    reading,
    say,
)
from pkgdb.cli.database import Connection, Failure, call, connected, print_json

_MARKS = {"added": "+", "removed": "-"}


@click.group()
def snapshot() -> None:
    """Snapshots: what a repository contained, for ever; and what is made of several.

    A snapshot never changes. A command that makes one names the new one first.
    """


@snapshot.command()
@click.argument("name")
@click.option("--from-repository", metavar="REPOSITORY", help="What it contains now; a mirror too.")
@click.option(
    "--items",
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path),
    help="Only these of its versions: purls or JSON objects, one a line; - for standard input.",
)
@description_option
@changing
def create(
    name: str,
    from_repository: str | None,
    items: Path | None,
    description: str,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Freeze what a repository contains; without --from-repository the snapshot is empty."""
    if items and not from_repository:
        raise click.UsageError("--items are versions of a repository: name it")
    with connected(dsn) as connection:
        (created,) = call(
            connection,
            "create_snapshot",
            namespace=namespace,
            snapshot=name,
            repository=from_repository,
            items=Jsonb(list(_items(items))) if items else None,
            description=description,
            actor=actor,
        )
    _say(created, name, as_json)


@snapshot.command("list")
@reading
def list_snapshots(dsn: str | None, namespace: str, as_json: bool) -> None:
    """List the snapshots of a namespace, the newest last."""
    with connected(dsn) as connection:
        rows = connection.execute(
            "select * from pkgdb.snapshots where namespace = %s order by snapshot_id", [namespace]
        ).fetchall()
    if as_json:
        print_json({"snapshots": rows})
        return
    if not rows:
        click.echo("no snapshots")
        return
    table = Table("snapshot", "content", "created", "description")
    for row in rows:
        table.add_row(
            escape(row["snapshot"]),
            escape(_content(row)),
            f"{row['created_at']:%Y-%m-%d %H:%M}",
            escape(row["description"]),
        )
    Console().print(table)


@snapshot.command()
@click.argument("name")
@click.option("--packages", "with_packages", is_flag=True, help="List what it contains too.")
@reading
def show(name: str, with_packages: bool, dsn: str | None, namespace: str, as_json: bool) -> None:
    """Show where a snapshot comes from, who needs it, and its digest."""
    with connected(dsn) as connection:
        found = connection.execute(
            "select * from pkgdb.snapshots where namespace = %s and snapshot = %s",
            [namespace, name],
        ).fetchone()
        if found is None:
            raise Failure(f"no snapshot {name!r} in namespace {namespace!r}")
        found |= _relatives(connection, namespace, name)
        if with_packages:
            found["versions"] = call(
                connection, "search_versions", namespace=namespace, snapshot=name
            )
    if as_json:
        print_json(found)
        return
    click.echo(f"{namespace}/{name}: {_content(found)}")
    lines = {
        "description": found["description"],
        "created": f"{found['created_at']:%Y-%m-%d %H:%M:%S}",
        "made of": ", ".join(found["sources"]),
        "source of": ", ".join(found["derived"]),
        "served as": ", ".join(found["distributions"]),
        "digest": found["digest"] or "not noted yet, which `pkgdb worker` does",
    }
    for heading, text in lines.items():
        if text:
            click.echo(f"{heading + ':':<13}{text}")
    if with_packages:
        print_content(found["versions"], with_files=False)


@snapshot.command()
@click.argument("name")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--latest", is_flag=True, help="Only the highest version of each package stays.")
@click.option("--no-remove", is_flag=True, help="All versions stay.")
@description_option
@changing
def merge(
    name: str,
    sources: tuple[str, ...],
    latest: bool,
    no_remove: bool,
    description: str,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Merge snapshots into NAME; of a package, what a later one has replaces the rest."""
    with connected(dsn) as connection:
        (merged,) = call(
            connection,
            "merge_snapshots",
            namespace=namespace,
            snapshot=name,
            sources=list(sources),
            latest=latest,
            no_remove=no_remove,
            description=description,
            actor=actor,
        )
    _say(merged, name, as_json)


@snapshot.command()
@click.argument("name")
@click.argument("target")
@click.argument("source")
@queries_argument
@click.option("--no-deps", is_flag=True, help="Not what the pulled packages depend on.")
@click.option("--no-remove", is_flag=True, help="Other versions of pulled packages stay.")
@click.option("--all-matches", is_flag=True, help="Every match, not the highest alone.")
@architecture_option
@follow_kinds_option
@dry_run_option
@description_option
@changing
def pull(
    name: str,
    target: str,
    source: str,
    queries: tuple[str, ...],
    no_deps: bool,
    no_remove: bool,
    all_matches: bool,
    architectures: tuple[str, ...],
    kinds: tuple[str, ...],
    dry_run: bool,
    description: str,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Make NAME of TARGET and what matches in SOURCE, with the dependencies that TARGET lacks."""
    with connected(dsn) as connection:
        (pulled,) = call(
            connection,
            "pull_snapshot",
            namespace=namespace,
            snapshot=name,
            target=target,
            source=source,
            queries=list(queries),
            follow=not no_deps,
            no_remove=no_remove,
            all_matches=all_matches,
            architectures=list(architectures) or None,
            kinds=list(kinds),
            dry_run=dry_run,
            description=description,
            actor=actor,
        )
    if not as_json:
        print_changes(pulled["changes"] or ())
    _say(pulled, name, as_json)


@snapshot.command("filter")
@click.argument("name")
@click.argument("source")
@queries_argument
@click.option("--with-deps", is_flag=True, help="Also what the matches depend on there.")
@architecture_option
@follow_kinds_option
@description_option
@changing
def filter_snapshot(
    name: str,
    source: str,
    queries: tuple[str, ...],
    with_deps: bool,
    architectures: tuple[str, ...],
    kinds: tuple[str, ...],
    description: str,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Make NAME of what a query matches in SOURCE."""
    with connected(dsn) as connection:
        (filtered,) = call(
            connection,
            "filter_snapshot",
            namespace=namespace,
            snapshot=name,
            source=source,
            queries=list(queries),
            follow=with_deps,
            architectures=list(architectures) or None,
            kinds=list(kinds),
            description=description,
            actor=actor,
        )
    _say(filtered, name, as_json)


@snapshot.command()
@click.argument("left")
@click.argument("right")
@reading
def diff(left: str, right: str, dsn: str | None, namespace: str, as_json: bool) -> None:
    """Say what differs between two snapshots, package by package; exit 1 where anything does."""
    with connected(dsn) as connection:
        rows = call(connection, "diff_snapshots", namespace=namespace, left=left, right=right)
    if as_json:
        print_json({"differences": rows})
    else:
        for row in rows:
            versions = " -> ".join(filter(None, (row["left_version"], row["right_version"])))
            package = " ".join(filter(None, (row["ecosystem"], row["name"], row["variant"])))
            click.echo(f"{_MARKS.get(row['change'], '!')} {package}: {row['change']}, {versions}")
        counts = Counter(row["change"] for row in rows)
        click.echo(counted(counts) if rows else "no differences")
    sys.exit(1 if rows else 0)


@snapshot.command()
@click.argument("name")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@architecture_option
@follow_kinds_option
@reading
def verify(
    name: str,
    sources: tuple[str, ...],
    architectures: tuple[str, ...],
    kinds: tuple[str, ...],
    dsn: str | None,
    namespace: str,
    as_json: bool,
) -> None:
    """List relations of a snapshot's packages that nothing satisfies; exit 1 where there are any.

    Looks in NAME itself and in every SOURCE.
    """
    with connected(dsn) as connection:
        rows = call(
            connection,
            "verify_snapshot",
            namespace=namespace,
            snapshot=name,
            sources=list(sources),
            architectures=list(architectures) or None,
            kinds=list(kinds),
        )
    if as_json:
        print_json({"missing": rows})
    else:
        for row in rows:
            package = f"{row['name']} {row['version']} {row['variant']}".rstrip()
            click.echo(f"{row['architecture']}: {package} {row['kind']}: {row['relation']}")
        click.echo(f"{len(rows):,} missing" if rows else "nothing is missing")
    sys.exit(1 if rows else 0)


@snapshot.command()
@click.argument("name")
@click.argument("new_name")
@changing
def rename(
    name: str, new_name: str, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Give a snapshot another name; distributions follow."""
    with connected(dsn) as connection:
        (renamed,) = call(
            connection,
            "rename_snapshot",
            namespace=namespace,
            snapshot=name,
            new_name=new_name,
            actor=actor,
        )
    _say(renamed, new_name, as_json)


@snapshot.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also where others were made of it; they stay.")
@changing
def drop(
    name: str, force: bool, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Drop a snapshot, unless a distribution serves it or others were made of it."""
    with connected(dsn) as connection:
        (dropped,) = call(
            connection,
            "drop_snapshot",
            namespace=namespace,
            snapshot=name,
            force=force,
            actor=actor,
        )
    _say(dropped, name, as_json)


@snapshot.command()
@click.argument("name")
@click.argument("query", required=False)
@click.option("--files", "with_files", is_flag=True, help="List the files of each version too.")
@reading
def search(
    name: str,
    query: str | None,
    with_files: bool,
    dsn: str | None,
    namespace: str,
    as_json: bool,
) -> None:
    """List the versions of a snapshot that QUERY matches; all without one."""
    with connected(dsn) as connection:
        rows = call(
            connection,
            "search_versions",
            namespace=namespace,
            snapshot=name,
            query=query,
            files=with_files,
        )
    if as_json:
        print_json({"versions": rows})
    else:
        print_content(rows, with_files)


def _items(path: Path) -> Iterator[Any]:
    with extra("purl"):
        from pkgdb.purl import coordinates
    with click.open_file(str(path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            try:
                if text.startswith("pkg:"):
                    yield coordinates(text, variant="")._asdict()
                elif text:
                    yield json.loads(text)
            except ValueError as error:
                raise Failure(f"{path}, line {number}: {error}") from error


def _relatives(connection: Connection, namespace: str, name: str) -> dict[str, list[str]]:
    row = connection.execute(
        """
        select array(select s.source from pkgdb.snapshot_sources s
                      where s.namespace = %(namespace)s and s.snapshot = %(name)s
                      order by s.source) as sources,
               array(select s.snapshot from pkgdb.snapshot_sources s
                      where s.namespace = %(namespace)s and s.source = %(name)s
                      order by s.snapshot) as derived,
               array(select concat_ws('/', nullif(c.prefix, ''), c.distribution, c.component)
                       from pkgdb.distribution_components c
                      where c.namespace = %(namespace)s and c.snapshot = %(name)s
                      order by 1) as distributions
        """,
        {"namespace": namespace, "name": name},
    ).fetchone()
    return dict(row or {})


def _content(row: dict[str, Any]) -> str:
    if row["kind"] == "pointer":
        return f"{row['repository'] or 'a dropped repository'} at epoch {row['epoch']}"
    return f"{row['members']:,} versions"


def _say(reference: dict[str, Any], name: str, as_json: bool) -> None:
    members = reference["members"]
    more = "" if members is None else f", {members:,} versions"
    say(reference, f"{name} {reference['outcome']}{more}", as_json)
