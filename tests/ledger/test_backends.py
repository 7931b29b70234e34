"""add_backend, retire_backend, and the views of backends."""

from uuid import UUID

import pytest

from tests.behaviour.calls import Calls, file
from tests.publications.ledger import digest
from tests.support import backend_pid, wait_until_blocked


def backends(api):
    return [
        (row.backend, row.url, row.status)
        for row in api.ask("select * from pkgdb.backends order by backend_id")
    ]


def test_a_backend_is_made_known(api, repo):
    made = api.add_backend("disk", "file:///disk")
    assert made.outcome == "created"
    assert isinstance(made.installation_id, UUID)
    (row,) = api.ask("select * from pkgdb.backends")
    assert (row.namespace, row.backend, row.backend_id) == ("acme", "disk", made.backend_id)
    assert (row.url, row.status, row.installation_id) == (
        "file:///disk", "live", made.installation_id,
    )  # fmt: skip
    with api.changes_nothing():
        assert api.add_backend("disk", "file:///disk") == made._replace(outcome="unchanged")


def test_it_may_come_before_any_repository(api):
    assert api.add_backend("disk", "file:///disk").outcome == "created"
    assert api.create_repository("main").outcome == "created"


def test_another_url(api):
    api.add_backend("disk", "file:///disk")
    with api.refused("RG409"):
        api.add_backend("disk", "file:///disk/")
    assert api.add_backend("other", "file:///disk").outcome == "created"


def test_two_namespaces(api):
    one = api.add_backend("disk", "file:///disk")
    other = Calls(api.connection, ("elsewhere",)).add_backend("disk", "file:///other")
    assert other.outcome == "created"
    assert other.installation_id != one.installation_id


def test_a_repeated_request(api, ledger):
    made = api.add_backend("disk", "file:///disk", request_key="k")
    with api.changes_nothing():
        assert api.add_backend("disk", "file:///disk", request_key="k") == made
    with api.refused("RG409"):
        api.add_backend("disk", "file:///other", request_key="k")
    api.retire_backend("disk")
    assert api.add_backend("disk", "file:///disk", request_key="k") == made


def test_two_at_once(api, connect, background):
    first, second = connect(autocommit=False), connect()
    made = api.on(first).add_backend("disk", "file:///disk")
    other = background.submit(api.on(second).add_backend, "disk", "file:///disk")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert other.result() == made._replace(outcome="unchanged")


def test_two_at_once_of_which_one_gives_up(api, connect, background):
    first, second = connect(autocommit=False), connect()
    api.on(first).add_backend("disk", "file:///disk")
    other = background.submit(api.on(second).add_backend, "disk", "file:///other")
    wait_until_blocked(api.connection, backend_pid(second))
    first.rollback()
    assert other.result().outcome == "created"


def test_one_that_is_there_is_in_nobodys_way(api, ledger, connect):
    ledger.backend("disk")
    adding, retiring = connect(autocommit=False), connect()
    retiring.execute("set lock_timeout = '1s'")
    assert api.on(adding).add_backend("disk", "file:///disk").outcome == "unchanged"
    assert api.on(retiring).retire_backend("disk").outcome == "retired"
    adding.commit()


@pytest.mark.parametrize("text", [None, "", " x", "a\nb", "x" * 2049])
def test_malformed_arguments(api, ledger, text):
    ledger.backend("disk")
    for call in (
        lambda: api.add_backend(text, "file:///disk"),
        lambda: api.add_backend("new", text),
        lambda: api.retire_backend(text),
        lambda: api.adopt_backend(text),
    ):
        with api.refused("RG400"):
            call()
    with api.refused("RG400"):
        Calls(api.connection).add_backend(text, "disk", "file:///disk")
    with api.refused("RG400"):
        api.retire_backend("disk", None)


@pytest.mark.parametrize("actor", ["", "a\nb", "x" * 256])
def test_malformed_actors(api, repo, ledger, actor):
    ledger.backend("disk")
    for function, *arguments in (
        ("add_backend", "new", "file:///new"), ("adopt_backend", "disk"),
        ("retire_backend", "disk"), ("set_repository_backend", "main", "disk"),
    ):  # fmt: skip
        with api.refused("RG400"):
            getattr(api, function)(*arguments, actor=actor)


def test_what_does_not_exist(api, repo):
    for function in ("retire_backend", "adopt_backend"):
        with api.refused("RG404"):
            getattr(api, function)("absent")
        with api.refused("RG404"):
            getattr(Calls(api.connection, ("absent",)), function)("absent")


# Retiring


def test_a_backend_in_use(api, repo, ledger, disk):
    for abandon in (False, True):
        with api.refused("RG423"):
            api.retire_backend("disk", abandon)
    repo.set_repository_backend("disk", "none")
    assert api.retire_backend("disk").outcome == "retired"


