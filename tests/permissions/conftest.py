"""People who log in as members of pkgdb's roles, and one who is a member of none."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

ROLES = ("reader", "publisher", "operator", "stranger")


@pytest.fixture
def logins(db: psycopg.Connection[Any]) -> Iterator[dict[str, str]]:
    """From `reader`, `publisher`, `operator`, `stranger` to the name of a login role."""
    names = {role: f"pkgdb_test_{role}_{os.getpid()}" for role in ROLES}
    for role, name in names.items():
        db.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
        if role != "stranger":
            grant = sql.SQL("grant {} to {}")
            db.execute(grant.format(sql.Identifier(f"pkgdb_{role}"), sql.Identifier(name)))
    yield names
    for name in names.values():
        db.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(name)))
        db.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture
def people(
    connect: Callable[..., psycopg.Connection[Any]], logins: dict[str, str]
) -> dict[str, psycopg.Connection[Any]]:
    """A connection in autocommit for each of them."""
    return {role: connect(name) for role, name in logins.items()}
