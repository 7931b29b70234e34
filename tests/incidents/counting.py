"""How many rows a call reads and writes, whatever the machine is doing."""

from collections import Counter

import psycopg

from tests.incidents.support import Call

Touched = Counter[tuple[str, str]]
"""By relation, and whether they are read or written."""

TOUCHED = """
    select relname, 'read', seq_tup_read + coalesce(idx_tup_fetch, 0)
      from pg_stat_xact_user_tables
     where schemaname = 'pkgdb'
     union all
    select relname, 'written', n_tup_ins + n_tup_upd + n_tup_del
      from pg_stat_xact_user_tables
     where schemaname = 'pkgdb'"""


def touched(dsn: str, *calls: Call, before: str | None = None) -> Touched:
    """What the last of some calls touches, all in one transaction that is rolled back; `before` is
    a statement that comes first."""
    with psycopg.connect(dsn) as connection:
        # Tables of a few rows are read whole, whatever indexes there are: that says nothing.
        connection.execute("set local enable_seqscan = off")
        if before is not None:
            connection.execute(before.encode())
        for call in calls[:-1]:
            call.execute(connection)
        already = seen(connection)
        calls[-1].execute(connection)
        found = seen(connection) - already
        connection.rollback()
    return found


def seen(connection: psycopg.Connection) -> Touched:
    rows = connection.execute(TOUCHED).fetchall()
    return Counter({(relation, how): number for relation, how, number in rows if number})


def total(touched: Touched, how: str, relation: str | None = None) -> int:
    return sum(
        number for (of, kind), number in touched.items() if kind == how and relation in (None, of)
    )
