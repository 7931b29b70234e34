"""What PL/pgSQL would only say when it runs: missing columns, bad casts, unused variables."""

import os
from typing import Any

import psycopg
import pytest

from tests.catalog.test_lints import DYNAMIC
from tests.support import ServerUnderTest, missing

# A literal such as 0 for a bigint, or a domain over text for a text: nothing is lost, or slow.
ACCEPTED = "target type is different type than source type"
UNSANITIZED = "text type variable is not sanitized"


@pytest.fixture
def checker(db: psycopg.Connection[Any], server: ServerUnderTest) -> psycopg.Connection[Any]:
    available = db.execute(
        "select from pg_available_extensions where name = 'plpgsql_check'"
    ).fetchone()
    if available is None:
        reason = "plpgsql_check is not installed for this server"
        if os.environ.get("PKGDB_BINDIR") == "wheel" or "embedded" in str(server.bindir):
            pytest.skip(f"{reason}: the wheel cannot have it")
        missing(reason)
    db.execute("create extension plpgsql_check")
    return db


def test_no_function_has_a_fault(checker: psycopg.Connection[Any]) -> None:
    faults = checker.execute(
        """
        select p.oid::regprocedure::text, c.lineno, c.level, c.message, c.detail
          from pg_proc p
          join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
          cross join lateral plpgsql_check_function_tb(
               p.oid, extra_warnings => true, performance_warnings => true,
               security_warnings => true, compatibility_warnings => true) c
         where p.pronamespace = 'pkgdb'::regnamespace and c.message <> %s
           and (c.message, p.proname) <> all (select %s, unnest(%s::name[]))
         order by 1, 2""",
        [ACCEPTED, UNSANITIZED, DYNAMIC],
    ).fetchall()
    assert faults == []


def test_the_checker_finds_faults(checker: psycopg.Connection[Any]) -> None:
    checker.execute("""
        create function pkgdb.faulty() returns void language plpgsql as $$
        begin perform nothing from pkgdb.registration; end $$""")
    (message,) = checker.execute(
        "select message from plpgsql_check_function_tb('pkgdb.faulty'::regproc)"
    ).fetchone() or ("",)
    assert message == 'column "nothing" does not exist'
