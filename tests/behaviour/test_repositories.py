import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.behaviour.calls import dump, file, take_snapshot
from tests.support import backend_pid, wait_until_blocked

DEFAULT_POLICY = {
    "reuse": "never",
    "lookalike_guard": False,
    "immutable": False,
    "protected_names": [],
    "keep_versions": None,
    "name_scope": "ecosystem",
    "validators": {},
    "upstream": {},
}
MALFORMED_POLICIES = [
    Jsonb(None),
    [],
    Jsonb("reuse"),
    {"unknown": 1},
    {"reuse": "sometimes"},
    {"reuse": None},
    {"lookalike_guard": "true"},
    {"immutable": 1},
    {"immutable": None},
    {"protected_names": "a*"},
    {"protected_names": [1]},
    {"protected_names": [""]},
    {"protected_names": ["x" * 256]},
    {"keep_versions": 0},
    {"keep_versions": -1},
    {"keep_versions": 1.5},
    {"keep_versions": "1"},
    {"keep_versions": 10**9},
    {"name_scope": "planet"},
    {"validators": ["scan"]},
    {"validators": {"scan": "perhaps"}},
    {"validators": {"": "required"}},
    {"validators": {"x" * 256: "required"}},
    {"immutable": True, "keep_versions": 3},
]
MALFORMED_NAMES = ["", " main", "main ", "ma\nin", "x" * 256, "ü" * 128]


def policy(api, name="main"):
    (row,) = api.ask("select policy from pkgdb.repositories where repository = %s", name)
    return row.policy


CHANGES = {
    "alter": lambda repo: repo.alter_repository({"reuse": "always"}),
    "rename": lambda repo: repo.rename_repository("renamed"),
    "drop": lambda repo: repo.drop_repository(),
}


def test_create(api):
    result = api.create_repository("acme", "main")
    assert (result.revision, result.outcome) == (1, "created")
    (row,) = api.ask("select * from pkgdb.repositories")
    assert (row.namespace, row.repository, row.kind) == ("acme", "main", "hosted")
    assert (row.repository_id, row.revision, row.epoch) == (result.repository_id, 1, 1)
    assert row.policy == DEFAULT_POLICY


def test_create_with_a_policy(api):
    wanted = {"reuse": "always", "keep_versions": 3, "protected_names": ["b*", "a?", "b*"]}
    api.create_repository("acme", "main", "hosted", wanted)
    assert policy(api) == DEFAULT_POLICY | wanted | {"protected_names": ["a?", "b*"]}
    with api.changes_nothing():
        same = wanted | {"protected_names": ["a?", "b*"], "immutable": False}
        assert api.create_repository("acme", "main", "hosted", same).outcome == "unchanged"


def test_create_again_with_other_settings(api, repo):
    for kind, other in (("mirror", {}), ("hosted", {"reuse": "always"})):
        with api.refused("RG409"):
            api.create_repository("acme", "main", kind, other)


def test_create_with_malformed_arguments(api, subtests):
    for name in MALFORMED_NAMES:
        with subtests.test(name=name):
            with api.refused("RG400"):
                api.create_repository("acme", name)
            with api.refused("RG400"):
                api.create_repository(name, "main")
    for kind in (None, "", "proxy"):
        with subtests.test(kind=kind), api.refused("RG400"):
            api.create_repository("acme", "main", kind)
    for malformed in MALFORMED_POLICIES:
        with subtests.test(policy=str(malformed)), api.refused("RG400"):
            api.create_repository("acme", "main", "hosted", malformed)


def test_the_longest_name(api):
    assert api.create_repository("n" * 255, "ü" * 127).outcome == "created"


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_two_create_the_same(api, connect, background, end):
    first, second = connect(autocommit=False), connect()
    one = api.on(first).create_repository("acme", "main")
    other = background.submit(api.on(second).create_repository, "acme", "main")
    wait_until_blocked(api.connection, backend_pid(second))
    getattr(first, end)()
    assert other.result().outcome == ("unchanged" if end == "commit" else "created")
    assert (other.result().repository_id == one.repository_id) == (end == "commit")


