"""The bulk load is the single calls, in one transaction."""

from itertools import count

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.behaviour.calls import file
from tests.support import backend_pid, wait_until_blocked

NUMBERS = count(1)


def item(ecosystem, name, version, **more):
    return {"ecosystem": ecosystem, "name": name, "version": version} | more


def many(repo, *items, **named):
    return repo.rows("publish_many", list(items), **named)


def outcomes(rows):
    return [row.outcome if row.sqlstate is None else row.sqlstate for row in rows]


def test_a_row_for_each_item_in_order(api, repo):
    rows = many(
        repo,
        item("npm", "a", "1.0.0", files=[file("a.tgz")], metadata={"n": 1}),
        item("pypi", "b", "1.0", variant="any", files=[file("b.whl", "b"), file("b.tgz", "c")]),
        item("npm", "a", "2.0.0-rc.1"),
        item("npm", "a", "1.0.0", files=[file("a.tgz")]),
        item("pypi", "b", "1.0.0", variant="any", files=[file("more.whl", "d")]),
    )
    assert [row.item for row in rows] == [1, 2, 3, 4, 5]
    assert outcomes(rows) == ["created", "created", "created", "unchanged", "files_added"]
    assert [row.revision for row in rows] == [1, 1, 2, 2, 2]
    assert rows[3].version_id == rows[0].version_id
    assert repo.resolve("npm", "a", "latest").version == "2.0.0-rc.1"
    assert repo.resolve("npm", "a", "latest_stable").version_id == rows[0].version_id
    assert repo.resolve("npm", "a", "1.0.0").metadata == {"n": 1}
    assert len(repo.resolve("pypi", "b", "1").files) == 3


def test_the_same_batch_again(api, repo):
    batch = [
        item("npm", "a", "1.0.0", files=[file("a.tgz")], metadata={"n": 1}),
        item("generic", "b", "1", files=[file("x"), file("y")]),
    ]
    first = many(repo, *batch)
    with api.changes_nothing():
        second = many(repo, *batch)
    assert outcomes(second) == ["unchanged", "unchanged"]
    assert [row[1:4] for row in second] == [row[1:4] for row in first]


def test_nothing_to_do(api, repo):
    with api.changes_nothing():
        assert many(repo) == []


MALFORMED_ITEMS = [
    None, 1, "a", [], {}, {"name": "a"}, item("npm", "a", "1.0.0", extra=1),
    item("absent", "a", "1.0.0"), item(None, "a", "1.0.0"), item("npm", None, "1.0.0"),
    item("npm", "a", None), item("npm", "no name", "1.0.0"), item("npm", "a", "one"),
    item("npm", "a", "1.0.0", variant=" x"), item("npm", "a", "1.0.0", files={}),
    item("npm", "a", "1.0.0", files=None), item("npm", "a", "1.0.0", files=[file("")]),
    item("npm", "a", "1.0.0", files=[file("x"), file("y")]),
    item("npm", "a", "1.0.0", metadata=[]), item("npm", "a", "1.0.0", metadata=None),
    item("npm", "a", "1.0.0", metadata={"a": "x" * (1 << 20)}), item("npm", "A", "1.0.0"),
]  # fmt: skip


def test_malformed_items(api, repo, subtests):
    for malformed in MALFORMED_ITEMS:
        with subtests.test(item=str(malformed)[:60]):
            with api.refused("RG400"):
                many(repo, item("npm", "b", "1.0.0"), malformed)
            with api.changes_nothing():
                (row,) = many(repo, malformed, strict=False)
            assert (row.item, row.outcome, row.sqlstate) == (1, "refused", "RG400")
            assert row.message
            assert row[1:4] == (None, None, None)


def test_malformed_calls(api, repo):
    for items in (None, Jsonb(None), {}, Jsonb("a"), Jsonb(1)):
        with api.refused("RG400"):
            repo.rows("publish_many", items)
    with api.refused("RG400"):
        many(repo, strict=None)
    with api.refused("RG404"):
        api.rows("publish_many", "acme", "absent", [])
    api.create_repository("acme", "mirror", "mirror")
    for strict in (True, False):
        with api.refused("RG403"):
            api.rows("publish_many", "acme", "mirror", [item("npm", "a", "1.0.0")], strict)


