import pytest

from tests.behaviour.calls import file

WHEEL, SDIST = file("demo-1.0.whl", "wheel"), file("demo-1.0.tar.gz", "source code")
LONGEST = "ü" * (1 << 15)


@pytest.fixture
def demo(repo):
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", files=[WHEEL, SDIST], metadata={"a": 1})
    demo.publish("2.0")
    return demo


def rows_of(api, version):
    return api.ask(
        """
        select version_id, status, added_epoch, removed_epoch, removed_at is not null as removed
          from pkgdb.package_version where version = %s order by version_id""",
        version,
    )


def counters(api):
    (row,) = api.ask("select versions, files, bytes from pkgdb.registrations")
    return tuple(row)


def test_yank_takes_out_of_latest_and_nothing_else(demo):
    assert demo.yank("2.0", reason="broken").outcome == "yanked"
    assert demo.resolve("latest").version == "1.0"
    info = demo.resolve("2.0")
    assert (info.status, info.listed, info.yank_reason) == ("available", False, "broken")
    assert demo.unyank("2.0").outcome == "unyanked"
    info = demo.resolve("latest")
    assert (info.version, info.listed, info.yank_reason) == ("2.0", True, None)


def test_a_yank_can_be_explained_anew(api, demo):
    demo.yank("2.0", reason="broken")
    assert demo.yank("2.0", reason="very broken").outcome == "yanked"
    assert demo.resolve("2.0").yank_reason == "very broken"
    assert demo.yank("2.0").outcome == "yanked"
    assert demo.resolve("2.0").yank_reason is None
    with api.changes_nothing():
        assert demo.yank("2.0").outcome == "unchanged"


def test_with_everything_yanked_nothing_is_latest(api, demo):
    demo.yank("1.0")
    demo.yank("2.0")
    with api.refused("RG404"):
        demo.resolve("latest")
    assert [v.version for v in demo.rows("versions")] == ["2.0", "1.0"]


def test_deprecation_is_a_message(api, demo):
    assert demo.deprecate("2.0", message="use 3.0").outcome == "deprecated"
    assert demo.resolve("latest").deprecation == "use 3.0"
    assert demo.deprecate("2.0", message="use 4.0").outcome == "deprecated"
    assert demo.deprecate("2.0", message="").outcome == "deprecated"
    assert demo.deprecate("2.0").outcome == "undeprecated"
    assert demo.resolve("latest").deprecation is None
    with api.changes_nothing():
        assert demo.deprecate("2.0").outcome == "unchanged"


def test_quarantine_hides_the_version_and_its_files_and_keeps_the_slot(api, demo):
    demo.set_tag("1.0", tag="t")
    demo.delete_version("2.0")
    before = counters(api)
    assert demo.quarantine("1.0", reason="malware").outcome == "quarantined"
    for want in ("latest", "latest_stable", "1.0", "tag:t"):
        with api.refused("RG404"):
            demo.resolve(want)
    assert demo.rows("versions") == []
    for view in ("files", "tags"):
        assert api.ask(f"select * from pkgdb.{view}") == []
    (seen,) = api.ask("select status from pkgdb.package_versions")
    assert seen.status == "quarantined"
    assert counters(api) == before

    assert demo.release_quarantine("1.0").outcome == "released"
    assert demo.resolve("tag:t").files == demo.resolve("latest").files
    assert len(demo.resolve("1.0").files) == 2


def test_a_quarantine_can_be_explained_anew(api, demo):
    demo.quarantine("2.0", reason="malware")
    assert demo.quarantine("2.0", reason="other malware").outcome == "quarantined"
    with api.changes_nothing():
        assert demo.quarantine("2.0", reason="other malware").outcome == "unchanged"
    assert demo.quarantine("2.0").outcome == "quarantined"
    with api.changes_nothing():
        assert demo.quarantine("2.0").outcome == "unchanged"


def test_yanks_and_deprecations_go_through_a_quarantine(demo):
    demo.quarantine("2.0")
    assert demo.yank("2.0", reason="broken").outcome == "yanked"
    assert demo.deprecate("2.0", message="old").outcome == "deprecated"
    demo.release_quarantine("2.0")
    info = demo.resolve("2.0")
    assert (info.listed, info.yank_reason, info.deprecation) == (False, "broken", "old")


def test_messages_have_at_most_64_kib(api, demo):
    assert demo.yank("1.0", reason=LONGEST).outcome == "yanked"
    assert demo.quarantine("1.0", reason=LONGEST).outcome == "quarantined"
    assert demo.deprecate("1.0", message=LONGEST).outcome == "deprecated"
    for function, argument in (("yank", "reason"), ("quarantine", "reason"),
                               ("deprecate", "message")):  # fmt: skip
        with api.refused("RG400"):
            getattr(demo, function)("1.0", **{argument: LONGEST + "x"})


