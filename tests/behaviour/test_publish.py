import pytest
from psycopg.types.json import Jsonb

from tests.behaviour.calls import file
from tests.support import backend_pid, wait_until_blocked

WHEEL, SDIST = file("demo-1.0.whl", "wheel"), file("demo-1.0.tar.gz", "source code")
MALFORMED_FILES = [
    Jsonb(None),
    {},
    Jsonb("a.whl"),
    Jsonb(1),
    [None],
    [1],
    ["a.whl"],
    [[]],
    [{}],
    [file("")],
    [file("x" * 1025)],
    [file("ü" * 513)],
    [file("/a")],
    [file("a/")],
    [file("a//b")],
    [file(".")],
    [file("..")],
    [file("./a")],
    [file("a/../b")],
    [file("a\\b")],
    [file("a\nb")],
    [file("a\x7f")],
    [file(" a")],
    [file("a ")],
    [file("a", filename=None)],
    [file("a", filename=1)],
    [file("a", sha256=None)],
    [file("a", sha256="")],
    [file("a", sha256="a" * 63)],
    [file("a", sha256="a" * 65)],
    [file("a", sha256="g" * 64)],
    [file("a", sha256="a" * 64 + "\n")],
    [file("a", sha256=1)],
    [file("a", size=None)],
    [file("a", size=-1)],
    [file("a", size=1.5)],
    [file("a", size="1")],
    [file("a", size=10**18)],
    [file("a", media_type=1)],
    [file("a", media_type="x" * 256)],
    [file("a", attributes=[])],
    [file("a", attributes="text")],
    [file("a", attributes={"a": "x" * (1 << 20)})],
    [file("a", md5="0" * 32)],
    [{"filename": "a", "sha256": "a" * 64}],
    [{"filename": "a", "size": 1}],
    [{"sha256": "a" * 64, "size": 1}],
    [file("a"), file("a")],
    [file("a"), file("a", "other")],
    [file("a"), file("../b")],
]
MALFORMED_METADATA = [Jsonb(None), [], Jsonb("text"), Jsonb(1), {"a": "x" * (1 << 20)}]


@pytest.fixture
def demo(repo):
    return repo.at("pypi", "demo")


def filenames(info):
    return [f["filename"] for f in info.files]


def test_a_new_version(api, repo, demo):
    result = demo.publish("1.0", files=[WHEEL, SDIST], metadata={"a": [1]})
    assert (result.revision, result.outcome) == (1, "created")
    info = demo.resolve("1.0")
    assert info.version_id == result.version_id
    assert info.registration_id == result.registration_id
    assert info.metadata == {"a": [1]}
    assert (info.status, info.listed, info.variant) == ("available", True, "")
    empty = {"media_type": None, "attributes": {}, "role": "main"}
    assert info.files == [SDIST | empty, WHEEL | empty]
    (counted,) = api.ask("select versions, files, bytes from pkgdb.registrations")
    assert counted == (1, 2, WHEEL["size"] + SDIST["size"])


def test_without_files(api, demo):
    assert demo.publish("1.0").outcome == "created"
    assert demo.resolve("1.0").files == []


def test_what_is_said_about_a_file_is_kept(demo):
    said = file("a.whl", media_type="application/zip", attributes={"python": ">=3.11"})
    demo.publish("1.0", files=[said | {"sha256": said["sha256"].upper()}])
    assert demo.resolve("1.0").files == [said | {"role": "main"}]


def test_the_same_again(api, demo):
    demo.publish("1.0", files=[WHEEL, SDIST], metadata={"a": 1})
    for same in (
        {"files": [SDIST, WHEEL], "metadata": {"a": 1}},
        {"files": [WHEEL]},
        {"files": []},
        {"files": [WHEEL | {"media_type": "other", "attributes": {"b": 1}}]},
    ):
        with api.changes_nothing():
            result = demo.publish("1.0", **same)
        assert (result.revision, result.outcome) == (1, "unchanged")


