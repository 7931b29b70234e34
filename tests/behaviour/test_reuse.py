"""A deleted version is published again: under each policy, in each ecosystem, with the purge before
it, beside it and not at all."""

import pytest

from tests.behaviour.calls import dump, file
from tests.support import backend_pid, wait_until_blocked

# An ecosystem without a sample fails here: add one.
SAMPLES = {
    "npm": ("@acme/demo", "1.0.0", "1.0.0+build.7"),
    "cargo": ("demo_core", "1.0.0-rc.1", "1.0.0-rc.1+build"),
    "pypi": ("demo.core", "1.0", "v1.0.0"),
    "nuget": ("Demo.Core", "1.0.0-RC1", "1.0-rc1+build"),
    "maven": ("org.demo:core", "1.0-SNAPSHOT", "1.0-SNAPSHOT"),
    "gem": ("demo-core", "1.0", "1.0.0"),
    "deb": ("demo-core", "1:1.0-1", "1:1.0-1"),
    "rpm": ("demo-core", "1.0-1", "0:1.0-1"),
    "composer": ("demo/core", "1.0", "v1.0.0.0"),
    "golang": ("demo.org/core", "v1.0.0", "v1.0.0"),
    "helm": ("demo-core", "1.0.0", "v1"),
    "conan": ("demo-core", "1.0", "1.0"),
    "terraform": ("demo/core", "1.0.0", "v1.0.0"),
    "hex": ("demo_core", "1.0.0", "1.0.0"),
    "swift": ("demo.core", "1.0.0", "1.0.0+build"),
    "pub": ("demo_core", "1.0.0+1", "1.0.0+1"),
    "purescript": ("demo-core", "1.0.0", "1.0.0"),
    "conda": ("demo-core", "1.0", "1.0"),
    "apk": ("demo-core", "1.0-r1", "1.0-r1"),
    "generic": ("demo/core", "build_7", "build_7"),
}
FILES = [file("demo-core.bin", "the bytes")]
METADATA = {"summary": "demo"}
CONTENTS = {
    "same": {"files": FILES, "metadata": METADATA},
    "other": {"files": [file("demo-core.bin", "other bytes")], "metadata": METADATA},
    "metadata_only": {"metadata": METADATA},
}
ALLOWED = {"never": set(), "same_content": {"same"}, "always": set(CONTENTS)}


def neighbours(api, deleted):
    """Every row but those of the registration, of blobs (new bytes are new) and of the feed."""
    own = f'"registration_id": {deleted.registration_id},'
    return [row for row in dump(api.connection)
            if row[0] not in ("blob", "outbox") and own not in row[1]]  # fmt: skip


@pytest.mark.parametrize("purge", ["never", "before", "open", "beside"])
@pytest.mark.parametrize("policy", ALLOWED)
def test_publish_after_delete(api, repo, connect, subtests, policy, purge):
    repo.alter_repository({"reuse": policy})
    session = connect(autocommit=False)
    for (ecosystem,) in api.ask("select ecosystem from pkgdb.ecosystem order by 1"):
        name, version, spelling = SAMPLES[ecosystem]
        for number, (content, again) in enumerate(CONTENTS.items()):
            with subtests.test(ecosystem=ecosystem, content=content):
                package = repo.at(ecosystem, f"{name}{number}")
                newer = "v2.0.0" if ecosystem == "golang" else "2.0.0"
                sibling = package.publish(newer, files=[file("sibling.bin", content)])
                repo.publish(ecosystem, f"{name}x{number}", version, files=FILES)
                first = package.publish(version, files=FILES, metadata=METADATA)
                package.set_tag(version, tag="t")
                package.delete_version(version)
                before = neighbours(api, first)

                if purge == "before":
                    assert api.purge("acme").versions == 1
                elif purge == "open":
                    assert api.on(session).purge("acme").versions == 1
                publisher = package.on(session) if purge == "beside" else package
                if content in ALLOWED[policy]:
                    second = publisher.publish(spelling, **again)
                    if purge == "beside":
                        assert api.purge("acme").versions == 1
                    session.commit()
                    assert second.outcome == "created"
                    assert second.version_id not in (first.version_id, sibling.version_id)
                    live = package.resolve(version)
                    assert live.version_id == second.version_id
                    said = [{k: f[k] for k in ("filename", "sha256", "size")} for f in live.files]
                    assert said == again.get("files", [])
                    assert live.metadata == again.get("metadata", {})
                    assert package.publish(spelling, **again).outcome == "unchanged"
                else:
                    with api.refused("RG410"):
                        package.publish(spelling, **again)
                    session.commit()
                    with api.refused("RG404"):
                        package.resolve(version)
                with api.refused("RG404"):
                    package.resolve("tag:t")
                assert package.resolve(newer).version_id == sibling.version_id
                assert neighbours(api, first) == before

                api.purge("acme")
                assert ghosts(api) == []
                assert neighbours(api, first) == before
                if content in ALLOWED[policy]:
                    assert package.resolve(version).files == live.files


