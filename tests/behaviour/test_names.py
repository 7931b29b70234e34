import psycopg
import pytest

from tests.support import backend_pid, wait_until_blocked

ONE_NAME = {
    "pypi": ["Foo.Bar", "foo-bar", "FOO__BAR", "foo-._bar"],
    "npm": ["@acme/foo.bar"],
    "cargo": ["Foo_Bar", "foo-bar", "FOO_BAR"],
    "nuget": ["Foo.Bar", "foo.bar"],
    "maven": ["org.acme:foo-bar"],
    "gem": ["Foo-bar", "foo-bar"],
    "deb": ["foo.bar"],
    "rpm": ["foo-bar"],
    "composer": ["Acme/Foo-Bar", "acme/foo-bar"],
    "golang": ["acme.org/foo/Bar"],
    "helm": ["Foo-Bar", "foo-bar"],
    "conan": ["foo-bar"],
    "terraform": ["Foo/Bar", "foo/bar"],
    "hex": ["foo_bar"],
    "swift": ["Acme.Foo-Bar", "acme.foo-bar"],
    "pub": ["foo_bar"],
    "purescript": ["foo-bar"],
    "conda": ["Foo.Bar", "foo.bar"],
    "apk": ["foo-bar"],
    "generic": ["Foo/Bar"],
}
OTHER_NAMES = {
    "pypi": ["foobar", "foo-bar1"],
    "npm": ["@acme/foo-bar", "@acme/foo_bar", "foo.bar"],
    "cargo": ["foobar", "foo--bar"],
    "nuget": ["Foo-Bar", "Foo_Bar", "FooBar"],
    "maven": ["org.acme:foo.bar", "org.acme:Foo-bar", "org:acme-foo-bar"],
    "gem": ["foo_bar", "foobar"],
    "deb": ["foo-bar", "foo+bar"],
    "rpm": ["Foo-bar", "foo_bar", "foo.bar"],
    "composer": ["acme/foo_bar", "foo/bar"],
    "golang": ["acme.org/foo/bar", "acme.org/foo/Bar/v2", "acme.org/V1", "gopkg.in/foo.v3"],
    "helm": ["foo_bar", "foo.bar"],
    "conan": ["foo_bar", "foo+bar"],
    "terraform": ["foo/bar/baz", "foo-bar"],
    "hex": ["foobar", "foo__bar"],
    "swift": ["acme.foo_bar", "acme-foo.bar", "host.org/Acme/Foo"],
    "pub": ["foobar", "_foo_bar", "get", "type", "enum"],
    "purescript": ["foobar", "foo"],
    "conda": ["foo-bar", "foo_bar"],
    "apk": ["Foo-bar", "foo_bar"],
    "generic": ["foo/bar", "Foo.Bar"],
}
NO_NAMES = {
    "pypi": ["-a", "a-", "a b", "ä", "a" * 256],
    "npm": [".a", "_a", "a b", "@a", "@/a", "a/b", "node_modules", "a" * 215],
    "cargo": ["1a", "a.b", "ä", "a" * 65],
    "nuget": [".a", "a..b", "a.-b", "a-", "a b", "ä", "a" * 129],
    "maven": ["a", "a:", ":a", "a:b:c", "a..b:c", ".a:b", "a:.b", "a:b/c", "a b:c", "ä:a"],
    "gem": ["-a", ".a", "_a", "a-", "1", "1-2", "a.gem", "a b", "a/b", "ä"],
    "deb": ["a", "A", "a_b", "-ab", "a" * 256],
    "rpm": ["-a", ".a", "+a", "a..b", "a b", "a/b", "a~b", "ä"],
    "composer": [
        *["a", "a/", "/a", "a/b/c", "-a/b", "a-/b", "a--b/c", "a/b---c", "a b/c", "ä/a", "a/Con"],
        *["nul/b", "a/b.json"],
    ],
    "golang": [
        *["a", "a/b.c", "A.org/a", "-a.org/a", "a.org//a", "a.org/a/", "a.org/.a", "a.org/a."],
        *["a.org/a b", "a.org/ä", "a.org/CON", "a.org/aux.txt/b", "a.org/a~1", "a.org/a/v1"],
        *[
            "a.org/a/v0",
            "a.org/a/v2.0",
            "gopkg.in/a",
            "gopkg.in/a.V2",
            "gopkg.in/a.v0-unstable",
            "a.org/../a",
            ".org/a",
            "a.org./a",
        ],
    ],
    "helm": [".", "..", "a/b", "a b", "ä", "a" * 251],
    "conan": ["a", "A", "Ab", "-ab", "a b", "a/b", "ä1", "a" * 102],
    "terraform": ["-a", "a-", "a/", "a//b", "a/b/c/d", "a.b", "a b", "ä"],
    "hex": ["a", "A", "Ab", "fooBar", "1a", "_a", "a-b", "a.b", "ä1"],
    "swift": [
        "a" * 40 + ".b",
        "a",
        ".a",
        "a.",
        "a.b.c",
        "a--b.c",
        "a_b.c",
        "a.b__c",
        "a.-b",
        "a b.c",
        "a.org/a",
    ],
    "pub": ["while", "mixin", "A", "1a", "a-b", "a.b", "ä", "class", "if", "a" * 65],
    "purescript": ["purescript-a", "A", "-a", "a-", "a--b", "a_b", "a.b", "ä", "a" * 151],
    "conda": ["-a", ".a", "a b", "a/b", "a+b", "ä", "a" * 256],
    "apk": ["_a", "-a", ".a", "a b", "a/b", "a~b", "ä", "a" * 256],
    "generic": ["a b", "ä", "a" * 256],
}
LONGEST = {
    **{"npm": 214, "cargo": 64, "nuget": 128, "helm": 250, "conan": 101, "pub": 64},
    "purescript": 150,
    "swift": 102,
}
STEM = {"maven": "a:", "composer": "a/", "golang": "a.org/", "swift": "a."}


