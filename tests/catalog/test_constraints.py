"""Each constraint and unique index refuses what breaks it, and nothing else does.

The functions never come so far: a superuser writes by hand what a fault in one of them would.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.catalog.breaches import CHECKS, GHOSTS, KEYS, LIVE, REFERENCES
from tests.mutation.mutants import of_constraints, of_indexes
from tests.permissions.tour import KIT, MIRROR, PACKAGE, Call, deb, file, until, update, walk

# Something of every kind, what comes and goes as well.
STATE = [
    *until("prune_events"),
    Call("reserve_name", PACKAGE | {"p_name": "brand"}),
    Call("set_tag", KIT | {"p_version": "1.0", "p_tag": "stable"}),
    Call(
        "begin_publication",
        KIT | {"p_version": "5.0", "p_files": [file("kit-5.0", "5")], "p_request_key": "key 5"},
    ),
    Call("begin_mirror_update", MIRROR),
    Call("stage_mirror_items", update() | {"p_items": [deb("app", "4.0", "9")]}),
    Call("missing_mirror_copies", update()),
]

SECOND_LIVE = {name: [*by_status.values()] for name, by_status in LIVE.items()}
STATES = {"23514": CHECKS, "23503": REFERENCES, "23505": KEYS | SECOND_LIVE}
BREACHES = [
    pytest.param(sqlstate, name, statement, id=f"{name}-{number}")
    for sqlstate, breaches in STATES.items()
    for name, statements in breaches.items()
    for number, statement in enumerate(statements, 1)
]
OUTSIDE = [
    pytest.param(name, statement, id=f"{name}-{status}")
    for name, by_status in GHOSTS.items()
    for status, statement in by_status.items()
]


@pytest.fixture(scope="module")
def dsn(new_database: Callable[..., str], template: str) -> str:
    """One database for all: tests undo what they do."""
    dsn = new_database(template)
    with psycopg.connect(dsn, autocommit=True) as connection:
        walk(connection, STATE)
    return dsn


@pytest.fixture(scope="module")
def db(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True, options="-c search_path=pkgdb") as connection:
        yield connection


@pytest.fixture(scope="module")
def dropping(db: psycopg.Connection[Any]) -> dict[str, str]:
    """How each is taken away."""
    # A key goes with the foreign keys that refer to it: these are no mutants.
    keys = db.execute("""
        select conname, format('alter table %s drop constraint %I cascade', conrelid::regclass,
                               conname)
          from pg_constraint where connamespace = 'pkgdb'::regnamespace and contype in ('p', 'u')
    """)
    mutants = [*of_constraints(db), *of_indexes(db)]
    return dict(keys) | {mutant.what: mutant.script for mutant in mutants}


@pytest.mark.parametrize(("sqlstate", "name", "statement"), BREACHES)
def test_refused_by_it_alone(
    db: psycopg.Connection[Any], dropping: dict[str, str], sqlstate: str, name: str, statement: str
) -> None:
    with pytest.raises(psycopg.Error) as caught, db.transaction(force_rollback=True):
        db.execute(statement.encode())
    assert (caught.value.sqlstate, caught.value.diag.constraint_name) == (sqlstate, name)
    with db.transaction(force_rollback=True):
        db.execute(dropping[name].encode())
        db.execute(statement.encode())


@pytest.mark.parametrize(("name", "statement"), OUTSIDE)
def test_ghosts_are_let_in(
    db: psycopg.Connection[Any], dropping: dict[str, str], name: str, statement: str
) -> None:
    with db.transaction(force_rollback=True):
        assert db.execute(statement.encode()).rowcount == 1
        with pytest.raises(errors.UniqueViolation) as caught:
            db.execute(dropping[f"{name}, of all rows"].encode())
        assert caught.value.diag.constraint_name == name


def test_a_statement_for_each(db: psycopg.Connection[Any]) -> None:
    """A new constraint or unique index comes with its row."""
    there = db.execute("""
        select conname::text from pg_constraint
         where connamespace = 'pkgdb'::regnamespace and contype in ('p', 'u', 'f', 'c')
         union
        select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
         where c.relnamespace = 'pkgdb'::regnamespace and i.indisunique
    """).fetchall()
    assert {name for breaches in STATES.values() for name in breaches} == {
        name for (name,) in there
    }


def test_each_status_lives_or_does_not(db: psycopg.Connection[Any]) -> None:
    there = db.execute(r"""
        select i.indexrelid::regclass::text, pg_get_constraintdef(k.oid)
          from pg_index i join pg_constraint k on k.conrelid = i.indrelid
         where i.indisunique and k.connamespace = 'pkgdb'::regnamespace
           and pg_get_expr(i.indpred, i.indrelid) ~ '\m(status|state)\M'
           and k.conname ~ '_(status|state)_check$'
    """).fetchall()
    assert {name: LIVE[name].keys() | GHOSTS[name].keys() for name in LIVE} == {
        name: set(re.findall(r"'(\w+)'", check)) for name, check in there
    }