def ghosts(api):
    return api.ask("""
        select version_id from pkgdb.package_version where status = 'pending_destruction'
        union all
        select version_id from pkgdb.file where status = 'pending_destruction'""")


@pytest.mark.parametrize(
    ("again", "same"),
    [
        ({"files": FILES}, True),
        ({"files": [FILES[0] | {"media_type": "a/b"}], "metadata": METADATA}, True),
        ({"files": [file("other.bin", "the bytes")], "metadata": METADATA}, False),
        ({"files": FILES, "metadata": {"summary": "other"}}, False),
        ({}, False),
    ],
)
def test_what_the_same_content_is(api, repo, again, same):
    """Metadata that is not stated is no other metadata; a file is its name and its digest."""
    repo.alter_repository({"reuse": "same_content"})
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", files=FILES, metadata=METADATA)
    demo.delete_version("1.0")
    if same:
        assert demo.publish("1.0", **again).outcome == "created"
    else:
        with api.refused("RG410"):
            demo.publish("1.0", **again)


def test_every_sample_is_an_ecosystem(api):
    known = {row.ecosystem for row in api.ask("select ecosystem from pkgdb.ecosystem")}
    assert known == set(SAMPLES)


def test_what_had_no_files_comes_back_with_the_same_metadata(api, repo):
    repo.alter_repository({"reuse": "same_content"})
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", metadata=METADATA)
    demo.delete_version("1.0")
    for other in ({}, {"metadata": {"a": 1}}, {"files": FILES, "metadata": METADATA}):
        with api.refused("RG410"):
            demo.publish("1.0", **other)
    assert demo.publish("1.0", metadata=METADATA).outcome == "created"


def test_of_many_files_some_come_back_first(api, repo):
    repo.alter_repository({"reuse": "same_content"})
    demo = repo.at("pypi", "demo")
    one, two = file("one.whl", "1"), file("two.whl", "2")
    demo.publish("1.0", files=[one, two])
    demo.delete_version("1.0")
    with api.refused("RG410"):
        demo.publish("1.0", files=[one, file("three.whl", "3")])
    assert demo.publish("1.0", files=[one]).outcome == "created"
    with api.refused("RG410"):
        demo.publish("1.0", files=[file("two.whl", "other")])
    assert demo.publish("1.0", files=[two]).outcome == "files_added"


def test_a_variant_is_an_identity_of_its_own(api, repo):
    tool = repo.at("deb", "tool")
    tool.publish("1.0", "amd64", FILES)
    tool.delete_version("1.0", "amd64")
    assert tool.publish("1.0", "arm64", FILES).outcome == "created"
    with api.refused("RG410"):
        tool.publish("1.0", "amd64", FILES)


def test_a_stricter_policy_remembers_what_was_deleted_before(api, repo):
    repo.alter_repository({"reuse": "always"})
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", files=FILES)
    demo.delete_version("1.0")
    demo.publish("1.0", files=[file("new.whl", "new")])
    demo.delete_version("1.0")
    api.purge("acme")
    repo.alter_repository({"reuse": "never"})
    with api.refused("RG410"):
        demo.publish("1.0", files=FILES)
    assert demo.publish("1.1", files=FILES).outcome == "created"


def test_a_deleted_file_of_a_many_file_version(api, repo, subtests):
    for policy, allowed in (("never", set()), ("same_content", {"1"}), ("always", {"1", "2"})):
        repo.alter_repository({"reuse": policy})
        for content in ("1", "2"):
            with subtests.test(policy=policy, content=content):
                demo = repo.at("generic", f"{policy}-{content}")
                demo.publish("1.0", files=[file("a", "1"), file("b")])
                demo.delete_file("1.0", filename="a")
                if content in allowed:
                    added = demo.publish("1.0", files=[file("a", content)])
                    assert added.outcome == "files_added"
                else:
                    with api.refused("RG410"):
                        demo.publish("1.0", files=[file("a", content)])


def test_two_sessions_publish_again_what_a_third_deletes(api, repo, connect, background):
    """Whoever comes after the delete finds the slot free; of two, one creates."""
    repo.alter_repository({"reuse": "always"})
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", files=FILES)
    deleting, one, two = connect(autocommit=False), connect(), connect()
    demo.on(deleting).delete_version("1.0")
    calls = []
    for session in (one, two):
        calls.append(background.submit(demo.on(session).publish, "1.0", files=FILES))
        wait_until_blocked(api.connection, backend_pid(session))
    deleting.commit()
    assert sorted(call.result().outcome for call in calls) == ["created", "unchanged"]
