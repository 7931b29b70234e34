import pytest

from tests.behaviour.calls import file

ORDERED = ["2.0rc1", "1.10", "1.9.post1", "1.9", "1.0"]


@pytest.fixture
def demo(repo):
    demo = repo.at("pypi", "demo")
    for version in sorted(ORDERED):
        demo.publish(version, files=[file(f"{version}.whl", version)])
    return demo


def listed(rows):
    return [row.version for row in rows]


def test_latest_and_latest_stable(api, demo):
    assert demo.resolve("latest").version == "2.0rc1"
    assert demo.resolve("latest_stable").version == "1.10"
    (row,) = api.ask("select latest, latest_stable from pkgdb.registrations")
    assert row == ("2.0rc1", "1.10")


@pytest.mark.parametrize("take", ["yank", "quarantine", "delete_version"])
def test_latest_moves_with_every_change(demo, take):
    for version, following in (("1.10", "1.9.post1"), ("1.9", "1.9.post1"), ("1.9.post1", "1.0")):
        getattr(demo, take)(version)
        assert demo.resolve("latest").version == "2.0rc1"
        assert demo.resolve("latest_stable").version == following
    back = {
        "yank": "unyank",
        "quarantine": "release_quarantine",
        "delete_version": "restore_version",
    }
    getattr(demo, back[take])("1.10")
    assert demo.resolve("latest_stable").version == "1.10"


def test_without_a_stable_version(api, repo):
    demo = repo.at("pypi", "demo")
    demo.publish("1.0a1")
    assert demo.resolve("latest").version == "1.0a1"
    with api.refused("RG404"):
        demo.resolve("latest_stable")


def test_an_exact_version_in_any_spelling(demo):
    for spelling in ("1.9", "v1.9", "1.9.0", "1.9.0.0"):
        assert demo.resolve(spelling).version == "1.9"
    assert demo.resolve("2.0c1").version == "2.0rc1"


def test_names_in_any_spelling(repo, demo):
    assert repo.resolve("pypi", "DeMo", "latest").name == "demo"
    assert len(repo.rows("versions", "pypi", "DEMO")) == len(ORDERED)


def test_variants(api, repo):
    tool = repo.at("deb", "tool")
    tool.publish("1.0", "amd64")
    tool.publish("2.0", "arm64")
    tool.publish("1.0", "arm64")
    tool.set_tag("1.0", "arm64", "t")
    assert tool.resolve("latest").variant == "arm64"
    assert tool.resolve("latest", ("amd64",)).version == "1.0"
    assert tool.resolve("latest_stable", variants=("amd64",)).version == "1.0"
    assert tool.resolve("1.0").variant == "amd64"
    assert tool.resolve("1.0", ("arm64",)).variant == "arm64"
    for want, variant in (("latest", "mips"), ("latest", ""), ("2.0", "amd64"), ("tag:t", "amd64")):
        with api.refused("RG404"):
            tool.resolve(want, (variant,))
    with api.refused("RG404"):
        tool.resolve("latest", ())
    for no_list in ((None,), ("amd64", None), (["amd64"], ["arm64"])):
        with api.refused("RG400"):
            tool.resolve("latest", no_list)


def test_the_highest_version_that_a_platform_can_use(api, repo):
    """A gem with compiled parts has one variant for each platform, and "" for all others."""
    gem = repo.at("gem", "nokogiri")
    linux, mac = ("x86_64-linux", ""), ("arm64-darwin", "")
    for version in ("1.16.0", "1.17.0.rc1", "1.17.0"):
        gem.publish(version)
    for version, platform in (
        *(("1.16.0", p) for p in ("x86_64-linux", "arm64-darwin")),
        *(("1.17.0", "x86_64-linux"), ("1.18.0", "arm64-darwin"), ("1.19.0.rc1", "x86_64-linux")),
    ):
        gem.publish(version, platform)

    def latest(want, variants):
        found = gem.resolve(want, variants)
        return found.version, found.variant

    assert latest("latest_stable", None) == ("1.18.0", "arm64-darwin")
    assert latest("latest_stable", linux) == ("1.17.0", "x86_64-linux")
    assert latest("latest_stable", linux[::-1]) == ("1.17.0", "")
    assert latest("latest_stable", mac) == ("1.18.0", "arm64-darwin")
    assert latest("latest", linux) == ("1.19.0.rc1", "x86_64-linux")
    assert latest("latest", ("java", "")) == ("1.17.0", "")
    # A better platform does not make up for an older version.
    gem.yank("1.17.0", "x86_64-linux")
    assert latest("latest_stable", linux) == ("1.17.0", "")
    gem.yank("1.17.0")
    assert latest("latest_stable", linux) == ("1.16.0", "x86_64-linux")
    # Exact versions: the best variant of that version.
    assert latest("1.17", linux) == ("1.17.0", "x86_64-linux")
    assert latest("1.17", ("java", "")) == ("1.17.0", "")


