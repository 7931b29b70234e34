"""What no other test has a reason to run."""

from typing import Any

import psycopg
import pytest

from tests.permissions.tour import PACKAGE, REPOSITORY, Call, file, perform, walk

DIGEST = "a" * 64


@pytest.mark.parametrize(
    "function",
    [
        "scheme_version_key",
        "scheme_normalize_version",
        "scheme_is_prerelease",
        "rule_normalize_name",
    ],
)
def test_a_scheme_or_rule_that_there_is_not(db: psycopg.Connection[Any], function: str) -> None:
    """Reference rows name functions by text: a migration that forgets one is told."""
    with pytest.raises(psycopg.Error) as raised:
        db.execute(f"select pkgdb.{function}('roman', 'iv')")
    assert raised.value.sqlstate == "RG400"
    assert "'roman'" in str(raised.value)


def test_a_bulk_publish_shares_bytes_that_are_there(db: psycopg.Connection[Any]) -> None:
    walk(db, [Call("create_repository", REPOSITORY)])
    perform(db, "publish", PACKAGE | {"p_version": "1", "p_files": [file("one.whl")]})
    item = {"ecosystem": "pypi", "name": "other", "version": "1", "files": [file("two.whl")]}
    ((*_, outcome, _, _),) = perform(db, "publish_many", REPOSITORY | {"p_items": [item]})
    assert outcome == "created"
    assert db.execute("select count(*) from pkgdb.blob").fetchone() == (1,)
    assert db.execute("select * from pkgdb.check_integrity()").fetchall() == []


def test_a_blob_that_went_meanwhile_is_stored_again(db: psycopg.Connection[Any]) -> None:
    """Between two statements of a publish, which no test can stop in: called by itself."""
    walk(db, [Call("create_repository", REPOSITORY)])
    hold = "select pkgdb.hold_blob('acme', ('f', decode(%s, 'hex'), 5, null, '{}'))"
    db.execute(hold, [DIGEST])
    db.execute(hold, [DIGEST])
    stored = db.execute("select namespace::text, encode(sha256, 'hex'), size from pkgdb.blob")
    assert stored.fetchall() == [("acme", DIGEST, 5)]
