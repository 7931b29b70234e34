"""What holds for every function that changes something, whatever it changes."""

import pytest

from tests.behaviour.calls import dump
from tests.behaviour.mutations import BULK, MUTATIONS, QUIET, Found
from tests.support import backend_pid, wait_until_blocked

each = pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
each_with_revision = pytest.mark.parametrize(
    "mutation", [m for m in MUTATIONS if m.takes_revision], ids=str
)
WITH_KEY = [m for m in [*MUTATIONS, *BULK, QUIET[0]] if m.takes_key]
each_with_key = pytest.mark.parametrize("mutation", WITH_KEY, ids=str)
ALL = MUTATIONS + BULK + QUIET


def test_every_public_function_that_changes_something_is_here(api):
    names = api.ask("""
        select proname from pg_proc
         where pronamespace = 'pkgdb'::regnamespace and provolatile = 'v' and prosecdef""")
    # upgrade_scheme needs another scheme: tests/integrity/test_upgrade_scheme.py has it.
    known = {m.function for m in ALL} | {"upgrade_scheme"}
    assert {n.proname for n in names} == known


@each
def test_it_counts_one_revision_and_writes_one_event(api, furnished, mutation):
    before = mutation.revision(api)
    (last,) = api.ask("select max(event_id) as id from pkgdb.outbox")
    (result,) = mutation(api, actor="alice")

    assert result.outcome == mutation.outcome
    assert result.revision == before + 1
    (event,) = api.ask("select * from pkgdb.outbox where event_id > %s", last.id)
    assert event.namespace == "acme"
    assert event.event == (mutation.event or mutation.outcome)
    assert event.revision == result.revision
    assert (event.actor, event.login) == ("alice", api.connection.info.user)
    ids = event._asdict()
    assert ids[f"{mutation.of}_id"] == result[0]
    if mutation.of == "registration":
        assert event.version_id == result.version_id
        assert (event.ecosystem, event.name) == ("pypi", mutation.name)
    else:
        others = {"repository", "registration", "version", "snapshot", "distribution"}
        assert {ids[f"{other}_id"] for other in others - {mutation.of}} == {None}


@pytest.mark.parametrize("mutation", QUIET, ids=str)
def test_it_counts_no_revision_and_writes_no_event(api, furnished, mutation):
    def seen():
        return api.ask("""
            select 'repository', repository_id as id, revision from pkgdb.repository
            union all
            select 'registration', registration_id, revision from pkgdb.registration
            union all
            select 'snapshot', snapshot_id, revision from pkgdb.snapshot
            union all
            select 'distribution', distribution_id, revision from pkgdb.distribution
            union all
            select 'event', event_id, revision from pkgdb.outbox
            union all
            select 'event', event_id, revision from pkgdb.feed_event
            order by 1, 2""")

    before, every_row = seen(), dump(api.connection)
    result = mutation(api, **({"actor": "alice"} if takes_actor(api, mutation) else {}))
    if mutation.outcome:
        assert [row.outcome for row in result] == [mutation.outcome]
    assert seen() == before
    assert (dump(api.connection) == every_row) == (mutation.function in NOTHING_TO_DO)


NOTHING_TO_DO = {"acknowledge_events", "prune_events", "missing_mirror_copies"}


def takes_actor(api, mutation):
    (row,) = api.ask(
        """select 'p_actor' = any (proargnames) as takes from pg_proc
            where pronamespace = 'pkgdb'::regnamespace and proname = %s""",
        mutation.function,
    )
    return row.takes


@each
def test_the_same_again_changes_nothing_at_all(api, furnished, mutation):
    (first,) = mutation(api)
    if mutation.again.startswith("RG"):
        with api.refused(mutation.again):
            mutation(api)
    else:
        with api.changes_nothing():
            (second,) = mutation(api)
        assert second.outcome == mutation.again
        if mutation.function != "release_name":  # which leaves nothing behind
            assert second[0] == first[0]
            assert second.revision == first.revision


@each_with_revision
def test_a_stale_revision_is_refused(api, furnished, mutation):
    now = mutation.revision(api)
    for stale in (now - 1, now + 1):
        with api.refused("RG412"):
            mutation(api, if_revision=stale)
    (result,) = mutation(api, if_revision=now)
    assert (result.outcome, result.revision) == (mutation.outcome, now + 1)


@each_with_key
def test_a_repeated_request_gets_the_first_answer(api, furnished, mutation):
    first = mutation(api, request_key="k", actor="alice")
    with api.changes_nothing():
        assert mutation(api, request_key="k", actor="alice") == first
    if mutation.other:
        with api.refused("RG409"):
            mutation(api, request_key="k", actor="alice", **mutation.other)


