"""Runs calls against each other, step by step, and holds what comes out to some serial order."""

import os
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from random import randrange
from typing import Any

import psycopg

from tests.interleavings.operations import ARRANGEMENTS, DAMAGE, END_OF_LEASES, OPERATIONS
from tests.interleavings.sessions import NOTHING, Ids, Sessions, statement
from tests.model import Call, Model, State, call

PASSING_OVER = {"purge", "collect_blobs", "claim_copies"}
Schedule = tuple[int, ...]  # whose step is next


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
        if each.function == "lapse":
            model.lapse()
        else:
            model.begin()
            answer = model.outcome(addressed(model, each))
            assert not isinstance(answer, str), (state, each, answer)
    return model


def addressed(model: Model, asked: Call) -> Call:
    """The call with the model's numbers: of its publication or update, which it names by its place,
    and of the newest copy of those bytes. None where there is none."""
    arguments = dict(asked.arguments)
    for kind, there in (("publication", model.publications), ("update", model.updates)):
        if kind in arguments:
            begun = there[arguments[kind] - 1 :]
            arguments[kind] = begun[0].number if begun else None
    if "sha256" in arguments:
        copies = model.generations(arguments["backend"], arguments["sha256"])
        arguments["generation"] = copies[-1] if copies else None
    return Call(asked.function, arguments)


LOOKUPS = {
    "publication": "select publication_id from pkgdb.publication where namespace = 'NAMESPACE'"
    " order by publication_id offset {} limit 1",
    "update": "select update_id from pkgdb.mirror_update where namespace = 'NAMESPACE'"
    " order by update_id offset {} limit 1",
    "generation": "select generation from pkgdb.blob_copy where namespace = 'NAMESPACE'"
    " order by generation offset {} limit 1",
    "installation": "select installation_id from pkgdb.backend where namespace = 'NAMESPACE'"
    " and name = '{}'",
}


def symbolic(model: Model) -> Ids:
    """Ids that `script` turns into lookups. The model counts in the order of the tables."""
    publications = [publication.number for publication in model.publications]
    return Ids(
        {number: f"@publication {place}" for place, number in enumerate(publications)},
        {number: f"@generation {place}" for place, number in enumerate(model.generations())},
        {backend: f"@installation {backend}" for backend in model.backends},
        {update.number: f"@update {place}" for place, update in enumerate(model.updates)},
    )


def script(connection: psycopg.Connection[Any], state: str) -> str:
    """The calls that bring namespace NAMESPACE into that state, a transaction each: one text for
    one round trip."""
    mogrify = psycopg.ClientCursor(connection).mogrify
    model, texts = Model(), []
    for each in ARRANGEMENTS[state]:
        model.begin()
        if each.function == "lapse":
            model.lapse()
            texts.append(END_OF_LEASES)
            continue
        asked = addressed(model, each)
        text = mogrify(*statement("NAMESPACE", asked, symbolic(model)))
        texts.append(re.sub(r"'@(\w+) (\w+)'", lambda m: f"({LOOKUPS[m[1]].format(m[2])})", text))
        model.outcome(asked)
    return "begin;\n" + ";\ncommit;\nbegin;\n".join(texts) + ";\ncommit"


def model_outcome(
    state: str,
    calls: Sequence[Call],
    order: Sequence[int],
    aborted: Collection[int] = (),
    passing: bool = False,
) -> Observation:
    """What the model says of the calls in a serial order, of which some are rolled back.

    `passing`: a purge passes over a ghost that a restore holds, and leaves it to the next purge: in
    a serial order it comes after the restore, and does not find that ghost. The same goes for what
    a purge holds that is rolled back. An update of a mirror is held by whoever goes on with it or
    ends it, and what that call has changed besides the purge may not have seen: it comes before or
    after. Likewise a collector, and who makes copies, pass over what others hold.
    """
    start = arranged(state)
    model = start.copy()
    outcomes: list[Any] = [None] * len(calls)
    held: set[int | tuple[int, str]] = set()
    updating: set[int] = set()
    for place, who in enumerate(order):
        model.begin()
        asked = addressed(start, calls[who])
        if asked.function == "purge" and passing:
            others = [calls[later] for later in order[place + 1 :]]
            ahead = updating.union(*(updates_held(model, addressed(start, c)) for c in others))
            passed_over = {"locked": frozenset(held), "updating": frozenset(ahead)}
            asked = call("purge", **asked.arguments, **passed_over)
        elif asked.function == "collect_blobs" and passing:
            asked = call("collect_blobs", **asked.arguments, passing=frozenset(model.blobs))
        elif asked.function == "claim_copies" and passing:
            asked = call("claim_copies", locked=frozenset(model.generations()))
        before = model.copy()
        outcomes[who] = model.outcome(asked)
        held |= model.held
        updating |= model.updating
        if who in aborted:
            model = before
    return Observation(tuple(outcomes), model.state())


