"""Compare-and-set. What holds for every function is in test_every_mutation.py."""

import psycopg
import pytest

from tests.support import backend_pid, wait_until_blocked


@pytest.fixture
def demo(repo):
    demo = repo.at("npm", "demo")
    demo.publish("1.0.0")
    return demo


def test_readers_learn_the_revision(api, demo):
    changed = demo.yank("1.0.0")
    assert demo.resolve("1.0.0").revision == changed.revision == 2
    (row,) = api.ask("select revision from pkgdb.registrations")
    assert row.revision == 2


def test_a_stale_caller_is_refused_even_where_nothing_would_change(api, demo):
    for call in (
        lambda: demo.publish("1.0.0", if_revision=0),
        lambda: demo.unyank("1.0.0", if_revision=0),
        lambda: demo.drop_tag("none", if_revision=0),
        lambda: demo.restore_version("1.0.0", if_revision=2),
        lambda: api.at("acme", "main").alter_repository({}, if_revision=2),
        lambda: api.at("acme", "main").rename_repository("main", if_revision=2),
    ):
        with api.refused("RG412"):
            call()
    assert demo.unyank("1.0.0", if_revision=1).outcome == "unchanged"


def test_packages_and_repositories_count_for_themselves(api, repo, demo):
    other = repo.at("npm", "other")
    other.publish("1.0.0")
    other.publish("2.0.0")
    assert demo.yank("1.0.0", if_revision=1).revision == 2
    assert repo.alter_repository({"reuse": "always"}, if_revision=1).revision == 2


def test_of_two_editors_one_has_to_read_again(api, demo, connect, background):
    first, second = connect(autocommit=False), connect()
    demo.on(first).yank("1.0.0", reason="a", if_revision=1)
    other = background.submit(demo.on(second).yank, "1.0.0", reason="b", if_revision=1)
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    with pytest.raises(psycopg.Error) as caught:
        other.result()
    assert caught.value.sqlstate == "RG412"
    assert demo.resolve("1.0.0").yank_reason == "a"


def test_without_a_revision_both_take_effect(api, demo, connect, background):
    first, second = connect(autocommit=False), connect()
    demo.on(first).yank("1.0.0", reason="a")
    other = background.submit(demo.on(second).deprecate, "1.0.0", message="b")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert other.result().revision == 3
    info = demo.resolve("1.0.0")
    assert (info.yank_reason, info.deprecation) == ("a", "b")


def test_a_repeated_request_is_not_stale(demo):
    first = demo.yank("1.0.0", if_revision=1, request_key="k")
    assert demo.yank("1.0.0", if_revision=1, request_key="k") == first


def test_a_name_that_is_released_and_claimed_again_starts_anew(repo):
    repo.reserve_name("npm", "kept")
    repo.release_name("npm", "kept")
    assert repo.publish("npm", "kept", "1.0.0", if_revision=0).revision == 1
