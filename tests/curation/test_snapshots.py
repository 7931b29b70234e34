"""Snapshots, and versions copied, moved and removed: what each call makes of what is there."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.behaviour.calls import Calls, file
from tests.curation.support import (
    add,
    bytes_of,
    changes,
    filenames,
    in_repository,
    in_snapshot,
    package,
    stock,
)

MALFORMED_NAMES = [None, "", " ", "a\nb", " a", "a ", "x" * 256]


def view(api: Calls, snapshot: str) -> Any:
    (row,) = api.ask(
        "select * from pkgdb.snapshots where namespace = %s and snapshot = %s",
        api.first[0], snapshot,
    )  # fmt: skip
    return row


def sources(api: Calls, snapshot: str) -> set[str]:
    rows = api.ask(
        "select source from pkgdb.snapshot_sources where namespace = %s and snapshot = %s",
        api.first[0], snapshot,
    )  # fmt: skip
    return {row.source for row in rows}


def digest(api: Calls, snapshot: str) -> str:
    (text,) = api.snapshot_digest(snapshot)
    assert len(text) == 64
    return str(text)


def identity(text: str, ecosystem: str = "deb") -> dict[str, Any]:
    """An element of p_items of create_snapshot."""
    item = package(text, ecosystem=ecosystem)
    return {key: item[key] for key in ("ecosystem", "name", "version", "variant")}


def attach(repo: Calls, *version: str, files: list[dict[str, Any]]) -> None:
    """Side files."""
    begun = repo.begin_publication(*version, files=files, role="side")
    Calls(repo.connection, repo.first[:1]).commit_publication(begun.publication_id, begun.fence)


@pytest.fixture
def stable(api: Calls) -> Calls:
    """Repository `stable` with curl 1 and 2, and wget; and a snapshot of it, `stable`."""
    repo = stock(api, "stable", "curl 1", "curl 2", "wget 1")
    api.create_snapshot("stable", "stable")
    return repo


CONTENT = ["curl 1 all", "curl 2 all", "wget 1 all"]


# -- create ----------------------------------------------------------------------------------------


def test_of_a_repository(api: Calls, stable: Calls) -> None:
    made = api.create_snapshot("tested", "stable", description="all\nof it", actor="me")
    assert made[1:] == (1, None, "created", None)
    row = view(api, "tested")
    assert (row.kind, row.repository, row.epoch, row.members) == ("pointer", "stable", 2, None)
    assert (row.description, row.revision, row.digest) == ("all\nof it", 1, None)
    assert in_snapshot(api, "tested") == CONTENT
    (event,) = api.ask(
        "select event, revision, name, actor from pkgdb.outbox where snapshot_id = %s",
        made.snapshot_id,
    )
    assert event == ("snapshot_created", 1, "tested", "me")


def test_it_does_not_follow_the_repository(api: Calls, stable: Calls) -> None:
    add(api, "stable", "nano 1")
    stable.delete_version("deb", "curl", "1", "all")
    api.create_snapshot("later", "stable")
    assert in_snapshot(api, "stable") == CONTENT
    assert in_snapshot(api, "later") == ["curl 2 all", "nano 1 all", "wget 1 all"]
    assert in_repository(api, "stable") == in_snapshot(api, "later")


def test_of_nothing(api: Calls) -> None:
    api.create_repository("main")
    made = api.create_snapshot("empty")
    assert made[1:] == (1, 0, "created", None)
    row = view(api, "empty")
    assert (row.kind, row.repository, row.epoch, row.members) == ("members", None, None, 0)
    assert in_snapshot(api, "empty") == []
    assert api.create_snapshot("of an empty one", "main").members is None


def test_of_a_list(api: Calls, stable: Calls) -> None:
    made = api.create_snapshot("listed", "stable", [identity("curl 2"), identity("wget 1")])
    assert made[1:] == (1, 2, "created", None)
    assert in_snapshot(api, "listed") == ["curl 2 all", "wget 1 all"]
    assert (view(api, "listed").kind, sources(api, "listed")) == ("members", set())
    assert api.create_snapshot("none", "stable", []).members == 0


def test_a_list_counts_what_is_named_twice_once(api: Calls) -> None:
    """However it is written."""
    stock(api, "main", package("Django 5.0", ecosystem="pypi") | {"variant": ""})
    items = [
        {"ecosystem": "pypi", "name": name, "version": version}
        for name, version in (("django", "5"), ("DJANGO", "5.0.0"))
    ]
    assert api.create_snapshot("listed", "main", items).members == 1


@pytest.mark.parametrize("name", ["curl 3", "nano 1", "curl 1 amd64"])
def test_a_list_of_what_is_not_there(api: Calls, stable: Calls, name: str) -> None:
    with api.refused("RG404"):
        api.create_snapshot("listed", "stable", [identity("curl 1"), identity(name)])


def test_a_list_of_what_is_not_published(api: Calls, stable: Calls) -> None:
    stable.begin_publication("deb", "curl", "3", "all")
    stable.delete_version("deb", "curl", "1", "all")
    for version in "31":
        with api.refused("RG404"):
            api.create_snapshot("listed", "stable", [identity(f"curl {version}")])
    assert in_repository(api, "stable") == ["curl 2 all", "wget 1 all"]
    api.create_snapshot("frozen", "stable")
    assert in_snapshot(api, "frozen") == ["curl 2 all", "wget 1 all"]


def test_a_list_of_what_another_repository_has(api: Calls, stable: Calls) -> None:
    """In the scope that they share, too."""
    stock(api, "other", "nano 1", package("left-pad 1.0.0", ecosystem="npm") | {"variant": ""})
    left_pad = {"ecosystem": "npm", "name": "left-pad", "version": "1.0.0"}
    for item in (identity("nano 1"), left_pad):
        with api.refused("RG404"):
            api.create_snapshot("listed", "stable", [item])


MALFORMED_ITEMS: list[Any] = [
    Jsonb(None), Jsonb("curl"), {"ecosystem": "deb"}, [None], ["curl"], [[]],
    [identity("curl 1") | {"epoch": 1}], [identity("curl 1") | {"name": None}],
    [identity("curl 1") | {"name": "A B"}], [identity("curl 1") | {"version": None}],
    [identity("curl 1") | {"version": "one two"}], [identity("curl 1") | {"ecosystem": "apt"}],
    [identity("curl 1") | {"variant": " "}],
]  # fmt: skip


@pytest.mark.parametrize("items", MALFORMED_ITEMS)
def test_a_malformed_list(api: Calls, stable: Calls, items: Any) -> None:
    with api.refused("RG400"):
        api.create_snapshot("listed", "stable", items)


def test_a_list_needs_a_repository(api: Calls, stable: Calls) -> None:
    with api.refused("RG400"):
        api.create_snapshot("listed", items=[identity("curl 1")])


def test_of_a_mirror(api: Calls) -> None:
    """Of one that was updated, if only to nothing."""
    api.create_repository("up", "mirror")
    for items in (None, []):
        with api.refused("RG422"):
            api.create_snapshot("early", "up", items)
    update = api.begin_mirror_update("up")
    api.commit_mirror_update(update.update_id, update.fence)
    assert api.create_snapshot("empty", "up").outcome == "created"
    again = api.begin_mirror_update("up")
    api.stage_mirror_items(again.update_id, again.fence, [package("curl 1")])
    assert api.create_snapshot("still empty", "up").outcome == "created"
    api.commit_mirror_update(again.update_id, again.fence)
    api.create_snapshot("first", "up")
    found = [in_snapshot(api, name) for name in ("empty", "still empty", "first")]
    assert found == [[], [], ["curl 1 all"]]


def test_a_name_that_is_taken(api: Calls, stable: Calls) -> None:
    for arguments in (("stable",), (None,), ("stable", [])):
        with api.refused("RG409"):
            api.create_snapshot("stable", *arguments)


def test_what_is_not_there(api: Calls, stable: Calls) -> None:
    with api.refused("RG404"):
        api.create_snapshot("new", "unstable")
    elsewhere = Calls(api.connection, (f"{api.first[0]}-nobody",))
    for repository in (None, "stable"):
        with api.refused("RG404"):
            elsewhere.create_snapshot("new", repository)


@pytest.mark.parametrize("name", MALFORMED_NAMES)
def test_a_malformed_name(api: Calls, stable: Calls, name: str | None) -> None:
    for arguments in (("stable",), ()):
        with api.refused("RG400"):
            api.create_snapshot(name, *arguments)
    with api.refused("RG400"):
        api.merge_snapshots(name, ("stable",))
    with api.refused("RG400"):
        api.rename_snapshot("stable", name)


@pytest.mark.parametrize("description", [None, "x" * 65537])
def test_a_malformed_description(api: Calls, stable: Calls, description: str | None) -> None:
    with api.refused("RG400"):
        api.create_snapshot("new", "stable", description=description)


def test_a_name_of_another_namespace(api: Calls, stable: Calls) -> None:
    """Two tenants have snapshots of one name, and neither sees the other's."""
    elsewhere = Calls(api.connection, (f"{api.first[0]}-other",))
    elsewhere.create_repository("stable")
    elsewhere.create_snapshot("stable", "stable")
    assert (in_snapshot(api, "stable"), in_snapshot(elsewhere, "stable")) == (CONTENT, [])
    with api.refused("RG404"):
        elsewhere.merge_snapshots("new", ("stable", "tested"))
    assert elsewhere.rows("check_integrity") == []


