"""claim_copies and verify_copy: copies that have to be made, and what was found where one is."""

from datetime import timedelta

import pytest

from tests.behaviour.calls import Calls, file
from tests.publications.clock import Clock
from tests.publications.ledger import digest
from tests.support import backend_pid, wait_until_blocked

WRONG = digest("wrong")


@pytest.fixture
def filling(demo, ledger):
    """A version on `disk`, and `cold`, which lacks it."""
    ledger.backend("disk", "required")
    ledger.publish(demo, "1.0", file("a", "a"))
    ledger.backend("cold", "required")
    return demo


def state(api, backend="disk"):
    rows = api.ask(
        "select c.state from pkgdb.blob_copy c join pkgdb.backend b using (namespace, backend_id)"
        " where b.name = %s order by c.generation",
        backend,
    )
    return [row.state for row in rows]


def test_a_task_has_all_that_a_worker_needs(api, filling, ledger):
    (task,) = ledger.claim()
    source = ledger.present("disk")
    assert (task.backend, task.url, task.size, task.attempt) == ("cold", "file:///cold", 1, 1)
    assert (task.source_url, task.source_key) == ("file:///disk", source.object_key)
    assert (task.sha256, task.generation > source.generation) == (digest("a"), True)
    assert task.object_key == f"acme/{task.sha256[:2]}/{task.sha256}.{task.generation}"
    assert ledger.verify(task, task.sha256) == (
        "cold", task.sha256, task.generation, "present", "present",
    )  # fmt: skip
    assert ledger.present("cold").object_key == task.object_key


def test_each_is_handed_out_once_for_its_lease(filling, ledger, clock):
    assert len(ledger.claim(lease=timedelta(minutes=1))) == 1
    assert ledger.claim() == []
    clock.advance(seconds=59)
    assert ledger.claim() == []
    clock.advance(seconds=2)
    (task,) = ledger.claim()
    assert task.attempt == 2


def test_several_workers_share_the_work(api, demo, disk, ledger, connect, clock):
    ledger.publish(demo, "1.0", *(file(name, name) for name in "abcde"))
    ledger.backend("cold", "required")
    assert len(ledger.claim()) == 5
    clock.advance(minutes=6)  # none of them was done
    sessions = [connect(autocommit=False) for _ in range(3)]
    given = [api.on(session).rows("claim_copies", 2) for session in sessions]
    assert [len(tasks) for tasks in given] == [2, 2, 1]
    assert len({task.sha256 for tasks in given for task in tasks}) == 5
    assert ledger.claim() == []
    sessions[0].rollback()
    assert len(ledger.claim()) == 2
    for session in sessions[1:]:
        session.commit()


def test_so_many_at_once(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", *(file(name, name) for name in "abcde"))
    ledger.backend("cold", "required")
    assert [len(ledger.claim(limit=2)) for _ in range(4)] == [2, 2, 1, 0]


def test_what_waits_to_be_deleted_takes_no_place(api, repo, demo, disk, ledger):
    """Of those that a worker asks for."""
    repo.alter_repository({"reuse": "always"})
    ledger.publish(demo, "1.0", file("a", "a"))
    demo.delete_version("1.0")
    api.purge()
    assert len(api.rows("collect_blobs")) == 1
    ledger.publish(demo, "2.0", file("b", "b"))
    ledger.backend("cold", "required")
    assert len(ledger.claim(limit=1)) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"limit": None}, {"limit": 0}, {"limit": 1001}, {"lease": None}, {"lease": timedelta(0)},
        {"lease": timedelta(days=8)},
    ],
)  # fmt: skip
def test_malformed_arguments(api, filling, ledger, given):
    with api.refused("RG400"):
        ledger.claim(**given)
    with api.refused("RG400"):
        Calls(api.connection).rows("claim_copies", None)


def test_another_namespace_has_other_work(api, filling):
    assert Calls(api.connection, ("elsewhere",)).rows("claim_copies") == []


def test_what_is_only_being_published_is_its_publishers(demo, disk, ledger):
    ledger.backend("cold", "required")
    publication = demo.begin_publication("1.0", files=[file("a")])
    ledger.record(publication, "disk")
    assert ledger.claim() == []