def refusals(repo):
    """Prepare the repository; a batch of one refused item for each reason."""
    repo.publish("npm", "a", "1.0.0", files=[file("a.tgz")], metadata={"n": 1})
    repo.publish("generic", "g", "1")
    repo.publish("npm", "deleted", "1.0.0")
    repo.delete_version("npm", "deleted", "1.0.0")
    repo.reserve_name("npm", "kept")
    repo.alter_repository({"protected_names": ["internal-*"]})
    repo.quarantine("generic", "g", "1")
    return {
        "RG400": item("npm", "a", "x"),
        "RG403": item("npm", "internal-a", "1.0.0"),
        "RG403 ": item("npm", "kept", "1.0.0"),
        "RG409": item("npm", "a", "1.0.0", files=[file("a.tgz", "other")]),
        "RG409 ": item("npm", "a", "1.0.0", metadata={"n": 2}),
        "RG409  ": item("npm", "new", "1.0.0", files=[file("x", size=99)]),
        "RG410": item("npm", "deleted", "1.0.0"),
        "RG422": item("generic", "g", "1", files=[file("x")]),
    }


def test_strict_raises_the_error_of_the_first_refused_item(api, repo):
    for sqlstate, refused in refusals(repo).items():
        with api.refused(sqlstate.strip()):
            many(repo, item("npm", "good", "1.0.0"), refused, item("npm", "a", "x"))


def test_not_strict_reports_what_is_refused_and_does_the_rest(api, repo):
    wanted = refusals(repo)
    batch = [item("npm", "good", "1.0.0"), *wanted.values(), item("npm", "good", "2.0.0")]
    rows = many(repo, *batch, strict=False)
    assert outcomes(rows) == ["created", *(s.strip() for s in wanted), "created"]
    assert all(row.message for row in rows if row.sqlstate)
    assert [v.version for v in repo.rows("versions", "npm", "good")] == ["2.0.0", "1.0.0"]


def test_two_items_with_one_new_name(repo):
    rows = many(repo, item("pypi", "Foo_Bar", "1.0"), item("pypi", "foo-bar", "2.0"))
    assert rows[0].registration_id == rows[1].registration_id
    assert [row.revision for row in rows] == [1, 2]
    assert repo.resolve("pypi", "foo-bar", "latest").name == "Foo_Bar"


def test_a_name_that_another_repository_claims_at_this_moment(api, repo, connect, background):
    """It holds no lock of ours: the unique index decides, and the item is refused."""
    api.create_repository("acme", "other")
    claiming, loading = connect(autocommit=False), connect()
    api.on(claiming).publish("acme", "other", "npm", "demo", "1.0.0")
    loaded = background.submit(
        many, repo.on(loading), item("npm", "demo", "1.0.0"), item("npm", "mine", "1.0.0"),
        strict=False,
    )  # fmt: skip
    wait_until_blocked(api.connection, backend_pid(loading))
    claiming.commit()
    assert outcomes(loaded.result()) == ["RG409", "created"]


def test_bytes_that_are_collected_at_this_moment(api, repo, connect, background):
    """They were there when it looked; before it holds them it waits for another's new bytes."""
    repo.publish("npm", "old", "1.0.0", files=[file("a.tgz", "old")])
    repo.delete_version("npm", "old", "1.0.0")
    api.purge("acme")
    api.create_repository("acme", "other")
    publishing, loading = connect(autocommit=False), connect()
    new = [file("b.tgz", "new")]
    api.on(publishing).publish("acme", "other", "generic", "new", "1.0.0", files=new)
    loaded = background.submit(
        many, repo.on(loading), item("npm", "demo", "1.0.0", files=[file("a.tgz", "old")]),
        item("npm", "demo", "2.0.0", files=new),
    )  # fmt: skip
    wait_until_blocked(api.connection, backend_pid(loading))
    api.rows("collect_blobs", "acme")
    assert api.ask("select from pkgdb.blob") == []
    publishing.commit()
    assert outcomes(loaded.result()) == ["created", "created"]


