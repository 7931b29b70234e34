"""``show``: repositories, one repository, one package."""

from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from pkgdb.cli.database import (
    Connection,
    Failure,
    call,
    connected,
    dsn_option,
    json_option,
    print_json,
)

_Row = dict[str, Any]


@click.command()
@click.argument("namespace", required=False)
@click.argument("repository", required=False)
@click.argument("name", required=False)
@dsn_option
@click.option("--ecosystem", help="Of the package, where the name alone does not tell.")
@click.option("--files", "with_files", is_flag=True, help="List the files of each version too.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many rows."
)
@json_option
def show(
    namespace: str | None,
    repository: str | None,
    name: str | None,
    dsn: str | None,
    ecosystem: str | None,
    with_files: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show repositories, the packages of one, or the versions of a package."""
    with connected(dsn) as connection:
        if not repository:
            _repositories(connection, namespace, as_json)
        elif not name:
            _repository(connection, str(namespace), repository, ecosystem, limit, as_json)
        else:
            key = (str(namespace), repository, name)
            _package(connection, key, ecosystem, limit, with_files, as_json)


def _repositories(connection: Connection, namespace: str | None, as_json: bool) -> None:
    rows = connection.execute(
        """
        select r.*, count(g.registration_id) as packages, coalesce(sum(g.versions), 0)::bigint
               as versions, coalesce(sum(g.files), 0)::bigint as files,
               coalesce(sum(g.bytes), 0)::bigint as bytes
          from pkgdb.repositories r
          left join pkgdb.registrations g using (namespace, repository)
         where %(namespace)s::text is null or r.namespace = %(namespace)s
         group by r.namespace, r.repository, r.repository_id, r.kind, r.policy, r.revision,
                  r.epoch, r.created_at
         order by r.namespace, r.repository
        """,
        {"namespace": namespace},
    ).fetchall()
    if as_json:
        print_json({"repositories": rows})
        return
    if not rows:
        click.echo("no repositories")
        return
    table = _table("namespace", "repository", "kind", "packages", "versions", "files", "size")
    for row in rows:
        table.add_row(row["namespace"], row["repository"], row["kind"], *_totals(row, "packages"))
    Console().print(table)


def _repository(
    connection: Connection,
    namespace: str,
    repository: str,
    ecosystem: str | None,
    limit: int,
    as_json: bool,
) -> None:
    found = connection.execute(
        "select * from pkgdb.repositories where namespace = %s and repository = %s",
        [namespace, repository],
    ).fetchone()
    if found is None:
        raise Failure(f"no repository {repository!r} in namespace {namespace!r}")
    rows = connection.execute(
        """
        select g.ecosystem, g.name, g.latest, g.latest_stable, g.versions, g.files, g.bytes,
               g.revision, g.updated_at
          from pkgdb.registrations g
         where g.namespace = %(namespace)s and g.repository = %(repository)s
           and (%(ecosystem)s::text is null or g.ecosystem = %(ecosystem)s)
         order by g.ecosystem, g.normalized_name
         limit %(limit)s
        """,
        {
            "namespace": namespace,
            "repository": repository,
            "ecosystem": ecosystem,
            "limit": limit + 1,
        },
    ).fetchall()
    more, rows = len(rows) > limit, rows[:limit]
    if as_json:
        print_json({"repository": found, "packages": rows, "more": more})
        return
    console = Console(highlight=False)
    policy = ", ".join(f"{key} {value}" for key, value in found["policy"].items() if value)
    console.print(f"[bold]{namespace}/{repository}[/]  {found['kind']}, {policy}")
    table = _table("ecosystem", "name", "latest", "stable", "versions", "files", "size")
    for row in rows:
        table.add_row(
            row["ecosystem"], row["name"], row["latest"], row["latest_stable"], *_totals(row)
        )
    console.print(table)
    if more:
        console.print(f"... the first {limit}; --limit shows more")


def _package(
    connection: Connection,
    key: tuple[str, str, str],
    ecosystem: str | None,
    limit: int,
    with_files: bool,
    as_json: bool,
) -> None:
    namespace, repository, name = key
    # Names are compared as each ecosystem compares them.
    packages = connection.execute(
        """
        select e.ecosystem, g.name, g.latest, g.latest_stable, g.versions, g.files, g.bytes,
               g.revision, g.created_at, g.updated_at
          from (select distinct r.ecosystem
                  from pkgdb.registrations r
                 where r.namespace = %(namespace)s and r.repository = %(repository)s
                   and (%(ecosystem)s::text is null or r.ecosystem = %(ecosystem)s)) e
          join pkgdb.registrations g
            on g.namespace = %(namespace)s and g.repository = %(repository)s
           and g.ecosystem = e.ecosystem
           and g.normalized_name = pkgdb.normalize_name(e.ecosystem, %(name)s)
         order by e.ecosystem
        """,
        {
            "namespace": namespace,
            "repository": repository,
            "ecosystem": ecosystem,
            "name": name,
        },
    ).fetchall()
    if not packages:
        raise Failure(f"no package {name!r} in {namespace}/{repository}")
    if len(packages) > 1:
        known = ", ".join(row["ecosystem"] for row in packages)
        raise Failure(f"{name!r} is in several ecosystems ({known}): choose with --ecosystem")
    package = packages[0]
    versions = call(
        connection,
        "versions",
        namespace=namespace,
        repository=repository,
        ecosystem=package["ecosystem"],
        name=name,
        limit=limit,
    )
    tags = connection.execute(
        """
        select tag, version, variant, version_id
          from pkgdb.tags
         where namespace = %s and repository = %s and ecosystem = %s and name = %s
         order by tag
        """,
        [namespace, repository, package["ecosystem"], package["name"]],
    ).fetchall()
    if as_json:
        print_json({"package": package, "tags": tags, "versions": versions})
    else:
        _print_package(f"{namespace}/{repository}", package, tags, versions, with_files)


def _print_package(
    where: str, package: _Row, tags: list[_Row], versions: list[_Row], with_files: bool
) -> None:
    console = Console(highlight=False)
    console.print(Text(package["name"], "bold"), f" {package['ecosystem']} in {where}")
    console.print(
        f"latest [bold]{package['latest'] or 'none'}[/], stable"
        f" [bold]{package['latest_stable'] or 'none'}[/], versions {package['versions']:,},"
        f" files {package['files']:,}, {decimal(package['bytes'])}, revision {package['revision']}"
    )
    by_version: dict[int, list[str]] = {}
    for tag in tags:
        by_version.setdefault(tag["version_id"], []).append(tag["tag"])

    variants = any(row["variant"] for row in versions)
    headings = ["version", *(["variant"] if variants else []), "tags", "files", "size"]
    table = _table(*headings, "published", "state")
    for row in versions:
        table.add_row(
            Text(row["version"], "dim" if row["prerelease"] else ""),
            *([row["variant"]] if variants else []),
            ", ".join(by_version.get(row["version_id"], ())),
            str(len(row["files"])),
            decimal(sum(file["size"] for file in row["files"])) if row["files"] else "",
            _when(row["published_at"]),
            state_of(row),
        )
    console.print(table)
    if len(versions) < package["versions"]:
        console.print(f"... the highest {len(versions)}; --limit shows more")
    if with_files:
        listed = _table("version", "file", "size", "sha256")
        listed.columns[1].overflow = "fold"
        for row in versions:
            for file in row["files"]:
                listed.add_row(
                    row["version"], file["filename"], decimal(file["size"]), file["sha256"][:16]
                )
        console.print(listed)


def _table(*headings: str) -> Table:
    table = Table(header_style="bold", pad_edge=False)
    for heading in headings:
        number = heading in ("packages", "versions", "files", "size")
        table.add_column(heading, justify="right" if number else "left", no_wrap=number)
    return table


def _totals(row: _Row, *more: str) -> list[str]:
    counts = [f"{row[key]:,}" for key in (*more, "versions", "files")]
    return [*counts, decimal(row["bytes"])]


def _when(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else ""


def state_of(row: _Row) -> Text:
    """What is not as usual with a version: its status, yanked, deprecated."""
    states = []
    if row["status"] != "available":
        states.append(row["status"])
    if not row["listed"]:
        states.append(f"yanked: {row['yank_reason']}" if row["yank_reason"] else "yanked")
    if row["deprecation"] is not None:
        states.append(f"deprecated: {row['deprecation']}")
    return Text("; ".join(states), "yellow")
