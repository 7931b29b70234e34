"""The public functions, and where the functions below them run: any search_path, any collation."""

from collections.abc import Callable

import psycopg
import pytest

FUNCTIONS = ["version_key", "normalize_version", "is_prerelease", "normalize_name"]


def test_reference_rows_name_rules_that_exist(db: psycopg.Connection) -> None:
    for (scheme,) in db.execute("select scheme from pkgdb.version_scheme").fetchall():
        version = "v1.0.0" if scheme == "golang" else "1.0.0"
        row = db.execute(
            """
            select pkgdb.scheme_normalize_version(%(s)s, %(v)s) is not null,
                   pkgdb.scheme_version_key(%(s)s, %(v)s) > '',
                   pkgdb.scheme_is_prerelease(%(s)s, %(v)s)
            """,
            {"s": scheme, "v": version},
        ).fetchone()
        assert row == (True, True, False), scheme
    for (rule,) in db.execute("select distinct name_rule from pkgdb.ecosystem").fetchall():
        name = {"maven": "a:b", "composer": "a/b", "golang": "a.b/c", "swift": "a.b"}
        query = "select pkgdb.rule_normalize_name(%s, %s)"
        assert db.execute(query, [rule, name.get(rule, "abc")]).fetchone()


# Versions as long as one likes; what is beyond the limit is cut off.
LONG = {
    "golang": "v1.0.0-" + "a" * 300,
    "purescript": "2147483647." * 2 + "2147483647",
    "hex": ".".join(["9" * 14] * 3) + "-" + "a" * 64,
    **dict.fromkeys(("npm", "cargo", "nuget", "helm", "terraform"), "1.0.0-" + "a" * 300),
    **dict.fromkeys(("swift", "pub"), "1.0.0-" + "a" * 300),
    "composer": "dev-" + "a" * 300,
}


def test_longest_versions_are_the_stated_ones(db: psycopg.Connection) -> None:
    for ecosystem, version_max in db.execute(
        "select ecosystem, version_max from pkgdb.ecosystem"
    ).fetchall():
        longest = LONG.get(ecosystem, "1.0" * 99)
        for length, accepted in [(0, True), (1, False)]:
            version = longest[:version_max] + "0" * length
            assert answers(db, "normalize_version", ecosystem, version) == accepted, ecosystem
            assert answers(db, "version_key", ecosystem, version) == accepted, ecosystem


def answers(db: psycopg.Connection, function: str, ecosystem: str | None, text: str | None) -> bool:
    """Whether a function gives a result, else its error, which must be RG400."""
    query = f"select * from pkgdb.{function}(%s::text, %s::text)"
    try:
        return db.execute(query, [ecosystem, text]).fetchone() is not None
    except psycopg.Error as error:
        if error.sqlstate == "RG400":
            return False
        raise


@pytest.mark.parametrize("function", FUNCTIONS)
def test_strange_arguments(db: psycopg.Connection, function: str) -> None:
    assert answers(db, function, "npm", "1.0.0")
    for ecosystem, text in [("npm", None), (None, "1.0.0"), ("NPM", "1.0.0"), ("", ""), ("x", "1")]:
        assert not answers(db, function, ecosystem, text)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_readers_may_call(connect: Callable[..., psycopg.Connection], function: str) -> None:
    owner = connect()
    owner.execute("set role pkgdb_reader")
    assert answers(owner, function, "npm", "1.0.0")
    owner.execute("reset role")
    public = owner.execute(
        "select has_function_privilege('public', f.oid, 'execute') from pg_proc f"
        " where f.pronamespace = 'pkgdb'::regnamespace and f.proname = %s",
        [function],
    ).fetchall()
    assert public == [(False,)]


def test_sorting_as_an_ecosystem_does(db: psycopg.Connection) -> None:
    query = "select v from unnest(%s::text[]) v order by pkgdb.version_key(%s, v)"
    for ecosystem, ascending in [
        ("npm", ["1.0.0-B", "1.0.0-alpha", "1.0.0", "1.10.0"]),
        ("pypi", ["1.0.dev1", "1.0a1", "1.0", "1.0.post1", "1.10"]),
        ("deb", ["1.0~rc1", "1.0", "1.0+b1", "1:0.1"]),
    ]:
        rows = db.execute(query, [list(reversed(ascending)), ecosystem]).fetchall()
        assert [v for (v,) in rows] == ascending