def test_a_new_version_of_a_package_with_many(api, repo):
    versions = [f"{n}.0.0" for n in range(300)]
    rows = many(repo, *(item("npm", "a", v, files=[file("a.tgz", v)]) for v in versions))
    assert {row.outcome for row in rows} == {"created"}
    assert repo.resolve("npm", "a", "latest").version == "299.0.0"
    (counted,) = api.ask("select versions, files, bytes, revision from pkgdb.registrations")
    assert counted == (300, 300, sum(map(len, versions)), 300)


def test_a_deleted_version_that_comes_again_is_a_new_one(repo):
    repo.alter_repository({"reuse": "always"})
    once = item("npm", "a", "1.0.0", files=[file("a.tgz")])
    (deleted,) = many(repo, once)
    repo.delete_version("npm", "a", "1.0.0")
    (row,) = many(repo, once)
    assert (row.outcome, row.revision) == ("created", 3)
    assert repo.resolve("npm", "a", "latest").version_id == row.version_id != deleted.version_id


def test_latest_is_one_that_is_available(repo):
    many(repo, item("npm", "a", "1.0.0"), item("npm", "a", "3.0.0"))
    repo.quarantine("npm", "a", "3.0.0")
    many(repo, item("npm", "a", "2.0.0"))
    for tag in ("latest", "latest_stable"):
        assert repo.resolve("npm", "a", tag).version == "2.0.0"


# The same items through publish, one after another, must have the same outcomes and end in the same
# state. Small pools, so that items meet each other and what was there before.

NAMES = {
    "npm": ["foo", "fo0", "Foo", "kept", "taken", "secret-a", "no name"],
    "pypi": ["foo", "Foo", "f-oo", "secret", "kept", "-"],
    "generic": ["foo", "Foo", "SECRET"],
    "deb": ["foo", "foo-x"],
    "absent": ["foo"],
}
VERSIONS = {
    "npm": ["1.0.0", "1.0.0+b", "1.0.0-rc.1", "2.0.0", "v3"],
    "pypi": ["1.0", "1", "1.0rc1", "2.0", "one"],
    "generic": ["1", "v1", "1.0", "main"],
    "deb": ["1.0", "1.0-0", "1.0~rc1", "-"],
    "absent": ["1.0"],
}
FILES = [
    file("a", "one"), file("a", "two"), file("b", "one"), file("b", "two"), file("c", "three"),
    file("d", "one", size=99), file("", "one"),
]  # fmt: skip
METADATA = [{}, {}, {}, {"m": 1}, {"m": 2}, []]


@st.composite
def items(draw):
    ecosystem = draw(st.sampled_from([*NAMES, "npm", "pypi", "pypi"]))
    return item(
        ecosystem,
        draw(st.sampled_from(NAMES[ecosystem])),
        draw(st.sampled_from(VERSIONS[ecosystem])),
        variant=draw(st.sampled_from(["", "", "", "x", " "])),
        files=draw(st.lists(st.sampled_from(FILES), max_size=2)),
        metadata=draw(st.sampled_from(METADATA)),
    )


policies = st.fixed_dictionaries({
    "reuse": st.sampled_from(["never", "same_content", "always"]),
    "lookalike_guard": st.booleans(),
    "immutable": st.sampled_from([False, False, True]),
    "name_scope": st.sampled_from(["ecosystem", "repository", "namespace"]),
})  # fmt: skip


def publish_one(repo, wanted):
    try:
        return repo.publish(*wanted.values()).outcome
    except psycopg.Error as error:
        return error.sqlstate


def prepare(api, namespace, policy, before, deleted):
    """The state that the batch meets."""
    api.create_repository(namespace, "main", policy={"name_scope": policy["name_scope"]})
    api.create_repository(namespace, "other", policy={"name_scope": policy["name_scope"]})
    api.publish(namespace, "other", "npm", "taken", "1.0.0")
    repo = api.at(namespace, "main")
    repo.reserve_name("npm", "kept")
    done = [publish_one(repo, wanted) for wanted in before]
    for place in sorted(deleted):
        if place < len(before) and done[place] == "created":
            repo.delete_version(*list(before[place].values())[:4])
    repo.alter_repository(policy | {"protected_names": ["secret*"]})
    return repo