def test_a_worker_makes_what_a_publisher_of_the_same_bytes_waits_for(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a", "a"))
    ledger.backend("cold", "required")
    publication = demo.begin_publication("2.0", files=[file("b", "a")])
    assert [copy["backend"] for copy in publication.copies] == ["cold"]
    assert ledger.make() == 1
    assert ledger.record(publication) == ["unchanged"]
    assert ledger.commit(publication).outcome == "created"


def test_without_a_source_there_is_no_task(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a", "a"))
    ledger.verify(ledger.present(), None)
    assert ledger.claim() == []
    (letter,) = api.ask("select * from pkgdb.dead_letters")
    assert (letter.backend, letter.sha256, letter.task) == ("disk", digest("a"), "copy")
    again = demo.begin_publication("2.0", files=[file("b", "a")])
    ledger.record(again)
    assert api.ask("select * from pkgdb.dead_letters") == []


def test_what_is_only_being_published_is_no_loss(api, demo, disk, ledger):
    publication = demo.begin_publication("1.0", files=[file("a", "a")])
    assert letters(api) == []
    ledger.record(publication)
    ledger.commit(publication)
    ledger.verify(ledger.present(), None)
    assert letters(api) == ["disk"]


def test_only_what_a_repository_of_that_backend_has_is_copied(api, demo, disk, ledger, clock):
    """A copy was announced for what was then not published; another repository has the bytes."""
    ledger.publish(demo, "0.9", file("old", "shared"))
    demo.delete_version("0.9")
    publication = demo.begin_publication("1.0", files=[file("new", "a")])
    api.create_repository("other")
    ledger.backend("elsewhere")
    api.set_repository_backend("other", "elsewhere")
    other = api.at("other", "pypi", "demo")
    ledger.publish(other, "1.0", file("a", "a"))
    ledger.abort(publication)
    assert sorted(ledger.copies()) == [
        ("disk", "pending"), ("disk", "present"), ("elsewhere", "present"),
    ]  # fmt: skip
    assert ledger.claim() == []
    ledger.verify(ledger.present("elsewhere"), None)
    assert letters(api) == ["elsewhere"]
    api.set_repository_backend("other", "disk")
    assert sorted(letters(api)) == ["disk", "elsewhere"]
    ledger.record(other.begin_publication("2.0", files=[file("b", "a")]), "elsewhere")
    clock.advance(minutes=6)  # until when it was put off
    assert [task.backend for task in ledger.claim()] == ["disk"]


def letters(api):
    return [row.backend for row in api.ask("select backend from pkgdb.dead_letters")]


def test_what_was_verified_last_is_the_source(api, filling, ledger):
    ledger.make()
    ledger.backend("third", "required")
    ledger.verify(ledger.present("cold"), digest("a"))
    (task,) = ledger.claim()
    assert task.source_url == "file:///cold"


def test_a_retired_backend_is_no_source(api, repo, filling, ledger):
    ledger.make()
    repo.set_repository_backend("disk", "none")
    api.retire_backend("disk")
    ledger.backend("third", "required")
    (task,) = ledger.claim()
    assert task.source_url == "file:///cold"


def test_a_backend_that_went_gets_nothing(api, repo, filling, ledger):
    (task,) = ledger.claim()
    repo.set_repository_backend("cold", "none")
    api.retire_backend("cold")
    with api.refused("RG404"):
        ledger.verify(task, task.sha256)
    assert ledger.claim() == []


# The worker looks first, and the world changes before it writes.


@pytest.fixture
def paused(api, db):
    """Whoever inserts a copy waits for us, after all that it has read."""
    db.execute("""
        create function public.pause() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(42); return new; end $$;
        create trigger pause before insert on pkgdb.blob_copy
            for each row execute function public.pause();
        select pg_advisory_lock(42)""")
    yield lambda: db.execute("select pg_advisory_unlock(42)")
    db.execute("""
        select pg_advisory_unlock_all();
        drop trigger pause on pkgdb.blob_copy;
        drop function public.pause()""")


def test_bytes_that_go_while_a_copy_is_announced(api, filling, ledger, connect, background, paused):
    """The collector passes over what the worker holds, and takes it when it comes again."""
    filling.delete_version("1.0")
    worker, purger = connect(), connect()
    claimed = background.submit(api.on(worker).rows, "claim_copies")
    wait_until_blocked(api.connection, backend_pid(worker))
    assert api.on(purger).purge().versions == 1
    assert api.on(purger).rows("collect_blobs", "disk", ledger.installations["disk"]) == []
    paused()
    claimed.result()
    assert api.rows("check_integrity") == []
    assert len(ledger.collect()) == 1
    assert state(api, "cold") == ["deleting"]


def test_a_backend_that_is_given_up_while_a_copy_is_announced(
    api, repo, filling, ledger, connect, background, paused
):
    worker, giving = connect(), connect()
    claimed = background.submit(api.on(worker).rows, "claim_copies")
    wait_until_blocked(api.connection, backend_pid(worker))
    given_up = background.submit(repo.on(giving).set_repository_backend, "cold", "none")
    wait_until_blocked(api.connection, backend_pid(giving))
    paused()
    assert len(claimed.result()) == 1
    assert given_up.result().outcome == "altered"
    assert api.retire_backend("cold").outcome == "retired"
    assert state(api, "cold") == ["deleting"]


# What was found, in every state


@pytest.fixture
def copy(api, demo, disk, ledger):
    """A way into each state of a copy on `disk`; returns the copy."""

    def make(wanted):
        publication = demo.begin_publication("1.0", files=[file("a", "a")])
        (announced,) = publication.copies
        if wanted != "pending":
            ledger.record(publication)
            ledger.commit(publication)
        found = api.ask(
            "select 'disk' as backend, encode(sha256, 'hex') as sha256, generation"
            "  from pkgdb.blob_copy where generation = %s",
            announced["generation"],
        )[0]
        if wanted == "lost":
            ledger.verify(found, None)
        if wanted == "deleting":
            demo.delete_version("1.0")
            api.purge()
            ledger.collect()
        assert state(api)[0] == wanted
        return found

    return make


@pytest.mark.parametrize("wanted", ["pending", "present", "lost", "deleting"])
def test_bytes_are_read_where_they_are_present(api, ledger, copy, wanted):
    it = copy(wanted)
    seen = api.rows("locate_blob", it.sha256)
    shown = api.ask("select * from pkgdb.blob_copies")
    there = [("disk", it.generation)] if wanted == "present" else []
    assert [(each.backend, each.generation) for each in seen] == there
    assert [(each.backend, each.generation) for each in shown] == there


@pytest.mark.parametrize(
    ("before", "found", "outcome", "after"),
    [
        ("pending", "right", "present", ["present"]),
        ("pending", "wrong", "lost", ["deleting", "pending"]),
        ("pending", None, "unchanged", ["pending"]),
        ("present", "right", "unchanged", ["present"]),
        ("present", "wrong", "lost", ["lost", "pending"]),
        ("present", None, "lost", ["lost", "pending"]),
        ("lost", "right", "present", ["present", "deleting"]),
        ("lost", "wrong", "unchanged", ["lost", "pending"]),
        ("lost", None, "unchanged", ["lost", "pending"]),
        ("deleting", "right", "unchanged", ["deleting"]),
        ("deleting", "wrong", "unchanged", ["deleting"]),
        ("deleting", None, "unchanged", ["deleting"]),
    ],
)
def test_every_state(api, ledger, copy, before, found, outcome, after):
    it = copy(before)
    done = ledger.verify(it, {"right": digest("a"), "wrong": WRONG, None: None}[found])
    assert (done.outcome, done.state, done.generation) == (outcome, after[0], it.generation)
    assert state(api) == after
    again = ledger.verify(it, {"right": digest("a"), "wrong": WRONG, None: None}[found])
    assert (again.outcome, again.state) == ("unchanged", after[0])
    assert state(api) == after


def test_verifying_counts_as_looked_at(api, ledger, copy, clock):
    it = copy("present")
    before = ledger.present().verified_at
    clock.advance(days=1)
    ledger.verify(it, digest("a").upper())
    assert ledger.present().verified_at > before


def test_a_copy_is_lost_and_made_again(api, filling, ledger, clock):
    ledger.make()
    lost = ledger.present("disk")
    ledger.verify(lost, WRONG)
    assert api.ask("select * from pkgdb.blob_copies where backend = 'disk'") == []
    assert ledger.collect() == []  # what is wrong is not deleted before it has been replaced
    (task,) = ledger.claim()
    assert (task.backend, task.source_url) == ("disk", "file:///cold")
    assert ledger.verify(task, digest("a")).outcome == "present"
    assert ledger.present("disk").generation == task.generation
    ledger.long_ago()
    (gone,) = ledger.collect()
    assert gone.generation == lost.generation
    assert ledger.confirm(gone).outcome == "deleted"
    assert state(api, "disk") == ["present"]


def test_a_lost_copy_is_found_again(api, filling, ledger, clock):
    """A disk that had not been mounted; a worker was at it already."""
    ledger.make()
    lost = ledger.present("disk")
    ledger.verify(lost, None)
    (task,) = ledger.claim()
    assert ledger.verify(lost, digest("a")).outcome == "present"
    assert ledger.present("disk").generation == lost.generation
    late = ledger.verify(task, digest("a"))
    assert (late.state, late.outcome) == ("deleting", "unchanged")
    (gone,) = ledger.collect()
    assert gone.generation == task.generation


def test_a_lost_copy_that_was_replaced_stays_lost(api, filling, ledger):
    ledger.make()
    lost = ledger.present("disk")
    ledger.verify(lost, None)
    ledger.make()
    late = ledger.verify(lost, digest("a"))
    assert late.outcome == "unchanged"
    assert state(api, "disk") == ["deleting", "present"]


def test_lost_twice(api, filling, ledger, clock):
    ledger.make()
    first = ledger.present("disk")
    ledger.verify(first, None)
    ledger.make()
    second = ledger.present("disk")
    ledger.verify(second, None)
    assert state(api, "disk") == ["deleting", "lost", "pending"]
    assert ledger.verify(first, digest("a")).outcome == "unchanged"
    assert ledger.verify(second, digest("a")).outcome == "present"
    assert state(api, "disk") == ["deleting", "present", "deleting"]


def test_lost_twice_before_it_is_made_again(api, demo, disk, ledger):
    """Found again, lost again: in each state one object at most is the live one."""
    ledger.publish(demo, "1.0", file("a", "a"))
    first = ledger.present()
    for _ in range(3):
        ledger.verify(first, None)
        ledger.verify(first, digest("a"))
    assert ledger.present().generation == first.generation
    assert state(api) == ["present", "deleting", "deleting", "deleting"]


def test_what_a_worker_brought_wrong(api, filling, ledger, clock):
    (task,) = ledger.claim()
    assert ledger.verify(task, WRONG) == (
        "cold", task.sha256, task.generation, "deleting", "lost",
    )  # fmt: skip
    (again,) = ledger.claim()
    assert again.generation > task.generation
    assert ledger.verify(again, again.sha256).outcome == "present"


def test_each_object_of_the_same_bytes_has_work_of_its_own(filling, ledger):
    (task,) = ledger.claim()
    ledger.verify(task, WRONG)
    (again,) = ledger.claim()
    assert ledger.fail(again).state == "pending"
    (wrong,) = ledger.collect("cold")
    assert wrong.generation == task.generation
    assert ledger.verify(again, again.sha256).outcome == "present"
    assert ledger.collect("cold") == []  # a collector is at it


@pytest.mark.parametrize(
    ("given", "sqlstate"),
    [
        ({"backend": "absent"}, "RG404"), ({"backend": "other"}, "RG404"),
        ({"sha256": WRONG}, "RG404"), ({"generation": -1}, "RG404"),
        ({"sha256": None}, "RG400"), ({"sha256": "a" * 65}, "RG400"),
        ({"found_sha256": ""}, "RG400"), ({"found_sha256": "no digest"}, "RG400"),
        ({"backend": None}, "RG400"), ({"backend": ""}, "RG400"),
    ],
)  # fmt: skip
def test_what_is_not_verified(api, ledger, copy, given, sqlstate):
    it = copy("present")
    ledger.backend("other")
    arguments = {
        "backend": "disk", "sha256": it.sha256, "generation": it.generation,
        "found_sha256": it.sha256,
    }  # fmt: skip
    with api.refused(sqlstate):
        api.verify_copy(**arguments | given)


def test_two_verify_at_once(api, ledger, copy, connect, background):
    it = copy("present")
    first, second = connect(autocommit=False), connect()
    arguments = ("disk", it.sha256, it.generation, None)
    assert api.on(first).verify_copy(*arguments).outcome == "lost"
    other = background.submit(api.on(second).verify_copy, *arguments)
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert other.result().outcome == "unchanged"
    assert state(api) == ["lost", "pending"]


def test_the_collector_passes_over_what_is_being_verified(
    api, ledger, copy, connect, background, paused
):
    it = copy("present")
    api.delete_version("main", "pypi", "demo", "1.0")
    api.purge()
    verifying, collecting = connect(), connect()
    verified = background.submit(
        api.on(verifying).verify_copy, "disk", it.sha256, it.generation, None
    )
    wait_until_blocked(api.connection, backend_pid(verifying))
    assert api.on(collecting).rows("collect_blobs") == []
    paused()
    assert verified.result().outcome == "lost"
    assert len(ledger.collect()) == 2
    assert state(api) == ["deleting", "deleting"]


@pytest.fixture
def waiting_clock(db, clock):
    """Makes whoever reads the clock, under the locks, wait for us."""

    def stop():
        db.execute("""
            create or replace function pkgdb.clock() returns timestamptz language plpgsql as $$
            begin
                perform pg_catalog.pg_advisory_xact_lock_shared(42);
                return (select c.now from public.clock c);
            end $$;
            select pg_advisory_lock(42)""")
        return lambda: db.execute("select pg_advisory_unlock(42)")

    yield stop
    Clock(db)


@pytest.mark.parametrize("second", ["verify_copy", "record_copy"])
def test_two_generations_at_once(
    api, demo, filling, ledger, connect, background, waiting_clock, second
):
    """The lost one is found again while its successor arrives: one of them is the live one."""
    ledger.make()
    lost = ledger.present("disk")
    ledger.verify(lost, None)
    publication = demo.begin_publication("2.0", files=[file("b", "a")])
    (successor,) = publication.copies
    found = ("disk", lost.sha256, lost.generation, lost.sha256)
    arrived = {
        "verify_copy": ("disk", lost.sha256, successor["generation"], lost.sha256),
        "record_copy": (
            publication.publication_id, publication.fence, "disk", lost.sha256,
            successor["generation"],
        ),
    }[second]  # fmt: skip
    one, other = connect(), connect()
    go_on = waiting_clock()
    first = background.submit(api.on(one).verify_copy, *found)
    wait_until_blocked(api.connection, backend_pid(one))
    late = background.submit(getattr(api.on(other), second), *arrived)
    wait_until_blocked(api.connection, backend_pid(other))
    go_on()
    assert first.result().state == "present"
    if second == "verify_copy":
        assert late.result().outcome == "unchanged"
    else:
        assert getattr(late.exception(), "sqlstate", None) == "RG412"
    assert state(api, "disk") == ["present", "deleting"]
    ledger.abort(publication)


def test_who_announces_waits_for_who_verifies(api, demo, ledger, copy, connect, background):
    it = copy("present")
    first, second = connect(autocommit=False), connect()
    api.on(first).verify_copy("disk", it.sha256, it.generation, None)
    begun = background.submit(demo.on(second).begin_publication, "2.0", files=[file("b", "a")])
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    (announced,) = begun.result().copies
    assert announced["generation"] > it.generation
    assert state(api) == ["lost", "pending"]
