"""Warehouse, _sort_releases: each upload renumbers all releases of its project. Right: what a
publish reads and writes does not grow with the number of versions."""

import pytest

from tests.incidents.support import Package, World, call

DJANGO = Package("pypi", "django")
FEW, MANY = 10, 600
ENOUGH = 6  # rows of package_version that one publish may look at


def cost_of_a_publish(world: World, version: str) -> tuple[int, dict[str, int]]:
    """How many version rows it reads, and the rows that it updates by table."""
    session = world.session()
    for warm in range(6):  # until the plans of its statements are settled
        session.do(DJANGO("publish", f"{version}.dev{warm}"))
    session.connection.execute("select pg_stat_force_next_flush()")  # counts begin at zero
    session.begin()
    assert session.do(DJANGO("publish", version)) == "created"
    tables = session.connection.execute(
        """
        select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0), n_tup_upd
          from pg_stat_xact_user_tables where schemaname = 'pkgdb'
        """
    ).fetchall()
    session.commit()
    read = next(rows for table, rows, _ in tables if table == "package_version")
    return read, {table: updated for table, _, updated in tables if updated}


def growth(world: World) -> tuple[int, int, list[dict[str, int]]]:
    """Version rows read by a publish beside few and beside many versions."""
    world.repository()
    world.given(*(DJANGO("publish", f"1.{n}") for n in range(FEW)))
    few, updates = cost_of_a_publish(world, "2.0")
    items = [{"ecosystem": "pypi", "name": "django", "version": f"1.1.{n}"} for n in range(1, MANY)]
    world.given(call("publish_many", "acme", "main", items))
    many, more_updates = cost_of_a_publish(world, "3.0")
    return few, many, [updates, more_updates]


def test_holds(world: World) -> None:
    few, many, updates = growth(world)
    assert max(few, many) <= ENOUGH
    assert updates == [{"registration": 1}, {"registration": 1}]


@pytest.mark.parametrize("protection", ["latest indexes", "siblings left alone"])
def test_fails_without(world: World, protection: str) -> None:
    _, many, _ = growth(world.without(protection))
    assert many >= MANY


def test_latest_is_right_at_any_number(world: World) -> None:
    growth(world)
    assert world.latest(DJANGO) == ("3.0", "3.0")
    assert world.violated() == set()