def test_delete(api, demo):
    demo.set_tag("2.0", tag="t")
    deleted = demo.delete_version("2.0")
    assert deleted.outcome == "deleted"
    for want in ("2.0", "tag:t"):
        with api.refused("RG404"):
            demo.resolve(want)
    assert demo.resolve("latest").version == "1.0"
    assert counters(api) == (1, 2, 16)
    ((_, status, added, removed, _),) = rows_of(api, "2.0")
    assert (status, added, removed) == ("pending_destruction", 1, 1)
    with api.changes_nothing():
        again = demo.delete_version("2.0")
    assert (again.version_id, again.outcome) == (None, "unchanged")


def test_delete_again_after_the_purge(api, demo):
    demo.delete_version("2.0")
    api.purge("acme")
    with api.changes_nothing():
        assert demo.delete_version("2.0").outcome == "unchanged"


def test_delete_what_never_existed(api, demo):
    for version, variant in (("3.0", ""), ("2.0", "any")):
        with api.refused("RG404"):
            demo.delete_version(version, variant)


def test_delete_a_quarantined_version(api, demo):
    demo.quarantine("1.0", reason="malware")
    assert demo.delete_version("1.0").outcome == "deleted"
    assert counters(api) == (1, 0, 0)


def test_the_last_version_leaves_the_name_claimed(api, repo, demo):
    demo.delete_version("1.0")
    demo.delete_version("2.0")
    api.purge("acme")
    assert demo.rows("versions") == []
    with api.refused("RG404"):
        demo.resolve("latest")
    with api.refused("RG409"):
        repo.reserve_name("pypi", "demo")
    with api.refused("RG410"):
        demo.publish("1.0", files=[WHEEL, SDIST], metadata={"a": 1})
    assert demo.publish("3.0").outcome == "created"


def test_delete_one_of_two_variants(api, repo):
    tool = repo.at("deb", "tool")
    for arch in ("amd64", "arm64"):
        tool.publish("1.0", arch, [file("tool.deb", arch)])
    tool.delete_version("1.0", "amd64")
    assert tool.resolve("1.0").variant == "arm64"
    assert tool.resolve("latest").variant == "arm64"


@pytest.mark.parametrize("policy", ["never", "same_content", "always"])
def test_restore_brings_back_what_was_there(api, repo, demo, policy):
    repo.alter_repository({"reuse": policy})
    demo.add_files("1.0", files=[file("demo.asc", "sig", media_type="a/b", attributes={"k": 1})])
    demo.deprecate("1.0", message="old")
    demo.yank("1.0", reason="broken")
    demo.set_tag("1.0", tag="t")
    before, counted = demo.resolve("1.0"), counters(api)
    demo.delete_version("1.0")
    api.ask("update pkgdb.repository set epoch = 5 returning 1")

    restored = demo.restore_version("1.0.0")
    assert restored.outcome == "restored"
    after = demo.resolve("1.0")
    assert after.version_id == restored.version_id != before.version_id
    same = {"version_id", "revision", "published_at"}
    assert {k: v for k, v in after._asdict().items() if k not in same} == {
        k: v for k, v in before._asdict().items() if k not in same
    }
    assert counters(api) == counted
    ghost, live = rows_of(api, "1.0")
    assert (ghost.added_epoch, ghost.removed_epoch, live.added_epoch) == (1, 1, 5)
    with api.refused("RG404"):
        demo.resolve("tag:t")
    assert demo.delete_version("1.0").outcome == "deleted"
    assert demo.restore_version("1.0").outcome == "restored"


def test_restore_what_is_there(api, demo):
    with api.changes_nothing():
        assert demo.restore_version("1.0").outcome == "unchanged"


def test_restore_after_the_purge(api, demo):
    demo.delete_version("1.0")
    api.purge("acme")
    with api.refused("RG404"):
        demo.restore_version("1.0")


def test_restore_what_never_existed(api, demo):
    with api.refused("RG404"):
        demo.restore_version("3.0")


def test_a_quarantine_does_not_come_back(demo):
    demo.quarantine("1.0", reason="malware")
    demo.delete_version("1.0")
    demo.restore_version("1.0")
    assert demo.resolve("1.0").status == "available"


def test_files_deleted_before_do_not_come_back(api, demo):
    demo.delete_file("1.0", filename="demo-1.0.whl")
    demo.delete_version("1.0")
    demo.restore_version("1.0")
    assert [f["filename"] for f in demo.resolve("1.0").files] == ["demo-1.0.tar.gz"]
    with api.refused("RG410"):
        demo.publish("1.0", files=[WHEEL])


