from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.incidents.pipeline import Pipeline
from tests.incidents.support import World


@pytest.fixture
def world(db: psycopg.Connection, connect: Callable[..., psycopg.Connection]) -> Iterator[World]:
    """A database of the test's own, from which protections can be taken away."""
    with World(db, connect) as world:
        yield world


@pytest.fixture
def pipeline(world: World, tmp_path: Path) -> Pipeline:
    """A world in which files have bytes, and time passes when a test says so."""
    return Pipeline(world, tmp_path)
