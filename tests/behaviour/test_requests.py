"""Request keys. What holds for every function is in test_every_mutation.py."""

import psycopg
import pytest

from tests.behaviour.calls import file
from tests.support import backend_pid, wait_until_blocked


@pytest.fixture
def demo(repo):
    return repo.at("pypi", "demo")


def test_the_answer_is_the_first_one_even_after_the_version_was_deleted(api, demo):
    first = demo.publish("1.0", files=[file("a")], request_key="k")
    demo.delete_version("1.0")
    api.purge("acme")
    with api.changes_nothing():
        assert demo.publish("1.0", files=[file("a")], request_key="k") == first
    with api.refused("RG410"):
        demo.publish("1.0", files=[file("a")])


def test_a_delete_that_is_repeated_does_not_delete_what_came_later(api, repo, demo):
    repo.alter_repository({"reuse": "always"})
    demo.publish("1.0")
    first = demo.delete_version("1.0", request_key="k")
    second = demo.publish("1.0")
    with api.changes_nothing():
        assert demo.delete_version("1.0", request_key="k") == first
    assert demo.resolve("1.0").version_id == second.version_id


def test_the_answer_outlives_the_repository(api, repo, demo):
    first = demo.publish("1.0", request_key="k")
    repo.drop_repository()
    api.purge("acme")
    with api.changes_nothing():
        assert demo.publish("1.0", request_key="k") == first


def test_unchanged_is_an_answer_too(api, demo):
    demo.publish("1.0")
    first = demo.publish("1.0", request_key="k")
    assert first.outcome == "unchanged"
    demo.delete_version("1.0")
    assert demo.publish("1.0", request_key="k") == first


def test_a_key_is_for_one_call(api, repo, demo):
    demo.publish("1.0", request_key="k")
    for call in (
        lambda: demo.publish("2.0", request_key="k"),
        lambda: demo.publish("1.0", files=[file("a")], request_key="k"),
        lambda: demo.publish("1.0", metadata={"a": 1}, request_key="k"),
        lambda: demo.publish("1.0", if_revision=0, request_key="k"),
        lambda: repo.publish("pypi", "other", "1.0", request_key="k"),
        lambda: demo.yank("1.0", request_key="k"),
        lambda: api.create_repository("acme", "other", request_key="k"),
    ):
        with api.refused("RG409"):
            call()


def test_what_json_holds_for_equal_is_the_same_call(api, demo):
    first = demo.publish("1.0", metadata={"a": 1, "b": 2}, request_key="k")
    assert demo.publish("1.0", metadata={"b": 2, "a": 1}, request_key="k") == first


def test_keys_are_of_an_actor(api, repo, demo):
    demo.publish("1.0", request_key="k", actor="alice")
    assert demo.publish("2.0", request_key="k", actor="bob").outcome == "created"
    assert demo.publish("3.0", request_key="k").outcome == "created"
    login = api.connection.info.user
    with api.refused("RG409"):
        demo.publish("4.0", request_key="k", actor=login)


def test_keys_are_of_a_namespace(api, repo):
    repo.publish("npm", "demo", "1.0.0", request_key="k")
    api.create_repository("elsewhere", "main")
    elsewhere = api.at("elsewhere", "main")
    assert elsewhere.publish("npm", "other", "1.0.0", request_key="k").outcome == "created"


def test_actor_and_key_are_not_joined(demo):
    demo.publish("1.0", request_key="bc", actor="a")
    assert demo.publish("2.0", request_key="c", actor="ab").outcome == "created"


def test_a_key_is_kept_for_seven_days(api, demo):
    demo.publish("1.0", request_key="k")
    (kept,) = api.ask("select expires_at - now() > interval '6 days 23 h' as ok from pkgdb.request")
    assert kept.ok
    assert api.purge("acme").requests == 0
    api.ask("update pkgdb.request set expires_at = now() returning 1")
    assert api.purge("acme").requests == 1
    assert demo.publish("2.0", request_key="k").outcome == "created"


def test_a_request_that_failed_is_forgotten(api, demo):
    with api.refused("RG404"):
        demo.yank("1.0", request_key="k")
    assert demo.publish("1.0", request_key="k").outcome == "created"


def test_after_a_rollback_the_second_does_it(api, demo, connect, background):
    first, second = connect(autocommit=False), connect()
    demo.on(first).publish("1.0", request_key="k")
    waiting = background.submit(demo.on(second).publish, "1.0", request_key="k")
    wait_until_blocked(api.connection, backend_pid(second))
    first.rollback()
    assert waiting.result().outcome == "created"


def test_the_second_with_another_call_is_refused(api, repo, demo, connect, background):
    """It waits for the key, not for the package: it is about another one."""
    first, second = connect(autocommit=False), connect()
    demo.on(first).publish("1.0", request_key="k")
    other = background.submit(repo.on(second).publish, "npm", "other", "1.0.0", request_key="k")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    with pytest.raises(psycopg.Error) as caught:
        other.result()
    assert caught.value.sqlstate == "RG409"


def test_publish_many_answers_with_all_its_rows(api, repo):
    items = [
        {"ecosystem": "npm", "name": "a", "version": "1.0.0"},
        {"ecosystem": "npm", "name": "A", "version": "1.0.0"},
    ]
    first = repo.rows("publish_many", items, False, request_key="k")
    assert [row.outcome for row in first] == ["created", "refused"]
    repo.delete_version("npm", "a", "1.0.0")
    with api.changes_nothing():
        assert repo.rows("publish_many", items, False, request_key="k") == first
    with api.refused("RG409"):
        repo.rows("publish_many", items, True, request_key="k")
    assert repo.rows("publish_many", [], request_key="empty") == []
    with api.changes_nothing():
        assert repo.rows("publish_many", [], request_key="empty") == []
