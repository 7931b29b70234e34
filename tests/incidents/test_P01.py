"""NuGetGallery #6579: a message comes twice; the second processor skips the copy because the hash
matches, believes that it made it, cannot commit, and deletes the live package. Right: nothing ever
deletes on failure; the second message gets "committed already"."""

from tests.incidents.pipeline import Pipeline, refusal, texts

DEMO = texts(("demo.nupkg", "bytes"))


def message_twice(pipeline: Pipeline) -> tuple[str, str | None, list[str], dict[str, str | None]]:
    """What the second processor is told when it commits and when it then cleans up; what the
    collector takes, and what a client still gets."""
    demo = pipeline.repository().package("demo", "nuget")
    message = {"files": DEMO, "request_key": "message 1", "actor": "orchestrator"}
    first = demo.begin_publication("1.0.0", **message)
    pipeline.upload(first, "bytes")
    second = demo.begin_publication("1.0.0", **message)
    assert (second.outcome, second.copies) == ("resumed", [])  # the bytes are there
    assert pipeline.commit(second) == "created"

    told = pipeline.commit(first)
    cleaned_up = refusal(pipeline.api.abort_publication, first.publication_id, first.fence)
    return told, cleaned_up, pipeline.collect(), pipeline.seen()


def test_holds(pipeline: Pipeline) -> None:
    assert message_twice(pipeline) == ("unchanged", "RG422", [], {"demo.nupkg": "bytes"})
    assert pipeline.violated() == set()


def test_the_constraint_is_the_backstop(pipeline: Pipeline) -> None:
    """Where the processor's clean-up is let through, what is committed does not become aborted."""
    seen = message_twice(pipeline.without("end", "fence"))
    assert seen == ("unchanged", "23514", [], {"demo.nupkg": "bytes"})
    assert pipeline.violated() == set()


def test_fails_without_second_look_at_blobs(pipeline: Pipeline) -> None:
    """The live package loses its bytes, where nobody looks at copies either."""
    seen = message_twice(pipeline.without("second look at blobs", "last look at copies"))
    assert seen == ("unchanged", "RG422", ["postponed"], {"demo.nupkg": None})
    assert pipeline.violated() == {"stored bytes"}


def test_a_message_after_the_end_finds_it_committed(pipeline: Pipeline) -> None:
    demo = pipeline.repository().package("demo", "nuget")
    message = {"files": DEMO, "request_key": "message 1", "actor": "orchestrator"}
    first = demo.begin_publication("1.0.0", **message)
    pipeline.upload(first, "bytes")
    pipeline.commit(first)
    again = demo.begin_publication("1.0.0", **message)
    assert (again.state, again.outcome, again.fence, again.copies) == (
        "committed", "unchanged", None, [],
    )  # fmt: skip


def test_failing_never_deletes_what_another_version_has(pipeline: Pipeline) -> None:
    """The copy was skipped because another version has the bytes; then the publication fails."""
    demo = pipeline.repository(validators={"scan": "required"}).package("demo")
    live, failing = (
        demo.begin_publication(version, files=texts((f"demo-{version}.whl", "same bytes")))
        for version in ("1.0", "2.0")
    )
    pipeline.upload(live, "same bytes")
    pipeline.api.record_validation(live.publication_id, "scan", "succeeded")
    assert pipeline.commit(live) == "created"
    pipeline.api.record_validation(failing.publication_id, "scan", "failed")
    aborted = demo.begin_publication("3.0", files=texts(("demo-3.0.whl", "same bytes")))
    assert aborted.copies == []
    pipeline.api.abort_publication(aborted.publication_id, aborted.fence)

    assert pipeline.api.purge().versions == 2
    assert pipeline.collect() == []
    assert pipeline.seen() == {"demo-1.0.whl": "same bytes"}
    assert pipeline.violated() == set()
