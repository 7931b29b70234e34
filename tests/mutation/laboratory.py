"""Where mutants are made, and tests run on them."""

import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from typing import Any

import psycopg
import pytest

from pkgdb import migrate
from pkgdb.server import Server
from tests.conftest import SETTINGS, drop, remove_abandoned
from tests.mutation.mutants import Mutant, mutants
from tests.servers import scratch

BASE = "pkgdb_base"
LIMIT = 120.0  # seconds: a test that does not end by then has noticed something
STARTED, ENDED, FAILED = range(3)
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
WORKERS = 2
FORK = get_context("fork")  # a test begins with everything imported


class Laboratory:
    """A server with the schema in a database that all mutants are copies of."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.admin = psycopg.connect(server.dsn(), autocommit=True)
        self.numbers = count(1)
        self.admin.execute(f"create database {BASE}")
        migrate.upgrade(server.dsn(BASE))
        with psycopg.connect(server.dsn(BASE), autocommit=True) as db:
            self.mutants = {mutant.name: mutant for mutant in mutants(db)}

    def noticed_by(self, mutant: Mutant, tests: Sequence[str]) -> str:
        """The first of the tests that fails on that mutant, or ''."""
        name = f"pkgdb_mutant_{next(self.numbers)}"
        self.admin.execute(f"create database {name} template {BASE} strategy file_copy")
        try:
            with psycopg.connect(self.server.dsn(name), autocommit=True) as db:
                mutant.apply(db)
            closed = f"alter database {name} with allow_connections false is_template true"
            self.admin.execute(closed)
            return self._run(name, tests)
        finally:
            self.admin.execute(f"alter database {name} is_template false")
            drop(self.admin, name)

    def _run(self, template: str, tests: Sequence[str]) -> str:
        """A test that does not end has failed."""
        answers, answer = FORK.Pipe(duplex=False)
        child = FORK.Process(target=run, args=[self.server.dsn(), template, tests, answer])
        child.start()
        answer.close()
        started = ""
        try:
            while answers.poll(LIMIT):
                what, said = answers.recv()
                if what == ENDED:
                    return said
                if what == FAILED:
                    raise RuntimeError(said)
                started = said
            return started
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.join()


class Witness:
    """Says which test runs, and remembers which failed."""

    def __init__(self, answer: Connection) -> None:
        self.answer = answer
        self.failed = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.answer.send((STARTED, nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def attempts(tests: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Each mutant on its tests, with the first that notices it, or ''. Some are tried at once, each
    worker in a laboratory of its own."""
    todo, done = FORK.Queue(), FORK.Queue()
    workers = [FORK.Process(target=work, args=[tests, todo, done]) for _ in range(WORKERS)]
    for name in [*tests, *([None] * WORKERS)]:
        todo.put(name)
    for worker in workers:
        worker.start()
    try:
        for _ in tests:
            answer = done.get()
            if isinstance(answer, Exception):
                raise answer
            yield answer
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def work(tests: Mapping[str, Sequence[str]], todo: "Queue[Any]", done: "Queue[Any]") -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # its server is to stop
    try:
        with laboratory() as place:
            while (name := todo.get()) is not None:
                done.put((name, place.noticed_by(place.mutants[name], tests[name])))
    except Exception as error:
        done.put(error)


def run(dsn: str, template: str, tests: Sequence[str], answer: Connection) -> None:
    """In a process of its own: run tests until one fails, and say which."""
    os.setsid()
    os.environ |= {"PKGDB_TEST_DSN": dsn, "PKGDB_TEST_TEMPLATE": template}
    witness = Witness(answer)
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(output):
        code = pytest.main([*OPTIONS, *tests], plugins=[witness])
    if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        answer.send((ENDED, witness.failed))
    else:
        answer.send((FAILED, output.getvalue()))


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    remove_abandoned()
    with (
        scratch() as base,
        Server(base, durable=False, die_with_parent=True, settings=SETTINGS) as server,
    ):
        yield Laboratory(server)