def test_debian_architectures(api, repo):
    tool = repo.at("deb", "tool")
    for version, architecture in (("1.0", "all"), ("1.0-1", "amd64"), ("2~rc1", "armhf")):
        tool.publish(version, architecture)
    assert tool.resolve("latest").variant == "armhf"
    assert tool.resolve("latest", ("amd64", "all")).variant == "amd64"
    assert tool.resolve("latest", ("i386", "all")).variant == "all"


def test_what_semver_1_clients_of_nuget_see(api, repo):
    """SemVer 2 (build metadata, or a prerelease of several labels) is invisible to them."""
    demo = repo.at("nuget", "Demo")
    visible = ("1.0.0", "1.5.0-beta")
    for version in (*visible, "1.6.0-beta.1", "1.7.0+build", "2.0.0-rc.1+build"):
        demo.publish(version)
    assert demo.resolve("latest").version == "2.0.0-rc.1+build"
    assert demo.resolve("latest_stable").version == "1.7.0+build"
    assert demo.resolve("latest_semver1").version == "1.5.0-beta"
    assert demo.resolve("latest_stable_semver1").version == "1.0.0"
    demo.yank("1.5.0-beta")
    assert demo.resolve("latest_semver1").version == "1.0.0"
    demo.delete_version("1.0.0")
    for want in ("latest_semver1", "latest_stable_semver1"):
        with api.refused("RG404"):
            demo.resolve(want)
    # Elsewhere these are no words: a version, or none.
    repo.publish("generic", "demo", "latest_semver1")
    assert repo.resolve("generic", "demo", "latest_semver1").version == "latest_semver1"
    repo.publish("npm", "demo", "1.0.0")
    with api.refused("RG400"):
        repo.resolve("npm", "demo", "latest_semver1")


def test_the_latest_tag_of_npm_is_the_publishers(api, repo):
    """Beside the computed latest, which no tag moves."""
    demo = repo.at("npm", "demo")
    for version in ("1.0.0", "2.0.0", "3.0.0-beta.1"):
        demo.publish(version)
    demo.set_tag("1.0.0", tag="latest")
    assert demo.resolve("tag:latest").version == "1.0.0"
    assert demo.resolve("latest").version == "3.0.0-beta.1"
    assert demo.resolve("latest_stable").version == "2.0.0"
    demo.publish("2.1.0")
    assert demo.resolve("tag:latest").version == "1.0.0"
    demo.delete_version("1.0.0")
    with api.refused("RG404"):
        demo.resolve("tag:latest")


def test_what_is_not_there(api, repo, demo):
    for want in ("3.0", "tag:none", "tag:"):
        with api.refused("RG404"):
            demo.resolve(want)
    for function, arguments in (("resolve", ["latest"]), ("versions", [])):
        with api.refused("RG404"):
            repo.rows(function, "pypi", "absent", *arguments)
        with api.refused("RG404"):
            repo.rows(function, "npm", "demo", *arguments)
        with api.refused("RG404"):
            api.rows(function, "acme", "absent", "pypi", "demo", *arguments)
        with api.refused("RG404"):
            api.rows(function, "absent", "main", "pypi", "demo", *arguments)
        with api.refused("RG400"):
            repo.rows(function, "absent", "demo", *arguments)
        with api.refused("RG400"):
            repo.rows(function, "pypi", "no name", *arguments)
    for want in (None, "", "not a version"):
        with api.refused("RG400"):
            demo.resolve(want)


