"""NuGetGallery #5577, #7590: two processors at work on one package at once; a blob of no bytes; the
upload stuck in 409. Right: whoever was overtaken holds an old fence, gets RG412 and changes
nothing; bytes that are wrong are found, and made again under another key."""

from typing import Any

import pytest

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, digest, of, refusal, texts
from tests.incidents.support import NAMESPACE, Call, Race, call

DEMO = texts(("demo.nupkg", "bytes"))


def overtaken(pipeline: Pipeline) -> tuple[Calls, Any, Any]:
    """A slow processor, and one that has taken over after its lease."""
    demo = pipeline.repository().package("demo", "nuget")
    slow = demo.begin_publication("1.0.0", files=DEMO, actor="slow")
    pipeline.clock.advance(minutes=16)
    return demo, slow, demo.begin_publication("1.0.0", files=DEMO, actor="quick")


def everything(pipeline: Pipeline, slow: Any) -> list[str | None]:
    """All that a processor can do with its fence."""
    (copy,) = slow.copies
    fence = (slow.publication_id, slow.fence)
    api = pipeline.api
    return [
        refusal(api.renew_publication, *fence),
        refusal(api.record_copy, *fence, copy["backend"], copy["sha256"], copy["generation"]),
        refusal(api.commit_publication, *fence),
        refusal(api.abort_publication, *fence),
    ]


def test_holds(pipeline: Pipeline) -> None:
    _, slow, quick = overtaken(pipeline)
    with pipeline.api.changes_nothing():
        assert everything(pipeline, slow) == ["RG412"] * 4
    pipeline.upload(quick, "bytes")
    with pipeline.api.changes_nothing():
        assert everything(pipeline, slow) == ["RG412"] * 4
    assert pipeline.commit(quick) == "created"
    assert pipeline.seen() == {"demo.nupkg": "bytes"}
    assert pipeline.violated() == set()


def test_fails_without_fence(pipeline: Pipeline) -> None:
    """The slow one records bytes that it never sent, and what it commits has none."""
    _, slow, _ = overtaken(pipeline.without("fence"))
    assert everything(pipeline, slow)[:3] == [None] * 3
    assert pipeline.seen() == {"demo.nupkg": None}


def taking_over_while_it_commits(pipeline: Pipeline) -> tuple[Race, int]:
    """The commit of the slow one is on its way when the other takes over."""
    demo = pipeline.repository().package("demo", "nuget")
    slow = demo.begin_publication("1.0.0", files=DEMO, actor="slow")
    pipeline.upload(slow, "bytes")
    pipeline.clock.advance(minutes=16)
    place = (NAMESPACE, "main", "nuget", "demo", "1.0.0")
    take_over = call("begin_publication", *place, p_files=DEMO, p_actor="quick")
    race = pipeline.world.race(take_over, of(slow, "commit_publication"))
    (row,) = pipeline.api.ask("select * from pkgdb.publications")
    return race, row.fence if row.status == "open" else 0


def test_a_commit_waits_for_who_takes_over(pipeline: Pipeline) -> None:
    assert taking_over_while_it_commits(pipeline) == (Race("resumed", "lock", "RG412"), 2)


def test_fails_without_registration_lock(pipeline: Pipeline) -> None:
    """Its fence was good when it looked."""
    pipeline.without("registration lock")
    race, fence = taking_over_while_it_commits(pipeline)
    assert race == Race("resumed", "row", "created")
    assert fence == 0


def recorded_while_it_is_taken_over(pipeline: Pipeline, recorded_first: bool) -> Race:
    demo = pipeline.repository().package("demo", "nuget")
    slow = demo.begin_publication("1.0.0", files=DEMO, actor="slow")
    (copy,) = slow.copies
    pipeline.clock.advance(minutes=16)
    place = (NAMESPACE, "main", "nuget", "demo", "1.0.0")
    take_over = call("begin_publication", *place, p_files=DEMO, p_actor="quick")
    record = of(slow, "record_copy", copy["backend"], copy["sha256"], copy["generation"])
    both: tuple[Call, Call] = (record, take_over) if recorded_first else (take_over, record)
    return pipeline.world.race(*both)


def test_what_is_recorded_and_who_takes_over_wait_for_each_other(pipeline: Pipeline) -> None:
    race = recorded_while_it_is_taken_over(pipeline, recorded_first=True)
    assert race == Race("recorded", "row", "resumed")


def test_who_was_overtaken_records_nothing(pipeline: Pipeline) -> None:
    race = recorded_while_it_is_taken_over(pipeline, recorded_first=False)
    assert race == Race("resumed", "row", "RG412")


@pytest.mark.parametrize("left", [b"", b"byt", b"other"], ids=["no bytes", "a part", "others"])
def test_a_wrong_object_is_in_nobodys_way(pipeline: Pipeline, left: bytes) -> None:
    """A client that does not write objects whole has died, and left something at the key."""
    demo = pipeline.repository().package("demo", "nuget")
    mine: dict[str, Any] = {"files": DEMO, "request_key": "k", "actor": "processor"}
    (copy,) = demo.begin_publication("1.0.0", **mine).copies
    pipeline.store.put(copy["object_key"], left)

    found = pipeline.api.verify_copy(
        copy["backend"], copy["sha256"], copy["generation"], digest(left)
    )
    assert found.outcome == "lost"
    again = demo.begin_publication("1.0.0", **mine)
    (other,) = again.copies
    assert other["object_key"] != copy["object_key"]
    assert refusal(pipeline.record, again, copy) == "RG412"
    pipeline.upload(again, "bytes")
    assert pipeline.commit(again) == "created"
    pipeline.clock.advance(days=2)
    pipeline.collect()
    pipeline.clock.advance(days=2)
    pipeline.collect()
    assert pipeline.store.objects() == [other["object_key"]]
    assert pipeline.seen() == {"demo.nupkg": "bytes"}
    assert pipeline.violated() == set()