EVERYTHING = """
select array(
    select (s.scheme, v, pkgdb.scheme_version_key(s.scheme, v),
            pkgdb.scheme_normalize_version(s.scheme, v),
            pkgdb.scheme_is_prerelease(s.scheme, v),
            pkgdb.rule_normalize_name('pep503', 'A.b'))::text
      from (values ('semver53', '1.20.3-beta.11.x+y'), ('semver64', '18446744073709551615.0.0'),
                   ('pep440', ' V1!01.2.0-Alpha_3-4.dev5+Ubuntu.01 '), ('pep440', '1.0rc1'),
                   ('debian', '1:2.0+dfsg~rc1-3+b1'), ('natural', 'v1.0.0-rc.1'),
                   ('natural', '2024-10-01b'), ('nuget', ' 01.2.3.4-RC.-5+x '),
                   ('maven', '1.0-Beta2.SNAPSHOT'), ('rubygems', '01.0.rc1.0'),
                   ('rpm', '01:1.0~rc1^git2-3.el9'), ('composer', 'v1.0.0-Beta2-dev'),
                   ('composer', 'dev-Main'), ('golang', 'v1.2.3-rc.1+incompatible'),
                   ('helm', 'v01.2-rc.1+x'), ('conan', '1.1.1k+2'), ('terraform', 'v1.2.3-a.1'),
                   ('hex', '1.2.3-rc.1'), ('swift', '1.2.3-rc.1+x'), ('pub', '1.2.3-rc.1+2'),
                   ('purescript', '1.2.3'), ('conda', '1!2.0A1_+X.3'),
                   ('apk', '1.02b_rc1_p2-r3')) s (scheme, v))
"""
# What a text with a backslash is, how bytes are shown, which settings a caller may have.
SETTINGS = {
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "plpgsql.extra_errors": "all",
    "plan_cache_mode": "force_custom_plan",
}


def test_every_scheme_is_in_everything(db: psycopg.Connection) -> None:
    schemes = db.execute("select scheme from pkgdb.version_scheme").fetchall()
    assert [name for (name,) in schemes if f"('{name}', '" not in EVERYTHING] == []


def test_a_callers_settings_change_nothing(db: psycopg.Connection) -> None:
    expected = db.execute(EVERYTHING).fetchone()
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    with psycopg.connect(db.info.dsn, options=options) as session:
        assert session.execute(EVERYTHING).fetchone() == expected


# Stand-ins for what the functions use; each would change the result.
HOSTILE = """
create schema evil;
create function evil.equal(text, text) returns boolean language sql immutable as 'select false';
create function evil.join(text, text) returns text language sql immutable as $$select 'evil'$$;
create function evil.match(text, text) returns boolean language sql immutable as 'select true';
create function evil.plus(integer, integer) returns integer language sql immutable as 'select 7';
create operator evil.= (leftarg = text, rightarg = text, function = evil.equal);
create operator evil.<> (leftarg = text, rightarg = text, function = evil.equal);
create operator evil.|| (leftarg = text, rightarg = text, function = evil.join);
create operator evil.~ (leftarg = text, rightarg = text, function = evil.match);
create operator evil.!~ (leftarg = text, rightarg = text, function = evil.match);
create operator evil.+ (leftarg = integer, rightarg = integer, function = evil.plus);
create function evil.ltrim(text, text) returns text language sql immutable as $$select 'evil'$$;
create function evil.length(text) returns integer language sql immutable as 'select 7';
create function evil.octet_length(text) returns integer language sql immutable as 'select 7';
create function evil.lower(text) returns text language sql immutable as $$select 'evil'$$;
create function evil.split_part(text, text, integer) returns text
    language sql immutable as $$select 'evil'$$;
"""


def test_a_hostile_search_path_changes_nothing(db: psycopg.Connection) -> None:
    expected = db.execute(EVERYTHING).fetchone()
    db.execute(HOSTILE)
    db.execute("set search_path = evil, pg_catalog")
    assert db.execute("select length('a'), 'a' = 'a'").fetchone() == (7, False)
    assert db.execute(EVERYTHING).fetchone() == expected
    # Nor in a session that has never had another path.
    with psycopg.connect(db.info.dsn, options="-c search_path=evil,pg_catalog") as session:
        assert session.execute(EVERYTHING).fetchone() == expected


def test_a_collation_changes_nothing(db: psycopg.Connection) -> None:
    """Not even one that has "a" equal to "A" and forbids patterns."""
    try:
        db.execute(
            "create collation blind"
            " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server is built without ICU")
    expected = db.execute(EVERYTHING).fetchone()
    blind = EVERYTHING.replace("(s.scheme, v)", "(s.scheme collate blind, v collate blind)")
    blind = blind.replace("'A.b'", "'A.b' collate blind")
    assert blind.count("collate blind") == 7
    assert db.execute(blind).fetchone() == expected
