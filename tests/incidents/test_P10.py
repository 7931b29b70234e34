"""NuGetGallery #4895: deleting a package deletes its blobs before the database commits; the commit
fails, and a live row has no bytes. Right: rows first, bytes later, by the collector."""

import pytest

from tests.incidents.pipeline import Pipeline
from tests.incidents.support import Call, Package, call

DEMO = Package("pypi", "demo")
DELETE, PURGE = DEMO("delete_version", "1.0"), call("purge", "acme")


def failed_to_commit(pipeline: Pipeline, *steps: Call) -> list[str]:
    """The collector runs while a deletion is on its way, which is then rolled back; returns what it
    did with objects."""
    pipeline.publish(pipeline.repository().package("demo"), "1.0", "demo.whl", "bytes")
    pipeline.suspect_everything()
    deleting = pipeline.world.session()
    deleting.begin()
    assert [deleting.do(step) for step in steps] == ["deleted", "1"][: len(steps)]
    meanwhile = [pipeline.destroy(task) for task in pipeline.claim()]
    deleting.rollback()
    return meanwhile


@pytest.mark.parametrize("steps", [[DELETE], [DELETE, PURGE]], ids=["delete", "delete and purge"])
def test_holds(pipeline: Pipeline, steps: list[Call]) -> None:
    assert failed_to_commit(pipeline, *steps) == []
    assert pipeline.collect() == []
    assert pipeline.seen() == {"demo.whl": "bytes"}
    assert pipeline.violated() == set()


def test_the_last_look_at_copies_is_the_backstop(pipeline: Pipeline) -> None:
    """What was wrongly taken is not handed out."""
    assert failed_to_commit(pipeline.without("second look at blobs"), DELETE) == []
    assert pipeline.store.objects() != []
    assert pipeline.violated() == {"stored bytes"}


def test_fails_without_second_look_at_blobs(pipeline: Pipeline) -> None:
    pipeline.without("second look at blobs", "last look at copies")
    assert failed_to_commit(pipeline, DELETE) == ["deleted"]
    assert pipeline.seen() == {"demo.whl": None}
    assert pipeline.violated() == {"stored bytes"}


def test_bytes_go_after_the_rows(pipeline: Pipeline) -> None:
    pipeline.publish(pipeline.repository().package("demo"), "1.0", "demo.whl", "bytes")
    pipeline.world.given(DELETE)
    assert pipeline.collect() == []  # it can still be restored
    pipeline.world.given(PURGE)
    assert pipeline.collect() == ["deleted"]
    assert pipeline.store.objects() == []


def test_the_collector_passes_over_what_a_purge_is_about_to_free(pipeline: Pipeline) -> None:
    """Rows that are deleted and not committed still count."""
    pipeline.publish(pipeline.repository().package("demo"), "1.0", "demo.whl", "bytes")
    pipeline.world.given(DELETE)
    pipeline.suspect_everything()
    purging = pipeline.world.session()
    purging.begin()
    assert purging.do(PURGE) == "1"
    assert pipeline.claim() == []
    purging.rollback()
    assert pipeline.package("demo").restore_version("1.0").outcome == "restored"
    assert pipeline.seen() == {"demo.whl": "bytes"}