def test_whatever_its_versions_are(api: Calls, stable: Calls) -> None:
    """What is yanked, deprecated or quarantined is in it, and how it is now is shown."""
    stable.yank("deb", "curl", "1", "all", reason="broken")
    stable.quarantine("deb", "wget", "1", "all")
    api.create_snapshot("new", "stable")
    stable.deprecate("deb", "curl", "2", "all", message="old")

    def shown(snapshot: str) -> list[tuple[Any, ...]]:
        rows = api.rows("search_versions", snapshot=snapshot)
        return [(r.status, r.listed, r.yank_reason, r.deprecation) for r in rows]

    expected = [
        ("available", False, "broken", None), ("available", True, None, "old"),
        ("quarantined", True, None, None),
    ]  # fmt: skip
    assert shown("new") == shown("stable") == expected


# -- digests ---------------------------------------------------------------------------------------


def test_the_same_content_has_the_same_digest(api: Calls, stable: Calls) -> None:
    """However it came to it, and wherever it is."""
    api.create_snapshot("again", "stable")
    api.create_snapshot("listed", "stable", [identity(" ".join(c.split()[:2])) for c in CONTENT])
    api.merge_snapshots("merged", ("stable",))
    api.filter_snapshot("filtered", "stable", ("Name",))
    stock(api, "copy", "wget 1", "curl 2", "curl 1")
    api.create_snapshot("copy", "copy")
    made = ("stable", "again", "listed", "merged", "filtered", "copy")
    assert len({digest(api, snapshot) for snapshot in made}) == 1


def test_another_content_has_another_digest(api: Calls) -> None:
    variations = {
        "as it was": package("curl 1"),
        "other bytes": package("curl 1", content="others"),
        "metadata": package("curl 1", metadata={"a": 1}),
        "another version": package("curl 1.0"),
        "another variant": package("curl 1 amd64", content="curl 1"),
        "another name": package("curly 1", content="curl 1"),
        "another ecosystem": package("curl 1", ecosystem="generic"),
        "no file": package("curl 1") | {"files": []},
        "another file name": package("curl 1") | {"files": [bytes_of("curl.deb", "curl 1")]},
        "attributes": package("curl 1")
        | {"files": [bytes_of("curl_1_all.deb", "curl 1") | {"attributes": {"a": 1}}]},
        "a media type": package("curl 1")
        | {"files": [bytes_of("curl_1_all.deb", "curl 1") | {"media_type": "text/plain"}]},
    }
    digests = {}
    for name, item in variations.items():
        stock(api, name, item)
        api.create_snapshot(name, name)
        digests[name] = digest(api, name)
    side = stock(api, "a side file", package("curl 1"))
    attach(side, "deb", "curl", "1", "all", files=[file("curl.asc")])
    api.create_snapshot("a side file", "a side file")
    digests["a side file"] = digest(api, "a side file")
    api.create_snapshot("nothing")
    digests["nothing"] = digest(api, "nothing")
    assert len(set(digests.values())) == len(digests)


def test_digests_are_noted_once(api: Calls, stable: Calls) -> None:
    for number in range(4):
        api.create_snapshot(f"s{number}", "stable")
    noted = "select count(digest) from pkgdb.snapshots where namespace = %s"
    for sealed, total in ((3, 3), (2, 5), (0, 5)):
        assert api.seal_snapshots(limit=3) == (sealed,)
        assert api.ask(noted, api.first[0]) == [(total,)]
    assert view(api, "s0").digest == digest(api, "s0")
    assert view(api, "s0").revision == 1


@pytest.mark.parametrize("limit", [None, 0, -1, 1001])
def test_a_malformed_limit(api: Calls, stable: Calls, limit: int | None) -> None:
    with api.refused("RG400"):
        api.seal_snapshots(limit=limit)


def test_nothing_of_that_name(api: Calls, stable: Calls) -> None:
    for call in (
        lambda: api.snapshot_digest("none"),
        lambda: api.diff_snapshots("stable", "none"),
        lambda: api.diff_snapshots("none", "stable"),
        lambda: api.rows("verify_snapshot", "none"),
        lambda: api.rows("verify_snapshot", "stable", ("none",)),
        lambda: api.rows("search_versions", snapshot="none"),
        lambda: api.merge_snapshots("new", ("stable", "none")),
        lambda: api.pull_snapshot("new", "none", "stable", ("Name",)),
        lambda: api.pull_snapshot("new", "stable", "none", ("Name",)),
        lambda: api.filter_snapshot("new", "none", ("Name",)),
        lambda: api.rename_snapshot("none", "new"),
        lambda: api.drop_snapshot("none"),
    ):
        with api.refused("RG404"):
            call()


# -- merge (which sets it makes: tests/incidents/test_S12.py) --------------------------------------


