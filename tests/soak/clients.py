"""A registry in steady use: as much goes as comes, and now and then somebody dies."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg

from pkgdb import migrate
from tests.behaviour.calls import Calls
from tests.crashes.clients import ECOSYSTEM, NAMESPACE, Client, Load

MAIN, STORED, TEAM, MIRROR = REPOSITORIES = ("main", "stored", "team", "mirror")
DISK, SPARE = "disk", "spare"
NAMES, VERSIONS = 5, 6  # of each publisher, in each repository
SNAPSHOTS, DISTRIBUTIONS = 6, 2
LEASE = "2 days"
KEPT = "1 day"  # what was deleted, and what every consumer has read
FULL = 1000  # blobs, the most that the collector takes at once

# Time is work: five minutes pass whenever somebody reads the clock.
TIME = "timestamptz '2030-01-01 00:00Z' + {} * interval '5 minutes'"
NOW = TIME.format("(select t.last_value from public.tick t)")  # without reading it
DAYS = f"select extract(epoch from {NOW} - {TIME.format(0)}) / 86400"  # since the beginning
MONTH = "select setval('public.tick', nextval('public.tick') + 30 * 24 * 12)"

# What somebody may be told who is not alone, or who did not look before.
REFUSALS = {"RG404", "RG409", "RG410", "RG412", "RG422", "RG423"}

Kinds = Mapping[Callable[[Calls], None], int]


def prepare(dsn: str) -> None:
    """The schema, its clock, and repositories of which one is kept on two stores."""
    migrate.upgrade(dsn)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(f"""
            create sequence public.tick;
            grant usage on sequence public.tick to public;
            create or replace function pkgdb.clock() returns timestamptz language sql volatile
            return {TIME.format("pg_catalog.nextval('public.tick')")}""")
        calls = Calls(db, (NAMESPACE,))
        policy = {"reuse": "always"}
        for repository in (MAIN, TEAM):
            calls.create_repository(repository, policy=policy)
        calls.create_repository(STORED, policy=policy | {"validators": {"scan": "advisory"}})
        calls.create_repository(MIRROR, kind="mirror")
        for backend, requirement in ((DISK, "required"), (SPARE, "optional")):
            calls.add_backend(backend, f"file:///nowhere/{backend}")
            for repository in (STORED, MIRROR):
                calls.set_repository_backend(repository, backend, requirement)
        calls.register_consumer("reader")
        founders = [Publisher(Load(0), number) for number in range(2)]
        items = [founder.item() for founder in founders for _ in range(50)]
        calls.rows("publish_many", MAIN, items, strict=False)
        db.execute("analyze")  # after a first load, as the documentation says


@dataclass(frozen=True, kw_only=True)
class Counted(Calls):
    """Calls of a client that counts those that were answered."""

    client: "Soaker"

    def rows(self, function: str, /, *args: object, **named: object) -> list[Any]:
        found = super().rows(function, *args, **named)
        self.client.calls += 1
        return found


class Soaker(Client):
    """Does this and that, in a random order; begins with each a few times, so that all that its
    backend will ever cache is there."""

    repeats = 6  # more than the calls after which a plan is kept
    mortal = False  # whether its backend may be terminated

    def __post_init__(self) -> None:
        super().__post_init__()
        self.calls = 0
        self.pid: int | None = None
        self.numbers = count(1)
        self.rehearsal = list(self.kinds()) * self.repeats

    def kinds(self) -> Kinds:
        raise NotImplementedError

    def run(self, server: Any) -> None:
        while self.failure is None and not self.load.stopping.is_set():
            super().run(server)

    def step(self, calls: Calls) -> None:
        self.pid = calls.connection.info.backend_pid
        kinds = self.kinds()
        (kind,) = self.random.choices(list(kinds), list(kinds.values()))
        if self.rehearsal:
            kind = self.rehearsal.pop()
        try:
            kind(Counted(calls.connection, (NAMESPACE,), client=self))
        except psycopg.Error as error:
            if error.sqlstate not in REFUSALS:
                raise


class Publisher(Soaker):
    """Brings and takes away versions, of packages of its own and of some that all share."""

    def kinds(self) -> Kinds:
        return {
            self.publish: 30,
            self.publish_many: 2,
            self.upload: 6,
            self.upload_side_file: 2,
            self.abort: 1,
            self.abandon: 4,
            self.add_files: 4,
            self.repeat: 4,
            self.decorate: 10,
            self.quarantine: 3,
            self.delete: 20,
            self.delete_file: 2,
            self.restore: 3,
            self.roll_back: 2,
            self.look: 5,
        }

    def version(self) -> tuple[str, str, str]:
        owner = self.random.choice(["shared", f"own-{self.number}"])
        name = f"{owner}-{self.random.randrange(NAMES)}"
        return ECOSYSTEM, name, f"1.{self.random.randrange(VERSIONS)}"

    def files(self, name: str, version: str, suffix: str = "tar") -> list[dict[str, Any]]:
        """Hardly ever twice the same."""
        data = f"{name} {version} {self.random.randrange(10_000)}".encode()
        digest = hashlib.sha256(data).hexdigest()
        return [{"filename": f"{name}-{version}.{suffix}", "sha256": digest, "size": len(data)}]

    def item(self) -> dict[str, Any]:
        ecosystem, name, version = self.version()
        needed = {"name": f"shared-{self.random.randrange(NAMES)}", "constraints": [[">=", "1.0"]]}
        return {
            "ecosystem": ecosystem,
            "name": name,
            "version": version,
            "files": self.files(name, version),
            "metadata": {"summary": name * 10},
            "dependencies": [{"kind": "depends", "alternatives": [needed]}],
        }

    def key(self) -> str:
        return f"{self.number} {next(self.numbers)}"

    def publish(self, calls: Calls) -> None:
        calls.publish(MAIN, **self.item(), request_key=self.key())

    def publish_many(self, calls: Calls) -> None:
        items = {(item["name"], item["version"]): item for item in (self.item() for _ in range(10))}
        calls.rows("publish_many", MAIN, list(items.values()), strict=False)

    def begin(self, calls: Calls, item: dict[str, Any], **rest: Any) -> Any:
        return calls.begin_publication(STORED, **item, lease=LEASE, request_key=self.key(), **rest)

    def finish(self, calls: Calls, begun: Any) -> None:
        for copy in begun.copies:
            if copy["requirement"] == "required" or self.random.random() < 0.5:
                calls.record_copy(
                    begun.publication_id,
                    begun.fence,
                    copy["backend"],
                    copy["sha256"],
                    copy["generation"],
                )
        calls.renew_publication(begun.publication_id, begun.fence, lease=LEASE)
        calls.record_validation(begun.publication_id, "scan", "succeeded")
        calls.commit_publication(begun.publication_id, begun.fence)

    def upload(self, calls: Calls) -> None:
        self.finish(calls, self.begin(calls, self.item()))

    def upload_side_file(self, calls: Calls) -> None:
        ecosystem, name, version = self.version()
        item = {"ecosystem": ecosystem, "name": name, "version": version}
        files = self.files(name, version, f"sig-{self.random.randrange(3)}")
        self.finish(calls, self.begin(calls, item | {"files": files}, role="side"))

    def abort(self, calls: Calls) -> None:
        begun = self.begin(calls, self.item())
        calls.abort_publication(begun.publication_id, begun.fence)

    def abandon(self, calls: Calls) -> None:
        self.begin(calls, self.item())

    def add_files(self, calls: Calls) -> None:
        _, name, version = where = self.version()
        files = self.files(name, version, f"sig-{self.random.randrange(3)}")
        calls.add_files(MAIN, *where, files=files)

    def repeat(self, calls: Calls) -> None:
        """A call whose answer is remembered."""
        item, key = self.item(), self.key()
        first = calls.publish(MAIN, **item, request_key=key)
        assert calls.publish(MAIN, **item, request_key=key) == first

    def decorate(self, calls: Calls) -> None:
        where = self.version()
        tag = f"tag-{self.random.randrange(3)}"
        what = self.random.choice(("yank", "unyank", "deprecate", "set_tag", "drop_tag"))
        if what == "drop_tag":
            calls.drop_tag(MAIN, *where[:2], tag)
        else:
            rest = {"deprecate": {"message": "old"}, "set_tag": {"tag": tag}}.get(what, {})
            getattr(calls, what)(MAIN, *where, **rest)

    def quarantine(self, calls: Calls) -> None:
        where = self.version()
        calls.quarantine(MAIN, *where)
        calls.release_quarantine(MAIN, *where)

    def delete(self, calls: Calls) -> None:
        repository = self.random.choices((MAIN, STORED), (5, 1))[0]
        calls.delete_version(repository, *self.version())

    def delete_file(self, calls: Calls) -> None:
        _, name, version = where = self.version()
        suffix = f"sig-{self.random.randrange(3)}"
        calls.delete_file(MAIN, *where, filename=f"{name}-{version}.{suffix}")

    def restore(self, calls: Calls) -> None:
        calls.restore_version(MAIN, *self.version())

    def roll_back(self, calls: Calls) -> None:
        item = self.item()
        with calls.connection.transaction(force_rollback=True):
            calls.publish(MAIN, **item)
            calls.delete_version(MAIN, ECOSYSTEM, item["name"], item["version"])

    def look(self, calls: Calls) -> None:
        where = self.version()
        calls.rows("versions", MAIN, *where[:2])
        calls.resolve(MAIN, *where[:2], "latest")


class Mortal(Publisher):
    """One whose backend is terminated now and then, wherever it is."""

    mortal = True


class Curator(Soaker):
    """Freezes, merges and serves; makes repositories, and drops them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.snapshots: list[str] = []
        self.scratch: list[str] = []

    def kinds(self) -> Kinds:
        return {
            self.freeze: 4,
            self.merge: 2,
            self.pull: 2,
            self.filter: 2,
            self.rename: 1,
            self.drop: 3,
            self.compare: 2,
            self.serve: 4,
            self.stop_serving: 1,
            self.copy: 3,
            self.move: 2,
            self.remove: 3,
            self.create_repository: 1,
            self.fill_repository: 3,
            self.drop_repository: 1,
            self.alter_repository: 2,
            self.tidy: 1,
        }

    def new(self, calls: Calls, function: str, *args: object, **named: object) -> None:
        """A snapshot; the oldest go."""
        while len(self.snapshots) >= SNAPSHOTS:
            self.drop(calls)
        name = f"s-{next(self.numbers)}"
        calls.rows(function, name, *args, **named)
        self.snapshots.append(name)

    def any(self) -> str:
        return self.random.choice(self.snapshots or ["none"])

    def query(self) -> str:
        return f"shared-{self.random.randrange(NAMES)} | own-0-{self.random.randrange(NAMES)}"

    def freeze(self, calls: Calls) -> None:
        self.new(calls, "create_snapshot", self.random.choice(REPOSITORIES))

    def merge(self, calls: Calls) -> None:
        self.new(calls, "merge_snapshots", (self.any(), self.any()))

    def pull(self, calls: Calls) -> None:
        self.new(calls, "pull_snapshot", self.any(), self.any(), (self.query(),))

    def filter(self, calls: Calls) -> None:
        self.new(calls, "filter_snapshot", self.any(), (self.query(),), follow=True)

    def rename(self, calls: Calls) -> None:
        old, new = self.any(), f"s-{next(self.numbers)}"
        calls.rename_snapshot(old, new)
        self.snapshots[self.snapshots.index(old)] = new

    def drop(self, calls: Calls) -> None:
        """The oldest, whoever serves it."""
        if not self.snapshots:
            return
        name = self.snapshots[0]
        for number in range(DISTRIBUTIONS):
            if calls.ask(SERVES, NAMESPACE, f"d-{number}", name):
                calls.switch_distribution("", f"d-{number}", {"main": {"repository": MAIN}})
        calls.drop_snapshot(name, force=True)
        self.snapshots.remove(name)

    def compare(self, calls: Calls) -> None:
        one, other = self.any(), self.any()
        calls.rows("diff_snapshots", one, other)
        calls.rows("verify_snapshot", one)
        calls.snapshot_digest(other)
        calls.rows("search_versions", query=self.query(), snapshot=one)

    def serve(self, calls: Calls) -> None:
        name = f"d-{self.random.randrange(DISTRIBUTIONS)}"
        components = {"main": {"snapshot": self.any()}}
        if calls.ask(DISTRIBUTED, NAMESPACE, name):
            calls.switch_distribution("", name, components)
        else:
            calls.create_distribution("", name, ECOSYSTEM, components)
        calls.rows("distribution_content", "", name)

    def stop_serving(self, calls: Calls) -> None:
        calls.drop_distribution("", f"d-{self.random.randrange(DISTRIBUTIONS)}")

    def copy(self, calls: Calls) -> None:
        calls.copy_versions(TEAM, (self.query(),), from_repository=MAIN, replace=True)

    def move(self, calls: Calls) -> None:
        calls.move_versions(TEAM, MAIN, (self.query(),), replace=True)

    def remove(self, calls: Calls) -> None:
        calls.remove_versions(TEAM, (self.query(),))

    def create_repository(self, calls: Calls) -> None:
        if len(self.scratch) > 2:
            self.drop_repository(calls)
        name = f"scratch-{next(self.numbers)}"
        calls.create_repository(name, policy={"keep_versions": 3})
        self.scratch.append(name)

    def fill_repository(self, calls: Calls) -> None:
        """With versions that come once, of which retention keeps some."""
        if not self.scratch:
            return
        items = [
            {"ecosystem": ECOSYSTEM, "name": "nightly", "version": f"0.{next(self.numbers)}"}
            for _ in range(5)
        ]
        repository = self.random.choice(self.scratch)
        calls.rows("publish_many", repository, items)
        calls.reserve_name(repository, ECOSYSTEM, "reserved")

    def drop_repository(self, calls: Calls) -> None:
        if self.scratch:
            calls.drop_repository(self.scratch.pop(0), force=True)

    def alter_repository(self, calls: Calls) -> None:
        calls.alter_repository(TEAM, {"lookalike_guard": self.random.random() < 0.5})
        for repository in self.scratch[-1:]:
            renamed = f"scratch-{next(self.numbers)}"
            calls.rename_repository(repository, renamed)
            self.scratch[-1] = renamed

    def tidy(self, calls: Calls) -> None:
        """What is there to be repaired, and is whole."""
        for registration in calls.ask(REGISTRATIONS, NAMESPACE):
            calls.repair_latest(*registration)
        assert calls.rows("check_integrity") == []


