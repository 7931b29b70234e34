"""What a view hides stays hidden from a cheap function in a reader's WHERE clause."""

from typing import Any

import psycopg
import pytest

from tests.permissions.tour import NAMESPACE, PACKAGE, REPOSITORY, Call, file, walk

SECRET = "9.9.9"
GHOSTS = [
    Call("create_repository", REPOSITORY | {"p_policy": {"reuse": "always"}}),
    Call("publish", PACKAGE | {"p_version": "1.0", "p_files": [file("seen.whl")]}),
    Call("set_tag", PACKAGE | {"p_version": "1.0", "p_tag": "seen"}),
    # A ghost with a ghost file, and a tag and a file that a quarantine hides.
    Call("publish", PACKAGE | {"p_version": SECRET, "p_files": [file("secret.whl", "b")]}),
    Call("delete_version", PACKAGE | {"p_version": SECRET}),
    Call("publish", PACKAGE | {"p_version": "2.0", "p_files": [file("secret-2.whl", "c")]}),
    Call("set_tag", PACKAGE | {"p_version": "2.0", "p_tag": "secret"}),
    Call("quarantine", PACKAGE | {"p_version": "2.0"}),
    Call("reserve_name", PACKAGE | {"p_name": "secret"}),
    Call("create_repository", NAMESPACE | {"p_repository": "secret"}),
    Call("drop_repository", NAMESPACE | {"p_repository": "secret"}),
]
LEAKS = {
    "repositories": ("repository", "secret"),
    "registrations": ("name", "secret"),
    "package_versions": ("version", SECRET),
    "files": ("filename", "secret"),
    "tags": ("tag", "secret"),
}


@pytest.mark.parametrize("view", LEAKS)
def test_barrier(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]], view: str
) -> None:
    walk(db, GHOSTS)
    reader = people["reader"]
    leaked: list[str] = []
    reader.add_notice_handler(lambda notice: leaked.append(notice.message_primary or ""))
    db.execute("grant create, usage on schema public to public")
    reader.execute("""
        create function public.leak(p_value text) returns boolean
        language plpgsql immutable cost 0.0001
        as $$ begin raise notice '%', p_value; return true; end; $$""")
    # As on a large table whose index does not help.
    reader.execute("set enable_indexscan = off; set enable_bitmapscan = off")
    name, secret = LEAKS[view]
    look = f"select {name} from pkgdb.{view} where public.leak({name})"

    rows = reader.execute(look).fetchall()
    assert rows
    assert sorted(leaked) == sorted(row[0] for row in rows)
    assert not [value for value in leaked if secret in value]

    # The same question without the barrier does leak: the test would see it.
    db.execute(f"alter view pkgdb.{view} reset (security_barrier)")
    leaked.clear()
    assert reader.execute(look).fetchall() == rows
    assert [value for value in leaked if secret in value]


def test_readers_see_live_things_only(
    db: psycopg.Connection[Any], people: dict[str, psycopg.Connection[Any]]
) -> None:
    walk(db, GHOSTS)
    seen = {
        view: people["reader"].execute(f"select {name} from pkgdb.{view}").fetchall()
        for view, (name, _) in LEAKS.items()
    }
    assert seen == {
        "repositories": [("main",)],
        "registrations": [("Demo.App",)],
        "package_versions": [("1.0",), ("2.0",)],  # the quarantined one by its status
        "files": [("seen.whl",)],
        "tags": [("seen",)],
    }
