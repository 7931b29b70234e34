from datetime import timedelta

import pytest

from tests.behaviour.calls import Calls, file
from tests.publications.ledger import digest


def test_what_is_begun(api, demo, disk):
    begun = demo.begin_publication(
        "1.0", files=[file("a.whl", "a"), file("b.whl", "b")], metadata={"summary": "demo"}
    )
    assert (begun.fence, begun.state, begun.outcome) == (1, "open", "begun")
    assert begun.validations == []
    (now,) = api.ask("select pkgdb.clock()")[0]
    assert timedelta(minutes=14) < begun.lease_until - now < timedelta(minutes=15)
    copies = {copy["sha256"]: copy for copy in begun.copies}
    assert copies.keys() == {digest("a"), digest("b")}
    copy = copies[digest("a")]
    key = f"acme/{digest('a')[:2]}/{digest('a')}.{copy['generation']}"
    assert copy == {
        "backend": "disk", "url": "file:///disk", "object_key": key, "sha256": digest("a"),
        "size": 1, "generation": copy["generation"], "requirement": "required",
    }  # fmt: skip
    (row,) = api.ask("select * from pkgdb.publications")
    assert (row.publication_id, row.status, row.fence) == (begun.publication_id, "open", 1)
    assert (row.repository, row.ecosystem, row.name, row.version) == ("main", "pypi", "demo", "1.0")
    assert (row.version_id, row.outcome, row.ended_at) == (begun.version_id, None, None)


def test_nobody_sees_it_until_it_is_committed(api, demo, ledger):
    views = ("registrations", "package_versions", "files", "tags")

    def shown():
        return [api.ask(f"select * from pkgdb.{view}") for view in views]

    publication = demo.begin_publication("1.0", files=[file("a")])
    assert shown() == [[]] * 4
    for function, *more in (("resolve", "1.0"), ("resolve", "latest"), ("versions",)):
        with api.refused("RG404"):
            getattr(demo, function)(*more)
    for function, more in (
        ("yank", {}), ("deprecate", {"message": "no"}), ("quarantine", {"reason": "no"}),
        ("set_tag", {"tag": "next"}), ("delete_file", {"filename": "a"}),
        ("add_files", {"files": [file("s")]}),
    ):  # fmt: skip
        with api.refused("RG422"):
            getattr(demo, function)("1.0", **more)
    assert ledger.commit(publication).outcome == "created"
    assert [f["filename"] for f in demo.resolve("latest").files] == ["a"]


def test_publish_is_refused_as_long_as_it_is_open(api, demo, ledger):
    publication = demo.begin_publication("1.0", files=[file("a")])
    with api.refused("RG422"):
        demo.publish("1.0", files=[file("a")])
    (row,) = api.at("main").rows(
        "publish_many",
        [{"ecosystem": "pypi", "name": "demo", "version": "1.0"}],
        strict=False,
    )
    assert (row.outcome, row.sqlstate) == ("refused", "RG422")
    ledger.abort(publication)
    assert demo.publish("1.0", files=[file("a")]).outcome == "created"


def test_metadata_alone(demo, ledger):
    publication = demo.begin_publication("1.0", metadata={"summary": "demo"})
    assert publication.copies == []
    assert ledger.commit(publication).outcome == "created"
    assert demo.resolve("1.0").metadata == {"summary": "demo"}


def test_all_of_it_is_published(api, demo):
    demo.publish("1.0", files=[file("a"), file("b")], metadata={"m": 1})
    for given in (
        {"files": [file("a")]}, {"files": []}, {"files": [file("a"), file("b")]},
        {"files": [file("a")], "metadata": {"m": 1}},
    ):  # fmt: skip
        with api.changes_nothing():
            found = demo.begin_publication("1.0", **given)
        assert (found.publication_id, found.fence) == (None, None)
        assert (found.state, found.outcome, found.copies) == ("committed", "unchanged", [])
        assert found.version_id == demo.resolve("1.0").version_id


