"""A registry under random transactions of several sessions, beside the plain Python model.

Three sessions call functions, commit and roll back in any order. A call that has to wait is pending
until the transaction before it ends. Locks are held until commit, so that the order of commits is a
serial order: the model applies the calls of a transaction when it commits, and they must answer
then what they answered at the time. After each commit everyone must see what the model holds.

Of each snapshot the listing is noted when it is created, and compared ever after.

Time stands still until a rule lets it pass. Nobody else knows of a publication that is not
committed, so that only committed ones are gone on with.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.interleavings.sessions import Ids, Sessions
from tests.model import DAY, Call, Copy, Model, Publication, Version, call, file
from tests.publications.clock import Clock

SESSIONS = 3
DEADLOCK = "40P01"
LOCK_TIMEOUT = "55P03"  # where a machine is so slow that a call has waited for 10 seconds


def mostly(usual: Any, *others: Any, times: int = 8) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * times + list(others))


repositories = mostly("main", "other")
names = mostly("pkg", "Pkg", "p.kg", "lib")
versions = st.sampled_from(["1.0"] * 4 + ["2.0"] * 4 + ["1", "2.0rc1", "3.0.dev1", "10.0"])
variants = mostly("", "linux", times=12)
revisions = mostly(None, *range(8), times=60)
choices = st.integers(0, 5)
texts = st.sampled_from([None, "because", "indeed"])
tags = st.sampled_from(["stable", "next"])
filenames = mostly("a.whl", "b.whl", "c.whl", times=2)
files = st.lists(
    st.builds(file, filenames, mostly("x", "y", times=4), mostly(1, 2, times=20)),
    max_size=2,
    unique_by=lambda each: each["filename"],
)
metadata = mostly({}, {"summary": "one"}, {"summary": "two"}, times=6)
policies = st.fixed_dictionaries(
    {"reuse": st.sampled_from(["never", "same_content", "always"])},
    optional={
        "lookalike_guard": st.booleans(),
        "immutable": mostly(False, True, times=5),
        "protected_names": mostly([], ["P*"], ["l?b"], times=5),
        "keep_versions": st.sampled_from([None, 1, 2]),
        "name_scope": st.sampled_from(["ecosystem", "namespace"]),
        "validators": mostly({}, {"scan": "required"}, {"scan": "advisory"}, times=3),
    },
).filter(lambda policy: not policy.get("immutable") or not policy.get("keep_versions"))


def calls_of(function: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.builds(call, st.just(function), **arguments)


def item(name: str, version: str, files: list[dict[str, Any]], **rest: Any) -> dict[str, Any]:
    """Files are named after their version, all but c.whl: that one is claimed by several."""
    for each in files:
        if each["filename"] != "c.whl":
            each["filename"] = f"{version}-{each['filename']}"
    return {"name": name, "version": version, "files": files, **rest}


def publish(repository: str, **content: Any) -> Call:
    return call("publish", repository=repository, **item(**content))


def as_side_files(published: Call) -> Call:
    rest = {key: value for key, value in published.arguments.items() if key != "metadata"}
    return call("add_files", **rest)


PACKAGE = {"repository": repositories, "name": names}
VERSION = PACKAGE | {"version": versions, "variant": variants}
EXPECTED = VERSION | {"if_revision": revisions}
CONTENT = VERSION | {"files": files, "metadata": metadata}
ITEM = {key: CONTENT[key] for key in CONTENT if key != "repository"}

publishing = st.one_of(
    st.builds(publish, **CONTENT, if_revision=revisions),
    st.builds(publish, **CONTENT),
    st.builds(publish, **CONTENT, request_key=st.sampled_from(["k1", "k2"])),
    st.builds(publish, **CONTENT).map(as_side_files),
    calls_of(
        "publish_many",
        repository=repositories,
        items=st.lists(st.builds(item, **ITEM), min_size=1, max_size=3),
    ),
)
lifecycle = st.one_of(
    calls_of("yank", **EXPECTED, reason=texts),
    calls_of("unyank", **EXPECTED),
    calls_of("deprecate", **EXPECTED, message=texts),
    calls_of("quarantine", **EXPECTED, reason=texts),
    calls_of("release_quarantine", **EXPECTED),
    calls_of("delete_version", **EXPECTED),
    calls_of("restore_version", **EXPECTED),
    calls_of("restore_version", **VERSION),
    calls_of("delete_file", **EXPECTED, filename=filenames),
    calls_of("set_tag", **EXPECTED, tag=tags),
    calls_of("drop_tag", **PACKAGE, tag=tags, if_revision=revisions),
    calls_of("repair_latest", **PACKAGE),
)
# In which state a version is that such a call is made for; all others are for available ones.
FITS: dict[str, Callable[[Version], bool]] = {
    "yank": lambda version: version.status == "available",
    "unyank": lambda version: not version.listed,
    "release_quarantine": lambda version: version.status == "quarantined",
    "restore_version": lambda version: version.status == "pending_destruction",
}
administration = st.one_of(
    calls_of("alter_repository", repository=repositories, policy=policies, if_revision=revisions),
    calls_of("alter_repository", repository=repositories, policy=policies),
    calls_of("apply_retention", repository=repositories),
    calls_of("apply_retention", repository=repositories),
    calls_of("create_repository", repository=repositories, policy=policies),
    calls_of(
        "rename_repository", repository=repositories, new_name=mostly("other", "main", times=2)
    ),
    calls_of("drop_repository", repository=mostly("other", "main", times=4), force=st.booleans()),
    calls_of("reserve_name", **PACKAGE),
    calls_of("release_name", **PACKAGE),
)


SNAPSHOTS = ["s1", "s2", "s3"]
snapshots = st.sampled_from(SNAPSHOTS)
queries = st.lists(mostly("Name", "pkg", "pkg (>= 2.0)", "p.kg (<= 1.0)", times=2), min_size=1)
two_repositories = st.sampled_from([("main", "other"), ("other", "main")])
curating = st.one_of(
    calls_of("create_snapshot", snapshot=snapshots, repository=repositories),
    calls_of("create_snapshot", snapshot=snapshots, repository=st.sampled_from(["main", "other"])),
    calls_of(
        "create_snapshot",
        snapshot=snapshots,
        repository=repositories,
        items=st.lists(st.fixed_dictionaries({"name": names, "version": versions}), max_size=3),
    ),
    calls_of("create_snapshot", snapshot=snapshots),
    st.builds(
        lambda mode, **rest: call("merge_snapshots", **rest, **mode),
        mode=st.sampled_from([{}, {"latest": True}, {"no_remove": True}]),
        snapshot=snapshots,
        sources=st.lists(snapshots, min_size=1, max_size=3),
    ),
    calls_of(
        "pull_snapshot",
        snapshot=snapshots,
        target=snapshots,
        source=snapshots,
        queries=queries,
        no_remove=st.booleans(),
        all_matches=st.booleans(),
        dry_run=mostly(False, True, times=3),
    ),
    calls_of("filter_snapshot", snapshot=snapshots, source=snapshots, queries=queries),
    calls_of("rename_snapshot", snapshot=snapshots, new_name=snapshots),
    calls_of("drop_snapshot", snapshot=snapshots, force=st.booleans()),
)
MAKING = {"create_snapshot", "merge_snapshots", "pull_snapshot", "filter_snapshot"}
ALONE = {"create_snapshot", "move_versions", "remove_versions"}  # need no other snapshot


def between(function: str, where: tuple[str, str], **rest: Any) -> Call:
    return call(function, repository=where[0], from_repository=where[1], **rest)


TRANSFER = {"queries": queries, "replace": st.booleans(), "dry_run": mostly(False, True, times=5)}
transferring = st.one_of(
    calls_of("copy_versions", repository=repositories, from_snapshot=snapshots, **TRANSFER),
    st.builds(between, st.just("copy_versions"), two_repositories, **TRANSFER),
    st.builds(between, st.just("move_versions"), two_repositories, **TRANSFER),
    calls_of("remove_versions", repository=repositories, queries=queries),
)
sources = st.one_of(
    st.builds(lambda name: {"snapshot": name}, snapshots),
    st.builds(lambda name: {"snapshot": name}, snapshots),
    st.builds(lambda name: {"repository": name}, repositories),
)
components = st.dictionaries(st.sampled_from(["main", "extra"]), sources, min_size=1)
SERVED = {"prefix": st.just(""), "distribution": st.sampled_from(["stable", "testing"])}
serving = st.one_of(
    calls_of("create_distribution", **SERVED, ecosystem=st.just("pypi"), components=components),
    calls_of("switch_distribution", **SERVED, components=components, if_revision=revisions),
    calls_of(
        "switch_distribution",
        **SERVED,
        components=st.dictionaries(
            st.sampled_from(["main", "extra"]), st.one_of(sources, st.none())
        ),
        settings=st.sampled_from([None, {"label": "one"}]),
    ),
    calls_of("drop_distribution", **SERVED, if_revision=revisions),
)
# These read what they hold no lock on, such as what is quarantined in the repository that versions
# are copied from, or a repository that is there already. Their place among other transactions is
# the time of their call: they commit then.
AT_ONCE = {"copy_versions", "create_distribution", "switch_distribution", "create_repository"}


BACKENDS = ["disk", "cloud"]
beginning = st.one_of(
    st.builds(publish, **CONTENT).map(lambda asked: as_publication(asked)),
    st.builds(publish, **CONTENT, request_key=st.sampled_from(["k3", "k4"])).map(
        lambda asked: as_publication(asked)
    ),
    st.builds(publish, **CONTENT).map(lambda asked: as_publication(asked, "side")),
)
fences = mostly(0, 1, -1, times=5)  # beside the one that is good
steps = st.one_of(
    calls_of("renew_publication", fence=fences),
    calls_of("commit_publication", fence=fences, if_revision=revisions),
    calls_of("commit_publication", fence=fences),
    calls_of("abort_publication", fence=fences),
    calls_of("record_copy", fence=fences),
    calls_of("record_copy", fence=fences),
    calls_of(
        "record_validation",
        validator=mostly("scan", "lint", times=3),
        result=mostly("succeeded", "failed", "error", times=3),
        round=mostly(1, 2, times=3),
        quarantine=st.booleans(),
    ),
    calls_of("expire_publications"),
    calls_of(
        "set_repository_backend",
        repository=mostly("other", "main", times=2),
        backend=st.sampled_from(BACKENDS),
        requirement=mostly("required", "optional", "none", times=2),
    ),
)
maintenance = st.one_of(
    calls_of("promote_backends"),
    calls_of("claim_copies"),
    calls_of("collect_blobs", backend=st.sampled_from(BACKENDS)),
    calls_of("verify_copy", found=mostly(True, False, times=3)),
    calls_of("record_copy_failure", error=st.just("refused")),
    calls_of("confirm_blob_deleted"),
    calls_of("confirm_blob_deleted"),
    calls_of("seal_snapshots"),
)
# For which copies such a call makes sense.
STATES = {
    "verify_copy": ("pending", "present", "lost"),
    "record_copy_failure": ("pending", "deleting"),
    "confirm_blob_deleted": ("deleting",),
}
# These give bytes back that a purge may give back as well: it waits for them.
GIVING_BACK = {
    *("abort_publication", "expire_publications", "record_validation", "delete_version"),
    *("copy_versions", "move_versions", "remove_versions"),
}


def as_publication(published: Call, role: str = "main") -> Call:
    return call("begin_publication", **published.arguments, role=role)


def handle(copy: Copy) -> dict[str, Any]:
    return {"backend": copy.backend, "sha256": copy.sha256, "generation": copy.number}


def lasting(made: Call, outcome: Any) -> Any:
    """The answer less the copies that were missing: others, which nobody waits for, bring them."""
    if made.function == "begin_publication" or made.function.endswith("renew_publication"):
        return outcome[:3] + outcome[4:]
    return outcome


@dataclass
class Transaction:
    """What a session has done since its `begin`; `asked` is the call that is pending."""

    calls: list[tuple[Call, Any]] = field(default_factory=list)
    begun: list[int | None] = field(default_factory=list)  # publications, by the tables' ids
    asked: Call | None = None
    commits: bool = False  # as soon as the pending call has its answer
    circle: bool = False  # whether some transaction had made a call while this one was pending

    @property
    def open(self) -> bool:
        return bool(self.calls) or self.asked is not None


class Registry:
    """The database that examples run in, each in a namespace of its own."""

    def __init__(self, runner: asyncio.Runner, sessions: Sessions, clock: Clock) -> None:
        self.runner = runner
        self.sessions = sessions
        self.clock = clock
        self.numbers = count(1)
        self.counts = {"calls": 0, "waits": 0, "commits": 0, "rollbacks": 0, "deadlocks": 0}

    def __str__(self) -> str:
        return ", ".join(f"{number} {what}" for what, number in self.counts.items())


class CatalogMachine(RuleBasedStateMachine):
    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.registry = registry
        self.sessions = registry.sessions
        self.namespace = f"ns{next(registry.numbers)}"
        self.model = Model()  # what is committed
        self.publications: dict[int, int] = {}  # from the model's numbers to the tables' ids
        self.listings: dict[int, str] = {}  # by the ids of snapshots: when they were created
        self.transactions = [Transaction() for _ in range(SESSIONS)]
        self.sound = True

    # Rules. What a session cannot do now, another one does.

    def places(self, can: Callable[[Transaction], bool]) -> list[int]:
        return [place for place, each in enumerate(self.transactions) if can(each)]

    @initialize(
        policy=policies,
        shared=st.booleans(),
        stored=st.booleans(),
        frozen=mostly(True, False, times=3),
        blocked=st.booleans(),
        begun=st.booleans(),
    )
    def create(
        self,
        policy: dict[str, Any],
        shared: bool,
        stored: bool = False,
        frozen: bool = False,
        blocked: bool = False,
        begun: bool = False,
    ) -> None:
        """Both repositories, sharing their names or not, one of them perhaps with a backend.
        Perhaps snapshots of a version that is now gone or blocked; a publication on its way."""
        scope = {"name_scope": "namespace" if shared else "ecosystem", "validators": {}}
        self.do(self.ask(0, call("create_repository", repository="main", policy=policy | scope)))
        self.do(self.ask(0, call("create_repository", repository="other", policy=scope)))
        for backend in BACKENDS:
            self.do(self.ask(0, call("add_backend", backend=backend, url=f"file:///{backend}")))
        for version in ("2.0", "1.0"):
            content = {"name": "pkg", "version": version, "files": [file("a.whl", "x")]}
            self.do(self.ask(0, publish("main", **content)))
        if stored:
            self.do(self.commit(0))
            required = {"repository": "other", "backend": "disk"}
            self.do(self.ask(0, call("set_repository_backend", **required)))
        self.do(self.commit(0))
        if begun:
            content = {"name": "lib", "version": "3.0", "files": [file("a.whl", "x")]}
            begin = as_publication(publish("other", **content))
            self.do(self.ask(0, begin, commits=True))
        if frozen:  # before and after a version went
            first, second = (
                call("create_snapshot", snapshot=name, repository="main") for name in ("s1", "s2")
            )
            gone = {"repository": "main", "name": "pkg", "version": "1.0"}
            blocked = blocked or policy.get("immutable", False)
            removed = call("quarantine" if blocked else "delete_version", **gone)
            for asked in (first, removed, second):
                self.do(self.ask(0, asked, commits=True))

    @rule(choice=choices, asked=publishing, commits=st.booleans())
    def publish(self, choice: int, asked: Call, commits: bool) -> None:
        self.call(choice, asked, commits)

    @rule(choice=choices, asked=lifecycle, commits=st.booleans(), aim=st.integers(0, 99))
    def change(self, choice: int, asked: Call, commits: bool, aim: int) -> None:
        """Mostly of a version for which the call makes sense."""
        fits = FITS.get(asked.function, FITS["yank"])
        targets = [
            (r, v)
            for r in self.model.registrations
            for v in [*r.versions.values(), *r.ghosts]
            if fits(v)
        ]
        if targets and aim % 5:
            registration, version = targets[aim % len(targets)]
            target = {
                "repository": registration.repository.name,
                "name": registration.name,
                "version": version.spelling,
                "variant": version.variant,
                "filename": next(iter(version.files), "none"),
            }
            there = {key: target[key] for key in target if key in asked.arguments}
            asked = Call(asked.function, asked.arguments | there)
        self.call(choice, asked, commits)

    @rule(
        choice=choices,
        first=beginning,
        then=steps,
        kind=st.integers(0, 9),
        aim=st.integers(0, 99),
        commits=mostly(True, False, times=3),
    )
    def publish_in_steps(
        self, choice: int, first: Call, then: Call, kind: int, aim: int, commits: bool
    ) -> None:
        """Begin, begin what somebody has begun, or go on with it. One rule: Hypothesis leaves
        whole rules out of an example."""
        publications = self.model.publications
        near = publications[-1 - aim % min(len(publications), 3)] if publications else None
        if near is None or kind < 2:
            asked: Call | None = first
        elif kind < 4:
            asked = self.begun_again(first, near, whole=bool(aim % 2))
        elif kind < 7 and near.status == "open":
            asked = self.needed(near)
        else:
            asked = self.gone_on(then, near, aim)
        if asked is not None:
            self.call(choice, asked, commits)

    def begun_again(self, asked: Call, other: Publication, whole: bool) -> Call:
        """The same as somebody else, or other files of the same version."""
        again: dict[str, Any] = {
            "repository": other.registration.repository.name,
            "name": other.registration.name,
            "version": other.version.spelling,
            "variant": other.version.variant,
            "metadata": other.metadata,
        }
        if whole:
            _, role, content, _ = other.content
            again |= {"files": content, "role": role}
        return Call(asked.function, asked.arguments | again)

    def needed(self, held: Publication) -> Call:
        """What is next on the way to the commit."""
        fenced = {"publication": held.number, "fence": held.fence}
        digests = {each.sha256 for each in held.files.values()}
        for copy in self.model.copies:
            if copy.sha256 in digests and copy.state == "pending":
                return call("record_copy", **fenced, **handle(copy))
        if held.missing_validations():
            passed = {"validator": "scan", "result": "succeeded"}
            return call("record_validation", publication=held.number, **passed)
        return call("commit_publication", **fenced)

    def gone_on(self, asked: Call, held: Publication, aim: int) -> Call | None:
        """Any step of it, whether or not it fits."""
        arguments = dict(asked.arguments)
        if asked.function in ("expire_publications", "set_repository_backend"):
            return asked
        arguments["publication"] = held.number
        if "fence" in arguments:
            arguments["fence"] += held.fence
        if asked.function == "record_copy":
            if not self.model.copies:
                return None
            arguments |= handle(self.model.copies[aim % len(self.model.copies)])
        return Call(asked.function, arguments)

    @rule(asked=maintenance, aim=st.integers(0, 99))
    def maintain(self, asked: Call, aim: int) -> None:
        """What workers do. Beside open transactions it would pass over what those hold."""
        if any(each.open for each in self.transactions):
            return
        arguments = dict(asked.arguments)
        if asked.function in STATES:
            tried = asked.function != "verify_copy"
            fitting = [
                c
                for c in self.model.copies
                if c.state in STATES[asked.function] and c.attempts >= tried
            ]
            if not fitting:
                return
            copy = fitting[aim % len(fitting)]
            arguments |= handle(copy)
            if asked.function == "verify_copy":
                arguments["found_sha256"] = copy.sha256 if arguments.pop("found") else None
            else:
                arguments["attempt"] = copy.attempts + (aim % 11 == 0)
        self.do(self.by_itself(Call(asked.function, arguments)))

    @rule()
    def sequence(self) -> None:
        """Waits for nobody, and nobody waits for it."""
        self.do(self.by_itself(call("sequence_events")))

    @rule(minutes=mostly(60, 10, DAY, times=2))
    def wait(self, minutes: int) -> None:
        """Where a transaction were open, its calls would have been made at different times."""
        if not any(each.open for each in self.transactions):
            self.registry.clock.advance(minutes=minutes)
            self.model.advance(minutes)

    @rule(
        choice=choices,
        asked=st.one_of(curating, curating, transferring, serving),
        aim=st.integers(0, 99),
        commits=mostly(True, False, times=1),
    )
    def curate(self, choice: int, asked: Call, aim: int, commits: bool) -> None:
        """Mostly of snapshots that there are, under names that are free."""
        asked = self.aimed(asked, aim) if aim % 8 else asked
        self.call(choice, asked, commits)

    def aimed(self, asked: Call, aim: int) -> Call:
        there = [snapshot.name for snapshot in self.model.snapshots]
        free = [name for name in SNAPSHOTS if name not in there]
        arguments = dict(asked.arguments)

        def aimed_at(name: str) -> str:
            return there[(SNAPSHOTS.index(name) + aim) % len(there)] if there else name

        if asked.function not in ALONE and not there:
            repository = ("main", "other")[aim % 2]
            return call("create_snapshot", snapshot=free[0], repository=repository)
        if asked.function in MAKING:
            if not free:
                return call("drop_snapshot", snapshot=there[aim % len(there)], force=aim % 3 > 0)
            arguments["snapshot"] = free[aim % len(free)]
        elif "snapshot" in arguments:
            arguments["snapshot"] = aimed_at(arguments["snapshot"])
        for key in arguments.keys() & {"target", "source", "from_snapshot"}:
            arguments[key] = aimed_at(arguments[key])
        if "sources" in arguments:
            arguments["sources"] = [aimed_at(name) for name in arguments["sources"]]
        if "items" in arguments:
            arguments["items"] = [
                {"name": r.name, "version": v.spelling, "variant": v.variant}
                for r in self.model.registrations
                if r.repository.name == arguments["repository"] and r.repository.live
                for v in r.published()
                if (v.number + aim) % 2
            ]
        if "distribution" in arguments and self.model.distributions:
            served = self.model.distributions[aim % len(self.model.distributions)]
            arguments["distribution"] = served.name
        for component, source in arguments.get("components", {}).items():
            if source is not None and "snapshot" in source:
                aimed = {component: {"snapshot": aimed_at(source["snapshot"])}}
                arguments["components"] = arguments["components"] | aimed
        return Call(asked.function, arguments)

    @rule(choice=choices, asked=administration, commits=st.booleans())
    def administer(self, choice: int, asked: Call, commits: bool) -> None:
        self.call(choice, asked, commits)

    def call(self, choice: int, asked: Call, commits: bool) -> None:
        idle = self.places(lambda each: each.asked is None)
        if idle:
            commits = commits or asked.function in AT_ONCE
            self.do(self.ask(idle[choice % len(idle)], asked, commits))

    @rule(choice=choices, committed=mostly(True, False, times=2))
    def end_transaction(self, choice: int, committed: bool) -> None:
        ready = self.places(lambda each: each.open and each.asked is None)
        if ready:
            place = ready[choice % len(ready)]
            self.do(self.commit(place) if committed else self.end(place, committed))

    @rule(repository=mostly(None, "main", "other", times=1))
    def purge(self, repository: str | None) -> None:
        """A transaction of its own, that waits only for who gives back bytes."""
        functions = {made.function for each in self.transactions for made, _ in each.calls}
        if functions.isdisjoint(GIVING_BACK):
            self.do(self.purge_now(repository))

    def teardown(self) -> None:
        """Everyone commits; where something has failed already, everything is taken back."""
        while self.sound and any(each.open for each in self.transactions):
            self.do(self.commit(self.places(lambda each: each.open and each.asked is None)[0]))
        self.registry.runner.run(self.sessions.reset())

    # What the rules are made of.

    def do(self, steps: Coroutine[Any, Any, None]) -> None:
        async def until_all_is_still() -> None:
            await steps
            await self.take_answers()

        try:
            self.registry.runner.run(until_all_is_still())
        except BaseException:
            self.sound = False
            raise

    async def ask(self, place: int, asked: Call, commits: bool = False) -> None:
        transaction, session = self.transactions[place], self.sessions[place]
        if not transaction.open:
            await session.begin()
        transaction.asked, transaction.commits = asked, commits
        transaction.circle = any(each.calls for each in self.transactions)
        session.start(self.namespace, asked, await self.ids(asked))
        self.registry.counts["calls"] += 1
        await self.sessions.settle()
        self.registry.counts["waits"] += session.waiting

    async def take_answers(self) -> None:
        """One by one, errors first: who fails lets go of its locks, and then others get answers.
        Then who has to commit at once, before another one that has its answer does."""

        def urgency(place: int) -> tuple[bool, bool]:
            asked = self.transactions[place].asked
            return self.sessions[place].failed, asked is not None and asked.function in AT_ONCE

        while places := [p for p, session in enumerate(self.sessions) if session.answered]:
            await self.take_answer(max(places, key=urgency))

    async def take_answer(self, place: int) -> None:
        transaction = self.transactions[place]
        asked, outcome = transaction.asked, self.sessions[place].take()
        rows = self.sessions[place].rows
        assert asked is not None
        transaction.asked = None
        if outcome == DEADLOCK:
            self.registry.counts["deadlocks"] += 1
            assert transaction.circle, "of transactions of one call each"
        elif outcome != LOCK_TIMEOUT:
            expected = self.replayed(transaction).outcome(asked)
            assert outcome == expected, f"{asked} answers {outcome}, not {expected}"
        if isinstance(outcome, str):
            await self.end(place, committed=False)
            return
        transaction.calls.append((asked, outcome))
        for other in self.transactions:
            other.circle = True
        begun = asked.function == "begin_publication" and outcome[0] == "begun"
        transaction.begun += [rows[0].publication_id] if begun else []
        if transaction.commits:
            await self.commit(place)

    def replayed(self, transaction: Transaction) -> Model:
        """The model as that transaction sees it."""
        model = self.model.copy()
        model.begin()
        for made, outcome in transaction.calls:
            again = model.outcome(made)
            assert lasting(made, again) == lasting(made, outcome), (
                f"{made} answered {outcome}, and now would answer {again}"
            )
        return model

    async def commit(self, place: int) -> None:
        self.model = self.replayed(self.transactions[place])
        new = [p.number for p in self.model.publications if p.number not in self.publications]
        self.publications |= zip(new, self.transactions[place].begun, strict=True)
        await self.end(place, committed=True)

    async def end(self, place: int, committed: bool) -> None:
        self.registry.counts["commits" if committed else "rollbacks"] += 1
        self.transactions[place] = Transaction()
        if committed:
            await self.sessions[place].commit()
            await self.compare()
        else:
            await self.sessions[place].rollback()
        await self.sessions.settle()

    async def purge_now(self, repository: str | None) -> None:
        held = {each for t in self.transactions for each in self.replayed(t).held}
        asked = call("purge", repository=repository)
        passing_over = call("purge", repository=repository, locked=frozenset(held))
        self.model.begin()
        expected = self.model.outcome(passing_over)
        outcome = await self.sessions.observe(self.namespace, asked)
        assert outcome == expected, f"{asked} answers {outcome}, not {expected}"
        await self.compare()

    async def by_itself(self, asked: Call) -> None:
        """A call in a transaction of its own."""
        ids = await self.ids(asked)
        self.model.begin()
        expected = self.model.outcome(asked)
        outcome = await self.sessions.observe(self.namespace, asked, ids)
        assert outcome == expected, f"{asked} answers {outcome}, not {expected}"
        await self.compare()

    async def ids(self, asked: Call) -> Ids:
        """What the tables call the publication and the copy that the call names."""
        backend, sha256 = asked.arguments.get("backend"), asked.arguments.get("sha256")
        if backend is None:
            return Ids(self.publications)
        found = await self.sessions.generations(self.namespace, backend, sha256)
        generations = dict(zip(self.model.generations(backend, sha256), found, strict=True))
        installation = await self.sessions.installation(self.namespace, backend)
        return Ids(self.publications, generations if sha256 else {}, {backend: installation})

    async def compare(self) -> None:
        """What is committed is what the model holds, and pkgdb finds no fault with it."""
        assert self.model.unstored() == []
        state, expected = await self.sessions.read_state(self.namespace), self.model.state()
        for relation, rows in expected.items():
            assert state[relation] == rows, relation
        await self.compare_snapshots()
        assert await self.sessions.violations(self.namespace) == []

    async def compare_snapshots(self) -> None:
        """Each is what it was when it was created, and they differ as the model says."""
        listings = await self.sessions.listings(self.namespace)
        self.listings = listings | self.listings
        assert listings == {number: self.listings[number] for number in listings}
        digests = sorted(listing.split()[0] for listing in listings.values())
        assert digests == sorted(snapshot.digest() for snapshot in self.model.snapshots)
        if len(listings) > 1:
            differences = await self.sessions.differences(self.namespace)
            assert differences == self.model.differences()