def ecosystems(api):
    return [row.ecosystem for row in api.ask("select ecosystem from pkgdb.ecosystem order by 1")]


def publish(repo, ecosystem, name, version="1.0.0"):
    return repo.publish(ecosystem, name, f"v{version}" if ecosystem == "golang" else version)


def test_spellings_of_one_name_are_one_registration(api, repo, subtests):
    for ecosystem in ecosystems(api):
        with subtests.test(ecosystem=ecosystem):
            first = publish(repo, ecosystem, ONE_NAME[ecosystem][0])
            for number, name in enumerate(ONE_NAME[ecosystem]):
                again = publish(repo, ecosystem, name, f"1.0.{number}")
                assert again.registration_id == first.registration_id
                found = repo.resolve(ecosystem, name, "latest")
                assert found.name == ONE_NAME[ecosystem][0]
            others = [publish(repo, ecosystem, name) for name in OTHER_NAMES[ecosystem]]
            ids = {other.registration_id for other in others}
            assert len(ids) == len(others)
            assert first.registration_id not in ids


def test_what_is_no_name(api, repo, subtests):
    for ecosystem in ecosystems(api):
        for name in [None, "", " a", "aa\n", *NO_NAMES[ecosystem]]:
            with subtests.test(ecosystem=ecosystem, name=name):
                for function in ("reserve_name", "publish", "resolve"):
                    more = [] if function == "reserve_name" else ["1.0.0"]
                    with api.refused("RG400"):
                        repo.rows(function, ecosystem, name, *more)


def test_the_longest_name(api, repo):
    for ecosystem in ecosystems(api):
        name = STEM.get(ecosystem, "").ljust(LONGEST.get(ecosystem, 255), "a")
        assert publish(repo, ecosystem, name).outcome == "created"
        with api.refused("RG400"):
            publish(repo, ecosystem, name + "a")