def test_reserved_names_are_not_there(api, repo):
    repo.reserve_name("pypi", "kept")
    with api.refused("RG404"):
        repo.resolve("pypi", "kept", "latest")
    with api.refused("RG404"):
        repo.rows("versions", "pypi", "kept")


def test_versions_in_order(demo):
    demo.yank("1.9")
    demo.yank("1.0")
    assert listed(demo.rows("versions")) == ORDERED
    demo.quarantine("1.10")
    demo.delete_version("1.0")
    assert listed(demo.rows("versions")) == ["2.0rc1", "1.9.post1", "1.9"]


@pytest.mark.parametrize("yanked", [(), ("1.9", "1.0"), ORDERED])
def test_versions_page_by_page(demo, yanked):
    for version in yanked:
        demo.yank(version)
    pages, after = [], None
    while page := demo.rows("versions", limit=2, after_version_id=after):
        pages.append(listed(page))
        after = page[-1].version_id
    assert pages == [ORDERED[:2], ORDERED[2:4], ORDERED[4:]]


def test_a_page_goes_on_after_a_version_that_was_deleted_meanwhile(demo):
    (first,) = demo.rows("versions", limit=1)
    demo.delete_version(first.version)
    assert listed(demo.rows("versions", after_version_id=first.version_id)) == ORDERED[1:]


def test_limits(api, demo):
    assert demo.rows("versions", limit=0) == []
    with api.refused("RG400"):
        demo.rows("versions", limit=-1)
    with api.refused("RG404"):
        demo.rows("versions", after_version_id=-1)


def test_versions_that_are_equal_in_order_have_one_order(repo):
    tool = repo.at("generic", "tool")
    for version in ("1.0", "1-0", "1_0"):
        tool.publish(version)
    assert listed(tool.rows("versions")) == ["1_0", "1-0", "1.0"]
    assert tool.resolve("latest").version == "1_0"


def test_a_lookup_sees_one_state_and_waits_for_nobody(connect, demo):
    publishing = connect(autocommit=False)
    demo.on(publishing).publish("3.0")
    assert demo.resolve("latest").version == "2.0rc1"
    publishing.commit()
    assert demo.resolve("latest").version == "3.0"


def test_lookups_work_at_every_isolation_level_and_read_only(api, demo):
    for level in ("repeatable read", "serializable"):
        api.ask("select set_config('default_transaction_isolation', %s, false)", level)
        api.ask("select set_config('default_transaction_read_only', 'on', false)")
        assert demo.resolve("latest").version == "2.0rc1"
        assert len(demo.rows("versions")) == len(ORDERED)


def test_order_functions(api):
    assert api.normalize_name("pypi", "A_b.C") == ("a-b-c",)
    assert api.normalize_version("pypi", "v1.0.0") == ("1",)
    assert api.is_prerelease("npm", "1.0.0-a") == (True,)
    assert api.is_prerelease("npm", "1.0.0") == (False,)
    assert api.version_key("deb", "1.0~rc1") < api.version_key("deb", "1.0")
    for function in ("normalize_name", "normalize_version", "is_prerelease", "version_key"):
        for arguments in (("absent", "1.0"), (None, "1.0"), ("npm", None), ("npm", ""),
                          ("npm", "n o")):  # fmt: skip
            with api.refused("RG400"):
                getattr(api, function)(*arguments)


def test_repair_latest_and_counters(api, demo):
    with api.changes_nothing():
        assert demo.repair_latest().outcome == "unchanged"
    api.ask("""
        update pkgdb.registration
           set latest_version_id = null, latest_stable_version_id = null, version_count = 99,
               file_count = 0, byte_count = 1
        returning 1""")
    assert len(api.rows("check_integrity", "acme")) == 3
    repaired = demo.repair_latest()
    assert repaired.outcome == "repaired"
    assert repaired.version_id == demo.resolve("2.0rc1").version_id
    assert api.rows("check_integrity", "acme") == []
