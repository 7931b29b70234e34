from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls


@pytest.fixture(scope="module")
def connection(
    new_database: Callable[..., str], template: str
) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's, in autocommit, to a database of the module's own."""
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def namespaces() -> Iterator[str]:
    return (f"tenant-{number}" for number in count(1))


@pytest.fixture
def api(connection: psycopg.Connection[Any], namespaces: Iterator[str]) -> Iterator[Calls]:
    """All functions, in a namespace of the test's own. No test leaves a violation."""
    calls = Calls(connection, (next(namespaces),))
    yield calls
    assert calls.rows("check_integrity") == []
