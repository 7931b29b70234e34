"""RubyGems #1564: two parallel pushes of one version: two writes to one key of the store, and the
checksum of one push stands beside the bytes of the other. Right: objects are addressed by their
content, and a version has one."""

from typing import Any

from tests.incidents.pipeline import Pipeline, digest, of, refusal, texts
from tests.incidents.support import Package, Race

DEMO = Package("gem", "demo")


def checksum_and_bytes(pipeline: Pipeline) -> list[tuple[str, str | None]]:
    """Of each file: its digest in the index, and the digest of what a download gives."""
    rows = pipeline.db.execute(
        "select sha256, object_key from pkgdb.files left join pkgdb.blob_copies"
        " using (namespace, sha256) order by 1"
    ).fetchall()
    return [(sha256, digest(pipeline.store.read(key) or b"")) for sha256, key in rows]


def two_pushes(pipeline: Pipeline) -> list[Any]:
    """Both bring their bytes before either commits: of two platforms, so that both may."""
    demo = pipeline.repository().package("demo", "gem")
    pushes = [
        demo.begin_publication("1.0", platform, files=texts((f"demo-{platform}.gem", platform)))
        for platform in ("java", "x86_64-linux")
    ]
    for push, platform in zip(pushes, ("java", "x86_64-linux"), strict=True):
        (copy,) = push.copies
        pipeline.store.put(copy["object_key"], platform.encode())
        pipeline.record(push, copy)
    return [pipeline.commit(push) for push in pushes]


def test_holds(pipeline: Pipeline) -> None:
    assert two_pushes(pipeline) == ["created", "created"]
    assert all(checksum == found for checksum, found in checksum_and_bytes(pipeline))
    assert pipeline.violated() == set()


def test_fails_without_digests_and_generations(pipeline: Pipeline) -> None:
    """Both have one key, as where it is made from the name."""
    assert two_pushes(pipeline.without("digests and generations")) == ["created", "created"]
    assert [checksum == found for checksum, found in checksum_and_bytes(pipeline)].count(False) == 1


def push(text: str) -> Any:
    return DEMO("begin_publication", "1.0", p_files=texts(("demo-1.0.gem", text)))


def test_of_two_contents_of_one_file_one_is_refused(pipeline: Pipeline) -> None:
    pipeline.repository()
    assert pipeline.world.race(push("one"), push("other")) == Race("begun", "lock", "RG409")


def test_the_indexes_are_the_backstop(pipeline: Pipeline) -> None:
    pipeline.repository().without("registration lock")
    race = pipeline.world.race(push("one"), push("other"))
    assert race == Race("begun", "row", "RG409")


def test_bytes_that_both_bring_are_brought_once(pipeline: Pipeline) -> None:
    """Two versions with the same bytes: whoever comes second finds the object, and it is right."""
    demo = pipeline.repository().package("demo", "gem")
    one, other = (
        demo.begin_publication(version, files=texts((f"demo-{version}.gem", "same")))
        for version in ("1.0", "2.0")
    )
    assert one.copies == other.copies
    pipeline.upload(one, "same")
    assert pipeline.commit(one) == "created"
    pipeline.upload(other, "same")
    assert pipeline.world.session().do(of(other, "commit_publication")) == "created"
    assert len(pipeline.store.objects()) == 1
    assert refusal(demo.publish, "1.0", files=texts(("demo-1.0.gem", "other"))) == "RG409"