def test_the_same_version_in_another_spelling(api, repo, demo):
    first = demo.publish("1.0", files=[WHEEL])
    with api.changes_nothing():
        second = repo.publish("pypi", "DEMO", "v1.0.0", files=[WHEEL])
    assert second.version_id == first.version_id
    assert demo.resolve("1").version == "1.0"


def test_another_file_joins_the_others(api, demo):
    first = demo.publish("1.0", files=[WHEEL])
    second = demo.publish("1.0", files=[WHEEL, SDIST])
    assert (second.revision, second.outcome) == (2, "files_added")
    assert second.version_id == first.version_id
    assert filenames(demo.resolve("1.0")) == ["demo-1.0.tar.gz", "demo-1.0.whl"]
    (counted,) = api.ask("select versions, files, bytes from pkgdb.registrations")
    assert counted == (1, 2, WHEEL["size"] + SDIST["size"])


def test_other_content_under_the_same_file_name(api, demo):
    demo.publish("1.0", files=[WHEEL])
    with api.refused("RG409"):
        demo.publish("1.0", files=[file("demo-1.0.whl", "other")])
    with api.refused("RG409"):
        demo.publish("1.0", files=[SDIST, file("demo-1.0.whl", "other")])


def test_other_metadata(api, demo):
    demo.publish("1.0", files=[WHEEL], metadata={"a": 1})
    with api.refused("RG409"):
        demo.publish("1.0", files=[WHEEL], metadata={"a": 2})
    demo.publish("2.0")
    with api.refused("RG409"):
        demo.publish("2.0", metadata={"a": 1})


def test_variants_are_versions_of_their_own(api, repo):
    tool = repo.at("deb", "tool")
    first = tool.publish("1.0-1", "amd64", [file("tool_amd64.deb", "amd64")])
    second = tool.publish("1.0-1", "arm64", [file("tool_arm64.deb", "arm64")])
    assert second.outcome == "created"
    assert tool.resolve("1.0-1", ("amd64",)).version_id == first.version_id
    assert tool.resolve("1.0-1", ("arm64",)).version_id == second.version_id
    with api.refused("RG404"):
        tool.resolve("1.0-1", ("mips",))


@pytest.mark.parametrize(("ecosystem", "name", "version"), [
    ("npm", "@acme/tool", "1.0.0"), ("cargo", "tool", "1.0.0"), ("deb", "tool", "1.0-1"),
])  # fmt: skip
def test_one_file_ecosystems(api, repo, ecosystem, name, version):
    tool = repo.at(ecosystem, name)
    with api.refused("RG400"):
        tool.publish(version, files=[file("a"), file("b")])
    tool.publish(version, files=[file("a")])
    with api.changes_nothing():
        assert tool.publish(version, files=[file("a")]).outcome == "unchanged"
    for other in (file("a", "other"), file("b"), file("b", "other")):
        with api.refused("RG409"):
            tool.publish(version, files=[other])


def test_a_one_file_version_without_its_file_gets_it(api, repo):
    tool = repo.at("npm", "tool")
    tool.publish("1.0.0")
    assert tool.publish("1.0.0", files=[file("a")]).outcome == "files_added"
    with api.refused("RG409"):
        tool.publish("1.0.0", files=[file("b")])


def test_malformed_files(api, repo, demo, subtests):
    demo.publish("1.0", files=[WHEEL])
    demo.publish("2.0")
    for files in MALFORMED_FILES:
        for version in ("1.0", "3.0"):
            with subtests.test(files=str(files)[:80], version=version), api.refused("RG400"):
                demo.publish(version, files=files)
        with subtests.test(files=str(files)[:80], function="add_files"), api.refused("RG400"):
            demo.add_files("1.0", files=files)


def test_files_at_the_limits(demo):
    longest = [
        file("x" * 1024), file("a/b/c"), file(".hidden"), file("..a"), file("a b"), file("ü.txt"),
        file("huge", "huge", size=10**18 - 1), file("empty", ""),
        file("typed", media_type="x" * 255),
    ]  # fmt: skip
    demo.publish("1.0", files=longest)
    assert filenames(demo.resolve("1.0")) == sorted(
        (f["filename"] for f in longest), key=lambda name: name.encode()
    )


