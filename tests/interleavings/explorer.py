"""Runs calls against each other, step by step, and holds what comes out to some serial order."""

import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from random import randrange
from typing import Any

import psycopg

from tests.interleavings.operations import ARRANGEMENTS, CALLS, DAMAGE, HOLD_SLOT
from tests.interleavings.sessions import Session, Sessions, script
from tests.model import Call, Model, State, call

Schedule = tuple[int, ...]  # whose step is next; the steps of each: begin, call, commit


@dataclass(frozen=True)
class Observation:
    """What a run came to: nobody can tell two runs apart for which this is the same."""

    outcomes: tuple[Any, ...]
    state: State
    violations: int = 0


@dataclass
class Report:
    """What was explored, in numbers, and each run that no serial order explains."""

    pairs: int = 0  # in some state
    idle: int = 0  # of these: neither call changes anything
    runs: int = 0
    waits: int = 0  # calls that had to wait for another session
    infeasible: int = 0  # schedules left out: their next step is one of a session that waits
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.pairs} pairs, {self.idle} idle; {self.runs} schedules run, "
            f"{self.infeasible} infeasible; {self.waits} calls waited; "
            f"{len(self.disagreements)} disagreements"
        )


# Two sessions have 20 schedules. At READ COMMITTED a `begin` takes no snapshot and no lock, so that
# it commutes with every step of the other session: what matters is the order of calls and commits,
# and there are six of those. First in, first out comes before last in, first out: where it shows
# that the second call waits for the first session, the latter is not feasible.
SERIAL: list[Schedule] = [(0, 0, 0, 1, 1, 1), (1, 1, 1, 0, 0, 0)]
CRUCIAL: list[Schedule] = [
    *SERIAL,
    (0, 1, 0, 1, 0, 1),
    (1, 0, 1, 0, 1, 0),
    (0, 1, 0, 1, 1, 0),
    (1, 0, 1, 0, 0, 1),
]


@cache
def arranged(state: str) -> Model:
    """The model in that state."""
    model = Model()
    for each in ARRANGEMENTS[state]:
        if each.function == "hold_slot":
            model.hold_slot(**each.arguments)
        else:
            model.begin()
            assert not isinstance(model.outcome(each), str)
    return model


def model_outcome(
    state: str,
    calls: Sequence[Call],
    order: Sequence[int],
    aborted: Collection[int] = (),
    purge_passes_over: bool = False,
) -> Observation:
    """What the model says of the calls in a serial order, of which some are rolled back.

    A purge passes over a ghost that a restore holds, and leaves it to the next purge: in a serial
    order it comes after the restore, and does not find that ghost.
    """
    model = arranged(state).copy()
    outcomes: list[Any] = [None] * len(calls)
    restored: set[int] = set()
    for who in order:
        model.begin()
        asked = calls[who]
        if asked.function == "purge" and purge_passes_over:
            asked = call("purge", **asked.arguments, locked=frozenset(restored))
        before = model.copy()
        outcomes[who] = model.outcome(asked)
        restored |= model.restored
        if who in aborted:
            model = before
    return Observation(tuple(outcomes), model.state())


