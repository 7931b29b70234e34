"""Stops sessions between the statements inside the functions.

`instrument` rewrites the PL/pgSQL functions of a test's own schema: in front of each statement at
which something can happen they ask `pkgdb_test.pause`, which counts, and at one number waits until
the explorer lets the session go on. plpgsql_check says where statements begin.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import Diagnostic

from tests.catalog.test_lints import REFERENCE_TABLES
from tests.interleavings.explorer import (
    PASSING_OVER,
    Explorer,
    Observation,
    Schedule,
    arranged,
    described,
    explorer,
    model_outcome,
)
from tests.interleavings.sessions import Ids, Sessions
from tests.model import Call

GATE = 77  # with a session's pid: the advisory lock that it waits for
PINNED = 2  # its place in the report of a purge

# A sequence counts what is rolled back too. Who does not say where to stop is never stopped.
PAUSE = f"""
    create schema pkgdb_test;
    grant usage on schema pkgdb_test to public;
    create function pkgdb_test.pause(p_place text) returns boolean
    language plpgsql security definer as $$
    declare
        v_stop_at bigint := current_setting('pkgdb_test.stop_at', true);
    begin
        if v_stop_at is null then
            return true;
        end if;
        if nextval('pg_temp.passed') = v_stop_at then
            raise notice '%', p_place;
            perform pg_advisory_lock_shared({GATE}, pg_backend_pid());
            perform pg_advisory_unlock_shared({GATE}, pg_backend_pid());
        end if;
        return true;
    end $$"""
# An IF, since PERFORM sets FOUND; in the statement's own line, so that all keep their numbers.
PAUSED = "if pkgdb_test.pause('{}:{}') then end if; {}"

# What is IMMUTABLE reads nothing that changes.
FUNCTIONS = """
    select p.oid, p.proname::text, p.provolatile = 's', p.prosrc, pg_get_functiondef(p.oid),
           (select jsonb_agg(jsonb_build_array(s.stmtid, s.parent_stmtid, s.lineno, s.stmtname)
                             order by s.stmtid)
              from plpgsql_profiler_function_statements_tb(p.oid) s)
      from pg_proc p
      join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
     where p.pronamespace = 'pkgdb'::regnamespace and p.provolatile <> 'i'
     order by p.oid"""

UNCHANGING = "|".join(REFERENCE_TABLES)
TOUCHES = re.compile(
    rf"\b(?:from|join|into|update|using)\s+pkgdb\.(?!(?:{UNCHANGING})\b)\w+\b(?!\()"
    r"|\bpg_locks\b|\bpg_\w*advisory_|\bexecute\b"
)
WRITES = re.compile(
    r"\b(?:insert\s+into|update\s+pkgdb|delete\s+from|for\s+(?:(?:no\s+)?key\s+)?(?:update|share))\b"
)
CALLED = re.compile(r"\bpkgdb\.(\w+)\(")


@dataclass(frozen=True)
class Statement:
    line: int
    text: str  # what of it is not another statement

    def calls(self) -> set[str]:
        return set(CALLED.findall(self.text))


@dataclass(frozen=True)
class Function:
    oid: int
    name: str
    stable: bool
    source: str
    definition: str
    statements: list[Statement]

    @classmethod
    def read(
        cls, oid: int, name: str, stable: bool, source: str, definition: str, places: list[Any]
    ) -> "Function":
        lines = [re.sub(r"--.*", "", line) for line in source.split("\n")]
        texts: dict[int, str] = {}
        for (number, _, start, _), (_, parent, end, _) in pairwise(
            [*places, [None, None, len(lines) + 1, ""]]
        ):
            own, *elsewhere = re.split(r"\belsif\b", "\n".join(lines[start - 1 : end - 1]))
            texts[number] = own
            for condition in elsewhere:  # of an IF, behind the last statement of a branch
                texts[parent] += condition
        statements = [
            Statement(line, texts[number])
            for number, _, line, kind in places
            if kind not in ("statement block", "RAISE")
        ]
        return cls(oid, name, stable, source, definition, statements)

    def with_pauses(self, places: Sequence[Statement]) -> str:
        lines = self.source.split("\n")
        for place in places:
            at = place.line - 1
            lines[at] = PAUSED.format(self.name, place.line, lines[at])
        return self.definition.replace(self.source, "\n".join(lines))


def instrument(db: psycopg.Connection[Any]) -> dict[int, int]:
    """Put the pauses in. Returns how many there are, by the id of the function.

    There is one in front of each statement that reads or writes rows or takes an advisory lock.
    To stop in front of any other, which computes, raises, or calls functions with pauses of their
    own, would be to stop in front of the next one of these. So it would be within a STABLE
    function, which sees what the statement that called it sees: unless that one locks or writes
    rows, which may have changed since it saw them.
    """
    functions = [Function.read(*row) for row in db.execute(FUNCTIONS).fetchall()]
    stable = {function.name for function in functions if function.stable}
    within: set[str] = set()
    ahead = set[str]().union(
        *(s.calls() for f in functions for s in f.statements if WRITES.search(s.text))
    )
    while ahead := (ahead & stable) - within:
        within |= ahead
        ahead = set[str]().union(
            *(s.calls() for f in functions if f.name in ahead for s in f.statements)
        )

    db.execute(PAUSE)
    pauses = {}
    for function in functions:
        if function.stable and function.name not in within:
            continue
        places = [
            statement
            for statement in function.statements
            if TOUCHES.search(statement.text)
            or (not function.stable and not statement.calls().isdisjoint(stable))
        ]
        if places:
            db.execute(sql.SQL(function.with_pauses(places)))
            pauses[function.oid] = len(places)
    return pauses


ALONE: Schedule = (0, 0, 0, 0)
BETWEEN: Schedule = (0, 0, 1, 1, 1, 1, 0, 0)  # the other call, and its commit, within the first


class Pausing(Explorer):
    """An explorer whose sessions have one step more: to be let through the gate at which they
    stopped. The connection that arranges holds the gates."""

    steps = ("begin", "call", "release", "commit")

    def __init__(self, setup: psycopg.Connection[Any], sessions: Sessions) -> None:
        super().__init__(setup, sessions)
        self.stops: Sequence[int] = (0, 0)
        self.stopped: set[int] = set()
        self.places: dict[int, str | None] = {}  # at which they stopped last
        self.lengths: dict[tuple[str, str], int] = {}
        self.serial: dict[tuple[str, ...], list[Observation]] = {}

    @classmethod
    async def beside(cls, plain: Explorer) -> "Pausing":
        """With the sessions of an explorer that stops them between calls only."""
        made = cls(plain.setup, plain.sessions)
        made.namespaces = plain.namespaces
        for who, session in enumerate(made.sessions):
            await session.connection.execute("create temporary sequence passed")
            session.connection.add_notice_handler(partial(made._note_place, who))
        return made

    def _note_place(self, who: int, notice: Diagnostic) -> None:
        self.places[who] = notice.message_primary

    def _waits(self, who: int) -> bool:
        return super()._waits(who) and who not in self.stopped

    async def _settle(self) -> None:
        await super()._settle()
        stopped = self.setup.execute(
            "select pid from pg_locks"
            " where locktype = 'advisory' and classid = %s and objsubid = 2 and not granted",
            [GATE],
        ).fetchall()
        self.stopped = {who for who, each in enumerate(self.sessions) if (each.pid,) in stopped}

    async def _step(self, namespace: str, call: Call, who: int, step: str, ids: Ids) -> None:
        session = self.sessions[who]
        if step == "release":
            self.setup.execute("select pg_advisory_unlock(%s, %s)", [GATE, session.pid])
            await self._settle()
            return
        if step == "begin":
            self.setup.execute("select pg_advisory_lock(%s, %s)", [GATE, session.pid])
            await session.connection.execute(
                "select setval('pg_temp.passed', 1, false),"
                " set_config('pkgdb_test.stop_at', %s, false)",
                [str(self.stops[who])],
            )
        await super()._step(namespace, call, who, step, ids)

    async def length(self, state: str, name: str, asked: Call) -> int:
        """How many pauses a call has. It is made alone, and must do what the model says."""
        if (state, name) in self.lengths:
            return self.lengths[state, name]
        self.stops = (0, 0)
        seen = await self.run(state, [asked], ALONE)
        expected = model_outcome(state, [asked], [0])
        if seen != expected:
            self.report.disagreements.append(described(state, [name], ALONE, seen, [expected]))
        cursor = await self.sessions[0].connection.execute(
            "select last_value - (not is_called)::integer from pg_temp.passed"
        )
        (pauses,) = await cursor.fetchone() or (0,)
        self.lengths[state, name] = pauses
        return pauses

    async def everywhere(
        self, state: str, names: Sequence[str], operations: Mapping[str, Call]
    ) -> None:
        """The second call within the first, at each of its pauses in turn."""
        self.report.pairs += 1
        pauses = await self.length(state, names[0], operations[names[0]])
        for pause in range(1, pauses + 1):
            await self.stop(state, names, operations, (pause, 0))

    async def stop(
        self,
        state: str,
        names: Sequence[str],
        operations: Mapping[str, Call],
        stops: Sequence[int],
        schedule: Schedule = BETWEEN,
    ) -> None:
        """Two calls, of which each stops at a pause (0: at none): they end as in a serial order."""
        calls = [operations[name] for name in names]
        self.stops = stops
        self.places.clear()
        seen = await self.run(state, calls, schedule)
        pair = (state, *names)
        if pair not in self.serial:
            self.serial[pair] = serial(state, calls)
        expected = self.serial[pair]
        if seen not in expected:
            text = described(state, names, schedule, seen, expected)
            self.report.disagreements.append(f"stopped {stops} at {self.places}: {text}")


def serial(state: str, calls: Sequence[Call]) -> list[Observation]:
    """What the model says of both orders, where some calls pass over what another one holds."""
    passing = (False, True) if {c.function for c in calls} & PASSING_OVER else (False,)
    expected = [
        model_outcome(state, calls, order, (), passes)
        for order in ((0, 1), (1, 0))
        for passes in passing
    ]
    for who, asked in enumerate(calls):
        if asked.function == "purge":  # it counts what is pinned before all else that it does
            begun = model_outcome(state, calls, (who, 1 - who)).outcomes[who]
            expected += [counting(begun[PINNED], each, who) for each in expected]
    return expected


def counting(pinned: int, each: Observation, who: int) -> Observation:
    """The same, but for what the purge says is pinned."""
    report = (*each.outcomes[who][:PINNED], pinned, *each.outcomes[who][PINNED + 1 :])
    return replace(each, outcomes=(*each.outcomes[:who], report, *each.outcomes[who + 1 :]))


def idle(state: str, calls: Sequence[Call]) -> bool:
    """Whether neither call changes anything, whichever comes first."""
    before = arranged(state).state()
    return all(model_outcome(state, calls, o).state == before for o in ((0, 1), (1, 0)))


@asynccontextmanager
async def pausing(dsn: str) -> AsyncIterator[Pausing]:
    """An explorer of an instrumented schema."""
    async with explorer(dsn) as plain:
        yield await Pausing.beside(plain)
