"""The collation of a caller's text changes nothing: neither answers nor errors."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from tests.permissions.tour import TOUR, Call, known, sent, walk

COLLATIONS = ["C", "POSIX", "ucs_basic", "und-x-icu", "ignore_case"]
TYPES = {str: "text", int: "integer", timedelta: "interval", UUID: "uuid"}
TYPES |= {bool: "boolean", tuple: "text[]"}


def in_collations(
    db: psycopg.Connection[Any], call: Call, collations: list[str], explicit: bool
) -> list[tuple[Any, ...]]:
    """The call, with texts that are columns, or terms, of these collations in turn."""
    columns, terms = [], []
    place = 0
    arguments = known(db, call)
    for name, value in arguments.items():
        collation = ""
        if isinstance(value, str | tuple):
            collation = f' collate "{collations[place % len(collations)]}"'
            place += 1
        of_type = TYPES.get(type(value), "jsonb")
        columns.append(f"{name} {of_type}{collation}")
        terms.append(f"{name} => %s::{of_type}{collation}" if explicit else f"{name} => t.{name}")
    values = [sent(v) for v in arguments.values()]
    function = f"pkgdb.{call.function}"
    if explicit:
        return db.execute(f"select * from {function}({', '.join(terms)})", values).fetchall()
    db.execute(f"create temporary table t ({', '.join(columns)})")
    marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
    db.execute(sql.SQL("insert into t values ({})").format(marks), values)
    return db.execute(f"select f.* from t, {function}({', '.join(terms)}) f").fetchall()


@pytest.fixture
def available(db: psycopg.Connection[Any]) -> set[str]:
    """The collations that this server has: some builds are without ICU."""
    names = {name for (name,) in db.execute("select collname::text from pg_collation")}
    if "und-x-icu" in names:
        db.execute("""
            create collation ignore_case
                (provider = icu, locale = 'und-u-ks-level2', deterministic = false)""")
        names.add("ignore_case")
    return names & set(COLLATIONS)


def errors(
    db: psycopg.Connection[Any], collations: list[str], explicit: bool
) -> dict[str, str | None]:
    """From the functions of the tour that failed to the SQLSTATE."""
    failed = {}
    for call in TOUR:
        try:
            with db.transaction(force_rollback=True):
                rows = in_collations(db, call, collations, explicit)
                assert call.outcome is None or all(call.outcome in row for row in rows)
        except psycopg.Error as error:
            failed[call.function] = error.sqlstate
        walk(db, [call])
    return failed


@pytest.mark.parametrize("collations", [*([name] for name in COLLATIONS), COLLATIONS], ids=str)
def test_a_column_of_any_collation(
    db: psycopg.Connection[Any], available: set[str], collations: list[str]
) -> None:
    usable = [name for name in collations if name in available]
    if not usable:
        pytest.skip("this server is built without ICU")
    assert errors(db, usable, explicit=False) == {}


@pytest.mark.parametrize("collation", COLLATIONS)
def test_an_explicit_collation(
    db: psycopg.Connection[Any], available: set[str], collation: str
) -> None:
    """Other than "C", it is PostgreSQL that may refuse; no call answers otherwise."""
    if collation not in available:
        pytest.skip("this server is built without ICU")
    failed = errors(db, [collation], explicit=True)
    assert set(failed.values()) <= {"42P22", "0A000"}
    assert collation != "C" or not failed