def updates_held(model: Model, asked: Call) -> set[int]:
    """By that call, were it the next one."""
    ahead = model.copy()
    ahead.outcome(asked)
    return ahead.updating


class Explorer:
    steps: tuple[str, ...] = ("begin", "call", "commit")  # of each session

    def __init__(self, setup: psycopg.Connection[Any], sessions: Sessions) -> None:
        self.setup = setup
        self.sessions = sessions
        self.report = Report()
        self.namespaces = (f"ns{number}" for number in count(1))
        self.scripts = {state: script(setup, state) for state in ARRANGEMENTS}
        self.scripts["damaged"] = f"{self.scripts['available']};\n{DAMAGE}"
        # What was in each snapshot when it was created. The same calls make the same snapshots.
        self.arranged: dict[str, list[str]] = {}
        self.frozen: dict[int, str] = {}

    async def explore(
        self,
        state: str,
        names: tuple[str, str],
        among: Sequence[Schedule] = CRUCIAL,
        operations: Mapping[str, Call] = OPERATIONS,
    ) -> None:
        """Two calls in every schedule that differs: each must end as one of the serial ones does.

        `among` begins with the two serial schedules. They run too, and are held to the model. Where
        the model says that neither call changes anything, there is nothing to explore.
        """
        self.report.pairs += 1
        calls = [operations[name] for name in names]
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
                if expected and not {each.function for each in calls}.isdisjoint(PASSING_OVER):
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
        last = await self._note_snapshots(namespace, state)
        ids, calls = NOTHING, list(calls)
        if state != "damaged":
            calls = [addressed(arranged(state), each) for each in calls]
            ids = self._ids(namespace, arranged(state))
        outcomes: list[Any] = [None] * len(calls)
        taken: list[int] = []
        ahead = list(schedule)
        while ahead:
            who = next(who for who in ahead if not self._waits(who))
            ahead.remove(who)
            step = self.steps[taken.count(who)]
            if step == "commit" and who in aborted:
                step = "rollback"
            await self._step(namespace, calls[who], who, step, ids)
            taken.append(who)
            if step == "commit":
                new = await self.sessions.listings(namespace, beyond=last)
                self.frozen = new | self.frozen
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

    async def _note_snapshots(self, namespace: str, state: str) -> int:
        """Those that were arranged, by their ids; returns the last."""
        if state not in self.arranged:
            self.arranged[state] = [*(await self.sessions.listings(namespace)).values()]
        numbers = await self.sessions.snapshots(namespace) if self.arranged[state] else []
        self.frozen |= zip(numbers, self.arranged[state], strict=True)
        return max(numbers, default=0)

    async def thawed(self) -> list[int]:
        """The snapshots that are not what they were: after all that ran, and a purge."""
        await self.sessions.purge()
        listings = await self.sessions.listings()
        return [number for number, now in listings.items() if now != self.frozen[number]]

    def _ids(self, namespace: str, model: Model) -> Ids:
        """Where the model has publications or copies: what the tables call them."""

        def those(column: str, table: str) -> list[Any]:
            query = f"select {column} from pkgdb.{table} where namespace = %s order by {column}"
            return [found for (found,) in self.setup.execute(query.encode(), [namespace])]

        if not model.publications and not model.backends and not model.updates:
            return NOTHING
        numbers = [publication.number for publication in model.publications]
        installations = self.setup.execute(
            "select name::text, installation_id from pkgdb.backend where namespace = %s",
            [namespace],
        )
        return Ids(
            dict(zip(numbers, those("publication_id", "publication"), strict=True)),
            dict(zip(model.generations(), those("generation", "blob_copy"), strict=True)),
            dict(installations.fetchall()),
            dict(
                zip(
                    [u.number for u in model.updates],
                    those("update_id", "mirror_update"),
                    strict=True,
                )
            ),
        )

    def _waits(self, who: int) -> bool:
        """Whether that session has to wait until another one goes on."""
        return self.sessions[who].waiting

    async def _settle(self) -> None:
        await self.sessions.settle()

    async def _step(self, namespace: str, call: Call, who: int, step: str, ids: Ids) -> None:
        session = self.sessions[who]
        if step == "begin":
            await session.begin()
            return
        if step == "call":
            session.start(namespace, call, ids)
        elif step == "commit":
            await session.commit()
        else:
            await session.rollback()
        await self._settle()
        if step == "call" and self._waits(who):
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
