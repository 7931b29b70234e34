"""Reading many versions in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
import pytest

# Key and normal form each on its own, so that a version which only one of them refuses shows. Any
# error other than RG400 ends the query.
ATTEMPTS = """
create function pg_temp.attempt_key(p_scheme text, p_version text) returns bytea
language plpgsql as $$
begin
    return pkgdb.scheme_version_key(p_scheme, p_version);
exception when sqlstate 'RG400' then
    return null;
end;
$$;
create function pg_temp.attempt_normalize(p_scheme text, p_version text) returns text
language plpgsql as $$
begin
    return pkgdb.scheme_normalize_version(p_scheme, p_version);
exception when sqlstate 'RG400' then
    return null;
end;
$$;
create function pg_temp.attempt_name(p_rule text, p_name text) returns text
language plpgsql as $$
begin
    return pkgdb.rule_normalize_name(p_rule, p_name);
exception when sqlstate 'RG400' then
    return null;
end;
$$;
"""


@dataclass(frozen=True)
class Reading:
    """What a scheme makes of a version it accepts."""

    version: str
    key: bytes
    normal: str
    prerelease: bool


Read = Callable[[str, Sequence[str]], list[Reading | None]]
ReadNames = Callable[[str, Sequence[str]], list[str | None]]


@pytest.fixture
def attempts(db: psycopg.Connection) -> psycopg.Connection:
    db.execute(ATTEMPTS)
    return db


@pytest.fixture
def read(attempts: psycopg.Connection) -> Read:
    """Read versions under a scheme: None where its key and its normal form both raise RG400."""

    def read(scheme: str, versions: Sequence[str]) -> list[Reading | None]:
        rows = attempts.execute(
            """
            select a.key, a.normal,
                   case when a.normal is not null
                        then pkgdb.scheme_is_prerelease(%(scheme)s, a.version) end
              from (select v, place, pg_temp.attempt_key(%(scheme)s, v),
                           pg_temp.attempt_normalize(%(scheme)s, v)
                      from unnest(%(versions)s::text[]) with ordinality u (v, place)
                    offset 0) a (version, place, key, normal)
             order by a.place
            """,
            {"scheme": scheme, "versions": list(versions)},
        ).fetchall()
        readings = []
        for version, row in zip(versions, rows, strict=True):
            refused = {part is None for part in row}
            assert len(refused) == 1, f"{scheme} half accepts {version!r}: {row}"
            readings.append(None if True in refused else Reading(version, *row))
        return readings

    return read


@pytest.fixture
def read_names(attempts: psycopg.Connection) -> ReadNames:
    """Normalise names under a rule: None where it raises RG400."""

    def read(rule: str, names: Sequence[str]) -> list[str | None]:
        rows = attempts.execute(
            """
            select pg_temp.attempt_name(%s, n)
              from unnest(%s::text[]) with ordinality u (n, place)
             order by place
            """,
            [rule, list(names)],
        )
        return [name for (name,) in rows]

    return read
