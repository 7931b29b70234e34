"""Examples of other pages: those at the top of README run, and every command has its options."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest

from pkgdb.cli.app import cli
from tests.docs.terminal import blocks

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DIGEST = "3a7b" + "0" * 60


def test_the_top_of_the_readme_runs(
    db: psycopg.Connection[Any], dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = blocks((ROOT / "README.md").read_text())
    (sql,) = (block.text for block in found if block.language == "sql")
    (python,) = (block.text for block in found if block.language == "python")
    sql = sql.replace("3a7b…64 digits…", DIGEST)
    assert DIGEST in sql
    *_, last = db.execute(sql.encode()).results()
    ((version, (file,)),) = last.fetchall()
    assert (version, file["sha256"]) == ("5.0", DIGEST)

    here = python.replace('"dbname=registry"', repr(dsn))
    assert here != python
    exec(here, {"digest": DIGEST, "size": file["size"]})
    assert capsys.readouterr().out == "5.0\n"
    assert db.execute("select versions, revision from pkgdb.registrations").fetchall() == [(1, 1)]


def commands(page: str) -> Iterator[list[str]]:
    """What stands behind `pkgdb` in blocks of shell commands, word by word."""
    for block in blocks(page):
        if block.language in ("", "sh"):
            for line in block.text.replace("\\\n", " ").splitlines():
                lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
                lexer.whitespace_split = True
                if line.startswith("pkgdb "):
                    yield list(takewhile(lambda word: not re.fullmatch("[&|<>;]+", word), lexer))[
                        1:
                    ]


def parse(words: list[str]) -> None:
    """As the command line does, up to what the values of options mean."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(click.Context(command), name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command = found
    _, left, _ = command.make_parser(click.Context(command)).parse_args(words)
    if left:
        raise click.UsageError(f"unexpected {shlex.join(left)}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist_with_their_options(page: Path) -> None:
    for words in commands(page.read_text()):
        try:
            parse(words)
        except click.UsageError as error:
            pytest.fail(f"pkgdb {shlex.join(words)}: {error}")


@pytest.mark.parametrize(
    "line", ["publsh x", "publish x --nix", "snapshot mrge a b", "show a b c d"]
)
def test_what_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line.split())


def test_commands_are_found() -> None:
    assert sum(len(list(commands(page.read_text()))) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), flags=re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles]
            assert anchor in anchors, f"{path}#{anchor}"