def test_a_merge_says_what_it_was_made_from(api: Calls, stable: Calls) -> None:
    stock(api, "extra", "nano 1")
    api.create_snapshot("extra", "extra")
    made = api.merge_snapshots("merged", ("stable", "extra", "stable"), description="both")
    assert made[1:] == (1, 4, "created", None)
    assert sources(api, "merged") == {"stable", "extra"}
    row = view(api, "merged")
    assert (row.kind, row.repository, row.epoch, row.members) == ("members", None, None, 4)
    assert (row.description, row.revision) == ("both", 1)


def test_a_merge_of_merges(api: Calls, stable: Calls) -> None:
    api.merge_snapshots("one", ("stable",))
    api.merge_snapshots("two", ("one", "stable"))
    assert sources(api, "two") == {"one", "stable"}
    assert in_snapshot(api, "two") == CONTENT


# -- pull ------------------------------------------------------------------------------------------


@pytest.fixture
def testing(api: Calls, stable: Calls) -> Calls:
    """Repository and snapshot `testing`: newer versions, and what they need."""
    repo = stock(
        api, "testing",
        package("curl 3", depends="libcurl (>= 3), ca-certificates"),
        package("curl 4", depends="libcurl (>= 4)"),
        package("libcurl 3", depends="libssl"), "libcurl 4",
        package("libssl 3"), package("openssl 3", provides="ssl-tool"),
        package("wget 2", depends="ssl-tool, curl"), "ca-certificates 2024",
    )  # fmt: skip
    api.create_snapshot("testing", "testing")
    return repo


