from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls
from tests.incidents import protections
from tests.incidents.support import World


@pytest.fixture
def api(db: psycopg.Connection[Any]) -> Iterator[Calls]:
    """All functions, on a superuser's connection in autocommit. No test leaves a violation."""
    calls = Calls(db)
    yield calls
    assert calls.rows("check_integrity") == []


@pytest.fixture
def acme(api: Calls) -> Calls:
    """Namespace `acme` with an empty repository `main`: one event, of its creation."""
    api.create_repository("acme", "main")
    return api.at("acme")


@pytest.fixture
def world(db: psycopg.Connection[Any], connect: Callable[..., Any]) -> Iterator[World]:
    """A database of the test's own, from which protections can be taken away."""
    with World(db, connect) as world:
        yield world


@pytest.fixture
def without_lock(db: psycopg.Connection[Any]) -> Callable[[str, str], None]:
    """Takes a row lock out of a function, by the words that ask for it."""

    def remove(function: str, lock: str) -> None:
        protections.edit(db, protections.Edit(function, rf"\s{lock};", ";"))

    return remove