def test_a_backend_of_a_dropped_repository(api, repo, demo, disk, ledger):
    """Its bytes may still be needed, as long as the purge has not come."""
    ledger.publish(demo, "1.0", file("a"))
    repo.drop_repository()
    assert api.ask("select * from pkgdb.repository_backends") == []
    with api.refused("RG423"):
        api.retire_backend("disk")
    api.purge()
    assert api.retire_backend("disk").outcome == "retired"


@pytest.fixture
def moved(repo, demo, disk, ledger):
    """A version whose files are on `disk`, which the repository no longer uses, and on `cold`."""
    ledger.backend("cold", "required")
    ledger.publish(demo, "1.0", file("a", "a"), file("b", "b"))
    repo.set_repository_backend("disk", "none")


def test_its_copies_become_work_and_then_it_goes(api, demo, moved, ledger):
    done = api.retire_backend("disk")
    assert (done.outcome, done.installation_id) == ("retired", ledger.installations["disk"])
    assert sorted(ledger.copies()) == [("cold", "present")] * 2 + [("disk", "deleting")] * 2
    assert {copy.backend for copy in api.ask("select * from pkgdb.blob_copies")} == {"cold"}
    assert backends(api) == [
        ("disk", "file:///disk", "retired"), ("cold", "file:///cold", "live"),
    ]  # fmt: skip
    with api.changes_nothing():
        assert api.retire_backend("disk").outcome == "unchanged"
    assert api.purge().backends == 0
    ledger.long_ago()
    assert [ledger.confirm(task).outcome for task in ledger.collect()] == ["deleted"] * 2
    assert api.purge().backends == 1
    assert backends(api) == [("cold", "file:///cold", "live")]
    assert len(demo.resolve("1.0").files) == 2


def test_it_has_the_only_copy_of_what_a_version_needs(api, repo, demo, disk, ledger):
    """Also while another backend is being filled."""
    ledger.publish(demo, "1.0", file("a", "a"))
    ledger.backend("cold", "required")
    repo.set_repository_backend("disk", "none")
    with api.refused("RG423"):
        api.retire_backend("disk")
    assert ledger.collect() == []
    assert ledger.make() == 1
    assert api.retire_backend("disk").outcome == "retired"
    assert ledger.present("cold").sha256 == digest("a")


def test_what_a_retired_backend_still_has_is_nowhere_else(api, moved, ledger):
    """A copy on another one that is retired is as good as deleted."""
    ledger.backend("third", "required")
    api.set_repository_backend("main", "cold", "none")
    api.retire_backend("disk")
    with api.refused("RG423"):
        api.retire_backend("cold")
    ledger.make()
    assert api.retire_backend("cold").outcome == "retired"


@pytest.mark.parametrize("deleted", [False, True])
def test_what_can_be_restored_is_needed(api, repo, demo, disk, ledger, deleted):
    ledger.publish(demo, "1.0", file("a"))
    demo.delete_version("1.0")
    if deleted:
        api.purge()
    repo.set_repository_backend("disk", "none")
    if deleted:
        assert api.retire_backend("disk").outcome == "retired"
    else:
        with api.refused("RG423"):
            api.retire_backend("disk")


def test_it_is_abandoned(api, repo, demo, disk, ledger):
    """The copies are forgotten, and the store is left as it is."""
    ledger.publish(demo, "1.0", file("a"))
    repo.set_repository_backend("disk", "none")
    assert api.retire_backend("disk", True).outcome == "retired"
    assert ledger.copies() == []
    assert ledger.collect() == []
    assert api.purge().backends == 1


def test_it_is_abandoned_while_its_objects_are_deleted(api, repo, demo, disk, ledger):
    """Also bytes that only the collector still knew are forgotten, and not for ever kept."""
    repo.alter_repository({"reuse": "always"})
    ledger.publish(demo, "1.0", file("a"))
    demo.delete_version("1.0")
    api.purge()
    (task,) = ledger.collect()
    repo.set_repository_backend("disk", "none")
    api.retire_backend("disk", True)
    assert ledger.confirm(task).outcome == "unchanged"
    api.rows("collect_blobs")
    assert api.ask("select * from pkgdb.blob") == []


def test_it_is_retired_and_then_abandoned(api, moved, ledger):
    api.retire_backend("disk")
    api.retire_backend("disk", True)
    assert ledger.copies() == [("cold", "present")] * 2
    assert api.purge().backends == 1


def test_its_name_is_free_when_it_is_empty_and_purged(api, moved, ledger):
    old = api.retire_backend("disk")
    for url in ("file:///disk", "file:///other"):
        with api.refused("RG409"):
            api.add_backend("disk", url)
    ledger.long_ago()
    assert [ledger.confirm(task).outcome for task in ledger.collect()] == ["deleted"] * 2
    with api.refused("RG409"):
        api.add_backend("disk", "file:///disk")
    assert api.purge().backends == 1
    new = api.add_backend("disk", "file:///other")
    assert new.outcome == "created"
    assert new.backend_id != old.backend_id
    assert new.installation_id != old.installation_id


def test_one_that_is_retired_takes_nothing(api, repo, demo, ledger):
    ledger.backend("disk")
    api.retire_backend("disk")
    with api.refused("RG404"):
        repo.set_repository_backend("disk")