@pytest.mark.parametrize("change", ["alter", "rename", "drop"])
def test_who_creates_waits_for_whoever_changes_it(api, repo, connect, background, change):
    """What it finds is what is there when it answers."""
    changing, creating = connect(autocommit=False), connect()
    CHANGES[change](repo.on(changing))
    again = background.submit(api.on(creating).create_repository, "acme", "main")
    wait_until_blocked(api.connection, backend_pid(creating))
    changing.commit()
    if change == "alter":
        with pytest.raises(psycopg.Error) as caught:
            again.result()
        assert caught.value.sqlstate == "RG409"
    else:
        assert again.result().outcome == "created"


@pytest.mark.parametrize("change", ["alter", "rename", "drop"])
def test_what_is_found_to_be_there_is_in_nobodys_way(api, repo, connect, change):
    """Not even in that of who changes it, while the transaction goes on."""
    finding, changing = connect(autocommit=False), connect()
    changing.execute("set lock_timeout = '1s'")
    assert api.on(finding).create_repository("acme", "main").outcome == "unchanged"
    CHANGES[change](repo.on(changing))
    finding.commit()


def test_alter_changes_what_is_named_and_leaves_the_rest(api, repo):
    result = repo.alter_repository({"reuse": "always", "keep_versions": 5})
    assert (result.revision, result.outcome) == (2, "altered")
    assert policy(api) == DEFAULT_POLICY | {"reuse": "always", "keep_versions": 5}
    repo.alter_repository({"keep_versions": None, "protected_names": ["a*"]})
    assert policy(api) == DEFAULT_POLICY | {"reuse": "always", "protected_names": ["a*"]}


def test_alter_to_what_it_is(api, repo):
    for same in ({}, {"reuse": "never"}, DEFAULT_POLICY):
        with api.changes_nothing():
            assert repo.alter_repository(same).outcome == "unchanged"


def test_alter_with_a_malformed_policy(api, repo, subtests):
    for malformed in MALFORMED_POLICIES:
        with subtests.test(policy=str(malformed)), api.refused("RG400"):
            repo.alter_repository(malformed)


def test_immutable_and_keep_versions_exclude_each_other(api, repo):
    repo.alter_repository({"keep_versions": 2})
    with api.refused("RG400"):
        repo.alter_repository({"immutable": True})
    repo.alter_repository({"immutable": True, "keep_versions": None})
    with api.refused("RG400"):
        repo.alter_repository({"keep_versions": 2})


def test_name_scope_changes_only_while_there_are_no_names(api, repo):
    assert repo.alter_repository({"name_scope": "namespace"}).outcome == "altered"
    repo.publish("pypi", "demo", "1.0")
    with api.refused("RG422"):
        repo.alter_repository({"name_scope": "repository"})
    assert repo.alter_repository({"name_scope": "namespace"}).outcome == "unchanged"


def test_rename(api, repo):
    published = repo.publish("pypi", "demo", "1.0", files=[file("demo.whl")])
    result = repo.rename_repository("stable")
    assert (result.revision, result.outcome) == (2, "renamed")

    with api.refused("RG404"):
        repo.publish("pypi", "demo", "2.0")
    stable = api.at("acme", "stable", "pypi", "demo")
    assert stable.resolve("latest").version_id == published.version_id
    assert stable.resolve("latest").repository == "stable"
    assert stable.publish("2.0").registration_id == published.registration_id
    assert api.create_repository("acme", "main").repository_id != result.repository_id


def test_rename_to_its_own_name(api, repo):
    with api.changes_nothing():
        assert repo.rename_repository("main").outcome == "unchanged"


def test_rename_to_a_name_that_is_taken(api, repo):
    api.create_repository("acme", "other")
    with api.refused("RG409"):
        repo.rename_repository("other")
    api.drop_repository("acme", "other")
    assert repo.rename_repository("other").outcome == "renamed"


def test_rename_to_a_malformed_name(api, repo, subtests):
    for name in [None, *MALFORMED_NAMES]:
        with subtests.test(name=name), api.refused("RG400"):
            repo.rename_repository(name)


