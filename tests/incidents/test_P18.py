"""Warehouse, the quota trigger: a SUM under READ COMMITTED drifts when two uploads commit at once
(10 stored where 110 is true). Right: counters under the lock, and check_integrity() compares them
with the rows."""

import pytest

from tests.incidents.pipeline import Pipeline, of, texts
from tests.incidents.support import Package, Race, outcomes

DEMO = Package("pypi", "demo")


def counters(pipeline: Pipeline) -> tuple[int, int, int]:
    """As stored: versions, files, bytes."""
    return pipeline.api.ask("select versions, files, bytes from pkgdb.registrations")[0]


def two_uploads(pipeline: Pipeline, *, new: bool) -> tuple[Race, tuple[int, int, int]]:
    """Of 10 and of 100 bytes, to one version."""
    pipeline.repository("none")
    demo = pipeline.package("demo")
    if not new:
        demo.publish("1.0")
    small, large = (
        demo.begin_publication("1.0", files=texts((f"{size}.whl", "x" * size)))
        for size in (10, 100)
    )
    race = pipeline.world.race(of(large, "commit_publication"), of(small, "commit_publication"))
    return race, counters(pipeline)


@pytest.mark.parametrize("new", [True, False])
def test_holds(pipeline: Pipeline, new: bool) -> None:
    race, stored = two_uploads(pipeline, new=new)
    assert race == Race("created" if new else "files_added", "lock", "files_added")
    assert stored == (1, 2, 110)
    assert pipeline.violated() == set()


def test_fails_without_registration_lock(pipeline: Pipeline) -> None:
    """The second has not seen that the version is there: it is counted twice."""
    race, stored = two_uploads(pipeline.without("registration lock"), new=True)
    assert race == Race("created", "row", "created")
    assert stored == (2, 2, 110)
    assert "latest is right" in pipeline.violated()


def test_a_sum_drifts_without_registration_lock(pipeline: Pipeline) -> None:
    """As in the trigger: each sums what it sees."""
    pipeline.without("registration lock", "totals are added to")
    race, stored = two_uploads(pipeline, new=False)
    assert race == Race("files_added", "row", "files_added")
    assert stored == (1, 2, 10)
    assert "latest is right" in pipeline.violated()


@pytest.mark.parametrize("protection", ["registration lock", "totals are added to"])
def test_either_would_do_for_a_version_that_is_there(pipeline: Pipeline, protection: str) -> None:
    _, stored = two_uploads(pipeline.without(protection), new=False)
    assert stored == (1, 2, 110)


def test_many_at_once(pipeline: Pipeline) -> None:
    pipeline.repository("none")
    demo = pipeline.package("demo")
    demo.publish("0.9", files=texts(("old.whl", "old")))
    publications = [
        demo.begin_publication("1.0", files=texts((f"{size}.whl", "x" * size)))
        for size in range(1, 13)
    ]
    calls = [of(publication, "commit_publication") for publication in publications[:8]]
    calls += [of(publication, "abort_publication") for publication in publications[8:]]
    calls += [DEMO("delete_file", "0.9", p_filename="old.whl")]
    told = outcomes(pipeline.world.crowd(calls))
    assert told == {"aborted": 4, "created": 1, "file_deleted": 1, "files_added": 7}
    assert counters(pipeline) == (2, 8, sum(range(1, 9)))
    assert pipeline.violated() == set()