PULLS: dict[str, tuple[tuple[str, ...], dict[str, Any], list[str], list[str]]] = {
    # As in aptly: also what a match needs of which there is a higher one.
    "the highest match, and what matches need": (
        ("curl",), {},
        ["-curl 1", "-curl 2", "+ca-certificates 2024", "+curl 4", "+libcurl 4"],
        ["ca-certificates 2024", "curl 4", "libcurl 4", "wget 1"],
    ),
    "a certain version": (
        ("curl (= 3)",), {},
        ["-curl 1", "-curl 2", "+ca-certificates 2024", "+curl 3", "+libcurl 4"],
        ["ca-certificates 2024", "curl 3", "libcurl 4", "wget 1"],
    ),
    "what is provided, and what the target has": (
        ("wget",), {},
        ["-wget 1", "+openssl 3", "+wget 2"],
        ["curl 1", "curl 2", "openssl 3", "wget 2"],
    ),
    "two queries": (
        ("wget", "libssl"), {"follow": False},
        ["-wget 1", "+libssl 3", "+wget 2"],
        ["curl 1", "curl 2", "libssl 3", "wget 2"],
    ),
    "one query of two": (
        ("wget | libssl",), {"follow": False},
        ["-wget 1", "+libssl 3", "+wget 2"],
        ["curl 1", "curl 2", "libssl 3", "wget 2"],
    ),
    "not what it needs": (
        ("curl",), {"follow": False},
        ["-curl 1", "-curl 2", "+curl 4"],
        ["curl 4", "wget 1"],
    ),
    "what was there stays": (
        ("curl",), {"no_remove": True, "follow": False},
        ["+curl 4"],
        ["curl 1", "curl 2", "curl 4", "wget 1"],
    ),
    "all matches": (
        ("curl",), {"all_matches": True, "follow": False},
        ["-curl 1", "-curl 2", "+curl 3", "+curl 4"],
        ["curl 3", "curl 4", "wget 1"],
    ),
    "all matches, and all that was there": (
        ("curl",), {"all_matches": True, "no_remove": True, "follow": False},
        ["+curl 3", "+curl 4"],
        ["curl 1", "curl 2", "curl 3", "curl 4", "wget 1"],
    ),
    "needed in other ways": (
        ("curl",), {"kinds": ("recommends",)},
        ["-curl 1", "-curl 2", "+curl 4"],
        ["curl 4", "wget 1"],
    ),
    "nothing matches": (
        ("emacs", "Version (>> 5)",), {"follow": False},
        ["+ca-certificates 2024"],
        ["ca-certificates 2024", "curl 1", "curl 2", "wget 1"],
    ),
    "nothing at all": (("emacs",), {}, [], ["curl 1", "curl 2", "wget 1"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", PULLS)
def test_pull(api: Calls, testing: Calls, kind: str) -> None:
    """And a dry run says the same, and changes nothing."""
    queries, flags, changed, content = PULLS[kind]
    with api.changes_nothing():
        planned = api.pull_snapshot("new", "stable", "testing", queries, dry_run=True, **flags)
    made = api.pull_snapshot("new", "stable", "testing", queries, **flags)
    assert (planned.snapshot_id, planned.outcome) == (None, "planned")
    assert (made.outcome, made.members, made.revision) == ("created", len(content), 1)
    assert (planned.changes, planned.members) == (made.changes, made.members)
    assert [each.removesuffix(" all") for each in changes(made)] == changed
    assert [each.removesuffix(" all") for each in in_snapshot(api, "new")] == content
    assert sources(api, "new") == {"stable", "testing"}
    assert in_snapshot(api, "stable") == CONTENT


def test_a_pull_is_for_the_architectures_of_its_target(api: Calls) -> None:
    """Or for those that it is told."""
    stock(api, "target", "bash 1 amd64")
    stock(api, "source", *(f"vim 1 {variant}" for variant in ("amd64", "i386", "all")))
    for name in ("target", "source"):
        api.create_snapshot(name, name)
    pulled = {
        architectures: changes(
            api.pull_snapshot(
                "new", "target", "source", ("vim",), architectures=architectures, dry_run=True
            )
        )
        for architectures in (None, ("i386",), ("amd64", "i386"))
    }
    assert pulled == {
        None: ["+vim 1 all", "+vim 1 amd64"],
        ("i386",): ["+vim 1 all", "+vim 1 i386"],
        ("amd64", "i386"): ["+vim 1 all", "+vim 1 amd64", "+vim 1 i386"],
    }


def test_a_pull_of_the_same_row_changes_nothing(api: Calls, stable: Calls) -> None:
    made = api.pull_snapshot("new", "stable", "stable", ("curl (= 2)",))
    assert changes(made) == ["-curl 1 all"]
    assert sources(api, "new") == {"stable"}


@pytest.mark.parametrize("queries", [(), ("",), ("curl (",), ("curl", "! "), (None,), None])
def test_malformed_queries(api: Calls, stable: Calls, queries: Any) -> None:
    api.create_repository("other")
    for call in (
        lambda: api.pull_snapshot("new", "stable", "stable", queries),
        lambda: api.filter_snapshot("new", "stable", queries),
        lambda: api.copy_versions("other", queries, "stable"),
        lambda: api.move_versions("other", "stable", queries),
        lambda: api.remove_versions("stable", queries),
    ):
        with api.refused("RG400"):
            call()


@pytest.mark.parametrize("flag", ["follow", "no_remove", "all_matches", "dry_run", "kinds"])
def test_a_flag_that_is_neither(api: Calls, stable: Calls, flag: str) -> None:
    with api.refused("RG400"):
        api.pull_snapshot("new", "stable", "stable", ("curl",), **{flag: None})


def test_a_request_is_answered_once(api: Calls, testing: Calls) -> None:
    """A repeated call gets its first answer; the key is for that call only."""
    asked = {"queries": ("curl",), "request_key": "a pull"}
    first = api.pull_snapshot("new", "stable", "testing", **asked)
    with api.changes_nothing():
        assert api.pull_snapshot("new", "stable", "testing", **asked) == first
    with api.refused("RG409"):
        api.pull_snapshot("newer", "stable", "testing", **asked)
    api.drop_snapshot("new")
    assert api.pull_snapshot("new", "stable", "testing", **asked) == first


# -- filter (what following finds: test_dependencies.py) -------------------------------------------


def test_filter(api: Calls, testing: Calls) -> None:
    made = api.filter_snapshot("chosen", "testing", ("curl (>= 4)", "wget"), description="some")
    assert made[1:] == (1, 2, "created", None)
    assert in_snapshot(api, "chosen") == ["curl 4 all", "wget 2 all"]
    assert (sources(api, "chosen"), view(api, "chosen").description) == ({"testing"}, "some")
    api.filter_snapshot("with all", "testing", ("wget",), follow=True)
    assert in_snapshot(api, "with all") == [
        "curl 4 all", "libcurl 4 all", "openssl 3 all", "wget 2 all",
    ]  # fmt: skip
    assert api.filter_snapshot("nothing", "testing", ("emacs",)).members == 0


def test_a_filter_has_all_versions(api: Calls, stable: Calls) -> None:
    api.filter_snapshot("chosen", "stable", ("curl",))
    assert in_snapshot(api, "chosen") == ["curl 1 all", "curl 2 all"]


# -- diff ------------------------------------------------------------------------------------------


def diff(api: Calls, left: str, right: str) -> list[str]:
    return [
        " ".join([row.change, row.name, f"{row.left_version}..{row.right_version}".replace(
            "None", ""), *([row.variant] if row.variant != "all" else [])])
        for row in api.rows("diff_snapshots", left, right)
    ]  # fmt: skip


def sides(api: Calls, left: list[Any], right: list[Any]) -> list[str]:
    for name, packages in (("left", left), ("right", right)):
        stock(api, name, *packages)
        api.create_snapshot(name, name)
    return diff(api, "left", "right")


DIFFERENCES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "nothing": ([], [], []),
    "the same": (["curl 1", "wget 1"], ["wget 1", "curl 1"], []),
    "added": ([], ["curl 1"], ["added curl ..1"]),
    "removed": (["curl 1"], [], ["removed curl 1.."]),
    "upgraded": (["curl 9"], ["curl 10"], ["upgraded curl 9..10"]),
    "downgraded": (["curl 1:1"], ["curl 2"], ["downgraded curl 1:1..2"]),
    "changed": ([package("curl 1", content="one")], [package("curl 1", content="two")],
                ["changed curl 1..1"]),
    "other metadata": ([package("curl 1")], [package("curl 1", metadata={"a": 1})],
                       ["changed curl 1..1"]),
    "each architecture": (["curl 1 amd64", "curl 1 i386"], ["curl 2 amd64", "curl 1 arm64"],
                          ["upgraded curl 1..2 amd64", "added curl ..1 arm64",
                           "removed curl 1.. i386"]),
    "what both have is not paired with another": (
        ["curl 1", "curl 2"], ["curl 2", "curl 3"], ["upgraded curl 1..3"]),
    "in the order of versions": (
        ["curl 1", "curl 10"], ["curl 2", "curl 20", "curl 30"],
        ["upgraded curl 1..2", "upgraded curl 10..20", "added curl ..30"]),
    "fewer": (["curl 1", "curl 2", "curl 3"], ["curl 4"],
              ["upgraded curl 1..4", "removed curl 2..", "removed curl 3.."]),
    "equal versions that are two": (["curl 1.0"], ["curl 1.0-0"], ["changed curl 1.0..1.0-0"]),
    "in the order of names": (["zz 1", "aa 1"], ["mm 1"],
                              ["removed aa 1..", "added mm ..1", "removed zz 1.."]),
}  # fmt: skip


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_diff(api: Calls, kind: str) -> None:
    left, right, expected = DIFFERENCES[kind]
    assert sides(api, left, right) == expected


def test_the_other_way_round(api: Calls) -> None:
    left, right = ["curl 1", "wget 2", "nano 1"], ["curl 2", "wget 1", "vim 1"]
    assert sides(api, left, right) == [
        "upgraded curl 1..2", "removed nano 1..", "added vim ..1", "downgraded wget 2..1",
    ]  # fmt: skip
    assert diff(api, "right", "left") == [
        "downgraded curl 2..1", "added nano ..1", "removed vim 1..", "upgraded wget 1..2",
    ]  # fmt: skip


def test_what_changed_in_one_repository(api: Calls) -> None:
    """A file that came, one that went; and what was deleted and published again as it was."""
    repo = stock(
        api, "main", *(package(f"demo-{n} 1.0", ecosystem="pypi") | {"variant": ""} for n in "abc"),
        reuse="always",
    )  # fmt: skip
    api.create_snapshot("before", "main")
    repo.add_files("pypi", "demo-a", "1.0", files=[file("demo-a.whl")])
    repo.delete_file("pypi", "demo-b", "1.0", filename="demo-b_1.0_all.deb")
    repo.delete_version("pypi", "demo-c", "1.0")
    add(api, "main", package("demo-c 1.0", ecosystem="pypi") | {"variant": ""})
    api.create_snapshot("after", "main")
    found = [(row.change, row.name) for row in api.rows("diff_snapshots", "before", "after")]
    assert found == [("changed", "demo-a"), ("changed", "demo-b")]
    assert diff(api, "before", "before") == []


def test_one_name_in_two_ecosystems(api: Calls) -> None:
    gem = package("rails 1", ecosystem="gem") | {"variant": "all"}
    assert sides(api, ["rails 1"], [gem]) == ["removed rails 1..", "added rails ..1"]


# -- verify (what satisfies what: test_dependencies.py) --------------------------------------------


def test_verify(api: Calls, testing: Calls) -> None:
    assert api.rows("verify_snapshot", "testing") == []
    api.filter_snapshot("alone", "testing", ("wget | libcurl",))
    rows = api.rows("verify_snapshot", "alone")
    assert [tuple(row) for row in rows] == [
        ("", "deb", "libcurl", "3", "all", "depends", "libssl"),
        ("", "deb", "wget", "2", "all", "depends", "ssl-tool"),
        ("", "deb", "wget", "2", "all", "depends", "curl"),
    ]
    rows = api.rows("verify_snapshot", "alone", ("stable",))
    assert [row.relation for row in rows] == ["libssl", "ssl-tool"]
    assert api.rows("verify_snapshot", "alone", ("stable", "testing")) == []


# -- rename and drop (who is in the way: tests/incidents/test_S03.py, test_S04.py) -----------------


def test_rename(api: Calls, stable: Calls) -> None:
    before = digest(api, "stable")
    renamed = api.rename_snapshot("stable", "tested", actor="me")
    assert renamed[1:] == (2, None, "renamed", None)
    assert (in_snapshot(api, "tested"), digest(api, "tested")) == (CONTENT, before)
    with api.changes_nothing():
        assert api.rename_snapshot("tested", "tested")[1:] == (2, None, "unchanged", None)
    with api.refused("RG404"):
        api.rename_snapshot("stable", "other")
    api.create_snapshot("stable")
    with api.refused("RG409"):
        api.rename_snapshot("stable", "tested")


def test_drop(api: Calls, stable: Calls) -> None:
    api.merge_snapshots("merged", ("stable",))
    with api.refused("RG423"):
        api.drop_snapshot("stable")
    with api.refused("RG400"):
        api.drop_snapshot("stable", force=None)
    assert api.drop_snapshot("stable", force=True, actor="me")[1:] == (2, None, "dropped", None)
    assert (in_snapshot(api, "merged"), sources(api, "merged")) == (CONTENT, set())
    assert api.drop_snapshot("merged")[1:] == (2, 3, "dropped", None)
    with api.refused("RG404"):
        api.drop_snapshot("merged")
    events = api.ask(
        "select event, name, actor from pkgdb.outbox where namespace = %s"
        " and event like 'snapshot%%' order by event_id",
        api.first[0],
    )
    assert events == [
        ("snapshot_created", "stable", None), ("snapshot_created", "merged", None),
        ("snapshot_dropped", "stable", "me"), ("snapshot_dropped", "merged", None),
    ]  # fmt: skip
    assert api.create_snapshot("stable", "stable").revision == 1


def test_drop_of_what_is_served(api: Calls, stable: Calls) -> None:
    api.create_distribution("", "bookworm", "deb", {"main": {"snapshot": "stable"}})
    for force in (False, True):
        with api.refused("RG423"):
            api.drop_snapshot("stable", force=force)
    api.drop_distribution("", "bookworm")
    assert api.drop_snapshot("stable").outcome == "dropped"


# -- copy ------------------------------------------------------------------------------------------

TOOK = ("added", "removed", "unchanged", "skipped", "outcome")


def took(ref: Any) -> dict[str, Any]:
    """What a call did to a repository, without what is 0."""
    return {name: getattr(ref, name) for name in TOOK if getattr(ref, name)}


@pytest.fixture
def target(api: Calls, stable: Calls) -> Calls:
    api.create_repository("target", policy={"reuse": "always"})
    return api.at("target")


def test_copy(api: Calls, stable: Calls, target: Calls) -> None:
    copied = target.copy_versions(("curl",), "stable", actor="me")
    assert took(copied) == {"added": 2, "outcome": "copied"}
    assert changes(copied) == ["+curl 1 all", "+curl 2 all"]
    assert in_repository(api, "target") == ["curl 1 all", "curl 2 all"]
    assert in_repository(api, "stable") == CONTENT
    assert target.resolve("deb", "curl", "latest").version == "2"
    with api.changes_nothing():
        again = target.copy_versions(("curl",), "stable")
    assert took(again) == {"unchanged": 2, "outcome": "unchanged"}
    assert again.changes == []
    assert took(target.copy_versions(("emacs",), "stable")) == {"outcome": "unchanged"}
    assert took(target.copy_versions(("wget", "curl"), "stable")) == {
        "added": 1, "unchanged": 2, "outcome": "copied",
    }  # fmt: skip


def test_copy_of_a_snapshot(api: Calls, stable: Calls, target: Calls) -> None:
    """What it contains, as it was: also what is deleted since."""
    stable.delete_version("deb", "curl", "1", "all")
    add(api, "stable", "curl 3")
    api.purge()
    copied = target.copy_versions(("curl",), from_snapshot="stable")
    assert changes(copied) == ["+curl 1 all", "+curl 2 all"]
    assert in_repository(api, "target") == ["curl 1 all", "curl 2 all"]


def test_what_a_copy_has(api: Calls) -> None:
    """Files with all that is said of them, side files, metadata, dependencies; not what was decided
    about the version, nor its tags."""
    repo = stock(
        api, "main",
        package("app 1.0", ecosystem="pypi", metadata={"a": [1]}, depends="lib (>= 2)") | {
            "variant": "", "files": [bytes_of("app.whl", "app") | {"attributes": {"a": 1},
                                                                   "media_type": "text/plain"},
                                     bytes_of("app.tar.gz", "source")]},
    )  # fmt: skip
    attach(repo, "pypi", "app", "1.0", files=[file("app.asc")])
    repo.set_tag("pypi", "app", "1.0", tag="checked")
    repo.yank("pypi", "app", "1.0", reason="broken")
    repo.deprecate("pypi", "app", "1.0", message="old")
    blobs = api.ask("select count(*) from pkgdb.blob where namespace = %s", api.first[0])
    api.create_snapshot("main", "main")

    api.create_repository("target")
    assert took(api.copy_versions("target", ("app",), "main")) == {"added": 1, "outcome": "copied"}
    assert api.ask("select count(*) from pkgdb.blob where namespace = %s", api.first[0]) == blobs
    api.create_snapshot("target", "target")
    assert digest(api, "target") == digest(api, "main")
    (theirs,), (ours,) = (
        api.rows("search_versions", snapshot=name, files=True) for name in ("main", "target")
    )
    assert (ours.files, ours.metadata) == (theirs.files, theirs.metadata)
    assert {file["role"] for file in ours.files} == {"main", "side"}
    assert (ours.status, ours.listed, ours.yank_reason, ours.deprecation) == (
        "available", True, None, None,
    )  # fmt: skip
    tags = api.ask("select repository from pkgdb.tags where namespace = %s", api.first[0])
    assert tags == [("main",)]


def test_a_side_file_that_came_later(api: Calls, stable: Calls, target: Calls) -> None:
    """It is added to what was copied before, and counts."""
    target.copy_versions(("curl",), "stable")
    attach(stable, "deb", "curl", "1", "all", files=[file("curl.asc")])
    again = target.copy_versions(("curl",), "stable")
    assert took(again) == {"added": 1, "unchanged": 1, "outcome": "copied"}
    assert changes(again) == ["+curl 1 all"]
    api.create_snapshot("target", "target")
    assert filenames(api, "target") == ["curl.asc", "curl_1_all.deb", "curl_2_all.deb"]


def test_a_copy_brings_files_that_are_missing(api: Calls) -> None:
    """As publish does, where a version has many files."""
    for repository, name in (("main", "a.whl"), ("target", "b.whl")):
        stock(
            api, repository,
            package("app 1.0", ecosystem="pypi") | {"variant": "", "files": [file(name)]},
        )  # fmt: skip
    assert took(api.copy_versions("target", ("app",), "main")) == {"added": 1, "outcome": "copied"}
    api.create_snapshot("target", "target")
    assert filenames(api, "target") == ["a.whl", "b.whl"]


def test_what_is_quarantined_is_not_copied(api: Calls, stable: Calls, target: Calls) -> None:
    stable.quarantine("deb", "curl", "1", "all")
    copied = target.copy_versions(("curl",), "stable")
    assert took(copied) == {"added": 1, "skipped": 1, "outcome": "copied"}
    assert took(target.copy_versions(("curl (= 1)",), from_snapshot="stable")) == {
        "skipped": 1, "outcome": "unchanged",
    }  # fmt: skip
    assert in_repository(api, "target") == ["curl 2 all"]
    stable.release_quarantine("deb", "curl", "1", "all")
    assert took(target.copy_versions(("curl (= 1)",), from_snapshot="stable")) == {
        "added": 1, "outcome": "copied",
    }  # fmt: skip


@pytest.mark.parametrize("by", ["name", "query"])
def test_nor_what_was_when_it_was_deleted(
    api: Calls, stable: Calls, target: Calls, by: str
) -> None:
    stable.quarantine("deb", "curl", "1", "all")
    if by == "name":
        stable.delete_version("deb", "curl", "1", "all")
    else:
        stable.remove_versions(("curl (= 1)",))
    copied = target.copy_versions(("curl",), from_snapshot="stable")
    assert took(copied) == {"added": 1, "skipped": 1, "outcome": "copied"}


def test_nor_what_was_deleted_before(api: Calls, target: Calls) -> None:
    """The identity is blocked: also what it was once, and a snapshot still contains."""
    repo = stock(api, "main", "nano 1", reuse="always")
    api.create_snapshot("main", "main")
    repo.delete_version("deb", "nano", "1", "all")
    add(api, "main", package("nano 1", content="built again"))
    copying = {"from_snapshot": "main", "dry_run": True}
    assert target.copy_versions(("nano",), **copying).added == 1
    repo.quarantine("deb", "nano", "1", "all")
    assert target.copy_versions(("nano",), **copying).skipped == 1
    repo.release_quarantine("deb", "nano", "1", "all")
    assert target.copy_versions(("nano",), **copying).added == 1


def test_what_is_quarantined_there_stays_so(api: Calls, stable: Calls, target: Calls) -> None:
    """To copy the same again does not bring it back."""
    target.copy_versions(("curl",), "stable")
    target.quarantine("deb", "curl", "1", "all")
    with api.changes_nothing():
        again = target.copy_versions(("curl",), "stable")
    assert took(again) == {"unchanged": 2, "outcome": "unchanged"}


def test_other_content_is_a_conflict(api: Calls, stable: Calls, target: Calls) -> None:
    """Of one version: nothing is copied."""
    add(api, "target", package("wget 1", content="others"))
    for copying in ({"from_repository": "stable"}, {"from_snapshot": "stable"}):
        for dry_run in (False, True):
            with api.refused("RG409"):
                target.copy_versions(("Name",), **copying, dry_run=dry_run)
    with api.refused("RG409"):
        target.move_versions("stable", ("Name",))


def test_unless_it_is_to_be_replaced(api: Calls, stable: Calls, target: Calls) -> None:
    add(api, "target", package("wget 1", content="others"))
    api.create_snapshot("before", "target")
    plan = {"replace": True, "dry_run": True}
    with api.changes_nothing():
        planned = target.copy_versions(("curl (= 1) | wget",), "stable", **plan)
    copied = target.copy_versions(("curl (= 1) | wget",), "stable", replace=True)
    assert took(copied) == {"added": 2, "removed": 1, "outcome": "copied"}
    assert changes(copied) == ["-wget 1 all", "+curl 1 all", "+wget 1 all"]
    assert (planned.outcome, planned.changes) == ("planned", copied.changes)
    assert took(planned) == took(copied) | {"outcome": "planned"}
    api.create_snapshot("after", "target")
    assert diff(api, "before", "after") == ["added curl ..1", "changed wget 1..1"]
    with api.changes_nothing():
        again = target.copy_versions(("curl (= 1) | wget",), "stable", replace=True)
    assert took(again) == {"unchanged": 2, "outcome": "unchanged"}


def test_a_file_that_was_deleted_makes_no_other_content(api: Calls) -> None:
    content = package("app 1.0", ecosystem="pypi") | {"variant": ""}
    for repository in ("main", "target"):
        repo = stock(api, repository, content | {"files": [file("a.whl"), file("b.whl")]})
        repo.delete_file("pypi", "app", "1.0", filename="b.whl")
    with api.changes_nothing():
        copied = api.copy_versions("target", ("app",), "main", replace=True)
    assert took(copied) == {"unchanged": 1, "outcome": "unchanged"}


@pytest.mark.parametrize(
    ("reuse", "told"), [("never", "RG410"), ("same_content", "RG410"), ("always", None)]
)
def test_replacing_is_reuse(api: Calls, stable: Calls, reuse: str, told: str | None) -> None:
    """The identity comes back with other content: the policy says whether it may."""
    stock(api, "target", package("wget 1", content="others"), reuse=reuse)
    if told is None:
        assert api.copy_versions("target", ("wget",), "stable", replace=True).removed == 1
    else:
        with api.refused(told):
            api.copy_versions("target", ("wget",), "stable", replace=True)


@pytest.mark.parametrize(
    ("reuse", "told"), [("never", "RG410"), ("same_content", None), ("always", None)]
)
def test_copying_back_what_was_deleted(
    api: Calls, stable: Calls, reuse: str, told: str | None
) -> None:
    stock(api, "target", "wget 1", reuse=reuse)
    api.delete_version("target", "deb", "wget", "1", "all")
    if told is None:
        assert api.copy_versions("target", ("wget",), "stable").added == 1
    else:
        with api.refused(told):
            api.copy_versions("target", ("wget",), "stable")


@pytest.mark.parametrize("replace", [False, True])
def test_what_is_blocked_is_not_replaced(
    api: Calls, stable: Calls, target: Calls, replace: bool
) -> None:
    """Or it would be there again, with other bytes, and nobody has released it."""
    add(api, "target", package("wget 1", content="others"))
    target.quarantine("deb", "wget", "1", "all")
    for call in (target.copy_versions, target.move_versions):
        with api.refused("RG409"):
            call(from_repository="stable", queries=("wget",), replace=replace)


@pytest.mark.parametrize("replace", [False, True])
def test_what_is_being_published_is_in_the_way(
    api: Calls, stable: Calls, target: Calls, replace: bool
) -> None:
    """There is nothing yet that could be replaced."""
    begun = target.begin_publication("deb", "wget", "1", "all")
    with api.refused("RG422"):
        target.copy_versions(("wget",), "stable", replace=replace)
    api.abort_publication(begun.publication_id, begun.fence)
    assert target.copy_versions(("wget",), "stable", replace=replace).added == 1


POLICIES: dict[str, tuple[dict[str, Any], str]] = {
    "a protected name": ({"protected_names": ["cu*"]}, "RG403"),
    "validators": ({"validators": {"scan": "required"}}, "RG422"),
}


@pytest.mark.parametrize("kind", POLICIES)
def test_a_copy_keeps_the_rules(api: Calls, stable: Calls, kind: str) -> None:
    policy, told = POLICIES[kind]
    api.create_repository("target", policy=policy)
    with api.refused(told):
        api.copy_versions("target", ("Name",), "stable")
    with api.refused(told):
        api.move_versions("target", "stable", ("Name",))


def test_to_a_reserved_name(api: Calls, stable: Calls, target: Calls) -> None:
    target.reserve_name("deb", "curl")
    with api.refused("RG403"):
        target.copy_versions(("curl",), "stable")
    assert target.copy_versions(("wget",), "stable").added == 1


def test_to_and_from_a_mirror(api: Calls, stable: Calls, target: Calls) -> None:
    api.create_repository("up", "mirror")
    update = api.begin_mirror_update("up")
    api.stage_mirror_items(update.update_id, update.fence, [package("nano 1")])
    api.commit_mirror_update(update.update_id, update.fence)
    for call in (api.copy_versions, api.move_versions):
        with api.refused("RG403"):
            call("up", from_repository="stable", queries=("curl",))
    assert target.copy_versions(("nano",), "up").added == 1


def test_an_immutable_repository(api: Calls, stable: Calls) -> None:
    """Takes what is new, gives away nothing, replaces nothing."""
    api.create_repository("kept", policy={"immutable": True, "reuse": "always"})
    assert api.copy_versions("kept", ("wget",), "stable").added == 1
    stock(api, "other", package("wget 1", content="others"), "wget 2")
    for replace in (False, True):
        with api.refused("RG403" if replace else "RG409"):
            api.copy_versions("kept", ("wget",), "other", replace=replace)
    for call in (
        lambda: api.move_versions("other", "kept", ("Name",)),
        lambda: api.remove_versions("kept", ("Name",)),
        lambda: api.remove_versions("kept", ("emacs",), dry_run=True),
    ):
        with api.refused("RG403"):
            call()
    assert api.move_versions("kept", "other", ("wget (= 2)",)).added == 1


def test_names_of_the_whole_namespace(api: Calls) -> None:
    """npm claims a name for the namespace: another repository cannot have it, however it comes."""
    left_pad = package("left-pad 1.0.0", ecosystem="npm") | {"variant": ""}
    stock(api, "main", left_pad, "curl 1")
    api.create_snapshot("main", "main")
    api.create_repository("target")
    for call in (
        lambda: api.copy_versions("target", ("Name",), "main"),
        lambda: api.copy_versions("target", ("left-pad",), from_snapshot="main", replace=True),
        lambda: api.move_versions("target", "main", ("left-pad",)),
    ):
        with api.refused("RG409"):
            call()
    assert api.copy_versions("target", ("curl",), "main").added == 1
    api.create_repository("own", policy={"name_scope": "repository"})
    assert api.move_versions("own", "main", ("left-pad",)).added == 1
    assert in_repository(api, "own") == ["left-pad 1.0.0"]


def test_a_name_that_the_dropped_repository_gave_back(api: Calls) -> None:
    """Of a snapshot: its repository is gone, and its names are free."""
    stock(api, "main", package("left-pad 1.0.0", ecosystem="npm") | {"variant": ""})
    api.create_snapshot("main", "main")
    api.drop_repository("main", force=True)
    api.create_repository("target")
    assert api.copy_versions("target", ("Name",), from_snapshot="main").added == 1
    assert in_repository(api, "target") == in_snapshot(api, "main") == ["left-pad 1.0.0"]


def test_a_snapshot_of_a_dropped_repository(api: Calls, stable: Calls, target: Calls) -> None:
    """What was deleted before the snapshot is not in it; what was blocked at the end is."""
    attach(stable, "deb", "curl", "2", "all", files=[file("curl.asc")])
    stable.delete_version("deb", "curl", "1", "all")
    stable.delete_file("deb", "curl", "2", "all", filename="curl.asc")
    api.create_snapshot("last", "stable")
    stable.quarantine("deb", "wget", "1", "all")
    before = digest(api, "last")
    api.drop_repository("stable", force=True)
    assert digest(api, "last") == before
    assert in_snapshot(api, "last") == ["curl 2 all", "wget 1 all"]
    assert filenames(api, "last") == ["curl_2_all.deb", "wget_1_all.deb"]
    copied = target.copy_versions(("Name",), from_snapshot="last")
    assert took(copied) == {"added": 1, "skipped": 1, "outcome": "copied"}
    assert in_repository(api, "target") == ["curl 2 all"]


def test_bytes_have_to_be_where_the_target_wants_them(api: Calls, stable: Calls) -> None:
    api.create_repository("target")
    api.add_backend("disk", "file:///srv/disk")
    api.set_repository_backend("target", "disk")
    for call in (
        lambda: api.copy_versions("target", ("curl",), "stable"),
        lambda: api.move_versions("target", "stable", ("curl",)),
    ):
        with api.refused("RG422"):
            call()
    assert in_repository(api, "stable") == CONTENT


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"from_repository": "target"},
        {"from_repository": "stable", "from_snapshot": "stable"},
        {"from_repository": "stable", "replace": None},
        {"from_repository": "stable", "dry_run": None},
    ],
)
def test_a_malformed_copy(api: Calls, target: Calls, named: dict[str, Any]) -> None:
    with api.refused("RG400"):
        target.copy_versions(("curl",), **named)


