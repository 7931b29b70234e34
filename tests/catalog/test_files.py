"""The form of the files in sql/."""

import re
from collections import Counter
from pathlib import Path

import pytest

SQL = Path(__file__).parent.parent.parent / "sql"
FILES = sorted(path.relative_to(SQL).as_posix() for path in SQL.rglob("*.sql"))
INSTALL = SQL / "install.sql"
WORDS = """
    ADD ALTER AND ANY ARRAY AS ASC BEGIN BETWEEN BY CASE CHECK COLLATE COMMENT COMMIT CONFLICT
    CONSTRAINT CREATE CROSS DECLARE DEFAULT DELETE DESC DISTINCT DO DROP ELSE END EXCEPTION EXECUTE
    EXISTS FOR FOREACH FOREIGN FROM FUNCTION GENERATED GRANT GROUP HAVING IF IMMUTABLE IN INDEX
    INNER INSERT INTO IS JOIN KEY LANGUAGE LATERAL LEFT LIKE LIMIT LOOP NOT NULL ON OR ORDER OUTER
    PERFORM PRIMARY QUERY RAISE REFERENCES RETURN RETURNS RETURNING REVOKE SCHEMA SECURITY SELECT
    SET SETOF STABLE TABLE THEN TO TYPE UNION UNIQUE UPDATE USING VALUES VIEW VOLATILE WHEN WHERE
    WITH TEXT BIGINT INTEGER BOOLEAN JSONB BYTEA TIMESTAMPTZ TRUE FALSE
"""


def code(name: str) -> str:
    """The file without its comments and its texts."""
    text = (SQL / name).read_text(encoding="utf-8")
    return re.sub(
        r"E?'(?:[^']|'')*'|--[^\n]*", lambda found: "" if found[0][0] == "-" else "''", text
    )


def test_install_names_every_file_once() -> None:
    named = re.findall(r"^\\ir (\S+)$", INSTALL.read_text(), flags=re.MULTILINE)
    assert [name for name, times in Counter(named).items() if times > 1] == []
    assert sorted(named) == [name for name in FILES if name != "install.sql"]


@pytest.mark.parametrize("name", FILES)
def test_form(name: str) -> None:
    text = (SQL / name).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text.isascii()
    lines = text.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    assert [line for line in lines if line != line.rstrip() or "\t" in line] == []
    shouted = set(re.findall(r"\b[A-Z]+\b", code(name))) & set(WORDS.split())
    assert shouted == set()


@pytest.mark.parametrize("name", FILES)
def test_a_body_means_the_same_in_every_session(name: str) -> None:
    """What a backslash is in a plain text depends on standard_conforming_strings."""
    text = (SQL / name).read_text(encoding="utf-8")
    for body in re.findall(r"\$\$.*?\$\$", re.sub(r"--[^\n]*", "", text), flags=re.DOTALL):
        texts = re.findall(r"E?'(?:[^']|'')*'(?:\s*\n\s*'(?:[^']|'')*')*", body)
        assert [t for t in texts if "\\" in t and not t.startswith("E")] == []
        assert "\\'" not in body  # nor what backslash_quote forbids


@pytest.mark.parametrize("name", [name for name in FILES if name != "install.sql"])
def test_a_file_has_no_transaction_of_its_own_and_no_psql_commands(name: str) -> None:
    assert not re.search(r"^\s*\\", code(name), flags=re.MULTILINE)
    assert not re.search(r"^\s*(begin|commit|rollback)\s*;", code(name), flags=re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_a_public_function_has_a_file_of_its_name(name: str) -> None:
    granted = re.findall(r"grant execute on function pkgdb\.(\w+) to", code(name))
    definers = re.findall(r"create function pkgdb\.(\w+)\([^;$]*?security definer", code(name))
    assert definers in ([], [Path(name).stem])
    assert set(definers) <= set(granted)