def test_metadata_is_an_object_of_at_most_1_mib(api, demo, subtests):
    demo.publish("1.0")
    for metadata in MALFORMED_METADATA:
        for version in ("1.0", "2.0"):
            with subtests.test(metadata=str(metadata)[:80]), api.refused("RG400"):
                demo.publish(version, metadata=metadata)
    largest = {"a": "x" * ((1 << 20) - len('{"a": ""}'))}
    assert demo.publish("2.0", metadata=largest).outcome == "created"


def test_a_digest_has_one_size(api, repo, demo):
    demo.publish("1.0", files=[WHEEL])
    lying = WHEEL | {"filename": "other.whl", "size": 1}
    with api.refused("RG409"):
        demo.publish("2.0", files=[lying])
    with api.refused("RG409"):
        demo.publish("1.0", files=[lying])
    with api.refused("RG409"):
        repo.publish("npm", "tool", "1.0.0", files=[lying])
    with api.refused("RG409"):
        demo.publish("2.0", files=[file("a", "new"), file("b", "new", size=99)])
    api.create_repository("elsewhere", "main")
    assert api.publish("elsewhere", "main", "pypi", "demo", "1", files=[lying]).outcome == "created"


def test_bytes_are_shared(api, repo, demo):
    demo.publish("1.0", files=[WHEEL, file("copy.whl", "wheel")])
    repo.publish("npm", "tool", "1.0.0", files=[file("tool.tgz", "wheel")])
    assert len(api.ask("select 1 from pkgdb.blob")) == 1


def test_pypi_file_names_are_unique_in_the_package(api, demo, repo):
    demo.publish("1.0", files=[WHEEL])
    for content in ("wheel", "other"):
        with api.refused("RG409"):
            demo.publish("2.0", files=[file("demo-1.0.whl", content)])
    demo.publish("2.0", files=[file("demo-2.0.whl")])
    with api.refused("RG409"):
        demo.publish("2.0", files=[WHEEL])
    assert repo.publish("pypi", "other", "1.0", files=[WHEEL]).outcome == "created"
    demo.quarantine("1.0")
    with api.refused("RG409"):
        demo.publish("3.0", files=[WHEEL])
    demo.delete_version("1.0")
    assert demo.publish("3.0", files=[WHEEL]).outcome == "created"


@pytest.mark.parametrize("ecosystem", ["npm", "cargo", "deb", "generic"])
def test_elsewhere_file_names_are_unique_in_the_version(repo, ecosystem):
    tool = repo.at(ecosystem, "tool")
    for version in ("1.0.0", "2.0.0"):
        assert tool.publish(version, files=[file("tool.bin", version)]).outcome == "created"


def test_a_mirror_is_not_published_to(api, repo):
    api.create_repository("acme", "mirror", "mirror")
    with api.refused("RG403"):
        api.publish("acme", "mirror", "pypi", "demo", "1.0")


def test_an_immutable_repository_takes_new_versions_and_keeps_old_ones(api, repo, demo):
    demo.publish("1.0", files=[WHEEL])
    repo.alter_repository({"immutable": True})
    assert demo.publish("2.0").outcome == "created"
    with api.changes_nothing():
        assert demo.publish("1.0", files=[WHEEL]).outcome == "unchanged"
    with api.refused("RG403"):
        demo.publish("1.0", files=[SDIST])
    with api.refused("RG403"):
        demo.add_files("1.0", files=[file("demo.asc")])
    with api.refused("RG403"):
        demo.delete_file("1.0", filename="demo-1.0.whl")
    with api.refused("RG403"):
        demo.delete_version("1.0")
    assert demo.yank("1.0").outcome == "yanked"
    assert demo.quarantine("1.0").outcome == "quarantined"


