"""PureScript registry, deduplication of jobs: a job that failed blocks every retry, and a junk job
that nobody has authenticated occupies the slot. Right: only open attempts count, and request keys
are scoped to the actor."""

import pytest

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, refusal, texts

FILES = texts(("demo.tar.gz", "bytes"))
JUNK = texts(("demo.tar.gz", "junk"))
KEY = "publish demo@1.0.0"


def failed_before(pipeline: Pipeline, how: str) -> Calls:
    """A job that failed, one way or another."""
    demo = pipeline.repository(validators={"scan": "required"}).package("demo", "purescript")
    job = demo.begin_publication("1.0.0", files=FILES, request_key=KEY, actor="alice")
    if how == "aborted":
        pipeline.api.abort_publication(job.publication_id, job.fence, "the build broke")
    elif how == "rejected":
        pipeline.api.record_validation(job.publication_id, "scan", "failed")
    else:
        pipeline.clock.advance(minutes=16)
        pipeline.api.expire_publications()
    (row,) = pipeline.api.ask("select status from pkgdb.publications")
    assert row.status == how
    return demo


@pytest.mark.parametrize("how", ["aborted", "rejected", "expired"])
@pytest.mark.parametrize("files", [FILES, JUNK], ids=["same content", "corrected"])
def test_holds(pipeline: Pipeline, how: str, files: list[dict[str, object]]) -> None:
    demo = failed_before(pipeline, how)
    again = demo.begin_publication("1.0.0", files=files, request_key=KEY, actor="alice")
    assert again.outcome == "begun"
    assert pipeline.violated() == set()


@pytest.mark.parametrize("how", ["aborted", "rejected", "expired"])
def test_fails_without_open_requests_in_the_request_index(pipeline: Pipeline, how: str) -> None:
    pipeline.without("open requests in the request index")
    demo = failed_before(pipeline, how)
    mine = {"files": FILES, "request_key": KEY, "actor": "alice"}
    assert refusal(demo.begin_publication, "1.0.0", **mine) == "23505"


def junk_job(pipeline: Pipeline) -> Calls:
    """Somebody else's job, with the key that alice's will have."""
    pipeline.repository()
    junk = pipeline.package("junk", "purescript")
    junk.begin_publication("1.0.0", files=JUNK, request_key=KEY, actor="mallory")
    return pipeline.package("demo", "purescript")


def test_anothers_job_has_another_key(pipeline: Pipeline) -> None:
    mine = {"files": FILES, "request_key": KEY, "actor": "alice"}
    job = junk_job(pipeline).begin_publication("1.0.0", **mine)
    assert job.outcome == "begun"
    pipeline.upload(job, "bytes")
    assert pipeline.commit(job) == "created"
    assert pipeline.package("demo", "purescript").begin_publication("1.0.0", **mine).outcome == (
        "unchanged"
    )
    assert pipeline.violated() == set()


def test_fails_without_actors_in_the_request_index(pipeline: Pipeline) -> None:
    demo = junk_job(pipeline.without("actors in the request index"))
    mine = {"files": FILES, "request_key": KEY, "actor": "alice"}
    assert refusal(demo.begin_publication, "1.0.0", **mine) == "23505"


def test_a_junk_job_for_the_same_version_holds_it_for_its_lease_only(pipeline: Pipeline) -> None:
    demo = pipeline.repository().package("demo", "purescript")
    demo.begin_publication("1.0.0", files=JUNK, actor="mallory")
    assert refusal(demo.begin_publication, "1.0.0", files=FILES, actor="alice") == "RG409"
    pipeline.clock.advance(minutes=16)
    assert demo.begin_publication("1.0.0", files=FILES, actor="alice").outcome == "begun"