def test_new_npm_names_are_in_lower_case(api, repo):
    for name in ("Foo", "@Acme/foo", "@acme/Foo"):
        with api.refused("RG400"):
            repo.publish("npm", name, "1.0.0")
        with api.refused("RG400"):
            repo.reserve_name("npm", name)


def test_old_npm_names_keep_their_capitals(api, repo):
    repo.publish("npm", "foo", "1.0.0")
    api.ask("update pkgdb.registration set name = 'Foo', normalized_name = 'Foo' returning 1")
    assert repo.publish("npm", "Foo", "2.0.0").outcome == "created"
    assert repo.publish("npm", "foo", "1.0.0").outcome == "created"


def test_ecosystems_do_not_share_names(api, repo):
    sharing = [e for e in ecosystems(api) if e not in STEM]
    ids = {publish(repo, ecosystem, "demo").registration_id for ecosystem in sharing}
    assert len(ids) == len(sharing)


@pytest.mark.parametrize("ecosystem", ["pypi", "npm"])
def test_where_a_name_is_claimed(api, subtests, ecosystem):
    """By the ecosystem's own rule: npm's in the namespace, PyPI's in the repository."""
    default = {"pypi": "repository", "npm": "namespace"}[ecosystem]
    for number, (first, second) in enumerate(
        (a, b) for a in ("ecosystem", "repository", "namespace")
        for b in ("ecosystem", "repository", "namespace")
    ):  # fmt: skip
        with subtests.test(first=first, second=second):
            scopes = [default if s == "ecosystem" else s for s in (first, second)]
            api.create_repository(f"ns{number}", "a", policy={"name_scope": first})
            api.create_repository(f"ns{number}", "b", policy={"name_scope": second})
            a, b = (api.at(f"ns{number}", r, ecosystem, "demo") for r in "ab")
            a.publish("1.0.0")
            if scopes == ["namespace", "namespace"]:
                for call in (lambda b=b: b.publish("1.0.0"), b.reserve_name):
                    with api.refused("RG409"):
                        call()
                with api.refused("RG404"):
                    b.resolve("1.0.0")
                with api.refused("RG404"):
                    b.yank("1.0.0")
                with api.changes_nothing():
                    assert b.release_name().outcome == "unchanged"
            else:
                assert b.publish("1.0.0").outcome == "created"


def test_namespaces_do_not_share_names(api, repo):
    repo.publish("npm", "demo", "1.0.0")
    api.create_repository("elsewhere", "main")
    assert api.publish("elsewhere", "main", "npm", "demo", "1.0.0").outcome == "created"


def test_a_mirror_claims_for_itself(api, repo):
    repo.publish("npm", "demo", "1.0.0")
    for scope in ("ecosystem", "repository", "namespace"):
        api.create_repository("acme", scope, "mirror", {"name_scope": scope})
        assert api.reserve_name("acme", scope, "npm", "demo").outcome == "reserved"


def test_drop_frees_the_names_that_a_repository_claimed(api, repo):
    repo.publish("npm", "demo", "1.0.0")
    repo.reserve_name("npm", "kept")
    api.create_repository("acme", "other")
    other = api.at("acme", "other", "npm")
    with api.refused("RG409"):
        other.publish("demo", "1.0.0")
    repo.drop_repository()
    assert other.publish("demo", "1.0.0").outcome == "created"
    assert other.publish("kept", "1.0.0").outcome == "created"
    assert api.purge("acme").repositories == 1
    assert other.resolve("demo", "latest").version == "1.0.0"


def test_reserve_and_release(api, repo):
    reserved = repo.reserve_name("pypi", "Kept")
    assert (reserved.version_id, reserved.revision, reserved.outcome) == (None, 1, "reserved")
    for call in (
        lambda: repo.publish("pypi", "kept", "1.0"),
        lambda: repo.publish("pypi", "KEPT", "1.0"),
    ):
        with api.refused("RG403"):
            call()
    for function, arguments in (("yank", ["1.0"]), ("drop_tag", ["a"]), ("repair_latest", [])):
        with api.refused("RG404"):
            repo.rows(function, "pypi", "kept", *arguments)
    assert api.ask("select * from pkgdb.registrations") == []
    with api.changes_nothing():
        assert repo.reserve_name("pypi", "kept").outcome == "unchanged"
    assert repo.release_name("pypi", "kept").outcome == "released"
    with api.changes_nothing():
        assert repo.release_name("pypi", "kept").outcome == "unchanged"
    assert repo.publish("pypi", "kept", "1.0").outcome == "created"