def test_a_quarantined_version_keeps_its_place_and_takes_no_files(api, demo):
    demo.publish("1.0", files=[WHEEL])
    demo.quarantine("1.0")
    with api.changes_nothing():
        assert demo.publish("1.0", files=[WHEEL]).outcome == "unchanged"
    with api.refused("RG409"):
        demo.publish("1.0", files=[file("demo-1.0.whl", "other")])
    with api.refused("RG422"):
        demo.publish("1.0", files=[SDIST])
    with api.refused("RG422"):
        demo.add_files("1.0", files=[file("demo.asc")])


def test_a_yanked_version_takes_files_and_stays_yanked(demo):
    demo.publish("1.0", files=[WHEEL])
    demo.yank("1.0")
    assert demo.publish("1.0", files=[SDIST]).outcome == "files_added"
    assert demo.resolve("1.0").listed is False


def test_a_new_name_has_revision_0(api, repo, demo):
    with api.refused("RG412"):
        demo.publish("1.0", if_revision=1)
    assert demo.publish("1.0", if_revision=0).revision == 1
    with api.refused("RG412"):
        demo.publish("2.0", if_revision=0)
    with api.refused("RG412"):
        demo.publish("1.0", if_revision=0)
    assert demo.publish("2.0", if_revision=1).revision == 2


def test_two_publish_the_same_version(api, repo, demo, connect, background):
    first, second = connect(autocommit=False), connect()
    one = demo.on(first).publish("1.0", files=[WHEEL])
    other = background.submit(demo.on(second).publish, "1.0", files=[WHEEL])
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    assert other.result().outcome == "unchanged"
    assert other.result().version_id == one.version_id


def test_added_epoch_is_stamped_from_the_repository(api, repo, demo):
    demo.publish("1.0", files=[WHEEL])
    api.ask("update pkgdb.repository set epoch = 7 returning 1")
    demo.publish("1.0", files=[SDIST])
    demo.publish("2.0", files=[file("demo-2.0.whl")])
    rows = api.ask("""
        select v.version, v.added_epoch as version_epoch, f.added_epoch as file_epoch
          from pkgdb.package_version v
          join pkgdb.file f using (namespace, registration_id, version_id)
         order by f.file_id""")
    assert rows == [("1.0", 1, 1), ("1.0", 1, 7), ("2.0", 7, 7)]


def test_a_version_that_is_being_published_is_in_the_way(api, demo):
    demo.publish("1.0", files=[WHEEL])
    demo.begin_publication("2.0")
    with api.refused("RG422"):
        demo.publish("2.0")
    with api.refused("RG422"):
        demo.yank("2.0")
    with api.refused("RG404"):
        demo.resolve("2.0")
    deleted = demo.delete_version("2.0")
    assert (deleted.outcome, deleted.revision) == ("deleted", 1)  # nobody saw it come or go
    assert api.ask("select status from pkgdb.publications") == [("aborted",)]
    assert demo.publish("2.0").outcome == "created"


def test_expire_publications_frees_slots_whose_lease_has_ended(api, demo):
    demo.publish("1.0", files=[WHEEL])
    for version, ended in (("2.0", "1 second"), ("3.0", "-1 hour"), ("4.0", "2 seconds")):
        demo.begin_publication(version)
        api.ask(
            """update pkgdb.publication set lease_until = now() - %s::interval
                where version = %s returning 1""",
            ended,
            version,
        )
    assert api.expire_publications("acme", limit=1) == (1,)  # the one that ended first
    assert api.ask("select version from pkgdb.publications where status = 'expired'") == [("4.0",)]
    with api.refused("RG422"):
        demo.publish("2.0")
    assert api.expire_publications("acme") == (1,)
    with api.changes_nothing():
        assert api.expire_publications("acme") == (0,)
    assert demo.publish("2.0").revision == 2  # nothing that anyone saw has changed
    with api.refused("RG422"):
        demo.publish("3.0")
    purged = api.purge("acme")
    assert (purged.versions, purged.pinned) == (2, 0)
    for limit in (None, 0, 1001):
        with api.refused("RG400"):
            api.expire_publications("acme", limit=limit)
