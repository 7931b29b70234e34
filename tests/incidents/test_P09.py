"""NuGetGallery, the orchestrator: a package is deleted while it is being published, and the
publisher's stale write brings it back. Right: the delete wins; the commit gets RG422."""

import pytest

from tests.incidents.pipeline import Pipeline, of, texts
from tests.incidents.support import Package, Race, call

DEMO = Package("pypi", "demo")
DELETE = DEMO("delete_version", "2.0")


def deleted_while_publishing(pipeline: Pipeline, *, deleted_first: bool) -> Race:
    pipeline.repository()
    demo = pipeline.package("demo")
    pipeline.publish(demo, "1.0", "demo-1.0.whl", "older")
    publication = demo.begin_publication("2.0", files=texts(("demo-2.0.whl", "bytes")))
    pipeline.upload(publication, "bytes")
    commit = of(publication, "commit_publication")
    return pipeline.world.race(*((DELETE, commit) if deleted_first else (commit, DELETE)))


def test_a_commit_waits_for_the_delete(pipeline: Pipeline) -> None:
    race = deleted_while_publishing(pipeline, deleted_first=True)
    assert race == Race("deleted", "lock", "RG422")
    assert pipeline.statuses("demo") == [("1.0", "available"), ("2.0", "failed")]
    assert pipeline.seen() == {"demo-1.0.whl": "older"}
    assert pipeline.violated() == set()


def test_a_delete_waits_for_the_commit(pipeline: Pipeline) -> None:
    race = deleted_while_publishing(pipeline, deleted_first=False)
    assert race == Race("created", "lock", "deleted")
    assert pipeline.statuses("demo") == [("1.0", "available"), ("2.0", "pending_destruction")]
    assert pipeline.world.latest(DEMO) == ("1.0", "1.0")
    assert pipeline.violated() == set()


@pytest.mark.parametrize(
    ("protections", "answer", "status"),
    [
        (["registration lock"], "23514", "failed"),
        (["registration lock", "removed check"], "created", "available"),
    ],
    ids=["the check is the backstop", "nothing is left"],
)
def test_it_comes_back_without(
    pipeline: Pipeline, protections: list[str], answer: str, status: str
) -> None:
    race = deleted_while_publishing(pipeline.without(*protections), deleted_first=True)
    assert race == Race("deleted", "row", answer)
    assert pipeline.statuses("demo")[1] == ("2.0", status)


def test_files_that_come_to_a_version_being_deleted(pipeline: Pipeline) -> None:
    """The version is published already, and the publication adds to it."""
    demo = pipeline.repository().package("demo")
    pipeline.publish(demo, "2.0", "demo-2.0.whl", "first")
    publication = demo.begin_publication("2.0", files=texts(("demo-2.0.tar.gz", "second")))
    pipeline.upload(publication, "second")
    race = pipeline.world.race(DELETE, of(publication, "commit_publication"))
    assert race == Race("deleted", "lock", "RG422")
    assert pipeline.statuses("demo") == [("2.0", "pending_destruction")]
    (row,) = pipeline.api.ask("select * from pkgdb.publications where status <> 'committed'")
    assert (row.status, row.reason) == ("aborted", "the version was deleted")
    assert pipeline.violated() == set()


@pytest.mark.parametrize("dropped_first", [True, False])
def test_a_repository_is_dropped_while_it_publishes(
    pipeline: Pipeline, dropped_first: bool
) -> None:
    demo = pipeline.repository().package("demo")
    publication = demo.begin_publication("2.0", files=texts(("demo-2.0.whl", "bytes")))
    pipeline.upload(publication, "bytes")
    drop, commit = call("drop_repository", "acme", "main"), of(publication, "commit_publication")
    race = pipeline.world.race(*((drop, commit) if dropped_first else (commit, drop)))
    expected = Race("dropped", "lock", "RG422"), Race("created", "lock", "dropped")
    assert race == expected[0 if dropped_first else 1]
    assert pipeline.statuses("demo") == [("2.0", "pending_destruction")]
    assert pipeline.seen() == {}
    assert pipeline.violated() == set()
