"""Publications and the backends of their repository."""

import psycopg
import pytest

from tests.behaviour.calls import file
from tests.publications.ledger import digest

FILES = [file("a", "a"), file("b", "b")]


def wanted(publication):
    return sorted((c["backend"], c["sha256"], c["requirement"]) for c in publication.copies)


def detail(call, *args, **named):
    with pytest.raises(psycopg.Error) as caught:
        call(*args, **named)
    assert caught.value.sqlstate == "RG422"
    return caught.value.diag.message_detail


def test_every_backend_gets_every_blob(api, demo, ledger):
    ledger.backend("one", "required")
    ledger.backend("two", "optional")
    ledger.backend("unused")
    publication = demo.begin_publication("1.0", files=FILES)
    assert wanted(publication) == sorted(
        (backend, digest(text), requirement)
        for backend, requirement in (("one", "required"), ("two", "optional"))
        for text in "ab"
    )
    assert len({copy["generation"] for copy in publication.copies}) == 4
    assert len({copy["object_key"] for copy in publication.copies}) == 4


def test_optional_ones_are_not_waited_for(api, demo, ledger):
    ledger.backend("one", "required")
    ledger.backend("two", "optional")
    publication = demo.begin_publication("1.0", files=FILES)
    ledger.record(publication, "one")
    assert ledger.commit(publication).outcome == "created"
    assert ledger.make() == 2  # a worker brings them afterwards
    assert {copy.backend for copy in api.ask("select * from pkgdb.blob_copies")} == {"one", "two"}


def test_one_of_the_optional_ones_has_to_have_it(api, repo, demo, ledger):
    """Where all are optional; published means that the bytes are somewhere."""
    ledger.backend("one", "optional")
    ledger.backend("two", "optional")
    mine = {"files": FILES, "request_key": "k"}
    publication = demo.begin_publication("1.0", **mine)
    missing = sorted(f"{digest(text)} on '{name}'" for text in "ab" for name in ("one", "two"))
    assert sorted(detail(ledger.commit, publication).split(", ")) == missing
    others = [file("c", "a"), file("d", "b")]
    assert sorted(detail(demo.publish, "2.0", files=others).split(", ")) == missing
    item = {"ecosystem": "pypi", "name": "x", "version": "1.0", "files": others}
    (row,) = repo.rows("publish_many", [item], strict=False)
    assert (row.outcome, row.sqlstate) == ("refused", "RG422")

    first, second = {copy["sha256"] for copy in publication.copies}
    for copy in publication.copies:
        if (copy["backend"], copy["sha256"]) in {("one", first), ("two", second)}:
            assert ledger.record(publication._replace(copies=[copy])) == ["recorded"]
    assert ledger.commit(publication).outcome == "created"
    assert ledger.make() == 2


def test_a_backend_of_another_repository_is_no_place_for_it(api, demo, ledger):
    """Though the namespace has the bytes: that repository may give them up."""
    ledger.backend("one", "required")
    ledger.publish(demo, "1.0", *FILES)
    api.create_repository("other")
    ledger.backend("two")
    api.set_repository_backend("other", "two", "optional")
    publication = api.at("other", "pypi", "demo").begin_publication("1.0", files=FILES)
    missing = detail(ledger.commit, publication)
    assert sorted(missing.split(", ")) == sorted(f"{digest(text)} on 'two'" for text in "ab")
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"


def test_without_backends_there_is_nothing_to_upload(api, demo, ledger):
    publication = demo.begin_publication("1.0", files=FILES)
    assert publication.copies == []
    assert ledger.commit(publication).outcome == "created"
    assert ledger.copies() == []


