"""JSR #1448, #1554: tasks are stranded in pending for ever, because nothing looks for them. Right:
whatever is not final has somebody who ends it, and a state that nobody here has thought of fails
this test."""

import pytest

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, Store, digest, texts

LASTING = {
    ("backend", "live"),
    ("blob_copy", "present"),
    ("file", "available"),
    ("package_version", "available"),
    ("package_version", "quarantined"),  # a person decides
    ("publication", "committed"),  # goes with what it published
    ("registration", "active"),
    ("registration", "reserved"),
    ("repository", "live"),
    ("validation", "failed"),
    ("validation", "succeeded"),
}
PASSING = {
    ("backend", "retired"): "purge, once its objects are deleted",
    ("blob_copy", "deleting"): "collect_blobs hands it out until it is confirmed",
    ("blob_copy", "lost"): "deleted once claim_copies' worker has made another",
    ("blob_copy", "pending"): "its publisher, claim_copies, or the collector",
    ("file", "failed"): "purge",
    ("file", "pending_destruction"): "purge",
    ("file", "processing"): "goes with its publication",
    ("mirror_update", "aborted"): "purge, after a week",
    ("mirror_update", "committed"): "purge, after a week",
    ("mirror_update", "open"): "purge, a week after its lease",
    ("mirror_update", "superseded"): "purge, after a week",
    ("package_version", "failed"): "purge",
    ("package_version", "pending_destruction"): "purge",
    ("package_version", "processing"): "goes with its publications",
    ("publication", "aborted"): "purge, after a week",
    ("publication", "expired"): "purge, after a week",
    ("publication", "open"): "expire_publications",
    ("publication", "rejected"): "purge, after a week",
    ("repository", "dropped"): "purge",
    ("validation", "pending"): "goes with its publication",
}


def states(pipeline: Pipeline) -> list[tuple[str, str, str]]:
    """Table, column and state: every state that a constraint allows."""
    return pipeline.db.execute("""
        select c.conrelid::regclass::text, a.attname::text, s.state[1]
          from pg_constraint c
          join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
          cross join regexp_matches(pg_get_constraintdef(c.oid), '''(\\w+)''::text', 'g') s (state)
         where c.connamespace = 'pkgdb'::regnamespace and c.contype = 'c'
           and cardinality(c.conkey) = 1 and a.attname in ('status', 'state')""").fetchall()


def occupied(pipeline: Pipeline) -> set[tuple[str, str]]:
    """The states in which something is."""
    return {
        (table.removeprefix("pkgdb."), state)
        for table, column, state in states(pipeline)
        if pipeline.db.execute(
            f"select from {table} where {column} = %s", [state]
        ).rowcount
    }  # fmt: skip


def test_every_state_has_an_end(pipeline: Pipeline) -> None:
    assert {(t.removeprefix("pkgdb."), s) for t, _, s in states(pipeline)} == LASTING | set(PASSING)


def strand_everything(pipeline: Pipeline) -> None:
    """Everybody dies in the middle of what they were doing."""
    demo = pipeline.repository(reuse="always").package("demo")
    api = pipeline.api
    for version in ("1.0", "2.0", "3.0"):
        pipeline.publish(demo, version, f"demo-{version}.whl", version)
    # A backend that is being filled; one that has lost bytes; one that was given up.
    for backend in ("cold", "old"):
        api.add_backend(backend, pipeline.store.root.as_uri() + backend)
        api.set_repository_backend("main", backend)
        make_copies(pipeline)
    api.set_repository_backend("main", "old", "none")
    api.retire_backend("old")
    (lost,) = api.ask(
        "select * from pkgdb.blob_copies where backend = 'cold' and sha256 = %s", digest(b"1.0")
    )
    api.verify_copy("cold", lost.sha256, lost.generation, None)
    assert len(api.rows("claim_copies")) == 1
    # A deletion, and a repository that is gone.
    demo.delete_version("3.0")
    assert api.purge().versions == 1
    assert len(pipeline.claim()) == 1
    api.create_repository("other")
    api.at("other").publish("npm", "demo", "1.0.0")
    api.drop_repository("other")
    # Publications in every state, with validators that never answer.
    api.alter_repository("main", {"validators": {"scan": "required", "lint": "advisory"}})
    ended, rejected, expired, _ = (
        demo.begin_publication(version, files=texts((f"demo-{version}.whl", version)))
        for version in ("4.0", "5.0", "6.0", "7.0")
    )
    api.abort_publication(ended.publication_id, ended.fence)
    api.record_validation(rejected.publication_id, "scan", "failed")
    demo.delete_version("2.0")
    pipeline.db.execute(
        "update pkgdb.publication set lease_until = '-infinity' where publication_id = %s",
        [expired.publication_id],
    )
    assert api.expire_publications() == (1,)


def make_copies(pipeline: Pipeline) -> None:
    api = pipeline.api
    for task in api.rows("claim_copies"):
        source = pipeline.store.read(task.source_key)
        assert source is not None
        Store(pipeline.store.root).put(task.object_key, source)
        api.verify_copy(task.backend, task.sha256, task.generation, digest(source))


def work(pipeline: Pipeline) -> None:
    """What a worker does all the time."""
    api: Calls = pipeline.api
    api.expire_publications()
    make_copies(pipeline)
    api.promote_backends()
    api.purge()
    for name, installation in pipeline.db.execute(
        "select backend, installation_id from pkgdb.backends"
    ).fetchall():
        for task in api.rows("collect_blobs", name, installation):
            pipeline.store.delete(task.object_key)
            api.confirm_blob_deleted(name, task.sha256, task.generation, task.attempt)


def after_a_month(pipeline: Pipeline) -> set[tuple[str, str]]:
    strand_everything(pipeline)
    # How updates of mirrors end is in test_S06.py.
    not_here = {state for state in PASSING if state[0] == "mirror_update"}
    assert occupied(pipeline) >= set(PASSING) - not_here - {("file", "pending_destruction")}
    for _ in range(4):
        pipeline.clock.advance(days=8)
        work(pipeline)
    return occupied(pipeline) - LASTING


def test_holds(pipeline: Pipeline) -> None:
    assert after_a_month(pipeline) == set()
    assert pipeline.seen() == {"demo-1.0.whl": "1.0"}
    assert pipeline.violated() == set()


@pytest.mark.parametrize(
    ("protection", "stranded"),
    [
        ("lease of a copy", {("blob_copy", "pending"), ("blob_copy", "lost")}),
        ("lease of a deletion", {("blob_copy", "deleting")}),
    ],
)
def test_fails_without(pipeline: Pipeline, protection: str, stranded: set[tuple[str, str]]) -> None:
    assert after_a_month(pipeline.without(protection)) >= stranded
