"""Gitea's rollback and Pulp's orphan cleanup (#4316): the collector deletes a blob that a publisher
has just adopted. Right: the adopter wins, or uploads again; there is never a live row without
bytes. The collector here is at its most eager: it is asked about every blob, all the time."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import BACKEND, Pipeline, Store, digest, texts
from tests.incidents.support import NAMESPACE, Call, Race, call

NEW = texts(("new.whl", "shared"))
PLACE = (NAMESPACE, "main", "pypi", "demo", "2.0")
BEGIN, PUBLISH = (call(name, *PLACE, p_files=NEW) for name in ("begin_publication", "publish"))


def orphaned(pipeline: Pipeline) -> Call:
    """Bytes in the store that no row needs any longer; returns the call of the collector."""
    demo = pipeline.repository().package("demo")
    pipeline.publish(demo, "1.0", "old.whl", "shared")
    demo.delete_version("1.0")
    assert pipeline.api.purge().versions == 1
    return call("collect_blobs", NAMESPACE, BACKEND, pipeline.installation)


def delete_what_is_due(pipeline: Pipeline) -> None:
    """The second step, also for collectors that died."""
    pipeline.clock.advance(minutes=6)
    for task in pipeline.claim():
        pipeline.destroy(task)


def test_the_adopter_holds_the_blob_first(pipeline: Pipeline) -> None:
    """The collector passes over it."""
    collect = orphaned(pipeline)
    assert pipeline.world.race(PUBLISH, collect) == Race("created", "nothing", "")
    pipeline.suspect_everything()
    delete_what_is_due(pipeline)
    assert pipeline.seen() == {"new.whl": "shared"}
    assert pipeline.violated() == set()


def test_the_collector_holds_the_blob_first(pipeline: Pipeline) -> None:
    """Who wants the bytes as they are waits, and is told that they are gone."""
    collect = orphaned(pipeline)
    assert pipeline.world.race(collect, PUBLISH) == Race(BACKEND, "row", "RG422")
    delete_what_is_due(pipeline)
    assert pipeline.seen() == {}
    assert pipeline.store.objects() == []
    assert pipeline.violated() == set()


def test_a_publication_brings_them_again(pipeline: Pipeline) -> None:
    """Under another key, so that it matters to nobody when the collector comes to the old one."""
    collect = orphaned(pipeline)
    assert pipeline.world.race(collect, BEGIN) == Race(BACKEND, "row", "begun")
    pipeline.clock.advance(minutes=16)
    publication = pipeline.package("demo").begin_publication("2.0", files=NEW)
    (copy,) = publication.copies
    assert copy["object_key"] not in pipeline.store.objects()
    pipeline.upload(publication, "shared")
    assert pipeline.commit(publication) == "created"
    pipeline.suspect_everything()
    delete_what_is_due(pipeline)
    assert pipeline.seen() == {"new.whl": "shared"}
    assert pipeline.store.objects() == [copy["object_key"]]
    assert pipeline.violated() == set()


def test_fails_without_claim_of_blobs(pipeline: Pipeline) -> None:
    """The collector does not see the row of who has adopted the bytes and not committed yet."""
    collect = orphaned(pipeline.without("claim of blobs"))
    assert pipeline.world.race(PUBLISH, collect) == Race("created", "nothing", BACKEND)
    delete_what_is_due(pipeline)
    assert pipeline.seen() == {"new.whl": None}
    assert pipeline.violated() == {"stored bytes"}


def test_fails_without_second_look_at_blobs(pipeline: Pipeline) -> None:
    """Nobody needed them when they were marked."""
    collect = orphaned(pipeline.without("second look at blobs", "last look at copies"))
    session = pipeline.world.session()
    assert [session.do(each) for each in (PUBLISH, collect)] == ["created", BACKEND]
    delete_what_is_due(pipeline)
    assert pipeline.seen() == {"new.whl": None}
    assert pipeline.violated() == {"stored bytes"}


ADOPTERS, ROUNDS, BYTES = 4, 25, ("red", "green", "blue")


def adopter(pipeline: Pipeline, number: int) -> list[str | None]:
    """Publishes and deletes the same few bytes again and again, looking each time whether what it
    has published is there. Returns what it found."""
    dice = random.Random(number)
    api = Calls(pipeline.world.connect(), (NAMESPACE,))
    demo = api.at("main", "pypi", f"demo-{number}")
    found = []
    for turn in range(ROUNDS):
        text = dice.choice(BYTES)
        publication = demo.begin_publication(str(turn), files=texts((f"{turn}.whl", text)))
        for copy in publication.copies:
            pipeline.send(copy, text.encode())
            fence = (publication.publication_id, publication.fence)
            api.record_copy(*fence, copy["backend"], copy["sha256"], copy["generation"])
        api.commit_publication(publication.publication_id, publication.fence)
        (key,) = api.ask(
            "select object_key from pkgdb.blob_copies where sha256 = %s", digest(text.encode())
        )[0]
        found.append(None if pipeline.download(key) == text else text)
        demo.delete_version(str(turn))
        api.purge()
    return found


def collector(pipeline: Pipeline, adopters: list[Any]) -> int:
    """Suspects everything and deletes, until nobody adopts any longer; how many objects."""
    api = Calls(pipeline.world.connect(), (NAMESPACE,))
    deleted = 0
    while not all(each.done() for each in adopters):
        api.ask(
            "with m as (update pkgdb.blob set unneeded_since = '-infinity' where sha256 in"
            " (select sha256 from pkgdb.blob for update skip locked) returning 1)"
            " select count(*) from m"
        )
        for task in api.rows("collect_blobs", BACKEND, pipeline.installation):
            Store(pipeline.store.root).delete(task.object_key)
            api.confirm_blob_deleted(BACKEND, task.sha256, task.generation, task.attempt)
            deleted += 1
    return deleted


def test_adopters_and_a_collector_all_the_time(pipeline: Pipeline) -> None:
    pipeline.repository(reuse="always")
    with ThreadPoolExecutor(ADOPTERS + 1) as threads:
        adopters = [threads.submit(adopter, pipeline, n) for n in range(ADOPTERS)]
        deleting = threads.submit(collector, pipeline, adopters)
        assert [each.result() for each in adopters] == [[None] * ROUNDS] * ADOPTERS
        assert deleting.result() > 0
    assert pipeline.violated() == set()
    pipeline.clock.advance(days=2)
    while pipeline.collect():
        pass
    assert pipeline.store.objects() == []