def test_files_that_were_never_published_do_not_come_back(api, demo):
    demo.begin_publication("1.0", files=[file("demo-1.0.zip")])
    demo.delete_version("1.0")
    # The clock may say that they went in one moment with the version.
    api.ask("""
        update pkgdb.file f set removed_at = v.removed_at
          from pkgdb.package_version v
         where v.version_id = f.version_id and f.status = 'failed'
        returning 1""")
    demo.restore_version("1.0")
    assert [f["filename"] for f in demo.resolve("1.0").files] == [
        "demo-1.0.tar.gz", "demo-1.0.whl",
    ]  # fmt: skip


def test_restore_when_the_place_is_taken(api, repo, demo):
    repo.alter_repository({"reuse": "always"})
    demo.delete_version("1.0")
    demo.publish("1.0", files=[file("new.whl", "new")])
    with api.refused("RG409"):
        demo.restore_version("1.0")
    demo.quarantine("2.0")
    with api.refused("RG409"):
        demo.restore_version("2.0")


def test_restore_when_a_file_name_is_taken(api, demo):
    demo.delete_version("1.0")
    demo.publish("3.0", files=[WHEEL])
    with api.refused("RG409"):
        demo.restore_version("1.0")


def test_of_two_ghosts_the_younger_is_restored(repo, demo):
    repo.alter_repository({"reuse": "always"})
    demo.delete_version("1.0")
    demo.publish("1.0", metadata={"a": 2})
    demo.delete_version("1.0")
    demo.restore_version("1.0")
    assert demo.resolve("1.0").metadata == {"a": 2}


def test_restore_under_the_rules_of_names(api, repo, demo):
    demo.delete_version("1.0")
    repo.alter_repository({"protected_names": ["demo"]})
    with api.refused("RG403"):
        demo.restore_version("1.0")


def test_restore_a_version_that_was_never_published(api, demo):
    demo.begin_publication("3.0")
    with api.refused("RG422"):
        demo.quarantine("3.0")
    assert demo.delete_version("3.0").outcome == "deleted"
    with api.refused("RG404"):
        demo.restore_version("3.0")
    assert demo.publish("3.0").outcome == "created"


def test_delete_file(api, demo):
    result = demo.delete_file("1.0", filename="demo-1.0.whl")
    assert (result.revision, result.outcome) == (3, "file_deleted")
    assert [f["filename"] for f in demo.resolve("1.0").files] == ["demo-1.0.tar.gz"]
    assert counters(api) == (2, 1, SDIST["size"])
    api.purge("acme")
    with api.changes_nothing():
        assert demo.delete_file("1.0", filename="demo-1.0.whl").outcome == "unchanged"
    with api.refused("RG404"):
        demo.delete_file("1.0", filename="other.whl")
    with api.refused("RG404"):
        demo.delete_file("2.0", filename="demo-1.0.tar.gz")


def test_delete_file_without_or_with_an_impossible_name(api, demo):
    for filename in (None, "", "x" * 1025):
        with api.refused("RG400"):
            demo.delete_file("1.0", filename=filename)


def test_every_file_that_can_be_published_can_be_deleted(api, demo, subtests):
    for filename in ("ü.txt", "x" * 1024, "a/b", "a b", ".a", "ü" * 512):
        with subtests.test(filename=filename[:10]):
            demo.publish("1.0", files=[file(filename)])
            assert demo.delete_file("1.0", filename=filename).outcome == "file_deleted"


def test_delete_file_of_a_quarantined_version(api, demo):
    demo.quarantine("1.0")
    assert demo.delete_file("1.0", filename="demo-1.0.whl").outcome == "file_deleted"


def test_removed_epoch_is_stamped_and_never_cleared(api, demo):
    api.ask("update pkgdb.repository set epoch = 3 returning 1")
    demo.delete_file("1.0", filename="demo-1.0.whl")
    api.ask("update pkgdb.repository set epoch = 4 returning 1")
    demo.delete_version("1.0")
    api.ask("update pkgdb.repository set epoch = 5 returning 1")
    demo.restore_version("1.0")
    versions = api.ask("""
        select added_epoch, removed_epoch from pkgdb.package_version
         where version = '1.0' order by version_id""")
    files = api.ask("select added_epoch, removed_epoch from pkgdb.file order by file_id")
    assert versions == [(1, 4), (5, None)]
    assert sorted(files, key=str) == [(1, 3), (1, 4), (5, None)]