@pytest.mark.parametrize("filled", [True, False])
def test_one_that_came_while_it_was_open(api, demo, disk, ledger, filled):
    """Required of an empty repository, or filling where there is something already."""
    if not filled:
        ledger.publish(demo, "0.9", file("old", "old"))
    mine = {"files": FILES, "request_key": "k"}
    publication = demo.begin_publication("1.0", **mine)
    ledger.record(publication)
    ledger.backend("new", "required")
    (row,) = api.ask("select * from pkgdb.repository_backends where backend = 'new'")
    assert row.requirement == ("required" if filled else "filling")
    missing = detail(ledger.commit, publication)
    assert sorted(missing.split(", ")) == sorted(f"{digest(text)} on 'new'" for text in "ab")
    again = demo.begin_publication("1.0", **mine)
    assert wanted(again) == sorted(("new", digest(text), row.requirement) for text in "ab")
    ledger.record(again)
    assert ledger.commit(again).outcome == "created"


def test_one_that_went_while_it_was_open(api, demo, ledger):
    ledger.backend("one", "required")
    ledger.backend("two", "required")
    publication = demo.begin_publication("1.0", files=FILES)
    ledger.record(publication, "one")
    api.set_repository_backend("main", "two", "none")
    assert ledger.commit(publication).outcome == "created"


def test_bytes_that_were_lost_while_it_was_open(api, demo, disk, ledger):
    mine = {"files": [file("a", "a")], "request_key": "k"}
    publication = demo.begin_publication("1.0", **mine)
    ledger.record(publication)
    ledger.verify(ledger.present(), None)
    assert detail(ledger.commit, publication) == f"{digest('a')} on 'disk'"
    (old,) = publication.copies
    with api.refused("RG412"):
        api.record_copy(
            publication.publication_id, publication.fence, "disk", old["sha256"], old["generation"]
        )
    again = demo.begin_publication("1.0", **mine)
    (new,) = again.copies
    assert new["generation"] > old["generation"]
    assert ledger.record(again) == ["recorded"]
    assert ledger.copies() == [("disk", "deleting"), ("disk", "present")]
    assert ledger.commit(again).outcome == "created"


def test_two_publications_wait_for_one_object(demo, disk, ledger):
    one = demo.begin_publication("1.0", files=[file("a", "same")])
    other = demo.begin_publication("2.0", files=[file("b", "same")])
    assert one.copies == other.copies
    assert ledger.record(one) == ["recorded"]
    assert ledger.record(other) == ["unchanged"]
    assert ledger.commit(other).outcome == "created"
    ledger.abort(one)
    again = demo.begin_publication("1.0", files=[file("a", "same")])
    assert again.copies == []
    assert ledger.commit(again).outcome == "created"


def test_recording_again_changes_nothing(api, demo, disk, ledger):
    publication = demo.begin_publication("1.0", files=FILES)
    assert ledger.record(publication) == ["recorded"] * 2
    with api.changes_nothing():
        assert ledger.record(publication) == ["unchanged"] * 2


def test_what_is_recorded(api, demo, disk, ledger):
    publication = demo.begin_publication("1.0", files=[file("a", "a")])
    (copy,) = publication.copies
    ref = (publication.publication_id, publication.fence)
    done = api.record_copy(*ref, "disk", digest("a").upper(), copy["generation"])
    assert (done.backend, done.generation) == ("disk", copy["generation"])
    assert (done.state, done.outcome) == ("present", "recorded")
    found = ledger.present()
    assert found.object_key == copy["object_key"]
    assert (found.url, found.size, found.sha256) == ("file:///disk", 1, digest("a"))


@pytest.mark.parametrize(
    ("given", "sqlstate"),
    [
        ({"fence": 2}, "RG412"), ({"fence": None}, "RG400"), ({"generation": -1}, "RG412"),
        ({"generation": None}, "RG400"), ({"backend": "other"}, "RG412"),
        ({"backend": "absent"}, "RG404"), ({"sha256": digest("other")}, "RG404"),
        ({"publication_id": -1}, "RG404"), ({"publication_id": None}, "RG400"),
        ({"sha256": None}, "RG400"), ({"sha256": "xyz"}, "RG400"), ({"sha256": "a" * 63}, "RG400"),
        ({"backend": None}, "RG400"), ({"backend": ""}, "RG400"), ({"backend": "x" * 256}, "RG400"),
    ],
)  # fmt: skip
def test_what_is_not_recorded(api, demo, disk, ledger, given, sqlstate):
    ledger.backend("other")
    publication = demo.begin_publication("1.0", files=[file("a", "a")])
    (copy,) = publication.copies
    arguments = {
        "publication_id": publication.publication_id, "fence": publication.fence,
        "backend": "disk", "sha256": copy["sha256"], "generation": copy["generation"],
    }  # fmt: skip
    with api.refused(sqlstate):
        api.record_copy(**arguments | given)
    assert api.record_copy(**arguments).outcome == "recorded"


