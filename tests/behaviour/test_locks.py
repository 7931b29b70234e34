from contextlib import contextmanager

import psycopg
import pytest

from tests.support import backend_pid, wait_until_blocked

EXCLUSIVE = {
    "alter_repository": [{"reuse": "always"}],
    "rename_repository": ["renamed"],
    "drop_repository": [],
    "publish_many": [[{"ecosystem": "npm", "name": "b", "version": "1.0.0"}]],
    "apply_retention": [],
}
LATE = {"publish": ["npm", "a", "1.0.0"], "alter_repository": EXCLUSIVE["alter_repository"]}
each_exclusive = pytest.mark.parametrize("function", EXCLUSIVE)


@contextmanager
def fails(sqlstate):
    with pytest.raises(psycopg.Error) as caught:
        yield
    assert caught.value.sqlstate == sqlstate, caught.value


@each_exclusive
def test_what_takes_the_repository_for_itself_waits_for_publishers(
    api, repo, connect, background, function
):
    publishing, exclusive = connect(autocommit=False), connect()
    repo.on(publishing).publish("npm", "a", "1.0.0")
    waiting = background.submit(repo.on(exclusive).rows, function, *EXCLUSIVE[function])
    wait_until_blocked(api.connection, backend_pid(exclusive))
    publishing.commit()
    assert len(waiting.result()) == 1


@each_exclusive
def test_but_not_longer_than_lock_timeout(api, repo, connect, function):
    publishing, exclusive = connect(autocommit=False), connect()
    repo.on(publishing).publish("npm", "a", "1.0.0")
    exclusive.execute("set lock_timeout = '20ms'")
    with api.changes_nothing(), fails("55P03"):
        repo.on(exclusive).rows(function, *EXCLUSIVE[function])
    assert exclusive.execute("show lock_timeout").fetchone() == ("20ms",)
    publishing.commit()
    assert len(repo.on(exclusive).rows(function, *EXCLUSIVE[function])) == 1


@pytest.mark.parametrize("limit", ["0", "20ms", "1h"])
def test_the_bound_of_the_wait_is_of_the_call_alone(repo, connect, limit):
    session = connect(autocommit=False)
    session.execute("select set_config('lock_timeout', %s, false)", [limit])
    session.commit()
    assert repo.on(session).alter_repository({"reuse": "always"}).outcome == "altered"
    assert session.execute("show lock_timeout").fetchone() == (limit,)


@each_exclusive
def test_shared_does_not_become_exclusive(api, repo, connect, function):
    session = connect(autocommit=False)
    calls = repo.on(session)
    calls.publish("npm", "a", "1.0.0")
    with fails("RG422"), session.transaction():
        calls.rows(function, *EXCLUSIVE[function])
    assert calls.publish("npm", "a", "2.0.0").outcome == "created"
    session.commit()
    assert repo.resolve("npm", "a", "latest").version == "2.0.0"


def test_exclusive_comes_first_and_then_anything(repo, connect):
    session = connect(autocommit=False)
    calls = repo.on(session)
    calls.alter_repository({"reuse": "always"})
    assert calls.publish("npm", "a", "1.0.0").outcome == "created"
    assert calls.alter_repository({"reuse": "never"}).outcome == "altered"
    assert calls.apply_retention() == (0,)
    session.commit()


def test_shared_in_one_repository_and_exclusive_in_another(api, repo, connect):
    api.create_repository("acme", "other")
    session = connect(autocommit=False)
    repo.on(session).publish("npm", "a", "1.0.0")
    altered = api.on(session).alter_repository("acme", "other", {"reuse": "always"})
    assert altered.outcome == "altered"


@each_exclusive
def test_publishers_wait_for_what_takes_the_repository(api, repo, connect, background, function):
    exclusive, publishing = connect(autocommit=False), connect()
    repo.on(exclusive).rows(function, *EXCLUSIVE[function])
    waiting = background.submit(repo.on(publishing).publish, "npm", "a", "1.0.0")
    wait_until_blocked(api.connection, backend_pid(publishing))
    exclusive.rollback()
    assert waiting.result().outcome == "created"


@pytest.mark.parametrize("function", LATE)
def test_who_waited_for_a_drop_finds_no_repository(api, repo, connect, background, function):
    dropping, late = connect(autocommit=False), connect()
    repo.on(dropping).drop_repository()
    waiting = background.submit(repo.on(late).rows, function, *LATE[function])
    wait_until_blocked(api.connection, backend_pid(late))
    dropping.commit()
    with fails("RG404"):
        waiting.result()


def test_different_names_do_not_wait_for_each_other(repo, connect):
    sessions = [connect(autocommit=False) for _ in range(3)]
    for number, session in enumerate(sessions):
        assert repo.on(session).publish("npm", f"p{number}", "1.0.0").outcome == "created"
        session.execute("set local lock_timeout = '1ms'")
    for session in sessions:
        session.commit()


def test_a_new_name_in_two_spellings_is_claimed_once(api, repo, connect, background):
    first, second = connect(autocommit=False), connect()
    one = repo.on(first).publish("pypi", "foo_bar", "1.0")
    two = background.submit(repo.on(second).publish, "pypi", "Foo.Bar", "2.0")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert two.result().registration_id == one.registration_id
    assert two.result().revision == 2


def test_a_name_of_the_namespace_scope_is_claimed_once(api, repo, connect, background):
    api.create_repository("acme", "other")
    first, second = connect(autocommit=False), connect()
    repo.on(first).publish("npm", "demo", "1.0.0")
    waiting = background.submit(
        api.on(second).publish, "acme", "other", "npm", "demo", "1.0.0"
    )  # fmt: skip
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    with fails("RG409"):
        waiting.result()


