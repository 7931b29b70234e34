"""Warehouse, canonical_version: the index is not unique, and code handles MultipleResultsFound.
Right: unique, whoever writes."""

import psycopg
import pytest

from tests.incidents.support import Package, World

DJANGO = Package("pypi", "django")


def written_by_hand(world: World) -> list[str]:
    """Another spelling of a version that is there, by a superuser's own statement."""
    world.repository()
    world.given(DJANGO("publish", "5.0"))
    world.insert_version(
        DJANGO, "5.0.0", "available", added_epoch=1, published_at="2024-01-01T00:00Z"
    )
    return world.live(DJANGO)


def test_holds(world: World) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation, match="package_version_live_key"):
        written_by_hand(world)
    assert world.live(DJANGO) == ["5.0"]
    assert world.violated() == set()


def test_fails_without_unique_live_index(world: World) -> None:
    assert written_by_hand(world.without("unique live index")) == ["5.0", "5.0.0"]
    assert "one live version" in world.violated()
