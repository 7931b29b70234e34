"""A clock that stands still until a test moves it: leases end and back-offs pass at once."""

from datetime import timedelta
from typing import Any

import psycopg


class Clock:
    """Stands in for pkgdb.clock() in one database; readings differ by a microsecond each."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self.db = db
        db.execute("""
            create table if not exists public.clock
                as select timestamptz '2030-01-01 00:00Z' as now;
            create sequence if not exists public.tick;
            grant select on public.clock to public;
            grant usage on public.tick to public;
            create or replace function pkgdb.clock() returns timestamptz language sql volatile
            return (select c.now from public.clock c)
                + pg_catalog.nextval('public.tick') * interval '1 microsecond'""")

    def advance(self, **units: float) -> None:
        """Let time pass: `advance(minutes=5)`."""
        self.db.execute("update public.clock set now = now + %s", [timedelta(**units)])
