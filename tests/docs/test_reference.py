"""docs/reference.md is what the catalog says, on every version of PostgreSQL."""

import re
from typing import Any

import psycopg
import pytest

from tools import reference


@pytest.fixture
def page(db: psycopg.Connection[Any]) -> str:
    return reference.page(db)


def test_it_is_current(page: str) -> None:
    assert reference.PAGE.read_text() == page, "run `make docs`"


def test_it_has_every_function_view_and_result(db: psycopg.Connection[Any], page: str) -> None:
    """Whatever the areas of install.sql are: nothing falls between them."""
    public = db.execute(
        """
        select proname::text from pg_proc
         where pronamespace = 'pkgdb'::regnamespace and prosecdef
         union all
        select relname::text from pg_class
         where relnamespace = 'pkgdb'::regnamespace and relkind = 'v'
         union all
        select distinct t.typname::text from pg_proc p
          join pg_type t on t.oid = p.prorettype and t.typnamespace = p.pronamespace
         where p.pronamespace = 'pkgdb'::regnamespace and p.prosecdef
        """
    ).fetchall()
    assert sorted(re.findall(r"^### (.+)$", page, flags=re.MULTILINE)) == sorted(
        name for (name,) in public
    )


def test_its_links_lead_somewhere(page: str) -> None:
    titles = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    anchors = [title.lower().replace(" ", "-") for title in titles]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(anchors)
    for path in set(re.findall(r"\]\(([^#)]+)", page)) | set(re.findall(r"^\[.*\]: (.*)$", page)):
        assert (reference.PAGE.parent / path).exists()


@pytest.mark.parametrize(
    "change",
    [
        "comment on function pkgdb.yank is 'Errors: RG400'",
        "comment on column pkgdb.version_ref.revision is 'a number'",
        "alter type pkgdb.version_ref add attribute more text",
        "grant execute on function pkgdb.purge to pkgdb_publisher",
        "revoke select on pkgdb.files from pkgdb_reader",
    ],
)
def test_a_change_of_the_catalog_is_noticed(db: psycopg.Connection[Any], change: str) -> None:
    db.execute(change)  # type: ignore[call-overload]
    assert reference.PAGE.read_text() != reference.page(db)
