"""Rules of the repository: when a publication begins, and again when it is committed."""

import pytest

from tests.behaviour.calls import file


def test_a_mirror(api):
    api.create_repository("up", "mirror")
    with api.refused("RG403"):
        api.at("up", "pypi", "demo").begin_publication("1.0")


def test_protected_names(api, repo, demo, ledger):
    repo.alter_repository({"protected_names": ["de*"]})
    with api.refused("RG403"):
        demo.begin_publication("1.0")
    repo.alter_repository({"protected_names": []})
    publication = demo.begin_publication("1.0")
    repo.alter_repository({"protected_names": ["de*"]})
    with api.refused("RG403"):
        ledger.commit(publication)
    repo.alter_repository({"protected_names": []})
    assert ledger.commit(publication).outcome == "created"


def test_reserved_names(api, repo, demo, ledger):
    demo.reserve_name()
    with api.refused("RG403"):
        demo.begin_publication("1.0")
    demo.release_name()
    publication = demo.begin_publication("1.0")
    with api.refused("RG409"):
        demo.reserve_name()
    ledger.abort(publication)
    assert demo.reserve_name().outcome == "reserved"


def test_immutable(api, repo, demo, ledger):
    ledger.publish(demo, "1.0", file("a"))
    open_one = demo.begin_publication("1.0", files=[file("b")])
    repo.alter_repository({"immutable": True})
    with api.refused("RG403"):
        ledger.commit(open_one)
    with api.refused("RG403"):
        demo.begin_publication("1.0", files=[file("c")])
    assert demo.begin_publication("1.0", files=[file("a")]).outcome == "unchanged"
    new = demo.begin_publication("2.0", files=[file("d")])
    assert ledger.commit(new).outcome == "created"
    repo.alter_repository({"immutable": False})
    assert ledger.commit(open_one).outcome == "files_added"


def test_quarantined(api, repo, demo, ledger):
    ledger.publish(demo, "1.0", file("a"))
    open_one = demo.begin_publication("1.0", files=[file("b")])
    demo.quarantine("1.0", reason="looked at")
    for files in ([file("c")], [file("b", "other"), file("c")]):
        with api.refused("RG409" if len(files) == 2 else "RG422"):
            demo.begin_publication("1.0", files=files)
    with api.changes_nothing():
        again = demo.begin_publication("1.0", files=[file("a")])
    assert (again.state, again.outcome) == ("committed", "unchanged")
    with api.refused("RG422"):
        ledger.commit(open_one)
    demo.release_quarantine("1.0")
    assert ledger.commit(open_one).outcome == "files_added"


def test_yanked_and_deprecated_versions_take_files(demo, ledger):
    ledger.publish(demo, "1.0", file("a"))
    demo.yank("1.0")
    demo.deprecate("1.0", message="old")
    assert ledger.publish(demo, "1.0", file("b")).outcome == "files_added"
    found = demo.resolve("1.0")
    assert (found.listed, found.deprecation) == (False, "old")


@pytest.mark.parametrize("purged", [False, True])
def test_reuse(api, repo, demo, ledger, purged):
    ledger.publish(demo, "1.0", file("a", "a"))
    demo.delete_version("1.0")
    if purged:
        api.purge()
    with api.refused("RG410"):
        demo.begin_publication("1.0", files=[file("a", "a")])
    repo.alter_repository({"reuse": "same_content"})
    with api.refused("RG410"):
        demo.begin_publication("1.0", files=[file("a", "other")])
    assert ledger.publish(demo, "1.0", file("a", "a")).outcome == "created"


def test_if_revision(api, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    with api.refused("RG412"):
        ledger.commit(publication, if_revision=1)
    assert ledger.commit(publication, if_revision=0).revision == 1
    publication = demo.begin_publication("2.0", files=[file("b")])
    demo.yank("1.0")
    with api.refused("RG412"):
        ledger.commit(publication, if_revision=1)
    assert ledger.commit(publication, if_revision=2).revision == 3
    # What was committed is committed, whatever came since.
    assert ledger.commit(publication, if_revision=1).outcome == "unchanged"


def test_a_name_of_another_repository(api, repo):
    api.create_repository("other")
    theirs = api.at("other", "npm", "demo")
    theirs.begin_publication("1.0.0")
    with api.refused("RG409"):
        repo.begin_publication("npm", "demo", "1.0.0")


def test_a_new_name_in_upper_case(api, repo):
    with api.refused("RG400"):
        repo.begin_publication("npm", "Demo", "1.0.0")


def test_lookalikes(api, repo):
    repo.alter_repository({"lookalike_guard": True})
    repo.begin_publication("pypi", "left-pad", "1.0")
    with api.refused("RG409"):
        repo.begin_publication("pypi", "leftpad", "1.0")


def test_a_repository_that_is_dropped(api, repo, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    repo.drop_repository()
    with api.refused("RG422"):
        ledger.commit(publication)
    with api.changes_nothing():
        assert ledger.abort(publication).outcome == "unchanged"
    assert ledger.publications() == [("aborted", "its repository was dropped")]
    api.purge()
    with api.refused("RG422"):
        ledger.commit(publication)


def test_a_repository_that_is_renamed(api, repo, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")], request_key="k")
    repo.rename_repository("renamed")
    again = api.at("renamed", "pypi", "demo").begin_publication(
        "1.0", files=[file("a")], request_key="k"
    )
    assert again.publication_id == publication.publication_id
    assert ledger.commit(again).outcome == "created"


def test_a_version_that_is_deleted_while_it_is_published(api, demo, ledger):
    demo.publish("0.9")
    publication = demo.begin_publication("1.0", files=[file("a")])
    assert demo.delete_version("1.0").outcome == "deleted"
    with api.refused("RG422"):
        ledger.commit(publication)
    with api.refused("RG404"):
        demo.delete_version("1.0")  # nobody has ever seen it
    assert demo.begin_publication("1.0", files=[file("a")]).outcome == "begun"


def test_retention_leaves_alone_what_is_on_its_way(api, repo, demo, ledger):
    repo.alter_repository({"keep_versions": 1})
    for version in ("1.0", "2.0"):
        demo.publish(version)
    publication = demo.begin_publication("0.1", files=[file("a")])
    repo.apply_retention()
    assert ledger.commit(publication).outcome == "created"


def test_dropping_leaves_what_was_committed(repo, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    done = ledger.commit(publication)
    repo.drop_repository()
    assert ledger.publications() == [("committed", None)]
    assert ledger.commit(publication) == done._replace(outcome="unchanged")


def test_dropping_ends_what_is_open_and_purge_removes_it(api, repo, demo, disk, ledger, clock):
    demo.begin_publication("1.0", files=[file("a")])
    repo.drop_repository()
    report = api.purge()
    assert (report.versions, report.files, report.repositories) == (1, 1, 1)
    clock.advance(days=8)
    assert api.purge().publications == 1
