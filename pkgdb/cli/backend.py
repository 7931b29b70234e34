"""``backend``: the stores that a namespace keeps its files in."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
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

namespace_option = click.option("--namespace", required=True)
actor_option = click.option("--actor", help="Whom the feed shall name.")


@contextmanager
def extra(name: str = "storage") -> Iterator[None]:
    """Imports that need an extra: says so where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "pkgdb").startswith("pkgdb"):
            raise
        raise Failure(f"{error.name} is missing: install pkgdb[{name}]") from error


@click.group()
def backend() -> None:
    """The stores that files are kept in: folders, and buckets of S3, Google Cloud or Azure."""


@backend.command()
@click.argument("name")
@click.argument("url")
@dsn_option
@namespace_option
@click.option("--repository", "repositories", multiple=True, help="Keep its files there.")
@click.option("--optional", is_flag=True, help="Publish also when the store is away.")
@click.option("--take-over", is_flag=True, help="Also a store of another installation.")
@actor_option
@json_option
def add(
    name: str,
    url: str,
    dsn: str | None,
    namespace: str,
    repositories: tuple[str, ...],
    optional: bool,
    take_over: bool,
    actor: str | None,
    as_json: bool,
) -> None:
    """Make the store at URL known as NAME, and mark it as this installation's.

    URL is file:///folder (or just a folder), s3://bucket/prefix, gs://bucket/prefix or
    az://container/prefix. Credentials and endpoints come from the environment, as the services'
    own tools have them: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on. Each backend has a folder or
    prefix of its own. What is there already stays as it is, so that this can be repeated.
    """
    with connected(dsn) as connection:
        url = url if "://" in url else Path(url).absolute().as_uri()
        added = add_backend(connection, namespace, name, url, take_over, actor)
        for repository in repositories:
            call(
                connection,
                "set_repository_backend",
                namespace=namespace,
                repository=repository,
                backend=name,
                requirement="optional" if optional else "required",
                actor=actor,
            )
        uses = _uses(connection, namespace).get(name, {})
    if as_json:
        print_json(added | {"backend": name, "url": url, "repositories": uses})
    else:
        click.echo(f"{name} {added['outcome']}: {url}")
        for repository, requirement in uses.items():
            click.echo(f"{requirement} for {namespace}/{repository}{_filling(requirement)}")


@backend.command("list")
@dsn_option
@click.option("--namespace", help="Only this one's.")
@json_option
def list_backends(dsn: str | None, namespace: str | None, as_json: bool) -> None:
    """List backends, which repositories use them, and how much is on them."""
    with connected(dsn) as connection:
        rows = connection.execute(
            """
            select b.namespace, b.backend, b.url, b.status, b.installation_id,
                   coalesce((select jsonb_object_agg(k.repository, k.requirement)
                               from pkgdb.repository_backends k
                              where k.namespace = b.namespace and k.backend = b.backend
                                and b.status = 'live'), '{}') as repositories,
                   coalesce(c.objects, 0) as objects, coalesce(c.bytes, 0)::bigint as bytes
              from pkgdb.backends b
              left join (select namespace, backend, count(*) as objects, sum(size) as bytes
                           from pkgdb.blob_copies
                          group by namespace, backend) c
                on c.namespace = b.namespace and c.backend = b.backend and b.status = 'live'
             where %(namespace)s::text is null or b.namespace = %(namespace)s
             order by b.namespace, b.backend, b.backend_id
            """,
            {"namespace": namespace},
        ).fetchall()
    if as_json:
        print_json({"backends": rows})
        return
    if not rows:
        click.echo("no backends")
        return
    table = Table("namespace", "backend", "url", "status", "repositories", "objects", "size")
    for row in rows:
        uses = (f"{name}: {how}" for name, how in sorted(row["repositories"].items()))
        table.add_row(
            row["namespace"],
            row["backend"],
            row["url"],
            row["status"],
            "\n".join(uses),
            f"{row['objects']:,}",
            f"{row['bytes']:,}",
        )
    Console().print(table)


