"""``check`` and ``locks``."""

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pkgdb.cli.database import call, connected, dsn_option, json_option, print_json


@click.command()
@dsn_option
@click.option("--namespace", help="Check this namespace only.")
@json_option
def check(dsn: str | None, namespace: str | None, as_json: bool) -> None:
    """Recompute every promise from the rows; exit 1 where one is broken."""
    with connected(dsn) as connection:
        violations = call(connection, "check_integrity", namespace=namespace)
    if as_json:
        print_json({"violations": violations})
    elif violations:
        table = Table(
            "promise", "relation", "key", "detail", title=f"violations: {len(violations)}"
        )
        for row in violations:
            table.add_row(row["promise"], row["relation"], json.dumps(row["key"]), row["detail"])
        Console().print(table)
    else:
        click.echo("no violations")
    sys.exit(1 if violations else 0)


@click.command()
@dsn_option
@json_option
def locks(dsn: str | None, as_json: bool) -> None:
    """Who holds pkgdb's locks and who waits for them, by name."""
    with connected(dsn) as connection:
        rows = connection.execute("select * from pkgdb.lock_waits").fetchall()
    rows.sort(key=lambda row: (row["granted"], str(row["waiting_since"]), row["pid"] or 0))
    if as_json:
        print_json({"locks": rows})
    elif not rows:
        click.echo("no locks")
    else:
        table = Table("session", "lock", "of", "mode", "since", "blocked by", "query")
        for row in rows:
            table.add_row(*_cells(row), style=None if row["granted"] else "yellow")
        Console().print(table)


def _cells(row: dict[str, Any]) -> list[str]:
    parts = (row[key] for key in ("namespace", "repository", "ecosystem", "name"))
    since = row["waiting_since"]
    return [
        f"{row['pid'] or row['gid']} {row['application_name'] or row['usename'] or ''}".strip(),
        row["lock_kind"],
        "/".join(part for part in parts if part),
        row["mode"] if row["granted"] else f"waits for {row['mode']}",
        f"{since:%H:%M:%S}" if since else "",
        ", ".join(str(pid) for pid in row["blocked_by"] or ()),
        " ".join((row["query"] or "").split())[:80],
    ]