@each_with_key
def test_of_two_concurrent_requests_the_second_gets_the_answer_of_the_first(
    api, furnished, mutation, connect, background
):
    first_session, second_session = connect(autocommit=False), connect()
    first = mutation(api.on(first_session), request_key="k")
    second = background.submit(mutation, api.on(second_session), request_key="k")
    wait_until_blocked(api.connection, backend_pid(second_session))
    first_session.commit()
    assert second.result() == first
    after = dump(api.connection)
    assert mutation(api, request_key="k") == first
    assert dump(api.connection) == after


def test_it_leaves_nothing_when_it_is_rolled_back(api, furnished, subtests):
    for mutation in ALL:
        rolled_back = api.connection.transaction(force_rollback=True)
        with subtests.test(mutation=str(mutation)), api.changes_nothing(), rolled_back:
            mutation(api)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_it_refuses_to_decide_on_an_old_snapshot(api, furnished, subtests, level):
    api.ask("select set_config('default_transaction_isolation', %s, false)", level)
    for mutation in ALL:
        with subtests.test(mutation=str(mutation)), api.refused("RG405"):
            mutation(api)


def test_it_fails_in_a_read_only_transaction(api, furnished, subtests):
    api.ask("select set_config('default_transaction_read_only', 'on', false)")
    for mutation in ALL:
        if mutation.function != "repair_latest":  # it has nothing to write
            with subtests.test(mutation=str(mutation)), api.refused("25006"):
                mutation(api)


def test_the_same_call_in_another_namespace_touches_nothing_here(api, furnished, subtests):
    def ours():
        return [row for row in dump(api.connection) if '"namespace": "acme"' in row[1]]

    before = ours()
    for mutation in ALL:
        arguments = ("elsewhere", *mutation.given(api)[1:])
        with subtests.test(mutation=str(mutation)):
            if mutation.elsewhere:
                with api.refused(mutation.elsewhere):
                    mutation.call(api, arguments)
            else:
                mutation.call(api, arguments)
            assert ours() == before


def test_null_means_nothing(api, furnished, subtests):
    for mutation in ALL:
        for place in range(len(mutation.arguments)):
            if (mutation.function, place) in (("purge", 1), ("create_snapshot", 2)):
                continue  # all repositories, or none
            arguments = mutation.given(api)
            arguments[place] = None
            with subtests.test(mutation=str(mutation), place=place), api.refused("RG400"):
                mutation.call(api, arguments)


def test_what_does_not_exist_is_not_found(api, furnished, subtests):
    """Repository, ecosystem, name and version, one after another."""
    absent = {1: ("nowhere", "RG404"), 2: ("no-such", "RG400"), 3: ("absent", "RG404"),
              4: ("9.9", "RG404")}  # fmt: skip
    gone_is_fine = {("drop_tag", 4), ("release_name", 3)}
    creates = {("create_repository", 1), ("publish", 3), ("publish", 4), ("reserve_name", 3)}
    creates |= {(f"{how}_snapshot", 1) for how in ("create", "pull", "filter")}
    creates |= {("merge_snapshots", 1), ("create_distribution", 1)}
    for mutation in MUTATIONS:
        is_of_package = mutation.of == "registration" and len(mutation.arguments) > 3
        for place, (name, sqlstate) in absent.items():
            if (mutation.function, place) in creates or place >= len(mutation.arguments):
                continue
            if (not is_of_package and place > 1) or isinstance(mutation.arguments[place], Found):
                continue
            arguments = list(mutation.arguments)
            arguments[place] = name
            with subtests.test(mutation=str(mutation), place=place):
                if (mutation.function, place) in gone_is_fine:
                    with api.changes_nothing():
                        api.rows(mutation.function, *arguments, **mutation.named)
                else:
                    with api.refused(sqlstate):
                        api.rows(mutation.function, *arguments, **mutation.named)


def test_malformed_versions_variants_and_names(api, furnished, subtests):
    for mutation in MUTATIONS:
        if mutation.function == "drop_tag" or mutation.of != "registration":
            continue
        if len(mutation.arguments) < 5:
            continue
        for place, text in ((3, "no name"), (3, ""), (4, "not a version"), (4, "")):
            arguments = list(mutation.arguments)
            arguments[place] = text
            with subtests.test(mutation=str(mutation), text=text), api.refused("RG400"):
                api.rows(mutation.function, *arguments, **mutation.named)
        for variant in (None, " x", "x\n", "x" * 256):
            with subtests.test(mutation=str(mutation), variant=variant), api.refused("RG400"):
                mutation(api, variant=variant)


def test_malformed_actors_and_request_keys(api, furnished, subtests):
    for mutation in WITH_KEY:
        for named in ({"actor": ""}, {"actor": "a" * 256}, {"request_key": ""},
                      {"request_key": "k\n"}, {"request_key": "k" * 256}):  # fmt: skip
            with subtests.test(mutation=str(mutation), **named), api.refused("RG400"):
                mutation(api, **named)