def test_what_a_version_lacks_is_added(api, demo, ledger):
    demo.publish("1.0", files=[file("a")], metadata={"m": 1})
    publication = demo.begin_publication("1.0", files=[file("a"), file("b")])
    assert [f["filename"] for f in demo.resolve("1.0").files] == ["a"]
    done = ledger.commit(publication)
    assert (done.outcome, done.version_id) == ("files_added", publication.version_id)
    found = demo.resolve("1.0")
    assert ([f["filename"] for f in found.files], found.metadata) == (["a", "b"], {"m": 1})


def test_a_version_in_any_spelling(demo):
    first = demo.begin_publication("1.0", files=[file("a")], actor="one")
    second = demo.begin_publication("v1.0.0", files=[file("a")], actor="other")
    assert (second.outcome, second.publication_id) == ("in_progress", first.publication_id)


def test_a_variant_is_another_version(demo):
    publications = [
        demo.begin_publication("1.0", variant, files=[file(f"a-{variant}")])
        for variant in ("", "x86", "arm")
    ]
    assert len({publication.version_id for publication in publications}) == 3


def test_files_in_any_order_are_the_same_content(demo):
    mine = {"request_key": "k", "actor": "jo"}
    files = [file("a", "x"), file("b", "x"), file("c", "y")]
    demo.begin_publication("1.0", files=files, **mine)
    again = demo.begin_publication("1.0", files=files[::-1], **mine)
    assert again.outcome == "resumed"


@pytest.mark.parametrize(
    "given",
    [
        {"version": None}, {"version": "no version"}, {"variant": None}, {"variant": " "},
        {"files": None}, {"files": {}}, {"files": [{}]}, {"files": [file("a"), file("a")]},
        {"files": [file("a", sha256="0")]}, {"files": [file("a", size=-1)]},
        {"files": [file("../a")]}, {"metadata": None}, {"metadata": []},
        {"metadata": {"m": "x" * (1 << 20)}}, {"role": None}, {"role": "other"}, {"role": "Main"},
        {"lease": None}, {"lease": timedelta(0)}, {"lease": timedelta(seconds=-1)},
        {"lease": timedelta(days=8)}, {"request_key": ""}, {"request_key": "x" * 256},
        {"actor": ""}, {"actor": "a\nb"},
    ],
)  # fmt: skip
def test_malformed_arguments(api, demo, given):
    with api.refused("RG400"):
        demo.begin_publication(**{"version": "1.0"} | given)


@pytest.mark.parametrize("place", range(4))
def test_malformed_places(api, repo, place):
    names = ["acme", "main", "pypi", "demo"]
    for wrong in (None, ""):
        given = [*names[:place], wrong, *names[place + 1 :]]
        with api.refused("RG404" if place < 2 and wrong == "" else "RG400"):
            Calls(api.connection).begin_publication(*given, "1.0")


def test_absent_places(api, repo):
    with api.refused("RG404"):
        api.at("absent", "pypi", "demo").begin_publication("1.0")
    with api.refused("RG404"):
        Calls(api.connection).begin_publication("absent", "main", "pypi", "demo", "1.0")
    with api.refused("RG400"):
        repo.begin_publication("no ecosystem", "demo", "1.0")


def test_a_size_that_the_bytes_do_not_have(api, demo):
    demo.publish("1.0", files=[file("a")])
    with api.refused("RG409"):
        demo.begin_publication("2.0", files=[file("b", size=1)])


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_isolation_levels(api, demo, connect, level):
    publication = demo.begin_publication("1.0", files=[file("a")])
    ref = (publication.publication_id, publication.fence)
    with connect() as other:
        other.execute(f"set default_transaction_isolation = '{level}'")
        calls = api.on(other)
        for function, *arguments in (
            ("begin_publication", "main", "pypi", "demo", "1.0"),
            ("renew_publication", *ref),
            ("renew_publication", 0, 1),  # of what is not there: nothing to lock
            ("record_copy", *ref, "disk", digest(), 1),
            ("record_validation", ref[0], "scan", "succeeded"),
            ("commit_publication", *ref),
            ("abort_publication", *ref),
            ("expire_publications",),
        ):
            with api.refused("RG405"):
                getattr(calls, function)(*arguments)
