"""collect_blobs, confirm_blob_deleted, record_copy_failure, dead_letters: what nothing needs any
longer is deleted, in two steps."""

from datetime import timedelta

import pytest

from tests.behaviour.calls import Calls, file, take_snapshot
from tests.publications.ledger import digest
from tests.support import backend_pid, wait_until_blocked


@pytest.fixture
def unneeded(api, repo, demo, disk, ledger):
    """Makes blobs that nothing needs; each is on `disk`."""
    repo.alter_repository({"reuse": "always"})

    def make(*names):
        for name in names:
            ledger.publish(demo, name, file(f"{name}.whl", name))
            demo.delete_version(name)
        ledger.long_ago()
        assert api.purge().versions == len(names)

    return make


def blobs(api):
    return {row.sha256 for row in api.ask("select encode(sha256, 'hex') as sha256 from pkgdb.blob")}


def test_a_task_has_all_that_a_collector_needs(api, unneeded, ledger):
    unneeded("1")
    key = ledger.present().object_key
    (task,) = ledger.collect()
    assert (task.backend, task.url, task.object_key) == ("disk", "file:///disk", key)
    assert (task.sha256, task.size, task.attempt) == (digest("1"), 1, 1)
    assert (task.source_url, task.source_key) == (None, None)
    assert ledger.confirm(task) == ("disk", task.sha256, task.generation, None, "deleted")
    assert blobs(api) == set()


def test_what_a_row_needs_stays(api, demo, unneeded, ledger):
    ledger.publish(demo, "0.1", file("old.whl", "shared"))
    ledger.publish(demo, "0.2", file("new.whl", "shared"))
    demo.delete_version("0.1")
    api.purge()
    assert ledger.collect() == []
    assert blobs(api) == {digest("shared")}
    demo.delete_version("0.2")
    assert ledger.collect() == []  # it can be restored
    api.purge()
    assert len(ledger.collect()) == 1


