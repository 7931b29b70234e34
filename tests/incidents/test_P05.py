"""Open VSX #783, #1718: a crash leaves an inactive row, which blocks the version for ever. Right:
it blocks nobody once its lease has ended, whether or not the reaper has come."""

import pytest

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, refusal, texts

FIRST, SECOND = texts(("demo.vsix", "first")), texts(("demo.vsix", "second"))


def crashed(pipeline: Pipeline) -> Calls:
    demo = pipeline.repository().package("demo", "generic")
    pipeline.publish(demo, "0.9", "demo-0.9.vsix", "older")
    demo.begin_publication("1.0", files=FIRST, request_key="k", actor="alice")
    return demo


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "not yet"])
def test_holds(pipeline: Pipeline, reaped: bool) -> None:
    demo = crashed(pipeline)
    pipeline.clock.advance(minutes=16)
    if reaped:
        pipeline.api.expire_publications()
    again = demo.begin_publication("1.0", files=SECOND, actor="bob")
    pipeline.upload(again, "second")
    assert pipeline.commit(again) == "created"
    assert pipeline.seen() == {"demo-0.9.vsix": "older", "demo.vsix": "second"}
    assert pipeline.statuses("demo")[1:] == [("1.0", "failed"), ("1.0", "available")]
    assert pipeline.violated() == set()


def test_fails_without_live_rows_only_in_the_live_index(pipeline: Pipeline) -> None:
    demo = crashed(pipeline.without("live rows only in the live index"))
    pipeline.clock.advance(minutes=16)
    pipeline.api.expire_publications()
    assert refusal(demo.begin_publication, "1.0", files=SECOND, actor="bob") == "23505"


def test_as_long_as_it_is_alive_it_holds_its_version(pipeline: Pipeline) -> None:
    demo = crashed(pipeline)
    pipeline.clock.advance(minutes=10)
    (row,) = pipeline.api.ask("select * from pkgdb.publications where status = 'open'")
    pipeline.api.renew_publication(row.publication_id, row.fence)
    pipeline.clock.advance(minutes=10)
    assert pipeline.api.expire_publications() == (0,)
    assert refusal(demo.begin_publication, "1.0", files=SECOND, actor="bob") == "RG409"
