"""Walks through a page: types its blocks into terminals, and returns what came out.

A block of `sh`, `sql` or `python` is typed into a terminal where that program runs; a word after
the language means another such terminal. `waits` says that the block gets no answer for now,
because another session holds a lock. A block of `text` is what has to come out of the block before
it, or, with the name of a terminal, what that one was waiting for. A block without one prints
nothing. The first block of the page sets up every terminal. `…` stands for anything on a line.
"""

import os
import re
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

PATIENCE = 120.0  # seconds for one block; nothing asserts how long anything takes
END = "-- that was all --"
# How each program is started, and what is typed to hear that it is done with a block. Python gets
# a block as one line: it need not end as an interactive session wants it to.
EACH_LINE = "import sys\nfor line in sys.stdin: exec(eval(line))"
PROGRAMS = {
    "sh": ("sh", f"echo '{END}'\n"),
    "sql": ('psql "$(pkgdb up)"', f"\\! echo '{END}'\n"),
    "python": (f"python3 -uc {shlex.quote(EACH_LINE)}", f"print('{END}')\n"),
}


class Block(NamedTuple):
    line: int
    language: str
    words: list[str]
    text: str


class Answer(NamedTuple):
    line: int  # of the block that it answers
    expected: str
    printed: str


def blocks(page: str) -> list[Block]:
    found = re.finditer(r"^```(\w*)(.*)\n((?:.*\n)*?)```$", page, flags=re.MULTILINE)
    return [
        Block(page.count("\n", 0, block.start()) + 1, block[1], block[2].split(), block[3])
        for block in found
    ]


def matches(expected: str, printed: str) -> bool:
    """Whether each line is as expected, apart from spaces at its end and empty lines at last."""
    said, came = (
        [line.rstrip() for line in text.rstrip().splitlines()] for text in (expected, printed)
    )
    return len(said) == len(came) and all(
        re.fullmatch(".*".join(re.escape(part) for part in line.split("…")), other)
        for line, other in zip(said, came, strict=True)
    )


class Terminal:
    def __init__(self, language: str, setup: str, folder: Path, environment: Mapping[str, str]):
        self._language = language
        program, self._signal = PROGRAMS[language]
        self._shell = subprocess.Popen(
            ["sh", "-c", f"{setup}exec {program}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        )

    def type(self, text: str) -> None:
        assert self._shell.stdin is not None
        typed = text + self._signal
        self._shell.stdin.write((f"{typed!r}\n" if self._language == "python" else typed).encode())
        self._shell.stdin.flush()

    def printed(self) -> str:
        """What comes out until the end of the block that was typed last."""
        assert self._shell.stdout is not None
        end = f"{END}\n".encode()
        came = b""
        deadline = time.monotonic() + PATIENCE
        while not came.endswith(end):
            patience = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._shell.stdout], [], [], patience)
            more = os.read(self._shell.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                raise AssertionError(f"no end of this:\n{came.decode()}")
            came += more
        return came.removesuffix(end).decode()

    def close(self) -> None:
        with self._shell:
            self._shell.kill()


def walk(
    page: str,
    folder: Path,
    environment: Mapping[str, str],
    wait_until_blocked: Callable[[str], None],
) -> Iterator[Answer]:
    """Each block's answer, in order. `wait_until_blocked` gets the application's name in psql."""
    setup, *others = blocks(page)
    terminals: dict[str, Terminal] = {}
    with ExitStack() as opened:
        for block, following in zip_longest(others, others[1:]):
            if block.language == "text":
                if block.words:  # else it was looked at with the block before it
                    printed = terminals[" ".join(block.words)].printed()
                    yield Answer(block.line, block.text, printed)
                continue
            name = " ".join([block.language, *(word for word in block.words if word != "waits")])
            if name not in terminals:
                named = {**environment, "PGAPPNAME": name}
                terminal = Terminal(block.language, setup.text, folder, named)
                terminals[name] = opened.enter_context(closing(terminal))
            terminals[name].type(block.text)
            if "waits" in block.words:
                wait_until_blocked(name)
                continue
            answered = following is not None and following[1:3] == ("text", [])
            expected = following.text if answered else ""
            yield Answer(block.line, expected, terminals[name].printed())