SERVES = """
    select from pkgdb.distribution_components
     where namespace = %s and distribution = %s and snapshot = %s"""
DISTRIBUTED = "select from pkgdb.distributions where namespace = %s and distribution = %s"
REGISTRATIONS = """
    select repository, ecosystem, name from pkgdb.registrations
     where namespace = %s order by registration_id desc limit 3"""


class Mirror(Soaker):
    """Follows an upstream that changes all the time."""

    def kinds(self) -> Kinds:
        return {self.follow: 6, self.give_up: 1, self.leave: 1, self.filter: 1}

    def begin(self, calls: Calls) -> Any:
        number = next(self.numbers)
        begun = calls.begin_mirror_update(
            MIRROR, f"release-{number}", lease=LEASE, request_key=str(number)
        )
        if begun.fence is None:
            return None
        for _ in range(2):
            items = {(each["name"], each["version"]): each for each in map(self.item, range(8))}
            calls.stage_mirror_items(begun.update_id, begun.fence, list(items.values()), LEASE)
        for copy in calls.rows("missing_mirror_copies", begun.update_id, begun.fence):
            if copy.requirement == "required":
                calls.record_mirror_copy(
                    begun.update_id, begun.fence, copy.backend, copy.sha256, copy.generation
                )
        return begun

    def item(self, number: int) -> dict[str, Any]:
        name, version = f"m-{number}", f"2.{self.random.randrange(10)}"
        data = f"{name} {version} {int(self.random.random() < 0.2)}".encode()
        digest = hashlib.sha256(data).hexdigest()
        file = {"filename": f"{name}.tar", "sha256": digest, "size": len(data)}
        return {"ecosystem": ECOSYSTEM, "name": name, "version": version, "files": [file]}

    def follow(self, calls: Calls) -> None:
        if begun := self.begin(calls):
            calls.commit_mirror_update(begun.update_id, begun.fence)

    def give_up(self, calls: Calls) -> None:
        if begun := self.begin(calls):
            calls.abort_mirror_update(begun.update_id, begun.fence)

    def leave(self, calls: Calls) -> None:
        self.begin(calls)

    def filter(self, calls: Calls) -> None:
        upstream = {"filter": f"Name (~ m-[0-{self.random.randrange(5, 9)}])"}
        calls.alter_repository(MIRROR, {"upstream": upstream})