def test_what_a_snapshot_contains_stays(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    take_snapshot(api)
    demo.delete_version("1.0")
    assert api.purge().pinned == 1
    assert ledger.collect() == []


def test_what_is_being_published_stays(api, demo, unneeded, ledger):
    unneeded("1")
    publication = demo.begin_publication("2.0", files=[file("other.whl", "1")])
    assert publication.copies == []
    assert ledger.collect() == []
    assert ledger.commit(publication).outcome == "created"


def test_what_another_repository_needs_stays(api, repo, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    api.create_repository("other")
    api.at("other", "generic", "x").publish("1", files=[file("a", "a")])
    repo.drop_repository()
    api.purge()
    assert ledger.collect() == []
    assert blobs(api) == {digest("a")}


def test_what_another_namespace_needs_is_another_blob(api, unneeded, ledger):
    elsewhere = Calls(api.connection, ("elsewhere",))
    elsewhere.create_repository("main")
    elsewhere.at("main", "generic", "x").publish("1", files=[file("a", "1")])
    unneeded("1")
    assert len(ledger.collect()) == 1
    assert elsewhere.rows("collect_blobs") == []


def test_bytes_on_no_backend_are_forgotten_at_once(api, repo):
    repo.alter_repository({"reuse": "always"})
    repo.publish("pypi", "demo", "1.0", files=[file("a", "a")])
    repo.delete_version("pypi", "demo", "1.0")
    api.purge()
    assert blobs(api) == {digest("a")}
    assert [task.sha256 for task in api.rows("collect_blobs")] == [digest("a")]
    assert blobs(api) == set()
    assert api.rows("collect_blobs") == []


def test_without_a_backend_there_is_nothing_to_delete(api, unneeded, ledger):
    """It says which blobs it took, so that the caller knows whether there may be more."""
    unneeded(*"123")
    taken = [api.rows("collect_blobs", limit=2) for _ in range(3)]
    assert [len(tasks) for tasks in taken] == [2, 1, 0]
    tasks = [task for some in taken for task in some]
    assert {task.sha256 for task in tasks} == {digest(name) for name in "123"}
    assert {(*task[:3], *task[4:]) for task in tasks} == {(None,) * 8}
    assert ledger.copies() == [("disk", "deleting")] * 3
    assert len(ledger.collect()) == 3


def test_the_last_copy_of_what_a_file_needs_is_never_handed_out(api, db, demo, disk, ledger):
    """Whatever made it a thing to delete."""
    ledger.backend("cold", "required")
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    db.execute("update pkgdb.blob_copy set state = 'deleting', next_attempt_at = '-infinity'")
    assert ledger.collect("disk") == ledger.collect("cold") == []
    db.execute(
        "update pkgdb.blob_copy set state = 'present', next_attempt_at = null"
        " where generation = (select max(generation) from pkgdb.blob_copy)"
    )
    kept = api.ask("select backend from pkgdb.blob_copies")[0].backend
    assert ledger.collect(kept) == []
    assert len(ledger.collect("cold" if kept == "disk" else "disk")) == 1
    db.execute("update pkgdb.blob_copy set state = 'present', next_attempt_at = null")


def test_each_backend_has_its_own_work(api, unneeded, ledger):
    ledger.backend("cold", "optional")
    unneeded("1")
    (cold,) = ledger.collect("cold")
    assert cold.backend == "cold"
    (disk,) = ledger.collect("disk")
    assert disk.backend == "disk"


def test_the_last_backend_takes_the_blob_with_it(api, unneeded, ledger):
    ledger.backend("cold", "required")
    unneeded("1")
    assert ledger.confirm(ledger.collect("cold")[0]).outcome == "deleted"
    assert blobs(api) == {digest("1")}
    assert ledger.confirm(ledger.collect("disk")[0]).outcome == "deleted"
    assert blobs(api) == set()


def test_only_what_has_been_unneeded_for_so_long(api, unneeded, ledger, clock):
    unneeded("1")
    clock.advance(hours=1)
    unneeded("2")
    grace = timedelta(minutes=30)
    (task,) = ledger.collect(grace=grace)
    assert task.sha256 == digest("1")
    assert ledger.collect(grace=grace) == []
    clock.advance(hours=1)
    assert digest("2") in {task.sha256 for task in ledger.collect(grace=grace)}


def test_so_many_at_once_oldest_first(api, unneeded, ledger, clock):
    for name in "12345":
        unneeded(name)
        clock.advance(minutes=1)
    given = [[task.sha256 for task in ledger.collect(limit=2)] for _ in range(4)]
    assert set(given[0]) == {digest("1"), digest("2")}
    assert [len(each) for each in given] == [2, 2, 1, 0]


@pytest.mark.parametrize("taken", [False, True])
def test_several_collectors_share_the_work(api, unneeded, ledger, connect, taken):
    unneeded(*"12345")
    if taken:
        assert len(api.rows("collect_blobs")) == 5
    sessions = [connect(autocommit=False) for _ in range(3)]
    given = [
        api.on(s).rows("collect_blobs", "disk", ledger.installations["disk"], 2) for s in sessions
    ]
    assert [len(tasks) for tasks in given] == [2, 2, 1]
    assert len({task.sha256 for tasks in given for task in tasks}) == 5
    assert ledger.collect() == []
    sessions[0].rollback()
    assert len(ledger.collect()) == 2
    for session in sessions[1:]:
        session.commit()


def test_what_is_not_confirmed_comes_again(unneeded, ledger, clock):
    unneeded("1")
    (first,) = ledger.collect(lease=timedelta(minutes=1))
    assert ledger.collect() == []
    clock.advance(minutes=2)
    (second,) = ledger.collect()
    assert second == first._replace(attempt=2)


@pytest.mark.parametrize(
    "given",
    [
        {"limit": None}, {"limit": 0}, {"limit": 1001}, {"grace": None},
        {"grace": timedelta(seconds=-1)}, {"lease": None}, {"lease": timedelta(0)},
        {"lease": timedelta(days=8)},
    ],
)  # fmt: skip
def test_malformed_arguments(api, unneeded, ledger, given):
    unneeded("1")
    with api.refused("RG400"):
        ledger.collect(**given)
    with api.refused("RG400"):
        Calls(api.connection).rows("collect_blobs", None)


def test_a_backend_that_does_not_exist(api, disk):
    for backend in ("absent", "x" * 255):
        with api.refused("RG404"):
            api.rows("collect_blobs", backend, None)


# Confirming, in every state


def test_a_confirmation_is_repeated(api, unneeded, ledger):
    unneeded("1")
    (task,) = ledger.collect()
    assert ledger.confirm(task).outcome == "deleted"
    with api.changes_nothing():
        again = ledger.confirm(task)
    assert again == ("disk", task.sha256, task.generation, None, "unchanged")


def test_an_older_attempt_confirms_nothing(api, unneeded, ledger, clock):
    unneeded("1")
    (first,) = ledger.collect()
    clock.advance(minutes=6)
    (second,) = ledger.collect()
    for attempt in (1, 3):
        with api.refused("RG412"):
            ledger.confirm(first._replace(attempt=attempt))
    assert ledger.confirm(second).outcome == "deleted"


@pytest.mark.parametrize("state", ["pending", "present", "lost"])
def test_what_is_not_to_be_deleted(api, demo, disk, ledger, state):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    ledger.backend("cold", "required")
    (task,) = ledger.claim()
    if state != "pending":
        ledger.verify(task, task.sha256)
    if state == "lost":
        ledger.verify(task, None)
    with api.refused("RG422"):
        ledger.confirm(task)


def test_what_nobody_was_told_to_do(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    copy = ledger.present()
    with api.refused("RG412"):
        api.confirm_blob_deleted("disk", copy.sha256, copy.generation, 1)


@pytest.fixture
def never_there(api, demo, disk, ledger):
    """An object that was announced, and that nobody has recorded."""
    publication = demo.begin_publication("1.0", files=[file("a.whl", "a")])
    ledger.abort(publication)
    (task,) = ledger.collect()
    return task


def test_what_was_never_there_is_deleted_once_more_a_day_later(api, never_there, ledger, clock):
    assert ledger.confirm(never_there) == (
        "disk", never_there.sha256, never_there.generation, "deleting", "postponed",
    )  # fmt: skip
    clock.advance(hours=23)
    assert ledger.collect() == []
    clock.advance(hours=2)
    (again,) = ledger.collect()
    assert again == never_there._replace(attempt=2)
    assert ledger.confirm(again).outcome == "deleted"
    assert blobs(api) == set()


def test_confirming_it_again_does_not_shorten_the_day(api, never_there, ledger, clock):
    ledger.confirm(never_there)
    for _ in range(2):
        clock.advance(hours=5)
        with api.changes_nothing():
            assert ledger.confirm(never_there).outcome == "postponed"
        assert ledger.collect() == []
    clock.advance(hours=15)
    (again,) = ledger.collect()
    with api.refused("RG412"):
        ledger.confirm(never_there)
    assert ledger.confirm(again).outcome == "deleted"


def test_what_was_there_for_less_than_a_day_is_deleted_twice_as_well(
    api, demo, disk, ledger, clock
):
    """Another publisher had been given the same object to upload, and may still be at it."""
    publication = demo.begin_publication("1.0", files=[file("a.whl", "a")])
    clock.advance(hours=10)
    ledger.record(publication)
    ledger.abort(publication)
    clock.advance(hours=20)
    (task,) = ledger.collect()
    assert ledger.confirm(task).outcome == "postponed"
    clock.advance(hours=25)
    (task,) = ledger.collect()
    assert ledger.confirm(task).outcome == "deleted"
    assert blobs(api) == set()


def test_a_collector_that_died_before_the_first_confirmation(never_there, ledger, clock):
    clock.advance(minutes=6)
    (again,) = ledger.collect()
    assert ledger.confirm(again).outcome == "postponed"
    clock.advance(days=2)
    (last,) = ledger.collect()
    assert ledger.confirm(last).outcome == "deleted"


def test_meanwhile_the_bytes_come_again(api, demo, never_there, ledger, clock):
    """As another generation, which the second deletion does not touch."""
    ledger.confirm(never_there)
    publication = demo.begin_publication("2.0", files=[file("b.whl", "a")])
    (copy,) = publication.copies
    assert copy["generation"] > never_there.generation
    ledger.record(publication)
    ledger.commit(publication)
    clock.advance(days=2)
    (again,) = ledger.collect()
    assert again.generation == never_there.generation
    assert ledger.confirm(again).outcome == "deleted"
    assert ledger.copies() == [("disk", "present")]


def test_meanwhile_the_bytes_come_and_go_again(api, repo, demo, never_there, ledger, clock):
    """The second deletion of the first object still comes no sooner than after a day."""
    repo.alter_repository({"reuse": "always"})
    ledger.confirm(never_there)
    ledger.publish(demo, "2.0", file("b.whl", "a"))
    demo.delete_version("2.0")
    clock.advance(hours=12)
    api.purge()
    assert never_there.generation not in {task.generation for task in ledger.collect()}
    clock.advance(hours=13)
    assert never_there.generation in {task.generation for task in ledger.collect()}


@pytest.mark.parametrize(
    ("given", "sqlstate"),
    [
        ({"sha256": None}, "RG400"), ({"sha256": "x"}, "RG400"), ({"backend": None}, "RG400"),
        ({"backend": ""}, "RG400"), ({"generation": None}, "RG400"), ({"attempt": None}, "RG400"),
        ({"attempt": 0}, "RG400"),
    ],
)  # fmt: skip
def test_malformed_answers(api, unneeded, ledger, given, sqlstate):
    unneeded("1")
    (task,) = ledger.collect()
    arguments = {
        "backend": "disk", "sha256": task.sha256, "generation": task.generation,
        "attempt": task.attempt,
    } | given  # fmt: skip
    with api.refused(sqlstate):
        api.confirm_blob_deleted(**arguments)
    with api.refused(sqlstate):
        api.record_copy_failure(**arguments, error="timed out")


@pytest.mark.parametrize("given", [{"backend": "absent"}, {"sha256": digest()}, {"generation": -1}])
def test_answers_about_nothing(api, unneeded, ledger, given):
    """It may be gone: then there is nothing to do."""
    unneeded("1")
    (task,) = ledger.collect()
    arguments = {
        "backend": "disk", "sha256": task.sha256, "generation": task.generation,
        "attempt": task.attempt,
    } | given  # fmt: skip
    with api.changes_nothing():
        assert api.confirm_blob_deleted(**arguments).outcome == "unchanged"
        assert api.record_copy_failure(**arguments, error="no").outcome == "unchanged"


# Failing


def waiting(api):
    """How many seconds until the work is due."""
    (row,) = api.ask(
        "select extract(epoch from next_attempt_at - pkgdb.clock())::numeric as seconds,"
        " last_error from pkgdb.blob_copy where attempts > 0"
    )
    return round(row.seconds), row.last_error


def test_what_fails_waits_twice_as_long_each_time(api, unneeded, ledger, clock):
    unneeded("1")
    waits = []
    for attempt in range(1, 18):
        (task,) = ledger.collect()
        assert task.attempt == attempt
        done = ledger.fail(task, f"failure {attempt}")
        assert (done.state, done.outcome) == ("deleting", "recorded")
        seconds, error = waiting(api)
        assert error == f"failure {attempt}"
        waits.append(seconds)
        clock.advance(seconds=seconds - 1)
        assert ledger.collect() == []
        clock.advance(seconds=2)
    assert waits == [min(10 * 2**n, 86400) for n in range(17)]
    (task,) = ledger.collect()
    assert ledger.confirm(task).outcome == "deleted"


def test_a_failure_without_a_reason(api, unneeded, ledger):
    unneeded("1")
    (task,) = ledger.collect()
    assert ledger.fail(task, None).outcome == "recorded"
    with api.refused("RG400"):
        ledger.fail(task, "x" * 65537)


def test_a_failure_of_an_older_attempt(api, unneeded, ledger, clock):
    unneeded("1")
    (task,) = ledger.collect()
    clock.advance(minutes=6)
    ledger.collect()
    with api.refused("RG412"):
        ledger.fail(task)


def test_a_failure_of_what_is_done(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    ledger.backend("cold", "required")
    (task,) = ledger.claim()
    ledger.verify(task, task.sha256)
    with api.changes_nothing():
        done = ledger.fail(task)
    assert (done.state, done.outcome) == ("present", "unchanged")


def test_a_failure_of_a_copy(api, demo, disk, ledger, clock):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    ledger.backend("cold", "required")
    (task,) = ledger.claim()
    done = ledger.fail(task, "no space left")
    assert (done.backend, done.state, done.outcome) == ("cold", "pending", "recorded")
    assert ledger.claim() == []
    clock.advance(seconds=11)
    (again,) = ledger.claim()
    ledger.verify(again, again.sha256)
    assert api.ask("select last_error from pkgdb.blob_copy") == [(None,)] * 2


@pytest.mark.parametrize("task", ["copy", "delete"])
def test_dead_letters(api, demo, disk, ledger, clock, task):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    if task == "copy":
        ledger.backend("cold", "required")
    else:
        demo.delete_version("1.0")
        ledger.long_ago()
        api.purge()
    for attempt in range(1, 6):
        assert api.ask("select * from pkgdb.dead_letters") == []
        (given,) = ledger.claim() if task == "copy" else ledger.collect()
        ledger.fail(given, f"failure {attempt}")
        clock.advance(hours=1)
    (letter,) = api.ask("select * from pkgdb.dead_letters")
    assert (letter.namespace, letter.backend, letter.task) == (
        "acme", "cold" if task == "copy" else "disk", task,
    )  # fmt: skip
    assert (letter.sha256, letter.generation) == (given.sha256, given.generation)
    assert (letter.attempts, letter.last_error) == (5, "failure 5")
    (given,) = ledger.claim() if task == "copy" else ledger.collect()
    ledger.verify(given, given.sha256) if task == "copy" else ledger.confirm(given)
    assert api.ask("select * from pkgdb.dead_letters") == []


# At the same time


def test_a_confirmation_waits_for_who_adopts(api, demo, unneeded, ledger, connect, background):
    unneeded("1")
    (task,) = ledger.collect()
    adopting, confirming = connect(autocommit=False), connect()
    publication = demo.on(adopting).begin_publication("2.0", files=[file("b.whl", "1")])
    confirmed = background.submit(
        api.on(confirming).confirm_blob_deleted,
        "disk", task.sha256, task.generation, task.attempt,
    )  # fmt: skip
    wait_until_blocked(api.connection, backend_pid(confirming))
    adopting.commit()
    assert confirmed.result().outcome == "deleted"
    assert blobs(api) == {digest("1")}  # the publication needs it
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"


def test_who_adopts_waits_for_a_confirmation(api, demo, unneeded, ledger, connect, background):
    unneeded("1")
    (task,) = ledger.collect()
    confirming, adopting = connect(autocommit=False), connect()
    api.on(confirming).confirm_blob_deleted("disk", task.sha256, task.generation, task.attempt)
    begun = background.submit(
        demo.on(adopting).begin_publication, "2.0", files=[file("b.whl", "1")]
    )
    wait_until_blocked(api.connection, backend_pid(adopting))
    confirming.commit()
    publication = begun.result()
    assert len(publication.copies) == 1
    assert blobs(api) == {digest("1")}
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"


@pytest.mark.parametrize("answer", ["confirm_blob_deleted", "record_copy_failure"])
def test_a_late_answer_waits_for_who_hands_the_work_out_again(
    api, unneeded, ledger, clock, connect, background, answer
):
    reason = ["timed out"] if answer == "record_copy_failure" else []
    unneeded("1")
    (task,) = ledger.collect()
    clock.advance(minutes=6)
    collecting, answering = connect(autocommit=False), connect()
    api.on(collecting).rows("collect_blobs", "disk", ledger.installations["disk"])
    late = background.submit(
        getattr(api.on(answering), answer),
        "disk", task.sha256, task.generation, task.attempt, *reason,
    )  # fmt: skip
    wait_until_blocked(api.connection, backend_pid(answering))
    collecting.commit()
    assert getattr(late.exception(), "sqlstate", None) == "RG412"
    assert ledger.confirm(task._replace(attempt=2)).outcome == "deleted"


def test_the_collector_waits_for_who_forgets_the_last_copy(
    api, repo, demo, never_there, ledger, connect, background
):
    """Which was being deleted. While it was forgotten, the last file of its bytes went."""
    repo.set_repository_backend("disk", "none")
    demo.publish("2.0", files=[file("b.whl", "a")])
    demo.delete_version("2.0")
    abandoning, collecting = connect(autocommit=False), connect()
    api.on(abandoning).retire_backend("disk", True)
    assert api.purge().versions == 1
    collected = background.submit(api.on(collecting).rows, "collect_blobs")
    wait_until_blocked(api.connection, backend_pid(collecting))
    abandoning.commit()
    assert [task.sha256 for task in collected.result()] == [never_there.sha256]
    assert blobs(api) == set()


def test_who_retires_holds_copies_in_the_order_of_the_collector(
    api, repo, demo, disk, ledger, connect, background
):
    low, middle, high = sorted("abc", key=digest)
    for version, name in enumerate((high, middle, low)):
        ledger.publish(demo, str(version), file(name, name))
    (found,) = api.ask("select * from pkgdb.blob_copies where sha256 = %s", digest(middle))
    ledger.verify(found, None)
    ledger.verify(found, found.sha256)
    (task,) = ledger.collect()  # a second object of those bytes
    for version in "012":
        demo.delete_version(version)
    api.purge()
    repo.set_repository_backend("disk", "none")
    failing, collecting, retiring = connect(autocommit=False), connect(), connect()
    api.on(failing).record_copy_failure("disk", task.sha256, task.generation, task.attempt, "no")
    collected = background.submit(api.on(collecting).rows, "collect_blobs")
    wait_until_blocked(api.connection, backend_pid(collecting))  # between low and high
    retired = background.submit(api.on(retiring).retire_backend, "disk")
    wait_until_blocked(api.connection, backend_pid(retiring))
    failing.commit()
    assert len(collected.result()) == 3
    assert retired.result().outcome == "retired"


# The mark that the collector goes by


def marked(api):
    rows = api.ask(
        "select encode(sha256, 'hex') as sha256 from pkgdb.blob where unneeded_since is not null"
    )
    return {row.sha256 for row in rows}


def test_a_purge_marks_what_it_may_have_freed(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a.whl", "a"), file("b.whl", "b"))
    demo.delete_file("1.0", filename="a.whl")
    assert marked(api) == set()
    api.purge()
    assert marked(api) == {digest("a")}
    demo.delete_version("1.0")
    api.purge()
    assert marked(api) == {digest("a"), digest("b")}


def test_the_first_mark_counts(api, unneeded, demo, ledger, clock):
    unneeded("1")
    before = api.ask("select unneeded_since from pkgdb.blob")
    clock.advance(hours=1)
    demo.publish("2.0", files=[file("b.whl", "1")])
    demo.delete_version("2.0")
    api.purge()
    assert api.ask("select unneeded_since from pkgdb.blob") == before


def test_the_collector_takes_the_mark_off_what_is_needed(api, unneeded, demo, ledger):
    unneeded("1")
    demo.publish("2.0", files=[file("b.whl", "1")])
    assert marked(api) == {digest("1")}
    assert ledger.collect() == []
    assert marked(api) == set()


def test_a_purge_marks_again_what_the_collector_has_looked_at(
    api, demo, unneeded, ledger, connect, background
):
    """The collector has it while a purge is removing its last row: the purge waits, and marks."""
    unneeded("1")
    demo.publish("2.0", files=[file("b.whl", "1")])
    demo.delete_version("2.0")
    collecting, purging = connect(autocommit=False), connect()
    api.on(collecting).rows("collect_blobs", "disk", ledger.installations["disk"])
    purged = background.submit(api.on(purging).purge)
    wait_until_blocked(api.connection, backend_pid(purging))
    collecting.commit()
    assert purged.result().versions == 1
    assert marked(api) == {digest("1")}
    assert len(ledger.collect()) == 1