def test_two_names_in_opposite_orders(api, repo, connect, background):
    """One of the two gets 40P01, does it all again, and nothing is lost."""
    sessions = [connect(autocommit=False), connect(autocommit=False)]
    names = [("a", "b"), ("b", "a")]
    for session, (first, _) in zip(sessions, names, strict=True):
        session.execute("set deadlock_timeout = '20ms'")
        session.commit()
        repo.on(session).publish("npm", first, "1.0.0")

    def finish(session, second):
        try:
            repo.on(session).publish("npm", second, "2.0.0")
            session.commit()
        except psycopg.errors.DeadlockDetected as error:
            session.rollback()
            return error.sqlstate
        return None

    ends = [background.submit(finish, s, n[1]) for s, n in zip(sessions, names, strict=True)]
    ends = [end.result() for end in ends]
    assert sorted(ends, key=str) == ["40P01", None]
    loser = ends.index("40P01")
    repo.on(sessions[loser]).publish("npm", names[loser][0], "1.0.0")
    repo.on(sessions[loser]).publish("npm", names[loser][1], "2.0.0")
    sessions[loser].commit()
    rows = api.ask("select name, version from pkgdb.package_versions order by 1, 2")
    assert rows == [("a", "1.0.0"), ("a", "2.0.0"), ("b", "1.0.0"), ("b", "2.0.0")]


def test_lock_waits_shows_who_holds_and_who_waits_by_name(api, repo, connect, background):
    repo.publish("npm", "demo", "1.0.0")
    holder, waiter, changer = connect(autocommit=False), connect(), connect()
    waiter.execute("set application_name = 'the waiter'")
    repo.on(holder).yank("npm", "demo", "1.0.0")
    waiting = background.submit(repo.on(waiter).unyank, "npm", "demo", "1.0.0")
    wait_until_blocked(api.connection, backend_pid(waiter))
    changing = background.submit(repo.on(changer).alter_repository, {"reuse": "always"})
    wait_until_blocked(api.connection, backend_pid(changer))

    rows = api.ask("""
        select pid, lock_kind, namespace, repository, ecosystem, name, mode, granted,
               waiting_since is not null as waits, blocked_by, usename, application_name, query
          from pkgdb.lock_waits order by lock_kind, granted, pid""")
    places = [
        (r.pid, r.lock_kind, r.namespace, r.repository, r.ecosystem, r.name, r.granted, r.waits)
        for r in rows
    ]
    package = ("acme", "main", "npm", "demo")
    whole = ("acme", "main", None, None)
    pids = [backend_pid(c) for c in (holder, waiter, changer)]
    assert sorted(places, key=str) == sorted([
        (pids[0], "registration", *package, True, False),
        (pids[1], "registration", *package, False, True),
        (pids[0], "repository", *whole, True, False),
        (pids[1], "repository", *whole, True, False),
        (pids[2], "repository", *whole, False, True),
    ], key=str)  # fmt: skip
    blocked = {r.pid: sorted(r.blocked_by) for r in rows if not r.granted}
    assert blocked == {pids[1]: [pids[0]], pids[2]: sorted(pids[:2])}
    (named,) = [r for r in rows if r.pid == pids[1] and not r.granted]
    assert named.application_name == "the waiter"
    assert named.usename == api.connection.info.user
    assert "unyank" in named.query

    holder.commit()
    assert waiting.result().outcome == "unyanked"
    assert changing.result().outcome == "altered"
    assert api.ask("select * from pkgdb.lock_waits") == []


def test_lock_waits_shows_a_prepared_transaction(api, repo, connect):
    repo.publish("npm", "demo", "1.0.0")
    session = connect(autocommit=False)
    if session.execute("show max_prepared_transactions").fetchone() == ("0",):
        pytest.skip("the server has prepared transactions switched off")
    repo.on(session).yank("npm", "demo", "1.0.0")
    session.execute("prepare transaction 'forgotten'")
    try:
        rows = api.ask("""
            select pid, gid, usename, lock_kind, repository, name, granted
              from pkgdb.lock_waits order by lock_kind""")
        login = api.connection.info.user
        assert rows == [
            (None, "forgotten", login, "registration", "main", "demo", True),
            (None, "forgotten", login, "repository", "main", None, True),
        ]
    finally:
        api.connection.execute("rollback prepared 'forgotten'")


def test_a_name_that_is_being_claimed_is_a_lock_without_a_name(api, repo, connect):
    session = connect(autocommit=False)
    repo.on(session).publish("npm", "brand-new", "1.0.0")
    rows = api.ask("select lock_kind, name from pkgdb.lock_waits order by 1 nulls last")
    assert rows == [("repository", None), (None, None)]


def test_read_committed_is_the_level(api, repo):
    """The other two are refused by every function: see test_every_mutation.py."""
    for level in ("read committed", "read uncommitted"):
        api.ask("select set_config('default_transaction_isolation', %s, false)", level)
        assert repo.publish("npm", "demo", "1.0.0").outcome in ("created", "unchanged")


def test_statement_timeout_passes_through(api, repo, connect):
    holder, waiter = connect(autocommit=False), connect()
    repo.on(holder).publish("npm", "demo", "1.0.0")
    waiter.execute("set statement_timeout = '20ms'")
    with fails("57014"):
        repo.on(waiter).publish("npm", "demo", "1.0.0")
    waiter.execute("reset statement_timeout")
    waiter.execute("set lock_timeout = '20ms'")
    with fails("55P03"):
        repo.on(waiter).publish("npm", "demo", "1.0.0")
