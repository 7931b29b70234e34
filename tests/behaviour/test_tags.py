import pytest

LONGEST = "x" * 255


@pytest.fixture
def demo(repo):
    demo = repo.at("npm", "demo")
    for version in ("1.0.0", "2.0.0"):
        demo.publish(version)
    return demo


def tags(api):
    return {row.tag: row.version for row in api.ask("select * from pkgdb.tags")}


def test_a_tag_moves(api, demo):
    assert demo.set_tag("2.0.0", tag="latest").outcome == "tagged"
    assert demo.resolve("tag:latest").version == "2.0.0"
    assert demo.set_tag("1.0.0", tag="latest").outcome == "tagged"
    assert demo.resolve("tag:latest").version == "1.0.0"
    assert demo.resolve("latest").version == "2.0.0"
    with api.changes_nothing():
        assert demo.set_tag("1.0.0", tag="latest").outcome == "unchanged"


def test_a_version_has_many_tags(api, demo):
    for tag in ("a", "A", "ü", "with space", "tag:x", LONGEST):
        demo.set_tag("1.0.0", tag=tag)
        assert demo.resolve(f"tag:{tag}").version == "1.0.0"
    assert len(tags(api)) == 6


def test_drop(api, demo):
    demo.set_tag("1.0.0", tag="a")
    demo.set_tag("1.0.0", tag="b")
    dropped = demo.drop_tag("a")
    assert (dropped.outcome, dropped.version_id) == (
        "tag_dropped", demo.resolve("1.0.0").version_id,
    )  # fmt: skip
    assert tags(api) == {"b": "1.0.0"}
    with api.refused("RG404"):
        demo.resolve("tag:a")
    with api.changes_nothing():
        again = demo.drop_tag("a")
    assert (again.outcome, again.version_id) == ("unchanged", None)


def test_malformed_tags(api, demo):
    for tag in (None, "", " a", "a ", "a\n", "x" * 256):
        with api.refused("RG400"):
            demo.set_tag("1.0.0", tag=tag)
        with api.refused("RG400"):
            demo.drop_tag(tag)


def test_a_tag_needs_an_available_version(api, demo):
    demo.set_tag("2.0.0", tag="kept")
    demo.quarantine("2.0.0")
    with api.refused("RG422"):
        demo.set_tag("2.0.0", tag="new")
    with api.changes_nothing():
        assert demo.set_tag("2.0.0", tag="kept").outcome == "unchanged"
    assert tags(api) == {}
    assert demo.set_tag("1.0.0", tag="kept").outcome == "tagged"
    assert tags(api) == {"kept": "1.0.0"}
    with api.refused("RG404"):
        demo.set_tag("3.0.0", tag="new")


def test_a_tag_goes_with_its_version(api, demo):
    demo.set_tag("1.0.0", tag="a")
    demo.set_tag("2.0.0", tag="b")
    demo.delete_version("1.0.0")
    assert tags(api) == {"b": "2.0.0"}
    assert demo.set_tag("2.0.0", tag="a").outcome == "tagged"


def test_a_yanked_version_can_be_tagged(api, demo):
    demo.yank("2.0.0")
    assert demo.set_tag("2.0.0", tag="a").outcome == "tagged"
    assert tags(api) == {"a": "2.0.0"}


def test_tags_are_of_one_package(api, repo, demo):
    repo.publish("npm", "other", "1.0.0")
    demo.set_tag("1.0.0", tag="a")
    repo.set_tag("npm", "other", "1.0.0", tag="a")
    demo.drop_tag("a")
    assert repo.resolve("npm", "other", "tag:a").version == "1.0.0"


def test_a_variant_can_be_tagged(repo):
    tool = repo.at("deb", "tool")
    for arch in ("amd64", "arm64"):
        tool.publish("1.0", arch)
    tool.set_tag("1.0", "arm64", "a")
    assert tool.resolve("tag:a").variant == "arm64"
    assert tool.resolve("tag:a", ("arm64",)).variant == "arm64"