class Explorer:
    def __init__(self, setup: psycopg.Connection[Any], sessions: Sessions) -> None:
        self.setup = setup
        self.sessions = sessions
        self.report = Report()
        self.namespaces = (f"ns{number}" for number in count(1))
        self.scripts = {state: self._script(calls) for state, calls in ARRANGEMENTS.items()}
        self.scripts["damaged"] = f"{self.scripts['available']};\n{DAMAGE}"

    def _script(self, calls: list[Call]) -> str:
        mogrify = psycopg.ClientCursor(self.setup).mogrify
        return ";\n".join(
            mogrify(HOLD_SLOT, each.arguments | {"namespace": "NAMESPACE"})
            if each.function == "hold_slot"
            else script(self.setup, "NAMESPACE", [each])
            for each in calls
        )

    async def explore(
        self, state: str, names: tuple[str, str], among: Sequence[Schedule] = CRUCIAL
    ) -> None:
        """Two calls in every schedule that differs: each must end as one of the serial ones does.

        `among` begins with the two serial schedules. They run too, and are held to the model. Where
        the model says that neither call changes anything, there is nothing to explore.
        """
        self.report.pairs += 1
        calls = [CALLS[name] for name in names]
        expected: list[Observation] = []
        if state != "damaged":
            expected = [model_outcome(state, calls, order) for order in ((0, 1), (1, 0))]
            if all(each.state == arranged(state).state() for each in expected):
                self.report.idle += 1
                return
        serial: list[Observation] = []
        stuck: set[tuple[Schedule, int]] = set()
        for schedule in among:
            if names[0] == names[1] and schedule[0] == 1 and schedule not in SERIAL:
                continue  # the mirror image of one that begins with 0
            if any((schedule[:step], who) in stuck for step, who in enumerate(schedule)):
                self.report.infeasible += 1
                continue
            seen = await self.run(state, calls, schedule, stuck)
            if schedule in SERIAL:
                serial.append(seen)
                by = expected[schedule[0] :][:1] or [seen]
            else:
                by = serial
                if {*names} == {"purge", "restore_version"}:
                    passing = [model_outcome(state, calls, o, (), True) for o in ((0, 1), (1, 0))]
                    by = serial + passing
            if seen not in by:
                self.report.disagreements.append(described(state, names, schedule, seen, by))

    async def run(
        self,
        state: str,
        calls: Sequence[Call],
        schedule: Sequence[int],
        stuck: set[tuple[Schedule, int]] | None = None,
        aborted: Collection[int] = (),
    ) -> Observation:
        """Take the steps in that order; those of a session that waits as soon as it has its answer.

        Some sessions roll back in the end. Adds to `stuck` after which steps which session waited.
        """
        namespace = next(self.namespaces)
        self.setup.execute(self.scripts[state].replace("NAMESPACE", namespace).encode())
        outcomes: list[Any] = [None] * len(calls)
        taken: list[int] = []
        ahead = list(schedule)
        while ahead:
            who = next(who for who in ahead if not self.sessions[who].waiting)
            ahead.remove(who)
            step = taken.count(who) + (taken.count(who) == 2 and who in aborted)
            await self._step(namespace, calls[who], self.sessions[who], step)
            taken.append(who)
            for place, session in enumerate(self.sessions):
                if session.answered:
                    outcomes[place] = session.take()
                elif session.waiting and stuck is not None:
                    stuck.add((tuple(taken), place))
        self.report.runs += 1
        violations = await self.sessions.violations(namespace) if state == "damaged" else []
        return Observation(
            tuple(outcomes), await self.sessions.read_state(namespace), len(violations)
        )

    async def _step(self, namespace: str, call: Call, session: Session, step: int) -> None:
        if step == 0:
            await session.begin()
            return
        if step == 1:
            session.start(namespace, call)
        elif step == 2:
            await session.commit()
        else:
            await session.rollback()
        await self.sessions.settle()
        if step == 1 and session.waiting:
            self.report.waits += 1


def described(
    state: str,
    names: Sequence[str],
    schedule: Sequence[int],
    seen: Observation,
    expected: Sequence[Observation],
) -> str:
    """What was seen, and how each expectation differs from it."""
    lines = [f"{state}: {' | '.join(names)}, steps {schedule}: {seen.outcomes}"]
    for each in expected:
        lines.append(f"  not {each.outcomes}, {each.violations} violations")
        lines += [
            f"    {relation}: {seen.state[relation]}\n    not {each.state[relation]}"
            for relation in seen.state
            if seen.state[relation] != each.state[relation]
        ]
    return "\n".join(lines)


@asynccontextmanager
async def explorer(dsn: str, sessions: int = 2) -> AsyncIterator[Explorer]:
    async with AsyncExitStack() as stack:
        setup = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        yield Explorer(setup, await Sessions.open(stack, dsn, sessions))


def seed() -> int:
    """PKGDB_TEST_SEED, or a new one; printed, so that a failure can be run again."""
    chosen = int(os.environ.get("PKGDB_TEST_SEED") or randrange(1 << 32))
    print(f"PKGDB_TEST_SEED={chosen}")
    return chosen