@backend.command()
@click.argument("name")
@dsn_option
@namespace_option
@actor_option
@json_option
def adopt(name: str, dsn: str | None, namespace: str, actor: str | None, as_json: bool) -> None:
    """Make this database the one that deletes in a store: after a restore or a move.

    No other database may go on using the store.
    """
    with extra():
        from pkgdb.storage import Store
    with connected(dsn) as connection:
        url = _url(connection, namespace, name)
        store = Store.open(url)
        asyncio.run(store.check())
        (adopted,) = call(
            connection, "adopt_backend", namespace=namespace, backend=name, actor=actor
        )
    asyncio.run(store.claim(adopted["installation_id"], take_over=True))
    _say(adopted, name, as_json)


@backend.command()
@click.argument("name")
@dsn_option
@namespace_option
@click.option("--repository", "repositories", multiple=True, help="Take it from this one first.")
@click.option("--abandon", is_flag=True, help="Forget what is there and leave the store as it is.")
@actor_option
@json_option
def retire(
    name: str,
    dsn: str | None,
    namespace: str,
    repositories: tuple[str, ...],
    abandon: bool,
    actor: str | None,
    as_json: bool,
) -> None:
    """Take a backend that no repository uses out of use; the worker empties its store."""
    with connected(dsn) as connection, connection.transaction():
        for repository in repositories:
            call(
                connection,
                "set_repository_backend",
                namespace=namespace,
                repository=repository,
                backend=name,
                requirement="none",
                actor=actor,
            )
        (retired,) = call(
            connection,
            "retire_backend",
            namespace=namespace,
            backend=name,
            abandon=abandon,
            actor=actor,
        )
    _say(retired, name, as_json)


def add_backend(
    connection: Connection,
    namespace: str,
    name: str,
    url: str,
    take_over: bool = False,
    actor: str | None = None,
) -> dict[str, Any]:
    """Makes a store known and marks it, unless it carries somebody else's mark."""
    with extra():
        from pkgdb.storage import Store
    store = Store.open(url, create=True)
    owner = asyncio.run(store.owner())
    if owner is not None:
        _check_owner(connection, namespace, name, url, owner, take_over)
    (added,) = call(
        connection, "add_backend", namespace=namespace, backend=name, url=url, actor=actor
    )
    asyncio.run(store.claim(added["installation_id"], take_over=take_over))
    return added


def _check_owner(
    connection: Connection, namespace: str, name: str, url: str, owner: UUID, take_over: bool
) -> None:
    """Refuses a store that carries somebody else's mark."""
    known = connection.execute(
        "select namespace, backend, status from pkgdb.backends where installation_id = %s", [owner]
    ).fetchone()
    if known is None and not take_over:
        raise Failure(
            f"{url} belongs to installation {owner} already\n"
            "Hint: give each backend a folder or prefix of its own, or take it with --take-over."
        )
    if known is not None and known != {"namespace": namespace, "backend": name, "status": "live"}:
        whose = f"{known['status']} backend {known['backend']!r} of {known['namespace']!r}"
        raise Failure(
            f"{url} belongs to {whose}\n"
            "Hint: give each backend a folder or prefix of its own. A retired one is forgotten when"
            " `pkgdb worker` has emptied it, or after `pkgdb backend retire --abandon`."
        )


def _url(connection: Connection, namespace: str, name: str) -> str:
    found = connection.execute(
        "select url from pkgdb.backends where namespace = %s and backend = %s and status = 'live'",
        [namespace, name],
    ).fetchone()
    if found is None:
        raise Failure(f"no backend {name!r} in namespace {namespace!r}")
    return str(found["url"])


def _uses(connection: Connection, namespace: str) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        """
        select backend, jsonb_object_agg(repository, requirement) as uses
          from pkgdb.repository_backends
         where namespace = %s
         group by backend
        """,
        [namespace],
    )
    return {row["backend"]: row["uses"] for row in rows}


def _filling(requirement: str) -> str:
    return ": `pkgdb worker` copies there what is missing" if requirement == "filling" else ""


def _say(reference: dict[str, Any], name: str, as_json: bool) -> None:
    if as_json:
        print_json(reference | {"backend": name})
    else:
        click.echo(f"{name} {reference['outcome']}")
