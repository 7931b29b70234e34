"""Hex #692: a release is visible, and its tarball is missing. Right: visible only when every
backend that the repository requires holds every blob."""

from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls
from tests.incidents.pipeline import Pipeline, digest, of, refusal, texts
from tests.incidents.support import NAMESPACE, Race, call

FILES = texts(("demo-1.0.tar", "tarball"), ("demo-1.0.docs", "docs"))


def two_backends(pipeline: Pipeline) -> Calls:
    pipeline.repository()
    pipeline.api.add_backend("mirror", "file:///mirror")
    pipeline.api.set_repository_backend("main", "mirror")
    return pipeline.package("demo", "generic")


def committed_early(pipeline: Pipeline) -> tuple[Any, str | None, dict[str, str | None]]:
    """A publication that is committed before its uploads, what that gives, and what is seen."""
    publication = two_backends(pipeline).begin_publication("1.0.0", files=FILES)
    return publication, refusal(pipeline.commit, publication), pipeline.seen()


def test_holds(pipeline: Pipeline) -> None:
    publication, told, seen = committed_early(pipeline)
    assert (told, seen) == ("RG422", {})
    data = {digest(text): text for text in (b"tarball", b"docs")}
    assert len(publication.copies) == 4
    for copy in publication.copies:
        assert refusal(pipeline.commit, publication) == "RG422"
        pipeline.send(copy, data[copy["sha256"]])
        pipeline.record(publication, copy)
    assert pipeline.commit(publication) == "created"
    assert pipeline.seen() == {"demo-1.0.tar": "tarball", "demo-1.0.docs": "docs"}
    assert pipeline.violated() == set()


def test_fails_without_required_backends(pipeline: Pipeline) -> None:
    _, told, seen = committed_early(pipeline.without("required backends"))
    assert told is None
    assert seen == {"demo-1.0.tar": None, "demo-1.0.docs": None}


def test_the_error_names_what_is_missing(pipeline: Pipeline) -> None:
    publication = two_backends(pipeline).begin_publication("1.0.0", files=FILES)
    session = pipeline.world.session()
    with pytest.raises(psycopg.Error) as caught:
        of(publication, "commit_publication").execute(session.connection)
    detail = caught.value.diag.message_detail or ""
    missing = [f"{copy['sha256']} on '{copy['backend']}'" for copy in publication.copies]
    assert sorted(detail.split(", ")) == sorted(missing)


REQUIRE = call("set_repository_backend", NAMESPACE, "main", "mirror")


def required_while_committing(pipeline: Pipeline, *, committed_first: bool) -> Race:
    """A backend becomes required while a publication that does not bring its bytes there is
    committed."""
    pipeline.repository()
    pipeline.api.add_backend("mirror", "file:///mirror")
    demo = pipeline.package("demo", "generic")
    publication = demo.begin_publication("1.0.0", files=FILES)
    pipeline.upload(publication, "tarball", "docs")
    commit = of(publication, "commit_publication")
    return pipeline.world.race(*((commit, REQUIRE) if committed_first else (REQUIRE, commit)))


def requirement(pipeline: Pipeline) -> str:
    (row,) = pipeline.api.ask("select * from pkgdb.repository_backends where backend = 'mirror'")
    return row.requirement


def test_a_requirement_waits_for_the_commit(pipeline: Pipeline) -> None:
    race = required_while_committing(pipeline, committed_first=True)
    assert race == Race("created", "lock", "altered")
    assert requirement(pipeline) == "filling"
    assert pipeline.violated() == set()


def test_a_commit_waits_for_the_requirement(pipeline: Pipeline) -> None:
    race = required_while_committing(pipeline, committed_first=False)
    assert race == Race("altered", "lock", "RG422")
    assert pipeline.violated() == set()


@pytest.mark.parametrize("committed_first", [True, False])
def test_fails_without_repository_lock(pipeline: Pipeline, committed_first: bool) -> None:
    """Required of all, and not there."""
    race = required_while_committing(
        pipeline.without("repository lock"), committed_first=committed_first
    )
    assert race.waited == "nothing"
    assert "created" in race
    assert requirement(pipeline) == "required"
    assert pipeline.violated() == {"stored bytes"}
