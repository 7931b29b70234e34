"""PureScript registry #645: the metadata push fails after the tarball is uploaded, and the retry
fails as well: "already in storage". Right: issued again it goes on where it stopped, and succeeds;
with other bytes it is RG409."""

from typing import Any

import pytest

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, refusal, texts

MINE = {"request_key": "publish demo 1.0", "actor": "trusted-ci"}
STEPS = ["begun", "uploaded", "recorded", "committed"]


def begin(demo: Calls, text: str = "tarball", **by: str) -> Any:
    return demo.begin_publication("1.0", files=texts(("demo-1.0.tar.gz", text)), **by)


def go_on(pipeline: Pipeline, publication: Any) -> str:
    """What a client does with what begin says."""
    if publication.outcome != "unchanged":
        pipeline.upload(publication, "tarball")
        return pipeline.commit(publication)
    return publication.outcome


def died_after(pipeline: Pipeline, step: str) -> Calls:
    demo = pipeline.repository().package("demo")
    publication = begin(demo, **MINE)
    if step != "begun":
        (copy,) = publication.copies
        pipeline.send(copy, b"tarball")
    if step in ("recorded", "committed"):
        pipeline.record(publication, copy)
    if step == "committed":
        pipeline.commit(publication)
    return demo


def retried(pipeline: Pipeline, step: str) -> str:
    return go_on(pipeline, begin(died_after(pipeline, step), **MINE))


@pytest.mark.parametrize("step", STEPS)
def test_holds(pipeline: Pipeline, step: str) -> None:
    assert retried(pipeline, step) == ("unchanged" if step == "committed" else "created")
    assert pipeline.seen() == {"demo-1.0.tar.gz": "tarball"}
    assert len(pipeline.store.objects()) == 1
    assert pipeline.violated() == set()


@pytest.mark.parametrize("step", STEPS[:3])
def test_fails_without_resuming(pipeline: Pipeline, step: str) -> None:
    """The retry is told that somebody is at it: itself, until the lease ends."""
    demo = died_after(pipeline.without("resuming"), step)
    again = begin(demo, **MINE)
    assert (again.outcome, again.fence) == ("in_progress", None)


@pytest.mark.parametrize("step", STEPS)
def test_other_bytes_are_refused(pipeline: Pipeline, step: str) -> None:
    demo = died_after(pipeline, step)
    assert refusal(begin, demo, "other", **MINE) == "RG409"
    assert refusal(begin, demo, "other", request_key="another", actor="trusted-ci") == "RG409"
    assert refusal(begin, demo, "other", actor="stranger") == "RG409"
    assert go_on(pipeline, begin(demo, **MINE)) in ("created", "unchanged")
    assert pipeline.seen() == {"demo-1.0.tar.gz": "tarball"}


def test_a_stranger_goes_on_after_the_lease(pipeline: Pipeline) -> None:
    demo = died_after(pipeline, "uploaded")
    assert begin(demo, actor="stranger").outcome == "in_progress"
    pipeline.clock.advance(hours=1)
    taken_over = begin(demo, actor="stranger")
    assert (taken_over.outcome, taken_over.fence) == ("resumed", 2)
    assert go_on(pipeline, taken_over) == "created"
    assert begin(demo, **MINE).outcome == "unchanged"
    assert len(pipeline.store.objects()) == 1