def test_a_copy_of_what_is_not_there(api: Calls, target: Calls) -> None:
    for call in (
        lambda: target.copy_versions(("curl",), "none"),
        lambda: target.copy_versions(("curl",), from_snapshot="none"),
        lambda: api.copy_versions("none", ("curl",), "stable"),
        lambda: api.move_versions("none", "stable", ("curl",)),
        lambda: target.move_versions("none", ("curl",)),
        lambda: api.remove_versions("none", ("curl",)),
    ):
        with api.refused("RG404"):
            call()


def test_a_repository_that_was_dropped(api: Calls, target: Calls) -> None:
    """Its rows are there until they are purged."""
    stock(api, "main", "nano 1")
    api.drop_repository("main")
    serving = {"main": {"repository": "main"}}
    for call in (
        lambda: target.copy_versions(("nano",), "main"),
        lambda: target.move_versions("main", ("nano",)),
        lambda: api.rows("search_versions", "main"),
        lambda: api.create_distribution("", "stable", "deb", serving),
    ):
        with api.refused("RG404"):
            call()
    stock(api, "main", "nano 2")
    assert in_repository(api, "main") == ["nano 2 all"]
    assert changes(target.copy_versions(("nano",), "main")) == ["+nano 2 all"]


def test_a_dry_run_says_what_would_be_done(api: Calls, stable: Calls, target: Calls) -> None:
    for call in (
        lambda **named: target.copy_versions(("curl",), "stable", **named),
        lambda **named: target.move_versions("stable", ("wget",), **named),
        lambda **named: target.remove_versions(("curl (= 1)",), **named),
    ):
        with api.changes_nothing():
            planned = call(dry_run=True)
        done = call()
        assert planned.outcome == "planned"
        assert took(planned) == took(done) | {"outcome": "planned"}
        assert planned.changes == done.changes != []


