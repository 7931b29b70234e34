"""The package query language: what it reads, what it refuses, and what a query finds.

Beside the real aptly in test_query_oracle.py.
"""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from tests.behaviour.calls import Calls
from tests.versions import spellings

Row = dict[str, object]
Search = Callable[[str], set[str]]

# Whether a text is a query. Any error other than RG400 ends the statement.
ATTEMPT = """
create function pg_temp.is_query(p_query text, p_compile boolean) returns boolean
language plpgsql as $$
begin
    perform pkgdb.parse_query(p_query);
    if p_compile then
        perform (pkgdb.compile_query(p_query)).condition;
    end if;
    return true;
exception when sqlstate 'RG400' then
    return false;
end;
$$;
"""


@pytest.fixture(scope="module")
def connection(
    new_database: Callable[..., str], template: str
) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's: none of what is tested here writes."""
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        connection.execute(ATTEMPT)
        yield connection


def tree(connection: psycopg.Connection[Any], query: str) -> Any:
    ((found,),) = connection.execute("select pkgdb.parse_query(%s)", [query])
    return found


def compiled(connection: psycopg.Connection[Any], query: str) -> tuple[str, list[str], list[bytes]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("select (pkgdb.compile_query(%s)).*", [query])
        (row,) = cursor
    return row


def refusal(connection: psycopg.Connection[Any], query: str | None) -> str:
    with pytest.raises(psycopg.Error) as caught:
        compiled(connection, query)  # type: ignore[arg-type]
    assert caught.value.sqlstate == "RG400"
    return caught.value.diag.message_primary or ""


# -- grammar ---------------------------------------------------------------------------------------

A, B, C = ({"package": name} for name in "abc")


def with_condition(kind: str, name: str, operator: str, value: str, **more: str) -> Row:
    return {kind: name, "operator": operator, "value": value} | more


TREES: dict[str, object] = {
    "a": A,
    " \ta\r\n": A,
    "\N{NO-BREAK SPACE}a\N{EM SPACE}": A,
    "a, b": {"and": [A, B]},
    "a,b|c": {"or": [{"and": [A, B]}, C]},
    "a|b,c": {"or": [A, {"and": [B, C]}]},
    "(a|b),c": {"and": [{"or": [A, B]}, C]},
    "a | b | c": {"or": [A, B, C]},
    "a,b,c": {"and": [A, B, C]},
    "a|(b|c)": {"or": [A, {"or": [B, C]}]},
    "((a))": A,
    "!a": {"not": A},
    "!!a": A,
    "! ! !a": {"not": A},
    "!(a,b)": {"not": {"and": [A, B]}},
    "!(!a)": {"not": {"not": A}},
    "!!(a)": A,
    "!a,b": {"and": [{"not": A}, B]},
    "a (1)": with_condition("package", "a", "=", "1"),
    "a(1)": with_condition("package", "a", "=", "1"),
    "a(>=1)": with_condition("package", "a", ">=", "1"),
    "a ( >= 1 )": with_condition("package", "a", ">=", "1"),
    "a (> 1)": with_condition("package", "a", ">=", "1"),
    "a (< 1)": with_condition("package", "a", "<=", "1"),
    "a (<<1)": with_condition("package", "a", "<<", "1"),
    "a (>> 1)": with_condition("package", "a", ">>", "1"),
    "a (% 1.*)": with_condition("package", "a", "%", "1.*"),
    "a (~ ^1)": with_condition("package", "a", "~", "^1"),
    "a {amd64}": {"package": "a", "architecture": "amd64"},
    "a (1) { 'amd64' }": with_condition("package", "a", "=", "1", architecture="amd64"),
    "Name": {"field": "Name"},
    "$Version (1)": with_condition("field", "$Version", "=", "1"),
    "$lower": {"field": "$lower"},
    "A_1_b": {"package": "A_1_b"},
    "a_1_b": {"package": "a_1_b"},
    "Name ('')": with_condition("field", "Name", "=", ""),
    "''": {"package": ""},
    "Name ('a b')": with_condition("field", "Name", "=", "a b"),
    'Name ("a\'b")': with_condition("field", "Name", "=", "a'b"),
    r"Name ('a\'\\\b')": with_condition("field", "Name", "=", r"a'\b"),
    "Name (a'b)": with_condition("field", "Name", "=", "a'b"),
    'Name (a"b")': with_condition("field", "Name", "=", 'a"b"'),
    "Name (a=b<c>~d%e)": with_condition("field", "Name", "=", "a=b<c>~d%e"),
    "Name (% *(>=*)": with_condition("field", "Name", "%", "*(>=*"),
    "Name (% a((b()": with_condition("field", "Name", "%", "a((b("),
    "'a' ('b')": with_condition("package", "a", "=", "b"),
    "é (ü)": with_condition("package", "é", "=", "ü"),
}


def without_places(node: Any) -> Any:
    if isinstance(node, list):
        return [without_places(one) for one in node]
    if isinstance(node, dict):
        return {key: without_places(of) for key, of in node.items() if key != "at"}
    return node


@pytest.mark.parametrize("query", TREES)
def test_is_read_as(connection: psycopg.Connection[Any], query: str) -> None:
    assert without_places(tree(connection, query)) == TREES[query]


@pytest.mark.parametrize(
    ("query", "place"), [("a (1)", 4), ("é  (  >= 'x')", 10), ("a, Name(% x*)", 11)]
)
def test_the_place_of_a_value(connection: psycopg.Connection[Any], query: str, place: int) -> None:
    assert f"'at': {place}" in str(tree(connection, query))


REFUSED = {
    "": "1: expected a package, a field, ! or (, found the end",
    "  ": "3: expected a package, a field, ! or (, found the end",
    "a b": "3: expected one of ( { , | or the end, found 'b'",
    "a (": "4: expected a value, found the end",
    "a ()": "4: expected a value, found ')'",
    "a (>= )": "7: expected a value, found ')'",
    "a (= <1)": "6: expected a value, found '<'",
    "a (1": "5: expected ), found the end",
    "a (b|c)": "5: expected ), found '|'",
    "a (1 2)": "6: expected ), found '2'",
    "a ('x'y)": "7: expected ), found 'y'",
    "a (1) x": "7: expected one of { , | or the end, found 'x'",
    "a (1) {x} y": "11: expected one of , | or the end, found 'y'",
    "a {": "4: expected an architecture, found the end",
    "a {}": "4: expected an architecture, found '}'",
    "a {amd64": "9: expected }, found the end",
    "a {amd64 i386}": "10: expected }, found 'i386'",
    "a {amd64} (1)": "11: expected one of , | or the end, found '('",
    "Priority {amd64}": "10: expected one of ( , | or the end, found '{'",
    "(a": "3: expected one of ( { , | ), found the end",
    "(a) b": "5: expected one of , | or the end, found 'b'",
    "a)": "2: expected one of ( { , | or the end, found ')'",
    "()": "2: expected a package, a field, ! or (, found ')'",
    "a,": "3: expected a package, a field, ! or (, found the end",
    "a,,b": "3: expected a package, a field, ! or (, found ','",
    "a|": "3: expected a package, a field, ! or (, found the end",
    "!": "2: expected a package, a field, ! or (, found the end",
    "a!": "2: expected one of ( { , | or the end, found '!'",
    ">= 1": "1: expected a package, a field, ! or (, found '>='",
    "{a}": "1: expected a package, a field, ! or (, found '{'",
    "'a": "1: expected a quote at the end of the text, found '''a'",
    'a ("é\\"': "4: expected a quote at the end of the text, found E'\"é\\\\\"'",
    "é, ü (": "7: expected a value, found the end",
    "a (>= \N{SECTION SIGN})": "7: expected a version, found '\N{SECTION SIGN}'",
    "$Version ('')": "11: expected a version, found ''",
    "a (% [)": "6: expected a pattern of *, ?, [a-z], [^a-z] and characters, found '['",
    "Name (% 'a\\\\')": "9: expected a pattern of *, ?, [a-z], [^a-z] and characters, "
    "found E'a\\\\'",
    "Name (% [^])": "9: expected a pattern of *, ?, [a-z], [^a-z] and characters, found '[^]'",
    "Name (% [a-])": "9: expected a pattern of *, ?, [a-z], [^a-z] and characters, found '[a-]'",
    "Name (% [z-a])": "9: expected a pattern of *, ?, [a-z], [^a-z] and characters (invalid "
    "regular expression: invalid character range), found '[z-a]'",
    "a (~ [)": "6: expected a regular expression without back references (invalid regular "
    "expression: brackets [] not balanced), found '['",
    r"Name (~ '(a)\\1')": "9: expected a regular expression without back references, "
    r"found E'(a)\\1'",
}


@pytest.mark.parametrize("query", REFUSED)
def test_is_refused(connection: psycopg.Connection[Any], query: str) -> None:
    assert refusal(connection, query) == f"query is malformed at character {REFUSED[query]}"


def test_limits(connection: psycopg.Connection[Any]) -> None:
    assert refusal(connection, None) == "query is missing"
    assert tree(connection, "a" * 65536) == {"package": "a" * 65536}
    assert refusal(connection, "é" * 32768 + "a") == "query is longer than 65536 bytes"

    assert tree(connection, "(" * 100 + "a" + ")" * 100) == {"package": "a"}
    too_deep = "query is malformed at character 101: expected at most 100 levels of parentheses"
    assert refusal(connection, "(" * 65536) == f"{too_deep}, found '('"

    conditions = ", ".join(f"Priority (a{n})" for n in range(1000))
    assert len(compiled(connection, conditions)[1]) >= 1000
    assert refusal(connection, f"{conditions}, b") == "query has more than 1000 conditions"


LARGE = {
    "negations": "!" * 65535 + "a",
    "parentheses": "(!" * 100 + "a" + ")" * 100,
    "ands and ors": "(a,(b|" * 50 + "Name (~ x)" + "))" * 50,
    "ands and nots": "(!(a, !" * 50 + "b (>= 1)" + "))" * 50,
    "alternatives": "|".join(f"a{n}" for n in range(9000)),
    "exclusions": ",".join(f"!a{n}" for n in range(9000)),
    "capitals": "|".join(f"Aa{n}" for n in range(500)),
    "conditions": ",".join(f"(b{n}|Priority (% x))" for n in range(500)),
    "versions": "|".join(f"a (>= {n})" for n in range(300)),
    "a value": "Name (x" + "(" * 65000 + ")",
    "a quoted value": "Name ('" + "\\'" * 32000 + "')",
}


@pytest.mark.parametrize("query", LARGE)
def test_what_is_large_or_deep_can_be_searched_for(search: Search, query: str) -> None:
    """All that is let through is within the server's stack."""
    search(LARGE[query])


@pytest.mark.parametrize("pattern", ["(" * 65000, "(a|" * 20000, "((((a{255}){255}){255}){255})"])
def test_what_is_too_much_for_a_pattern(connection: psycopg.Connection[Any], pattern: str) -> None:
    assert "too complex" in refusal(connection, f"Name (~ '{pattern}')")


PIECES = ["a", "foo", "Name", "$Version", "1.0", "Priority", "(", ")", "(", ")", "{", "}", ",", "|"]
PIECES += ["!", "<<", ">=", "=", "%", "~", "'", '"', "\\", " ", " ", "_", "*", "[a-z]", "é", "\n"]
PIECES += ["(>= 1)", "(% a*)", "{amd64}", "('x y')", "a_1_b", "\0x"[1:], "\N{IDEOGRAPHIC SPACE}"]


def any_text(rng: random.Random) -> str:
    kind = rng.randrange(3)
    if kind == 0:
        return "".join(rng.choices(PIECES, k=rng.randint(0, 12)))
    text = rng.choice(list(TREES))
    if kind == 1:
        text += rng.choice(",|") + rng.choice(list(TREES))
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice([*PIECES, ""]) + text[at + rng.randint(0, 2) :]
    return text


@pytest.mark.slow
def test_any_text_is_read_or_refused(connection: psycopg.Connection[Any]) -> None:
    rng, taken = random.Random("query"), 0
    for _ in range(10):
        texts = [any_text(rng) for _ in range(10_000)]
        statement = """
            select count(*) filter (where pg_temp.is_query(q, number %% 50 = 0))
              from unnest(%s::text[]) with ordinality t (q, number)"""
        ((queries,),) = connection.execute(statement, [texts])
        taken += queries
    assert 10_000 < taken < 90_000


# -- what is found ---------------------------------------------------------------------------------

ITEMS: list[Row] = [
    {"ecosystem": "pypi", "name": "Django", "version": "4.2", "metadata": {"license": "BSD"}},
    {"ecosystem": "pypi", "name": "zope.interface", "version": "7.0"},
    {"ecosystem": "npm", "name": "lodash", "version": "4.17.21", "metadata": {"license": "MIT"}},
    {"ecosystem": "npm", "name": "@babel/core", "version": "7.0.0-rc.1"},
    {"ecosystem": "rpm", "name": "ImageMagick", "version": "7.1-1", "variant": "x86_64"},
    {"ecosystem": "generic", "name": "Django", "version": "1.10"},
    {"ecosystem": "generic", "name": "a_b", "version": "1.9", "metadata": {"License": ""}},
    {
        "ecosystem": "deb", "name": "postfix", "version": "3.7.0-0+deb12u1", "variant": "amd64",
        "metadata": {"Priority": "optional", "Installed-Size": "900", "X": {"y": [1]}},
        "dependencies": [
            {"kind": "provides", "alternatives": [{"name": "mail-agent"}]},
            {"kind": "provides", "alternatives": [{"name": "mta", "constraints": [["=", "2.0"]]}]},
            {"kind": "depends", "alternatives": [{"name": "lodash"}]},
        ],
    },
    {
        "ecosystem": "deb", "name": "exim4", "version": "4.96-15", "variant": "all",
        "metadata": {"Source": "exim (1:2.0~rc1-1)", "installed-size": "2000"},
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def found_in(connection: psycopg.Connection[Any]) -> Calls:
    api = Calls(connection, ("acme",))
    api.create_repository("main")
    api.rows("publish_many", "main", ITEMS)
    return api


@pytest.fixture
def search(found_in: Calls) -> Search:
    def search(query: str) -> set[str]:
        rows = found_in.rows("search_versions", "main", query=query)
        return {f"{row.ecosystem}:{row.name}" for row in rows}

    return search


ALL = {f"{item['ecosystem']}:{item['name']}" for item in ITEMS}
DEB = {"deb:exim4", "deb:postfix"}
FOUND: dict[str, set[str]] = {
    # Names, as each ecosystem reads them.
    "django": {"pypi:Django"},
    "DJANGO": {"pypi:Django"},
    "Django": {"pypi:Django", "generic:Django"},
    "Name (Django)": {"pypi:Django", "generic:Django"},
    "Name (django)": {"pypi:Django"},
    "zope-interface": {"pypi:zope.interface"},
    "Zope_Interface": {"pypi:zope.interface"},
    "imagemagick": set(),
    "ImageMagick": {"rpm:ImageMagick"},
    "Name (ImageMagick), $Version (>= 7)": {"rpm:ImageMagick"},
    "Name (% django*)": {"pypi:Django"},
    "Name (% @babel/*)": {"npm:@babel/core"},
    "Name (% *core)": set(),
    "a_b": {"generic:a_b"},
    "a_b_1.9": {"generic:a_b"},
    "a_b_1.8": set(),
    "lodash_4.17.21": {"npm:lodash"},
    "ImageMagick_7.1-1_x86_64": {"rpm:ImageMagick"},
    "postfix_3.7.0-0+deb12u1_amd64": {"deb:postfix"},
    "postfix_3.7.0-0+deb12u1_all": set(),
    # Several at once.
    "django | lodash | exim4": {"pypi:Django", "npm:lodash", "deb:exim4"},
    "!django, !lodash, Name": ALL - {"pypi:Django", "npm:lodash"},
    "!django | !lodash": ALL,
    "!(django | Name (lodash))": ALL - {"pypi:Django", "npm:lodash"},
    "django, lodash": set(),
    "(django | lodash), !lodash": {"pypi:Django"},
    # Versions, under the rules of each.
    "lodash (>= 4)": {"npm:lodash"},
    "lodash (>= 4.17)": {"npm:lodash"},
    "lodash (<< 4.18)": {"npm:lodash"},
    "lodash (= 4)": set(),
    "Name (% [@l]*), $Version (<< 7)": {"npm:lodash"},
    "Name (% @*/*), $Version (<< 7)": {"npm:@babel/core"},
    "$Version (>= 4.17.0)": {"npm:lodash", "npm:@babel/core", "pypi:zope.interface",
                             "rpm:ImageMagick", "deb:exim4"},
    "Django (>= 1)": set(),  # a field that nobody has is empty, and before 1
    "django (4.2.0)": {"pypi:Django"},
    "Name (Django), $Version (>> 1.9)": {"pypi:Django", "generic:Django"},
    "$Version (% 7.*)": {"npm:@babel/core", "pypi:zope.interface", "rpm:ImageMagick"},
    r"lodash (~ '^4\\.')": {"npm:lodash"},
    # What is provided.
    "mail-agent": {"deb:postfix"},
    "mail-agent (>= 0)": set(),
    "mta": {"deb:postfix"},
    "mta (>= 2)": {"deb:postfix"},
    "mta (2.0-0)": {"deb:postfix"},
    "mta (>> 2.0)": set(),
    "mta (% 2*)": set(),
    "mta {amd64}": {"deb:postfix"},
    "mta (>= 2) {arm64}": set(),
    # Fields.
    "$Ecosystem (deb)": DEB,
    "$Ecosystem (% [np]*), !$Ecosystem (npm)": {"pypi:Django", "pypi:zope.interface"},
    "$PackageType (rpm)": {"rpm:ImageMagick"},
    "License": {"pypi:Django", "npm:lodash"},
    "$license": {"pypi:Django", "npm:lodash"},
    "LICENSE (MIT)": {"npm:lodash"},
    "$license (mit)": set(),
    "License ('')": ALL - {"pypi:Django", "npm:lodash"},
    "Installed-Size (>= 900)": DEB,
    "Installed-Size (>> 900)": {"deb:exim4"},
    "Installed-Size (<< 1000), $Ecosystem (deb)": {"deb:postfix"},
    "Installed-Size (0900)": set(),
    "X (% *1*)": {"deb:postfix"},
    "$Source (exim)": {"deb:exim4"},
    "$Source (postfix)": {"deb:postfix"},
    "$SourceVersion (<< 1:2.0)": ALL,
    "$SourceVersion (= 1:2.0~rc1-1)": {"deb:exim4"},
    "$Architecture (amd64)": DEB,
    "Architecture (amd64)": {"deb:postfix"},
    "$Architecture (source)": set(),
    "Name": ALL,
    "Version, Architecture": {"deb:exim4", "deb:postfix", "rpm:ImageMagick"},
}  # fmt: skip


@pytest.mark.parametrize("query", FOUND)
def test_finds(search: Search, query: str) -> None:
    assert search(query) == FOUND[query]


def test_one_condition_for_many_names(connection: psycopg.Connection[Any]) -> None:
    """Alternatives and exclusions of plain names make one part, however many there are."""
    one, two = (compiled(connection, query) for query in ("a | b", "a | b | c | d"))
    assert re.sub(r"\d+", "", one[0]) == re.sub(r"\d+", "", two[0])
    one, two = (compiled(connection, query) for query in ("!a, !b", "!a, !b, !c"))
    assert re.sub(r"\d+", "", one[0]) == re.sub(r"\d+", "", two[0])
    for query in ("a (1) | b (2) | c | d {x}", "!a (1), !b (2), !c, !d {x}"):
        assert compiled(connection, query)[0].count("pkgdb.dependency") == 1


# -- values are values -----------------------------------------------------------------------------

HOSTILE = ["'", "''", "\\", "\\'", "'; drop table pkgdb.file; --", "($1)[1]", "$1", "%s", "%1$s"]
HOSTILE += ["{name}", "{key}", "{scheme}", '"', "$$", "a\nb", ")", "or true", "' or true --", "é"]
HOSTILE += ["zope", "pg_sleep(9)", "[\\]]", "^", "|", "*", "."]


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def escaped(value: str) -> str:
    """As a pattern."""
    return "".join(f"\\{character}" for character in value)


def vocabulary(connection: psycopg.Connection[Any], query: str) -> set[str]:
    """The words and marks that a condition is made of; numbers are places of parameters."""
    return set(re.findall(r"[a-z_]+|[^\sa-z_0-9]", compiled(connection, query)[0], re.IGNORECASE))


def test_no_text_of_a_query_is_in_its_condition(
    connection: psycopg.Connection[Any], search: Search
) -> None:
    ours = set().union(*(vocabulary(connection, query) for query in FOUND))
    assert "zope" not in ours
    forms = ["{}", "a {{{}}}", "'$' ({})"]
    forms += [
        f"{field} ({operator} {{}})"
        for field in ["Name", "Priority", "$x", "$Source", "$SourceVersion", "$Architecture"]
        for operator in ["=", ">=", "<<"]
    ]
    for value in HOSTILE:
        queries = [form.format(quoted(value)) for form in forms]
        queries += [f"{quoted(mark + value)} | {quoted(mark + value)} (<= 1)" for mark in "$A_"]
        queries += [f"{quoted(f'_{value}')} (% 1) {{a}}"]
        queries += [f"{field} (% {quoted(escaped(value))})" for field in ["Name", "$Version", "a"]]
        for query in queries:
            assert vocabulary(connection, query) <= ours, query
            search(query)


@pytest.mark.parametrize("value", HOSTILE)
def test_any_value_is_found(connection: psycopg.Connection[Any], value: str) -> None:
    api = Calls(connection, (f"tenant {value!r}",)).at("main")
    api.create_repository()
    api.publish("generic", "it", "1", metadata={"Field": value, value: "text"})
    api.publish("generic", "other", "1", metadata={"Field": "other"})
    queries = [
        f"Field ({quoted(value)})",
        f"Field (% {quoted(escaped(value))})",
        f"Field (>= {quoted(value)}), !Field (>> {quoted(value)})",
        quoted(f"${value}"),
        f"{quoted(f'${value}')} (text)",
    ]
    for query in queries:
        assert [row.name for row in api.rows("search_versions", query=query)] == ["it"], query


# -- orders and names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "folding"), [("-+", []), ("-+._~:/@", ["cargo", "pep503"])], ids=["plain", "marks"]
)
def test_few_rules_read_lower_case_otherwise(
    connection: psycopg.Connection[Any], marks: str, folding: list[str]
) -> None:
    """compile_name does not ask the others."""
    rng, alphabet = random.Random(marks), "abcxyz0129" * 2 + marks
    names = ["".join(rng.choices(alphabet, k=rng.randint(1, 16))) for _ in range(500)]
    if not folding:
        names = [name for name in names if re.fullmatch("[a-z0-9]+([-+][a-z0-9]+)*", name)]
    rows = connection.execute(
        """
        select distinct e.name_rule
          from unnest(%s::text[]) n (name) cross join pkgdb.ecosystem e
         where pkgdb.name_if_valid(e.name_rule, n.name) <> n.name
         order by 1
        """,
        [names],
    ).fetchall()
    assert [rule for (rule,) in rows] == folding


def test_fields_are_in_the_order_of_versions(connection: psycopg.Connection[Any]) -> None:
    rng = random.Random("fields")
    versions = [*spellings.real("deb"), *(spellings.debian(rng) for _ in range(2000))]
    rows = connection.execute(
        """
        with version as materialized (
            select v, pkgdb.version_key_if_valid('debian', v) as key, pkgdb.field_key(v) as field
              from unnest(%s::text[]) v
        )
        select v, dense_rank() over (order by key), dense_rank() over (order by field)
          from version where key is not null
        """,
        [versions],
    ).fetchall()
    assert len(rows) > 1500
    assert [row for row in rows if row[1] != row[2]] == []
