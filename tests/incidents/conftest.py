from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.incidents.support import World


@pytest.fixture
def world(db: psycopg.Connection, connect: Callable[..., psycopg.Connection]) -> Iterator[World]:
    """A database of the test's own, from which protections can be taken away."""
    with World(db, connect) as world:
        yield world