def test_a_copy_is_answered_once(api: Calls, stable: Calls, target: Calls) -> None:
    asked = {"from_repository": "stable", "request_key": "a copy"}
    first = target.copy_versions(("curl",), **asked)
    target.remove_versions(("Name",))
    with api.changes_nothing():
        assert target.copy_versions(("curl",), **asked) == first


def test_events_of_copies(api: Calls, stable: Calls, target: Calls) -> None:
    """Each version has one in each repository, as if it were published and deleted by itself."""
    target.copy_versions(("curl (= 1)",), "stable", actor="one")
    target.move_versions("stable", ("curl (= 2)",), actor="two")
    target.remove_versions(("curl",), actor="three")
    events = api.ask(
        "select r.name::text as repository, o.event, o.version::text, o.actor::text, o.revision"
        " from pkgdb.outbox o join pkgdb.repository r using (namespace, repository_id)"
        " where o.namespace = %s and o.actor is not null order by o.event_id",
        api.first[0],
    )
    assert sorted(events) == sorted([
        ("target", "created", "1", "one", 1),
        ("target", "created", "2", "two", 2),
        ("stable", "deleted", "2", "two", 3),
        ("target", "deleted", "1", "three", 3),
        ("target", "deleted", "2", "three", 4),
    ])  # fmt: skip


