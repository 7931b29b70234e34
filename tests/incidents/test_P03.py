"""PureScript registry, unpublish: the same class of fault as P02 in the other direction, untested
there: a deletion that stops half-way cannot be repeated. Right: every step of a deletion can be."""

import pytest

from tests.incidents.pipeline import Pipeline, texts

STEPS = ["deleted", "purged", "claimed", "destroyed"]


def stopped_after(pipeline: Pipeline, step: str) -> None:
    demo = pipeline.repository(reuse="always").package("demo")
    pipeline.publish(demo, "1.0", "demo.whl", "bytes")
    assert demo.delete_version("1.0").outcome == "deleted"
    if step != "deleted":
        pipeline.api.purge()
    if step in ("claimed", "destroyed"):
        (task,) = pipeline.claim()
        if step == "destroyed":
            pipeline.store.delete(task.object_key)


def deleted_again(pipeline: Pipeline) -> list[str]:
    """All steps, from the first; what became of each object."""
    demo = pipeline.package("demo")
    assert demo.delete_version("1.0").outcome == "unchanged"
    pipeline.api.purge()
    pipeline.clock.advance(minutes=6)  # the lease of a worker that died
    return [pipeline.destroy(task) for task in pipeline.claim()]


@pytest.mark.parametrize("step", STEPS)
def test_holds(pipeline: Pipeline, step: str) -> None:
    stopped_after(pipeline, step)
    assert deleted_again(pipeline) == ["deleted"]
    assert deleted_again(pipeline) == []
    assert pipeline.store.objects() == []
    assert pipeline.db.execute("select * from pkgdb.blob").fetchall() == []
    assert pipeline.violated() == set()


def test_fails_without_lease_of_a_deletion(pipeline: Pipeline) -> None:
    """Nobody deletes the object any longer."""
    stopped_after(pipeline.without("lease of a deletion"), "claimed")
    assert deleted_again(pipeline) == []
    assert len(pipeline.store.objects()) == 1


@pytest.mark.parametrize("step", STEPS)
def test_it_is_published_again_at_any_point(pipeline: Pipeline, step: str) -> None:
    stopped_after(pipeline, step)
    demo = pipeline.package("demo")
    assert pipeline.publish(demo, "1.0", "demo.whl", "bytes") == "created"
    pipeline.api.purge()
    pipeline.clock.advance(minutes=6)
    pipeline.collect()
    assert pipeline.seen() == {"demo.whl": "bytes"}
    assert len(pipeline.store.objects()) == 1
    assert pipeline.violated() == set()


def test_what_is_not_purged_is_restored_with_its_bytes(pipeline: Pipeline) -> None:
    stopped_after(pipeline, "deleted")
    assert pipeline.collect() == []
    demo = pipeline.package("demo")
    assert demo.restore_version("1.0").outcome == "restored"
    assert pipeline.collect() == []
    assert pipeline.seen() == {"demo.whl": "bytes"}


def test_a_confirmation_that_comes_again_changes_nothing(pipeline: Pipeline) -> None:
    stopped_after(pipeline, "purged")
    (task,) = pipeline.claim()
    assert [pipeline.destroy(task), pipeline.destroy(task)] == ["deleted", "unchanged"]


def test_an_upload_that_is_given_up_is_deleted_once_more(pipeline: Pipeline) -> None:
    """The object may still appear after the first deletion: the upload was on its way."""
    demo = pipeline.repository().package("demo")
    publication = demo.begin_publication("1.0", files=texts(("demo.whl", "bytes")))
    pipeline.api.abort_publication(publication.publication_id, publication.fence)
    pipeline.api.purge()
    (task,) = pipeline.claim()
    assert [pipeline.destroy(task), pipeline.destroy(task)] == ["postponed", "postponed"]
    (copy,) = publication.copies
    pipeline.send(copy, b"bytes")
    assert pipeline.claim() == []
    pipeline.clock.advance(days=1, minutes=1)
    (task,) = pipeline.claim()
    assert pipeline.destroy(task) == "deleted"
    assert pipeline.store.objects() == []
    assert pipeline.violated() == set()
