"""``repository``: repositories, and what is copied and moved between them."""

from typing import Any

import click
from psycopg.types.json import Jsonb

from pkgdb.cli.curation import (
    ALL,
    as_value,
    changing,
    counted,
    dry_run_option,
    pairs,
    print_changes,
    print_content,
    queries_argument,
    reading,
    say,
)
from pkgdb.cli.database import Connection, call, connected, print_json
from pkgdb.cli.show import show

_policies_option = click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="KEY=VALUE",
    help="As immutable=true, reuse=always or keep_versions=3.",
)
_replace_option = click.option(
    "--replace", is_flag=True, help="What is there with other content goes first."
)


@click.group()
def repository() -> None:
    """Repositories: make, change, fill from one another.

    `pkgdb publish` and `pkgdb load` bring in what is new. A query is a text in aptly's language,
    such as 'curl (>= 8)' or 'Name (% lib*), $Architecture (amd64)'.
    """


@repository.command()
@click.argument("name")
@click.option("--from-snapshot", metavar="SNAPSHOT", help="Begin with what it contains.")
@_policies_option
@changing
def create(
    name: str,
    from_snapshot: str | None,
    policies: tuple[str, ...],
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Create a repository, and its namespace where that is absent."""
    copied = None
    with connected(dsn) as connection:
        (created,) = call(
            connection,
            "create_repository",
            namespace=namespace,
            repository=name,
            policy=Jsonb(_policy(policies)),
            actor=actor,
        )
        if from_snapshot:
            (copied,) = call(
                connection,
                "copy_versions",
                namespace=namespace,
                repository=name,
                queries=[ALL],
                from_snapshot=from_snapshot,
                actor=actor,
            )
    text = f"{name} {created['outcome']}"
    if copied is not None:
        text += f"; {_counts(copied)}"
        created |= {"copied": copied}
    say(created, text, as_json)


@repository.command("list")
@reading
@click.pass_context
def list_repositories(ctx: click.Context, dsn: str | None, namespace: str, as_json: bool) -> None:
    """List the repositories, as `pkgdb show` does."""
    ctx.invoke(show, namespace=namespace, dsn=dsn, as_json=as_json)


@repository.command("show")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@reading
@click.pass_context
def show_repository(
    ctx: click.Context, name: str, limit: int, dsn: str | None, namespace: str, as_json: bool
) -> None:
    """Show the packages of a repository, as `pkgdb show` does."""
    ctx.invoke(show, namespace=namespace, repository=name, dsn=dsn, limit=limit, as_json=as_json)


@repository.command()
@click.argument("name")
@_policies_option
@changing
def edit(
    name: str,
    policies: tuple[str, ...],
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Change some keys of a repository's policy; the others stay."""
    with connected(dsn) as connection:
        (altered,) = call(
            connection,
            "alter_repository",
            namespace=namespace,
            repository=name,
            policy=Jsonb(_policy(policies)),
            actor=actor,
        )
    say(altered, f"{name} {altered['outcome']}", as_json)


@repository.command()
@click.argument("name")
@click.argument("new_name")
@changing
def rename(
    name: str, new_name: str, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Give a repository another name; snapshots and distributions follow."""
    with connected(dsn) as connection:
        renamed = rename_repository(connection, namespace, name, new_name, actor)
    say(renamed, f"{new_name} {renamed['outcome']}", as_json)


@repository.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also where there are snapshots of it.")
@changing
def drop(
    name: str, force: bool, dsn: str | None, namespace: str, actor: str | None, as_json: bool
) -> None:
    """Drop a repository, unless a distribution serves it or snapshots were made of it.

    With --force these snapshots stay and keep what they contain.
    """
    with connected(dsn) as connection:
        dropped = drop_repository(connection, namespace, name, force, actor)
    say(dropped, f"{name} {dropped['outcome']}", as_json)


@repository.command()
@click.argument("source")
@click.argument("target")
@queries_argument
@click.option("--from-snapshot", is_flag=True, help="SOURCE is a snapshot.")
@_replace_option
@dry_run_option
@changing
def copy(
    source: str,
    target: str,
    queries: tuple[str, ...],
    from_snapshot: bool,
    replace: bool,
    dry_run: bool,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Publish in TARGET what a query matches in SOURCE, without copying bytes."""
    where = {"from_snapshot" if from_snapshot else "from_repository": source}
    with connected(dsn) as connection:
        (copied,) = call(
            connection,
            "copy_versions",
            namespace=namespace,
            repository=target,
            queries=list(queries),
            **where,
            replace=replace,
            dry_run=dry_run,
            actor=actor,
        )
    _say_changes(copied, as_json)


@repository.command()
@click.argument("source")
@click.argument("target")
@queries_argument
@_replace_option
@dry_run_option
@changing
def move(
    source: str,
    target: str,
    queries: tuple[str, ...],
    replace: bool,
    dry_run: bool,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Publish in TARGET what a query matches in SOURCE, and delete it there."""
    with connected(dsn) as connection:
        (moved,) = call(
            connection,
            "move_versions",
            namespace=namespace,
            repository=target,
            from_repository=source,
            queries=list(queries),
            replace=replace,
            dry_run=dry_run,
            actor=actor,
        )
    _say_changes(moved, as_json)


@repository.command()
@click.argument("name")
@queries_argument
@dry_run_option
@changing
def remove(
    name: str,
    queries: tuple[str, ...],
    dry_run: bool,
    dsn: str | None,
    namespace: str,
    actor: str | None,
    as_json: bool,
) -> None:
    """Delete what a query matches, as `pkgdb unpublish` does; snapshots keep it."""
    with connected(dsn) as connection:
        (removed,) = call(
            connection,
            "remove_versions",
            namespace=namespace,
            repository=name,
            queries=list(queries),
            dry_run=dry_run,
            actor=actor,
        )
    _say_changes(removed, as_json)


@repository.command()
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
    """List the versions of a repository that QUERY matches; all without one."""
    with connected(dsn) as connection:
        rows = call(
            connection,
            "search_versions",
            namespace=namespace,
            repository=name,
            query=query,
            files=with_files,
        )
    if as_json:
        print_json({"versions": rows})
    else:
        print_content(rows, with_files)


def rename_repository(
    connection: Connection,
    namespace: str,
    name: str,
    new_name: str,
    actor: str | None,
    if_revision: int | None = None,
) -> dict[str, Any]:
    (renamed,) = call(
        connection,
        "rename_repository",
        namespace=namespace,
        repository=name,
        new_name=new_name,
        if_revision=if_revision,
        actor=actor,
    )
    return renamed


def drop_repository(
    connection: Connection,
    namespace: str,
    name: str,
    force: bool,
    actor: str | None,
    if_revision: int | None = None,
) -> dict[str, Any]:
    (dropped,) = call(
        connection,
        "drop_repository",
        namespace=namespace,
        repository=name,
        force=force,
        if_revision=if_revision,
        actor=actor,
    )
    return dropped


def _policy(given: tuple[str, ...]) -> dict[str, Any]:
    return {key: as_value(value) for key, value in pairs(given, "--policy")}


def _say_changes(reference: dict[str, Any], as_json: bool) -> None:
    if not as_json:
        print_changes(reference["changes"])
    say(reference, f"{reference['outcome']}: {_counts(reference)}", as_json)


def _counts(reference: dict[str, Any]) -> str:
    return counted({key: reference[key] for key in ("added", "removed", "unchanged", "skipped")})