def test_a_name_in_use_is_not_reserved_and_not_released(api, repo):
    repo.publish("pypi", "demo", "1.0")
    with api.refused("RG409"):
        repo.reserve_name("pypi", "demo")
    with api.changes_nothing():
        assert repo.release_name("pypi", "demo").outcome == "unchanged"
    repo.delete_version("pypi", "demo", "1.0")
    with api.refused("RG409"):
        repo.reserve_name("pypi", "demo")


def test_a_name_reserved_by_another_repository_of_the_scope(api, repo):
    repo.reserve_name("npm", "kept")
    api.create_repository("acme", "other")
    other = api.at("acme", "other", "npm", "kept")
    with api.refused("RG409"):
        other.reserve_name()
    with api.refused("RG409"):
        other.publish("1.0.0")
    with api.changes_nothing():
        assert other.release_name().outcome == "unchanged"


PROTECTED = {
    "internal-*": (["internal-a", "Internal_A", "internal--x"], ["internal", "an-internal-a"]),
    "*secret*": (["secret", "a-secret-b"], ["secre-t"]),
    "ab?": (["abc", "AB1"], ["ab", "abcd"]),
    "Exact": (["exact", "EXACT"], ["exact1", "inexact"]),
    "under_score": (["under-score", "Under.Score"], ["underxscore", "underscore"]),
    "per%cent": ([], ["percent", "perxcent"]),
    "back\\slash": ([], ["backslash"]),
    "*": (["anything"], []),
}


@pytest.mark.parametrize("pattern", PROTECTED)
def test_protected_names(api, repo, pattern):
    caught, free = PROTECTED[pattern]
    repo.alter_repository({"protected_names": [pattern, "zzz"]})
    for name in caught:
        with api.refused("RG403"):
            repo.publish("pypi", name, "1.0")
    for name in free:
        assert repo.publish("pypi", name, "1.0").outcome == "created"


def test_patterns_with_characters_that_mean_something_to_like(api, repo):
    repo.alter_repository({"protected_names": ["a_b", "c%d", "e\\f", "G*"]})
    for name in ("a_b", "c%d", "e\\f", "g1"):
        with api.refused("RG403"):
            repo.publish("generic", name, "1")
    for name in ("axb", "cxd", "ef", "e\\\\f"):
        assert repo.publish("generic", name, "1").outcome == "created"


def test_protection_is_of_publishing_alone(api, repo):
    demo = repo.at("pypi", "demo")
    demo.publish("1.0")
    repo.alter_repository({"protected_names": ["demo"]})
    with api.refused("RG403"):
        demo.publish("2.0")
    with api.refused("RG403"):
        demo.publish("1.0")
    assert demo.yank("1.0").outcome == "yanked"
    assert demo.delete_version("1.0").outcome == "deleted"
    assert repo.reserve_name("pypi", "zzz").outcome == "reserved"
    repo.alter_repository({"protected_names": []})
    assert demo.publish("2.0").outcome == "created"


LOOK_ALIKES = [("lo-g", "1og"), ("foo_bar", "foobar"), ("i0", "lo"), ("b.c", "bc")]


@pytest.mark.parametrize(("first", "second"), LOOK_ALIKES)
def test_the_look_alike_guard(api, repo, first, second):
    repo.alter_repository({"lookalike_guard": True})
    repo.publish("pypi", first, "1.0")
    with api.refused("RG409"):
        repo.publish("pypi", second, "1.0")
    with api.refused("RG409"):
        repo.reserve_name("pypi", second)
    assert repo.publish("pypi", first, "2.0").outcome == "created"
    assert repo.publish("cargo" if second[0].isalpha() else "generic", second, "1.0.0")

    repo.alter_repository({"lookalike_guard": False})
    assert repo.publish("pypi", second, "1.0").outcome == "created"


