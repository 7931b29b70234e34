"""docs/tutorial.md, typed block by block on a server of its own."""

import os
import re
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from pkgdb import server
from pkgdb.server import Server, ServerError, find_bindir
from tests.docs.terminal import Answer, blocks, matches, walk
from tests.servers import scratch
from tests.support import missing, wait_until

PAGE = Path(__file__).parent.parent.parent / "docs" / "tutorial.md"
HOME = "pkgdb-tutorial"  # as the page calls its folder, and below it the server's
REGISTRY = "registry"


def environment(home: Path) -> dict[str, str]:
    """This Python and the server's psql, and nothing else of the machine's settings."""
    try:
        bindir = find_bindir()
    except ServerError as error:
        missing(str(error))
    folders = [str(Path(sys.executable).parent), str(bindir), os.environ["PATH"]]
    return {
        "PATH": os.pathsep.join(folders),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PKGDB_BINDIR": str(bindir),
        # What the page installs is there: nothing may be fetched, and nothing said of pip itself.
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_RETRIES": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def wait_until_blocked(registry: Path, application: str) -> None:
    with psycopg.connect(Server(registry).dsn("pkgdb"), autocommit=True) as observer:
        wait_until(
            observer,
            """
            select bool_or(cardinality(pg_blocking_pids(pid)) > 0) from pg_stat_activity
             where application_name = %s
            """,
            [application],
        )


def first_difference(page: str) -> Answer | None:
    """Walks through the page until something else comes out than it says."""
    with scratch() as home:
        registry = home / HOME / REGISTRY
        answers = walk(
            page, home, environment(home), lambda name: wait_until_blocked(registry, name)
        )
        try:
            with closing(answers):
                return next((a for a in answers if not matches(a.expected, a.printed)), None)
        finally:
            server.down(registry)
            assert Server(registry).pid is None


@pytest.mark.slow
def test_what_it_says_comes_out() -> None:
    difference = first_difference(PAGE.read_text())
    assert difference is None, (
        f"line {difference.line} says\n{difference.expected}\nand there came\n{difference.printed}"
    )


def test_a_wrong_answer_is_noticed() -> None:
    page = PAGE.read_text()
    wrong = page.replace("nothing -> pkgdb_", "something -> pkgdb_")
    assert wrong != page
    difference = first_difference(wrong)
    assert difference is not None
    assert "something -> " in difference.expected
    assert "nothing -> " in difference.printed


def test_every_line_of_an_answer_counts() -> None:
    for block in blocks(PAGE.read_text()):
        if block.language == "text":
            assert matches(block.text, block.text.replace("…", "this time"))
            lines = block.text.splitlines(keepends=True)
            for place, line in enumerate(lines):
                before, after = "".join(lines[:place]), "".join(lines[place + 1 :])
                assert not matches(f"{before}!{line}{after}", block.text)
                assert not matches(before + line + line + after, block.text)
                assert not matches(before + after, block.text)
    assert not matches("", "something\n")


def test_nothing_is_left_out() -> None:
    """Every block is one that is typed or compared, and a reader is told how to start psql."""
    page = PAGE.read_text()
    found = blocks(page)
    assert {block.language for block in found} == {"sh", "sql", "python", "text"}
    assert len(found) * 2 == len(re.findall(r"^```", page, flags=re.MULTILINE))
    assert page.count('`psql "$(pkgdb up)"`') == 2
    assert f"export PKGDB_HOME=~/{HOME}/{REGISTRY}\n" in found[0].text