def state(api, namespace):
    """All that a reader or a later call can tell, without ids and times."""
    registration = """
        (select jsonb_build_array(o.name, g.ecosystem, g.normalized_name)
           from pkgdb.registration g join pkgdb.repository o using (namespace, repository_id)
          where g.registration_id = t.registration_id)"""
    queries = {
        "repository": "select name, kind, revision from pkgdb.repository t where",
        "registration": f"""
            select {registration}, (t.scope_id = 0)::text, lookalike_key, status, revision,
                   version_count, file_count, byte_count, t.name,
                   (select version || '/' || variant from pkgdb.package_version v
                     where v.version_id = t.latest_version_id),
                   (select version || '/' || variant from pkgdb.package_version v
                     where v.version_id = t.latest_stable_version_id)
              from pkgdb.registration t where""",
        "version": f"""
            select {registration}, version, variant, status, listed::text, metadata, added_epoch
              from pkgdb.package_version t where""",
        "file": f"""
            select {registration}, filename, role, sha256, media_type, attributes, status,
                   (select normalized_version || '/' || variant from pkgdb.package_version v
                     where v.version_id = t.version_id)
              from pkgdb.file t where""",
        "blob": "select sha256, size from pkgdb.blob t where",
        "tombstone": f"""
            select {registration}, normalized_version, variant, filename, content_sha256
              from pkgdb.tombstone t where""",
        "outbox": f"""
            select {registration}, event, revision, name, version, variant, actor, login
              from pkgdb.outbox t where""",
    }
    return {
        name: sorted(map(str, api.connection.execute(f"{query} namespace = %s", [namespace])))
        for name, query in queries.items()
    }


relentless = settings(
    deadline=None, max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@relentless
@given(policies, st.lists(items(), max_size=4), st.sets(st.integers(0, 3)),
       st.lists(items(), min_size=1, max_size=6))  # fmt: skip
def test_it_does_what_single_calls_do(api, policy, before, deleted, batch):
    one, other = f"single{next(NUMBERS)}", f"bulk{next(NUMBERS)}"
    single = prepare(api, one, policy, before, deleted)
    bulk = prepare(api, other, policy, before, deleted)
    assert state(api, other) == state(api, one)

    wanted = [publish_one(single, each) for each in batch]
    done = outcomes(many(bulk, *batch, strict=False))
    # Of an item that is malformed and forbidden, publish may see first that it is forbidden.
    forbidden = ("RG403", "RG409")
    assert done == [
        "RG400" if code == "RG400" and expected in forbidden else expected
        for code, expected in zip(done, wanted, strict=True)
    ]
    assert state(api, other) == state(api, one)


@relentless
@given(policies, st.lists(items(), max_size=4), st.sets(st.integers(0, 3)),
       st.lists(items(), min_size=1, max_size=6))  # fmt: skip
def test_strict_does_all_or_nothing(api, policy, before, deleted, batch):
    repo = prepare(api, f"strict{next(NUMBERS)}", policy, before, deleted)
    with repo.connection.transaction(force_rollback=True):
        rows = many(repo, *batch, strict=False)
    refused = [row.sqlstate for row in rows if row.sqlstate]
    if refused:
        with api.refused(refused[0]):
            many(repo, *batch)
    else:
        assert outcomes(many(repo, *batch)) == outcomes(rows)


def test_white_space_around_a_version(api, repo):
    """One rule for both: what the scheme takes is published, and stored without it."""
    for ecosystem, version, stored in [
        ("pypi", " 1.0\x1c\n", "1.0"),
        ("nuget", "\t1.0.0 ", "1.0.0"),
        ("npm", " 1.0.0", None),
        ("deb", "1.0 ", None),
    ]:
        item = {"ecosystem": ecosystem, "name": "bulk", "version": version}
        (done,) = repo.rows("publish_many", [item], strict=False)
        if stored is None:
            assert done.sqlstate == "RG400"
            with api.refused("RG400"):
                repo.publish(ecosystem, "single", version)
        else:
            assert done.outcome == repo.publish(ecosystem, "single", version).outcome == "created"
            for name in ("bulk", "single"):
                assert repo.resolve(ecosystem, name, stored).version == stored
    texts = {row.version for row in api.ask("select version from pkgdb.outbox")}
    assert texts - {None} == {"1.0", "1.0.0"}