def test_look_alikes_from_before_the_guard_stay(api, repo):
    for name in ("foobar", "foo-bar", "other"):
        repo.publish("pypi", name, "1.0")
    repo.alter_repository({"lookalike_guard": True})
    for name in ("foobar", "foo-bar", "other"):
        assert repo.publish("pypi", name, "2.0").outcome == "created"
    for name in ("f00bar", "fo-obar", "0ther"):
        with api.refused("RG409"):
            repo.publish("pypi", name, "1.0")
    assert api.ask("select name from pkgdb.registration where lookalike_key is not null "
                   "order by 1") == [("foobar",), ("other",)]  # fmt: skip

    repo.alter_repository({"lookalike_guard": False})
    assert repo.publish("pypi", "f00bar", "1.0").outcome == "created"
    repo.alter_repository({"lookalike_guard": True})
    assert repo.publish("pypi", "f00bar", "2.0").outcome == "created"


def test_a_reserved_name_guards_against_look_alikes_until_it_is_released(api, repo):
    repo.alter_repository({"lookalike_guard": True})
    repo.reserve_name("pypi", "kept")
    with api.refused("RG409"):
        repo.publish("pypi", "k-ept", "1.0")
    repo.release_name("pypi", "kept")
    assert repo.publish("pypi", "k-ept", "1.0").outcome == "created"


def test_when_the_holder_of_a_look_alike_key_goes_another_one_has_it(api, repo):
    repo.reserve_name("pypi", "kept")
    repo.publish("pypi", "k-ept", "1.0")
    repo.alter_repository({"lookalike_guard": True})
    repo.release_name("pypi", "kept")
    assert api.rows("check_integrity") == []
    with api.refused("RG409"):
        repo.publish("pypi", "ke-pt", "1.0")


@pytest.mark.parametrize("goes", ["drop_repository", "alter_repository"])
def test_when_the_holder_of_a_look_alike_key_goes_with_its_repository(api, repo, goes):
    api.create_repository("acme", "other")
    repo.publish("npm", "foobar", "1.0.0")
    api.publish("acme", "other", "npm", "foo-bar", "1.0.0")
    repo.alter_repository({"lookalike_guard": True})
    api.alter_repository("acme", "other", {"lookalike_guard": True})
    repo.rows(goes, *([{"lookalike_guard": False}] if goes == "alter_repository" else []))
    assert api.rows("check_integrity") == []
    with api.refused("RG409"):
        api.publish("acme", "other", "npm", "foob-ar", "1.0.0")


def test_look_alikes_across_repositories_of_one_scope(api, repo):
    repo.alter_repository({"lookalike_guard": True})
    api.create_repository("acme", "other", policy={"lookalike_guard": True})
    api.create_repository("acme", "unguarded")
    repo.publish("npm", "foobar", "1.0.0")
    with api.refused("RG409"):
        api.publish("acme", "other", "npm", "foo-bar", "1.0.0")
    assert api.publish("acme", "unguarded", "npm", "foo-bar", "1.0.0").outcome == "created"
    assert api.publish("acme", "other", "pypi", "foo-bar", "1.0").outcome == "created"


def test_two_look_alikes_at_once(api, repo, connect, background):
    repo.alter_repository({"lookalike_guard": True})
    first, second = connect(autocommit=False), connect()
    repo.on(first).publish("pypi", "foobar", "1.0")
    other = background.submit(repo.on(second).publish, "pypi", "foo-bar", "1.0")
    wait_until_blocked(api.connection, backend_pid(second))
    first.commit()
    with pytest.raises(psycopg.Error) as caught:
        other.result()
    assert caught.value.sqlstate == "RG409"
