"""NuGetGallery, validation sets: a message comes late, the set has timed out, and two sets are at
work within the window in which duplicates are looked for. Right: at most one open publication for
each version and file name, by index; the others join or are told; what comes late changes
nothing."""

import pytest

from tests.incidents.pipeline import Pipeline, refusal, texts
from tests.incidents.support import Call, Package, Race

DEMO = Package("nuget", "demo")


def begin(text: str, actor: str) -> Call:
    files = texts(("demo.nupkg", text))
    return DEMO("begin_publication", "1.0.0", p_files=files, p_actor=actor)


SAME, OTHER = begin("bytes", "second"), begin("other", "second")


def two_sets(pipeline: Pipeline, second: Call) -> tuple[Race, int]:
    """Two begin at the same moment; how many are at it then."""
    pipeline.repository()
    demo = pipeline.package("demo", "nuget")
    pipeline.publish(demo, "0.9.0", "demo-0.9.nupkg", "older")
    race = pipeline.world.race(begin("bytes", "first"), second)
    return race, len(pipeline.api.ask("select from pkgdb.publications where status = 'open'"))


@pytest.mark.parametrize(
    ("second", "told"), [(SAME, "in_progress"), (OTHER, "RG409")], ids=["same", "other"]
)
def test_holds(pipeline: Pipeline, second: Call, told: str) -> None:
    assert two_sets(pipeline, second) == (Race("begun", "lock", told), 1)
    assert pipeline.violated() == set()


@pytest.mark.parametrize("second", [SAME, OTHER], ids=["same", "other"])
def test_the_index_of_versions_is_the_backstop(pipeline: Pipeline, second: Call) -> None:
    pipeline.without("registration lock")
    assert two_sets(pipeline, second) == (Race("begun", "row", "23505"), 1)


def test_the_index_of_file_names_is_the_backstop(pipeline: Pipeline) -> None:
    """For files that are added to a version which is there."""
    pipeline.without("registration lock").repository()
    pipeline.publish(pipeline.package("demo"), "1.0", "old.whl", "old")
    first, second = (
        Package("pypi", "demo")("begin_publication", "1.0", p_files=texts(("new.whl", text)))
        for text in ("bytes", "other")
    )
    assert pipeline.world.race(first, second) == Race("begun", "row", "RG409")
    assert pipeline.violated() == set()


def test_fails_without_any_of_them(pipeline: Pipeline) -> None:
    pipeline.without("registration lock", "live index", "file index", "content index")
    race, at_it = two_sets(pipeline, SAME)
    assert (race.first, race.second, at_it) == ("begun", "begun", 2)
    assert pipeline.violated() >= {"one live version"}


def timed_out(pipeline: Pipeline) -> tuple[int, int]:
    """A set that has timed out, and the next one."""
    demo = pipeline.repository(validators={"scan": "required"}).package("demo", "nuget")
    files = texts(("demo.nupkg", "bytes"))
    old = demo.begin_publication("1.0.0", files=files, actor="first")
    pipeline.clock.advance(minutes=16)
    pipeline.api.expire_publications()
    new = demo.begin_publication("1.0.0", files=files, actor="second")
    assert new.outcome == "begun"
    assert refusal(pipeline.commit, old) == "RG422"
    assert refusal(pipeline.api.renew_publication, old.publication_id, old.fence) == "RG422"
    return old.publication_id, new.publication_id


@pytest.mark.parametrize("result", ["succeeded", "failed", "error"])
def test_a_late_message_changes_nothing(pipeline: Pipeline, result: str) -> None:
    old, new = timed_out(pipeline)
    with pipeline.api.changes_nothing():
        late = pipeline.api.record_validation(old, "scan", result)
    assert (late.status, late.outcome) == ("pending", "unchanged")
    assert refusal(pipeline.api.commit_publication, new, 1) == "RG422"  # it has its own scan
    assert pipeline.api.record_validation(new, "scan", "succeeded").outcome == "recorded"


def test_a_message_that_comes_twice_changes_nothing(pipeline: Pipeline) -> None:
    _, new = timed_out(pipeline)
    pipeline.api.record_validation(new, "scan", "succeeded")
    with pipeline.api.changes_nothing():
        assert pipeline.api.record_validation(new, "scan", "succeeded").outcome == "unchanged"
    with pipeline.api.refused("RG409"):
        pipeline.api.record_validation(new, "scan", "failed")