# -- move ------------------------------------------------------------------------------------------


def test_move(api: Calls, stable: Calls, target: Calls) -> None:
    moved = target.move_versions("stable", ("curl",), actor="me")
    assert took(moved) == {"added": 2, "outcome": "moved"}
    assert changes(moved) == ["+curl 1 all", "+curl 2 all"]
    assert (in_repository(api, "stable"), in_repository(api, "target")) == (
        CONTENT[2:],
        CONTENT[:2],
    )
    assert in_snapshot(api, "stable") == CONTENT
    with api.changes_nothing():
        assert took(target.move_versions("stable", ("curl",))) == {"outcome": "unchanged"}


def test_a_move_onto_the_same(api: Calls, stable: Calls, target: Calls) -> None:
    """It is there already: it only goes where it was."""
    target.copy_versions(("curl (= 1)",), "stable")
    moved = target.move_versions("stable", ("curl",))
    assert took(moved) == {"added": 1, "unchanged": 1, "outcome": "moved"}
    assert in_repository(api, "stable") == ["wget 1 all"]


def test_what_is_quarantined_does_not_move(api: Calls, stable: Calls, target: Calls) -> None:
    stable.quarantine("deb", "curl", "1", "all")
    moved = target.move_versions("stable", ("Name",))
    assert took(moved) == {"added": 2, "skipped": 1, "outcome": "moved"}
    assert in_repository(api, "stable") == ["curl 1 all"]
    assert in_repository(api, "target") == ["curl 2 all", "wget 1 all"]