def test_retiring_waits_for_who_is_giving_it_to_a_repository(
    api, repo, ledger, connect, background
):
    ledger.backend("disk")
    giving, retiring = connect(autocommit=False), connect()
    repo.on(giving).set_repository_backend("disk")
    retired = background.submit(api.on(retiring).retire_backend, "disk")
    wait_until_blocked(api.connection, backend_pid(retiring))
    giving.commit()
    assert getattr(retired.exception(), "sqlstate", None) == "RG423"


def test_who_gives_it_to_a_repository_waits_for_the_retiring(
    api, repo, ledger, connect, background
):
    ledger.backend("disk")
    retiring, giving = connect(autocommit=False), connect()
    api.on(retiring).retire_backend("disk")
    given = background.submit(repo.on(giving).set_repository_backend, "disk")
    wait_until_blocked(api.connection, backend_pid(giving))
    retiring.commit()
    assert getattr(given.exception(), "sqlstate", None) == "RG404"


def test_two_that_rely_on_each_other(api, moved, ledger, connect, background):
    """The second sees what the first has done."""
    api.set_repository_backend("main", "cold", "none")
    first, second = connect(autocommit=False), connect()
    api.on(first).retire_backend("disk")
    other = background.submit(api.on(second).retire_backend, "cold")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert getattr(other.exception(), "sqlstate", None) == "RG423"
    assert [copy.backend for copy in api.ask("select * from pkgdb.blob_copies")] == ["cold"] * 2


def test_backends_are_held_in_one_order(api, demo, disk, ledger, connect, background):
    """Whoever announces copies on them waits for who retires another one, and not the reverse."""
    low, high = sorted("ab", key=digest)
    ledger.publish(demo, "1.0", file("low", low))
    ledger.backend("cold", "required")
    ledger.backend("spare")
    adopting, retiring, publishing = connect(autocommit=False), connect(), connect()
    api.on(adopting).adopt_backend("cold")
    retired = background.submit(api.on(retiring).retire_backend, "spare")
    wait_until_blocked(api.connection, backend_pid(retiring))  # it has `disk`
    begun = background.submit(
        demo.on(publishing).begin_publication, "2.0", files=[file("a", low), file("b", high)]
    )
    wait_until_blocked(api.connection, backend_pid(publishing))
    adopting.commit()
    assert retired.result().outcome == "retired"
    copies = [(copy["backend"], copy["sha256"]) for copy in begun.result().copies]
    assert copies == [("cold", digest(low)), ("cold", digest(high)), ("disk", digest(high))]


def test_backends_are_held_before_blobs(api, demo, disk, ledger, connect, background):
    """By a worker, as by who retires one and then says that an object of those bytes is gone."""
    ledger.publish(demo, "1.0", file("a", "a"))
    lost = ledger.present()
    ledger.verify(lost, None)
    ledger.verify(lost, lost.sha256)
    (task,) = ledger.collect()
    ledger.backend("cold", "required")
    ledger.backend("spare")
    retiring, working = connect(autocommit=False), connect()
    api.on(retiring).retire_backend("spare")
    claimed = background.submit(api.on(working).rows, "claim_copies")
    wait_until_blocked(api.connection, backend_pid(working))
    done = api.on(retiring).confirm_blob_deleted("disk", task.sha256, task.generation, task.attempt)
    retiring.commit()
    assert done.outcome == "postponed"
    assert [task.backend for task in claimed.result()] == ["cold"]


def test_what_never_came_does_not_keep_it(api, repo, demo, disk, ledger):
    """Another repository has a file of the same bytes, but never had them here."""
    api.create_repository("other")
    publication = demo.begin_publication("2.0", files=[file("b", "b")])
    api.at("other", "pypi", "demo").publish("1.0", files=[file("b", "b")])
    ledger.abort(publication)
    repo.set_repository_backend("disk", "none")
    assert api.retire_backend("disk").outcome == "retired"
    for outcome in ("postponed", "deleted"):
        assert [ledger.confirm(task).outcome for task in ledger.collect()] == [outcome]
        ledger.long_ago()
    assert api.purge().backends == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_isolation_levels(api, repo, demo, disk, ledger, connect, level):
    ledger.publish(demo, "1.0", file("a"))
    copy = ledger.present()
    object_ = ("disk", copy.sha256, copy.generation)
    with connect() as other:
        other.execute(f"set default_transaction_isolation = '{level}'")
        for function, *arguments in (
            ("add_backend", "new", "file:///new"), ("adopt_backend", "disk"),
            ("retire_backend", "disk"), ("set_repository_backend", "main", "disk"),
            ("promote_backends",), ("claim_copies",), ("collect_blobs",),
            ("verify_copy", *object_, copy.sha256), ("confirm_blob_deleted", *object_, 1),
            ("record_copy_failure", *object_, 1, "no"),
        ):  # fmt: skip
            with api.refused("RG405"):
                api.on(other).rows(function, *arguments)