def test_a_call_that_waited_for_a_rename_finds_the_name_again(api, repo, connect, background):
    """It waited for one repository by id and must not write to it under its new name."""
    renaming, publishing = connect(autocommit=False), connect()
    repo.on(renaming).rename_repository("old")
    api.on(renaming).create_repository("acme", "main")
    published = background.submit(repo.on(publishing).publish, "pypi", "demo", "1.0")
    wait_until_blocked(api.connection, backend_pid(publishing))
    renaming.commit()
    assert published.result().outcome == "created"
    (row,) = api.ask("select repository from pkgdb.registrations")
    assert row.repository == "main"


def test_drop(api, repo):
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", files=[file("demo.whl")])
    demo.publish("2.0")
    demo.set_tag("1.0", tag="t")
    demo.quarantine("2.0")
    repo.reserve_name("pypi", "kept")
    result = repo.drop_repository()
    assert (result.revision, result.outcome) == (2, "dropped")

    for view in ("repositories", "registrations", "package_versions", "files", "tags"):
        assert api.ask(f"select * from pkgdb.{view}") == []
    for function in ("versions", "drop_repository"):
        with api.refused("RG404"):
            (demo if function == "versions" else repo).rows(function)


def test_the_name_of_a_dropped_repository_is_free_at_once(api, repo):
    first = repo.publish("pypi", "demo", "1.0", files=[file("demo.whl")])
    repo.drop_repository()
    assert api.create_repository("acme", "main").outcome == "created"
    with api.refused("RG404"):
        repo.resolve("pypi", "demo", "1.0")
    again = repo.publish("pypi", "demo", "1.0", files=[file("demo.whl", "other")])
    assert again.outcome == "created"
    assert again.registration_id != first.registration_id


def test_create_again_what_has_taken_the_place_of_dropped_ones(api, repo):
    for _ in range(3):
        repo.drop_repository()
        created = api.create_repository("acme", "main", "mirror")
        with api.changes_nothing():
            again = api.create_repository("acme", "main", "mirror")
        assert again == created._replace(outcome="unchanged")


def test_drop_refuses_an_immutable_repository(api, repo):
    repo.alter_repository({"immutable": True})
    with api.refused("RG403"):
        repo.drop_repository(force=True)


def test_drop_needs_force_to_be_said(api, repo):
    with api.refused("RG400"):
        repo.drop_repository(force=None)


def test_drop_with_snapshots_only_by_force(api, repo):
    repo.publish("pypi", "demo", "1.0", files=[file("demo.whl")])
    take_snapshot(api)
    with api.refused("RG423"):
        repo.drop_repository()
    assert repo.drop_repository(force=True).outcome == "dropped"
    purged = api.purge("acme")
    assert (purged.versions, purged.pinned, purged.repositories) == (0, 1, 0)
    api.ask("delete from pkgdb.snapshot returning 1")
    purged = api.purge("acme")
    assert (purged.versions, purged.files, purged.pinned, purged.repositories) == (1, 1, 0, 1)


def test_a_dropped_repository_vanishes_completely_in_the_end(api, repo):
    api.create_repository("acme", "other")
    api.at("acme", "other").publish("pypi", "demo", "1.0", files=[file("other.whl")])
    kept = [
        row for row in dump(api.connection) if row[0] not in ("blob", "outbox")
        and not (row[0] == "repository" and '"name": "main"' in row[1])
    ]  # fmt: skip
    for name in ("a", "b", "c"):
        for version in ("1.0", "2.0"):
            repo.publish("pypi", name, version, files=[file(f"{name}{version}")])
        repo.set_tag("pypi", name, "1.0", tag="t")
        repo.delete_version("pypi", name, "2.0")
    repo.reserve_name("pypi", "kept")
    repo.drop_repository()

    rounds = 0
    while api.purge("acme", limit=2).repositories == 0:
        rounds += 1
        assert rounds < 10
    assert [row for row in dump(api.connection) if row[0] not in ("blob", "outbox")] == kept
    assert api.purge("acme") == (0, 0, 0, 0, 0, 0, 0)
