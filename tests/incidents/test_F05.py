"""crates.io, RubyGems: whoever changes a package enqueues a job that writes its index entry, unless
one is under way; but that one has read the package before the change was committed, and the entry
stays old. Right: events come after their commit, a projection acknowledges only what it has read,
and reads the package after the event: then it may run twice, late or beside itself."""

from dataclasses import dataclass

from tests.incidents.support import Package, World, call

DEMO = Package("generic", "demo")
INDEX = "create table public.entry (name text primary key, latest text, revision bigint)"
UPSERT = """
    insert into public.entry values (%(name)s, %(latest)s, %(revision)s)
    on conflict (name) do update set latest = excluded.latest, revision = excluded.revision
"""
UNLESS_NEWER = "where excluded.revision > entry.revision"


@dataclass
class Job:
    """A job that writes index entries, in the steps between which something may happen."""

    world: World
    write: str = f"{UPSERT} {UNLESS_NEWER}"

    def read_events(self) -> None:
        self.world.given(call("sequence_events", "acme"))
        self.events = self.world.db.execute(
            "select position, name from pkgdb.read_events('acme', p_consumer => 'index')"
        ).fetchall()

    def read_packages(self) -> None:
        self.packages = self.world.db.execute(
            "select name, latest, revision from pkgdb.registrations where name = any (%s)",
            [[name for _, name in self.events]],
        ).fetchall()

    def write_entries(self) -> None:
        for name, latest, revision in self.packages:
            values = {"name": name, "latest": latest, "revision": revision}
            self.world.db.execute(self.write, values)

    def acknowledge(self, position: int | None = None) -> None:
        if self.events:
            upto = position or self.events[-1][0]
            self.world.given(call("acknowledge_events", "acme", "index", upto))

    def whole(self) -> None:
        self.read_events()
        self.read_packages()
        self.write_entries()
        self.acknowledge()


def entry(world: World) -> str:
    row = world.db.execute("select latest from public.entry where name = 'demo'").fetchone()
    assert row is not None
    return row[0]


def prepare(world: World) -> None:
    world.repository()
    world.db.execute(INDEX)
    world.given(call("register_consumer", "acme", "index"))
    world.given(DEMO("publish", "1.0"))


def changed_under_way(world: World, acknowledge_all: bool = False) -> str:
    """The entry in the end. A version is published after the job has read the package; the enqueuer
    sees that a job is under way, and asks for no other."""
    prepare(world)
    job = Job(world)
    job.read_events()
    job.read_packages()
    world.given(DEMO("publish", "2.0"))
    job.write_entries()
    if acknowledge_all:
        world.given(call("sequence_events", "acme"))
        (head,) = world.db.execute("select head from pkgdb.feed_positions").fetchone() or (0,)
        job.acknowledge(head)
    else:
        job.acknowledge()
    Job(world).whole()
    return entry(world)


def test_holds(world: World) -> None:
    assert changed_under_way(world) == "2.0"


def test_fails_where_a_job_under_way_counts_for_what_comes(world: World) -> None:
    assert changed_under_way(world, acknowledge_all=True) == "1.0"


def committed_after_the_events_were_read(world: World) -> str:
    """The change is there before its event: the entry is ahead, and then written again."""
    prepare(world)
    job = Job(world)
    job.read_events()
    world.given(DEMO("publish", "2.0"))
    job.read_packages()
    job.write_entries()
    assert entry(world) == "2.0"
    job.acknowledge()
    Job(world).whole()
    return entry(world)


def test_an_entry_may_be_ahead_of_its_event(world: World) -> None:
    assert committed_after_the_events_were_read(world) == "2.0"


def test_a_job_may_run_twice(world: World) -> None:
    """It was killed before it acknowledged."""
    prepare(world)
    first = Job(world)
    first.read_events()
    first.read_packages()
    first.write_entries()
    again = Job(world)
    again.whole()
    assert (again.events, again.packages) == (first.events, first.packages)
    assert entry(world) == "1.0"


def overtaken(world: World, write: str) -> str:
    """The entry in the end. A job that was started later ends earlier."""
    prepare(world)
    slow, fast = Job(world, write), Job(world, write)
    slow.read_events()
    slow.read_packages()
    world.given(DEMO("publish", "2.0"))
    fast.whole()
    slow.write_entries()
    slow.acknowledge()
    Job(world, write).whole()
    return entry(world)


def test_a_job_may_be_overtaken(world: World) -> None:
    assert overtaken(world, f"{UPSERT} {UNLESS_NEWER}") == "2.0"


def test_fails_without_looking_at_the_revision(world: World) -> None:
    assert overtaken(world, UPSERT) == "1.0"