def test_a_generation_of_other_bytes(api, demo, disk):
    publication = demo.begin_publication("1.0", files=FILES)
    one, other = publication.copies
    with api.refused("RG412"):
        api.record_copy(publication.publication_id, 1, "disk", one["sha256"], other["generation"])


@pytest.mark.parametrize("how", ["committed", "aborted", "expired"])
def test_after_the_end_nothing_is_recorded(api, demo, disk, ledger, clock, how):
    publication = demo.begin_publication("1.0", files=[file("a")])
    if how == "committed":
        ledger.record(publication)
        ledger.commit(publication)
    elif how == "aborted":
        ledger.abort(publication)
    else:
        clock.advance(hours=1)
        api.expire_publications()
    with api.refused("RG422"):
        ledger.record(publication)


def test_one_call_needs_the_bytes_on_every_required_backend(api, repo, demo, ledger):
    ledger.backend("one", "required")
    ledger.backend("two", "required")
    ledger.backend("three", "optional")
    missing = detail(demo.publish, "1.0", files=[file("a", "a")])
    nowhere = [f"{digest('a')} on '{name}'" for name in ("one", "three", "two")]
    assert missing.split(", ") == nowhere
    item = {"ecosystem": "pypi", "name": "bulk", "version": "1.0", "files": [file("a", "a")]}
    (row,) = repo.rows("publish_many", [item], strict=False)
    assert (row.outcome, row.sqlstate) == ("refused", "RG422")

    publication = demo.begin_publication("0.9", files=[file("old", "a")])
    ledger.record(publication, "one", "three")
    assert detail(demo.publish, "1.0", files=[file("a", "a")]) == f"{digest('a')} on 'two'"
    ledger.record(publication, "two")
    assert demo.publish("1.0", files=[file("a", "a")]).outcome == "created"
    assert [row.outcome for row in repo.rows("publish_many", [item])] == ["created"]


def test_bulk_and_side_files_and_restoring_by_deduplication(api, repo, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a", "a"))
    with api.refused("RG422"):
        demo.add_files("1.0", files=[file("s", "side")])
    assert demo.add_files("1.0", files=[file("s", "a")]).outcome == "files_added"

    def item(name, text):
        files = [file(f"{name}.whl", text)]
        return {"ecosystem": "pypi", "name": name, "version": "1.0", "files": files}

    rows = repo.rows(
        "publish_many", [item("x", "a"), item("y", "new"), item("z", "a")], strict=False
    )
    assert [row.outcome for row in rows] == ["created", "refused", "created"]
    assert rows[1].sqlstate == "RG422"
    with api.refused("RG422"):
        repo.rows("publish_many", [item("v", "a"), item("w", "new")])

    demo.delete_version("1.0")
    assert demo.restore_version("1.0").outcome == "restored"
    demo.delete_version("1.0")
    ledger.verify(ledger.present(), None)
    assert detail(demo.restore_version, "1.0") == f"{digest('a')} on 'disk'"


def test_metadata_alone_needs_no_bytes(repo, demo, disk):
    assert demo.publish("1.0").outcome == "created"
    item = {"ecosystem": "pypi", "name": "bulk", "version": "1.0"}
    assert [row.outcome for row in repo.rows("publish_many", [item])] == ["created"]


def test_backends_of_another_repository_do_not_matter(api, demo, disk, ledger):
    api.create_repository("other")
    other = api.at("other", "pypi", "demo")
    publication = other.begin_publication("1.0", files=[file("a", "a")])
    assert publication.copies == []
    assert ledger.commit(publication).outcome == "created"
    with api.refused("RG422"):
        demo.publish("1.0", files=[file("a", "a")])