def test_a_move_replaces(api: Calls, stable: Calls, target: Calls) -> None:
    add(api, "target", package("wget 1", content="others"))
    moved = target.move_versions("stable", ("wget",), replace=True)
    assert took(moved) == {"added": 1, "removed": 1, "outcome": "moved"}
    assert changes(moved) == ["-wget 1 all", "+wget 1 all"]


@pytest.mark.parametrize(("reuse", "told"), [("never", "RG410"), ("same_content", None)])
def test_there_and_back(api: Calls, target: Calls, reuse: str, told: str | None) -> None:
    """To where it was deleted: as the policy says."""
    stock(api, "main", "nano 1", reuse=reuse)
    target.move_versions("main", ("nano",))
    if told is None:
        assert took(api.move_versions("main", "target", ("nano",)))["outcome"] == "moved"
        assert in_repository(api, "main") == ["nano 1 all"]
    else:
        with api.refused(told):
            api.move_versions("main", "target", ("nano",))


def test_a_version_that_is_being_given_a_file(api: Calls, target: Calls) -> None:
    """Its publication ends: the version is somewhere else now."""
    repo = stock(api, "main", package("app 1.0", ecosystem="pypi") | {"variant": ""})
    begun = repo.begin_publication("pypi", "app", "1.0", files=[file("late.whl")])
    target.move_versions("main", ("app",))
    with api.refused("RG422"):
        api.commit_publication(begun.publication_id, begun.fence)
    assert in_repository(api, "target") == ["app 1.0"]


# -- remove ----------------------------------------------------------------------------------------


def test_remove(api: Calls, stable: Calls) -> None:
    stable.set_tag("deb", "curl", "2", "all", tag="checked")
    removed = stable.remove_versions(("curl",))
    assert took(removed) == {"removed": 2, "outcome": "removed"}
    assert changes(removed) == ["-curl 1 all", "-curl 2 all"]
    assert in_repository(api, "stable") == ["wget 1 all"]
    with api.changes_nothing():
        again = stable.remove_versions(("curl",))
    assert (took(again), again.removed) == ({"outcome": "unchanged"}, 0)
    with api.refused("RG404"):
        stable.resolve("deb", "curl", "latest")
    assert in_snapshot(api, "stable") == CONTENT


def test_what_is_quarantined_is_removed(api: Calls, stable: Calls) -> None:
    stable.quarantine("deb", "curl", "1", "all")
    assert stable.remove_versions(("curl (= 1)",)).removed == 1
    assert in_repository(api, "stable") == ["curl 2 all", "wget 1 all"]


def test_what_is_being_published_is_not_seen(api: Calls, stable: Calls) -> None:
    begun = stable.begin_publication("deb", "curl", "3", "all")
    assert stable.remove_versions(("curl",)).removed == 2
    assert api.commit_publication(begun.publication_id, begun.fence).outcome == "created"
    assert in_repository(api, "stable") == ["curl 3 all", "wget 1 all"]


def test_a_version_of_which_a_file_was_replaced(api: Calls) -> None:
    """What was deleted before is not remembered anew, and does not come back with it."""
    content = package("app 1.0", ecosystem="pypi") | {"variant": ""}
    repo = stock(api, "main", content | {"files": [file("a.whl"), file("b.whl")]}, reuse="always")
    repo.delete_file("pypi", "app", "1.0", filename="a.whl")
    repo.publish("pypi", "app", "1.0", files=[file("a.whl", "again")])
    assert repo.remove_versions(("app",)).removed == 1
    repo.restore_version("pypi", "app", "1.0")
    files = {each["filename"]: each["sha256"] for each in repo.resolve("pypi", "app", "1.0").files}
    assert files == {
        each["filename"]: each["sha256"] for each in (file("a.whl", "again"), file("b.whl"))
    }


def test_what_was_removed_can_be_restored(api: Calls, stable: Calls) -> None:
    stable.remove_versions(("Name",))
    with api.refused("RG410"):
        stable.publish("deb", "curl", "1", "all", [file("curl.deb")])
    assert stable.restore_version("deb", "curl", "1", "all").outcome == "restored"
    assert in_repository(api, "stable") == ["curl 1 all"]


def test_one_by_one_and_all_at_once_are_the_same(api: Calls) -> None:
    """Counters, pointers, memory and revisions of what is left."""
    names = [f"app {version}" for version in ("1", "2", "3~rc1", "3")]
    queries = "app (= 2) | app (>> 3~rc1)"
    stock(api, "bulk", *names, "other 1")
    one_by_one = stock(api, "single", *names, "other 1")
    removed = api.remove_versions("bulk", (queries,))
    for each in removed.changes:
        one_by_one.delete_version("deb", each["name"], each["version"], each["variant"])

    def left(repository: str) -> list[Any]:
        return api.ask(
            "select name, latest, latest_stable, versions, files, bytes, revision"
            " from pkgdb.registrations where namespace = %s and repository = %s order by name",
            api.first[0], repository,
        )  # fmt: skip

    assert left("bulk") == left("single")
    assert in_repository(api, "bulk") == ["app 1 all", "app 3~rc1 all", "other 1 all"]