class Reader(Soaker):
    """Reads the feed, and looks things up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.position = 0

    def kinds(self) -> Kinds:
        return {self.read: 6, self.visit: 1, self.look: 3}

    def read(self, calls: Calls) -> None:
        page = calls.rows("read_events", consumer="reader")
        for event in page:
            self.position += 1
            assert event.position == self.position
        if page:
            calls.acknowledge_events("reader", self.position)

    def visit(self, calls: Calls) -> None:
        """Another consumer, that does not stay."""
        calls.register_consumer("visitor", self.position)
        calls.rows("read_events", consumer="visitor", limit=10)
        calls.drop_consumer("visitor")

    def look(self, calls: Calls) -> None:
        for view in ("registrations", "files", "tags", "lock_waits", "dead_letters"):
            calls.ask(f"select count(*) from pkgdb.{view}")
            self.calls += 1


class Janitor(Soaker):
    """What a worker does, task after task."""

    def kinds(self) -> Kinds:
        return {self.work: 1}

    def work(self, calls: Calls) -> None:
        self.round(calls)

    def round(self, calls: Calls) -> int:
        """Each task once: how much that was."""
        (expired,) = calls.expire_publications()
        (sequenced,) = calls.sequence_events()
        (promoted,) = calls.promote_backends()
        (sealed,) = calls.seal_snapshots()
        (pruned,) = calls.prune_events(KEPT)
        done = expired + sequenced + promoted + sealed + pruned
        for repository in calls.ask(RETAINING, NAMESPACE):
            (removed,) = calls.apply_retention(*repository)
            done += removed
        for outdated in calls.ask(OUTDATED, NAMESPACE):
            calls.upgrade_scheme(*outdated)
            done += 1
        return int(done + self.purge(calls) + self.collect(calls) + self.copy(calls))

    def purge(self, calls: Calls) -> int:
        report = calls.purge(older_than=KEPT)
        return int(sum(report) - report.pinned)

    def collect(self, calls: Calls) -> int:
        """Objects that nobody has ever written."""
        done = len(calls.rows("collect_blobs", limit=FULL))
        for backend in calls.ask(STORES, NAMESPACE):
            for task in calls.rows("collect_blobs", *backend, lease=LEASE):
                calls.confirm_blob_deleted(task.backend, task.sha256, task.generation, task.attempt)
                done += 1
        return done

    def copy(self, calls: Calls) -> int:
        """What is to be on the other store as well. Some attempts fail, and are made again."""
        tasks = calls.rows("claim_copies", lease=LEASE)
        for task in tasks:
            where = (task.backend, task.sha256, task.generation)
            if self.random.random() < 0.1 and not self.load.stopping.is_set():
                calls.record_copy_failure(*where, task.attempt, "refused")
            else:
                calls.verify_copy(*where, task.sha256)
        return len(tasks)


RETAINING = """
    select repository from pkgdb.repositories
     where namespace = %s and policy ->> 'keep_versions' is not null"""
OUTDATED = "select registration_id from pkgdb.outdated_registrations where namespace = %s"
STORES = "select backend, installation_id from pkgdb.backends where namespace = %s"
