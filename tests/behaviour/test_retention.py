import pytest

from tests.behaviour.calls import file


@pytest.fixture
def demo(repo):
    return repo.at("pypi", "demo")


def publish(package, *versions, variant=""):
    for version in versions:
        package.publish(version, variant, [file(f"{version}-{variant}.whl", version + variant)])


def kept(api):
    rows = api.ask("select version, variant from pkgdb.package_versions order by version_id")
    return [f"{row.version}{row.variant and '/'}{row.variant}" for row in rows]


def test_without_the_policy_all_is_kept(api, repo, demo):
    publish(demo, "1", "2", "3")
    with api.changes_nothing():
        assert repo.apply_retention() == (0,)


def test_the_most_recently_published_stay(api, repo, demo):
    publish(demo, "1", "2", "3", "4", "5")
    repo.alter_repository({"keep_versions": 2})
    assert repo.apply_retention(actor="janitor") == (3,)
    assert kept(api) == ["4", "5"]
    with api.changes_nothing():
        assert repo.apply_retention() == (0,)
    events = api.ask("""
        select version, actor, revision from pkgdb.outbox where event = 'retired' order by 3""")
    assert events == [("1", "janitor", 6), ("2", "janitor", 7), ("3", "janitor", 8)]


def test_recent_is_by_publication_not_by_version(api, repo, demo):
    publish(demo, "3", "2.5", "2.4", "2.3")
    repo.alter_repository({"keep_versions": 1})
    repo.apply_retention()
    assert kept(api) == ["3", "2.3"]


def test_latest_latest_stable_tagged_and_quarantined_stay(api, repo, demo):
    publish(demo, "9.0rc1", "8.0", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
    demo.set_tag("1.0", tag="lts")
    demo.quarantine("1.1")
    demo.yank("1.2")
    repo.alter_repository({"keep_versions": 1})
    assert repo.apply_retention() == (3,)
    assert kept(api) == ["9.0rc1", "8.0", "1.0", "1.1", "1.5"]


def test_each_variant_for_itself(api, repo):
    tool = repo.at("deb", "tool")
    for arch in ("amd64", "arm64"):
        publish(tool, "1", "2", "3", variant=arch)
    publish(tool, "1", variant="mips")
    repo.alter_repository({"keep_versions": 2})
    assert repo.apply_retention() == (2,)
    assert kept(api) == ["2/amd64", "3/amd64", "2/arm64", "3/arm64", "1/mips"]


def test_each_package_for_itself(api, repo, demo):
    publish(demo, "1", "2", "3")
    publish(repo.at("pypi", "other"), "1")
    repo.alter_repository({"keep_versions": 1})
    assert repo.apply_retention() == (2,)
    assert kept(api) == ["3", "1"]


def test_a_bounded_batch(api, repo, demo):
    publish(demo, *"12345")
    repo.alter_repository({"keep_versions": 1})
    assert [repo.apply_retention(limit=3).apply_retention for _ in range(3)] == [3, 1, 0]
    assert kept(api) == ["5"]


def test_what_is_retired_was_deleted(api, repo, demo):
    publish(demo, "1", "2")
    repo.alter_repository({"keep_versions": 1})
    repo.apply_retention()
    with api.refused("RG410"):
        demo.publish("1")
    assert demo.delete_version("1").outcome == "unchanged"
    assert demo.restore_version("1").outcome == "restored"
    repo.apply_retention()
    assert kept(api) == ["2", "1"]


def test_other_repositories_are_left_alone(api, repo, demo):
    api.create_repository("acme", "other")
    publish(api.at("acme", "other", "pypi", "demo"), "1", "2")
    publish(demo, "1", "2")
    repo.alter_repository({"keep_versions": 1})
    assert repo.apply_retention() == (1,)
    assert kept(api) == ["1", "2", "2"]


def test_malformed_arguments(api, repo):
    for limit in (None, 0, 100001):
        with api.refused("RG400"):
            repo.apply_retention(limit=limit)
    with api.refused("RG400"):
        repo.apply_retention(actor="")
    with api.refused("RG404"):
        api.apply_retention("acme", "absent")
