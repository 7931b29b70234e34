"""RubyGems: a crash between the database's commit and the upload: the version is there, its bytes
are not, and pushing it again says "did not finish pushing. Please contact support". Right: nobody
sees it, and it expires or is resumed."""

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, refusal, texts

MINE = {"request_key": "push 1", "actor": "alice"}
GEM = texts(("demo-1.0.gem", "gem"))


def crashed(pipeline: Pipeline) -> Calls:
    demo = pipeline.repository().package("demo", "gem")
    demo.begin_publication("1.0", files=GEM, **MINE)
    return demo


def test_nobody_sees_it(pipeline: Pipeline) -> None:
    demo = crashed(pipeline)
    assert pipeline.seen() == {}
    assert refusal(demo.resolve, "1.0") == "RG404"
    assert refusal(demo.resolve, "latest") == "RG404"
    assert refusal(demo.versions) == "RG404"
    assert pipeline.violated() == set()


def test_fails_without_required_backends(pipeline: Pipeline) -> None:
    """Committed before the upload, it is seen and cannot be downloaded."""
    demo = pipeline.repository().without("required backends").package("demo", "gem")
    assert pipeline.commit(demo.begin_publication("1.0", files=GEM, **MINE)) == "created"
    assert pipeline.seen() == {"demo-1.0.gem": None}
    assert pipeline.violated() == {"stored bytes"}


def test_it_is_resumed(pipeline: Pipeline) -> None:
    again = crashed(pipeline).begin_publication("1.0", files=GEM, **MINE)
    assert again.outcome == "resumed"
    pipeline.upload(again, "gem")
    assert pipeline.commit(again) == "created"
    assert pipeline.seen() == {"demo-1.0.gem": "gem"}


def test_or_it_expires(pipeline: Pipeline) -> None:
    demo = crashed(pipeline)
    other = texts(("demo-1.0.gem", "another gem"))
    assert refusal(demo.begin_publication, "1.0", files=other, actor="bob") == "RG409"
    pipeline.clock.advance(minutes=16)
    assert pipeline.api.expire_publications() == (1,)
    pushed = demo.begin_publication("1.0", files=other, actor="bob")
    pipeline.upload(pushed, "another gem")
    assert pipeline.commit(pushed) == "created"
    assert pipeline.seen() == {"demo-1.0.gem": "another gem"}
    assert pipeline.violated() == set()
