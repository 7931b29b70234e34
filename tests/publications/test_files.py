"""What files a publication may bring."""

import pytest

from tests.behaviour.calls import file
from tests.publications.ledger import digest


def test_the_same_name_with_other_bytes(api, demo, ledger):
    demo.publish("1.0", files=[file("a", "a")])
    with api.refused("RG409"):
        demo.begin_publication("1.0", files=[file("a", "other"), file("b")])
    open_one = demo.begin_publication("1.0", files=[file("b", "b")])
    with api.refused("RG409"):
        demo.begin_publication("1.0", files=[file("b", "other")])
    ledger.abort(open_one)
    assert demo.begin_publication("1.0", files=[file("b", "other")]).outcome == "begun"


def test_what_somebody_else_is_bringing(api, demo, ledger):
    demo.publish("1.0", files=[file("a")])
    theirs = demo.begin_publication("1.0", files=[file("b"), file("c")])
    for names in ("b", "bc", "ab", "abc", "bd", "abcd"):
        with api.changes_nothing():
            found = demo.begin_publication("1.0", files=[file(name) for name in names], actor="me")
        assert (found.outcome, found.publication_id) == ("in_progress", theirs.publication_id)
        assert found.fence is None
    mine = demo.begin_publication("1.0", files=[file("a"), file("d")])
    assert mine.outcome == "begun"
    ledger.commit(mine)
    assert [f["filename"] for f in demo.resolve("1.0").files] == ["a", "d"]


def test_the_same_for_a_new_version(api, demo):
    metadata = {"m": 1}
    theirs = demo.begin_publication("1.0", files=[file("b"), file("c")], metadata=metadata)
    for names in ("b", "bc", "bd"):
        with api.changes_nothing():
            given = {"files": [file(name) for name in names], "metadata": metadata}
            found = demo.begin_publication("1.0", **given)
        assert (found.outcome, found.publication_id) == ("in_progress", theirs.publication_id)


@pytest.mark.parametrize("function", ["publish", "add_files"])
def test_one_call_does_not_claim_what_is_on_its_way(api, demo, ledger, function):
    """Nobody knows yet whether it will be published."""
    demo.publish("1.0", files=[file("a")])
    theirs = demo.begin_publication("1.0", files=[file("b")])
    with api.refused("RG422"):
        getattr(demo, function)("1.0", files=[file("b")])
    with api.refused("RG409"):
        getattr(demo, function)("1.0", files=[file("b", "other")])
    assert getattr(demo, function)("1.0", files=[file("c")]).outcome == "files_added"
    ledger.commit(theirs)
    assert getattr(demo, function)("1.0", files=[file("b")]).outcome == "unchanged"


def test_bulk_does_not_either(api, repo, demo, ledger):
    demo.publish("1.0", files=[file("a")])
    theirs = demo.begin_publication("1.0", files=[file("b")])
    item = {"ecosystem": "pypi", "name": "demo", "version": "1.0", "files": [file("b")]}
    (row,) = repo.rows("publish_many", [item], strict=False)
    assert (row.outcome, row.sqlstate) == ("refused", "RG422")
    ledger.abort(theirs)
    (row,) = repo.rows("publish_many", [item])
    assert row.outcome == "files_added"


@pytest.mark.parametrize("ecosystem", ["nuget", "npm"])
def test_one_main_file(api, repo, ledger, ecosystem):
    demo = repo.at(ecosystem, "demo")
    with api.refused("RG400"):
        demo.begin_publication("1.0.0", files=[file("a"), file("b")])
    publication = demo.begin_publication("1.0.0", files=[file("a", "a")])
    for second in (file("b"), file("a", "other")):
        with api.refused("RG409"):
            demo.begin_publication("1.0.0", files=[second])
    ledger.commit(publication)
    for second in (file("b"), file("a", "other")):
        with api.refused("RG409"):
            demo.begin_publication("1.0.0", files=[second])
    assert demo.begin_publication("1.0.0", files=[file("a", "a")]).outcome == "unchanged"


@pytest.mark.parametrize("function", ["publish", "begin_publication"])
def test_another_main_file_where_the_first_was_deleted(repo, function):
    repo.alter_repository({"reuse": "always"})
    demo = repo.at("npm", "demo")
    demo.publish("1.0.0", files=[file("a", "a")])
    demo.delete_file("1.0.0", filename="a")
    done = getattr(demo, function)("1.0.0", files=[file("b", "b")])
    assert done.outcome == ("files_added" if function == "publish" else "begun")


def test_side_files_of_a_version_with_one_main_file(api, repo, ledger):
    demo = repo.at("nuget", "demo")
    demo.publish("1.0.0", files=[file("demo.nupkg")])
    sides = [file("demo.snupkg", "symbols"), file("demo.sig", "signature")]
    publication = demo.begin_publication("1.0.0", files=sides, role="side")
    assert ledger.commit(publication).outcome == "files_added"
    roles = {f["filename"]: f["role"] for f in demo.resolve("1.0.0").files}
    assert roles == {"demo.nupkg": "main", "demo.snupkg": "side", "demo.sig": "side"}
    assert demo.begin_publication("1.0.0", files=sides, role="side").outcome == "unchanged"


def test_side_files_need_a_version_that_is_published(api, repo, demo, ledger):
    def side(name="s"):
        return demo.begin_publication("1.0", files=[file(name)], role="side")

    with api.refused("RG404"):
        side()
    publication = demo.begin_publication("1.0", files=[file("a")])
    for name in ("s", "a"):
        with api.refused("RG422"):
            side(name)
    ledger.commit(publication)
    demo.quarantine("1.0", reason="looked at")
    with api.refused("RG422"):
        side()
    demo.release_quarantine("1.0")
    assert side().outcome == "begun"
    demo.delete_version("1.0")
    with api.refused("RG404"):
        side()


def test_a_file_name_that_another_version_has(api, repo, demo):
    """PyPI's are unique in the whole package, others' in their version."""
    demo.begin_publication("1.0", files=[file("a", "a")])
    with api.refused("RG409"):
        demo.begin_publication("2.0", files=[file("a", "a")])
    generic = repo.at("generic", "demo")
    for version in ("1.0", "2.0"):
        assert generic.begin_publication(version, files=[file("a", "a")]).outcome == "begun"


def test_a_deleted_file_name(api, repo, demo):
    demo.publish("1.0", files=[file("a", "a"), file("b")])
    demo.delete_file("1.0", filename="a")
    with api.refused("RG410"):
        demo.begin_publication("1.0", files=[file("a", "a")])
    repo.alter_repository({"reuse": "same_content"})
    with api.refused("RG410"):
        demo.begin_publication("1.0", files=[file("a", "other")])
    assert demo.begin_publication("1.0", files=[file("a", "a")]).outcome == "begun"


def test_bytes_that_are_there_already(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a", "shared"), file("b", "b"))
    publication = demo.begin_publication("2.0", files=[file("c", "shared"), file("d", "d")])
    assert [copy["sha256"] for copy in publication.copies] == [digest("d")]
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"


def test_one_digest_under_two_names(demo, disk, ledger):
    publication = demo.begin_publication("1.0", files=[file("a", "same"), file("b", "same")])
    assert len(publication.copies) == 1
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"
    assert len(demo.resolve("1.0").files) == 2


def test_an_empty_file(demo, disk, ledger):
    publication = demo.begin_publication("1.0", files=[file("py.typed", "")])
    (copy,) = publication.copies
    assert copy["size"] == 0
    ledger.record(publication)
    assert ledger.commit(publication).outcome == "created"
