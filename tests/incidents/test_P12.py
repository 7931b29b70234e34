"""crates.io, the job that deletes a crate: it wipes the crate's prefix some time later, and hits
what was published under the name since. Right: a deletion names one generation of an object, never
a prefix or a name."""

import pytest

from tests.incidents.pipeline import Pipeline
from tests.incidents.support import call


def wiped_late(pipeline: Pipeline, text: str) -> tuple[str, dict[str, str | None]]:
    """A crate is deleted; the name is used again, with these bytes; then the job comes."""
    crate = pipeline.repository(reuse="always").package("demo", "cargo")
    pipeline.publish(crate, "1.0.0", "demo-1.0.0.crate", "old")
    crate.delete_version("1.0.0")
    pipeline.api.purge()
    (job,) = pipeline.claim()
    pipeline.publish(crate, "1.0.0", "demo-1.0.0.crate", text)
    return pipeline.destroy(job), pipeline.seen()


@pytest.mark.parametrize("text", ["old", "new"], ids=["the same bytes", "others"])
def test_holds(pipeline: Pipeline, text: str) -> None:
    assert wiped_late(pipeline, text) == ("deleted", {"demo-1.0.0.crate": text})
    assert len(pipeline.store.objects()) == 1
    assert pipeline.violated() == set()


def test_fails_without_generations(pipeline: Pipeline) -> None:
    """The same bytes under the same key: the upload finds them there, and then they go."""
    seen = wiped_late(pipeline.without("generations"), "old")
    assert seen == ("deleted", {"demo-1.0.0.crate": None})


def test_a_dropped_repository_and_its_successor(pipeline: Pipeline) -> None:
    pipeline.publish(pipeline.repository().package("demo"), "1.0", "demo.whl", "bytes")
    pipeline.api.drop_repository("main")
    pipeline.world.given(call("create_repository", "acme", "main"))
    pipeline.api.set_repository_backend("main", "disk")
    assert pipeline.publish(pipeline.package("demo"), "1.0", "demo.whl", "bytes") == "created"
    pipeline.api.purge()
    pipeline.api.purge()
    pipeline.collect()
    assert pipeline.seen() == {"demo.whl": "bytes"}
    assert pipeline.violated() == set()


def test_a_generation_is_never_given_again(pipeline: Pipeline) -> None:
    demo = pipeline.repository(reuse="always").package("demo")
    keys = []
    for _ in range(3):
        pipeline.publish(demo, "1.0", "demo.whl", "bytes")
        keys += pipeline.store.objects()
        demo.delete_version("1.0")
        pipeline.api.purge()
        assert pipeline.collect() == ["deleted"]
    assert len(set(keys)) == 3
