"""Whatever comes in for an argument, the answer is a result or an error that is documented."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import pq, sql
from psycopg.types.json import Jsonb

from tests.permissions.test_matrix import FUNCTIONS, allowed
from tests.permissions.tour import (
    PACKAGE,
    REPOSITORY,
    TOUR,
    Call,
    file,
    known,
    perform,
    refusal,
    sent,
    until,
    walk,
)

ERRORS = Path(__file__).parent.parent.parent / "sql" / "errors.md"

TEXTS = [
    "",
    " ",
    "'",
    '"',
    "''; drop table pkgdb.registration cascade; --",
    "$$; drop schema pkgdb cascade; --",
    "%s %1$s %I %L %n %%",
    "{} {0} {a.b} ${x} :name ?",
    "\\",
    "\\x00 \\u0000 \\'",
    "a\nb\r\n",
    "\t\v\x01\x1f\x7f\x1b[31m",
    " padded ",
    ".",
    "..",
    "../../etc/passwd",
    "/absolute/",
    "-rf",
    "null",
    "NaN",
    "-9223372036854775809",
    "1e400",
    "latest",
    "tag:",
    "tag:''",
    "מגילה",
    "\u202egpj.exe",  # right-to-left override
    "e\u0301 e\u0301",
    "Z\u0351\u036b\u0343" * 50,
    "👩‍👩‍👧‍👦",
    "\u0130I\u0131i ß ẞ ﬁ",
    "\ufeff\u200b\u00a0\u2028",
    "\ufdd0\uffff\U0010ffff",  # non-characters
    "\ufffd",
    "\\ud800\\udfff",
    "\u0430" * 255,  # Cyrillic: 510 bytes
    "a" * 256,
    "a" * 65537,
    "9" * 255,
    "1." * 127 + "1",
    "x" * 10_000_000,
]


def depends(name: str, *constraints: list[Any]) -> dict[str, Any]:
    return {"kind": "depends", "alternatives": [{"name": name, "constraints": constraints}]}


JSONS = [
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    "'; drop table pkgdb.registration; --",
    [],
    {},
    [None],
    [[]],
    [{}],
    [""],
    [1, "a", None, {}, []],
    {"": ""},
    {"%s": "%1$s", "'": '"', "\\": "\n"},
    {"reuse": None},
    {"upstream": []},
    {"upstream": {"url": ""}},
    {"upstream": {"url": "x", "filter": "a ("}},
    {"upstream": {"url": "x", "filter": "a {'} or true --", "components": [None]}},
    {"upstream": {"url": "x", "other": 1}},
    {"keep_versions": 1e9},
    {"keep_versions": -1},
    {"keep_versions": 1.5},
    {"keep_versions": "1"},
    {"protected_names": ["a" * 300]},
    {"protected_names": ["*" * 255, "[%_\\", "(("]},
    {"protected_names": [None]},
    {"protected_names": {}},
    {"immutable": "true"},
    {"immutable": True, "keep_versions": 1},
    {"validators": []},
    {"validators": {"": "required"}},
    {"validators": {"scan": None}},
    {"validators": {"a" * 300: "advisory", "\n": "required"}},
    [file("a.whl") | {"size": size} for size in (0, -1, 1.5, 1e3, 10**30, "1", None)],
    [file("a.whl") | {"size": 10**18 - 1}, file("b.whl", "b") | {"size": 10**18 - 1}],
    *[[file(name)] for name in TEXTS[:-1]],
    [file("a.whl"), file("a.whl")],
    [
        file("a.whl") | {"sha256": digest}
        for digest in ("", "a" * 63, "g" * 64, "\u0430" * 64, None, 1)
    ],
    [file("a.whl") | {"media_type": 1}],
    [file("a.whl") | {"media_type": "x" * 300}],
    [file("a.whl") | {"attributes": []}],
    [file("a.whl") | {"attributes": {"%s": "'"}}],
    [file("a.whl") | {"other": 1}],
    [{"ecosystem": text, "name": text, "version": text, "variant": text} for text in TEXTS[:-1]],
    *[[{"ecosystem": "generic", "name": "a", "version": text}] for text in TEXTS[:-1]],
    [{"ecosystem": "generic", "name": ["a"], "version": {"a": 1}, "variant": 1, "files": {}}],
    [{"ecosystem": "pypi", "name": "a", "version": 1.0, "metadata": []}],
    [{"ecosystem": "pypi", "name": None, "version": None, "variant": None, "files": None}],
    [{"name": "a", "version": "1"}],
    *[[{"ecosystem": "deb", "name": "a", "version": text}] for text in TEXTS[:-1]],
    *[[depends(text)] for text in TEXTS[:-1]],
    *[[depends("a", [">=", text])] for text in TEXTS[:-1]],
    [depends("a", ["=", "1"], ["=", "2"])],
    [depends("a", ["=", "1", "2"], [">="], ["~", "1"], [None, None])],
    [depends("a") | {"kind": kind} for kind in ("", "Depends", "a" * 64, None, 1)],
    [depends("a") | {"alternatives": bad} for bad in ([], {}, None, [None], [{}], "a")],
    [{"kind": "depends", "alternatives": [{"name": "a", "architecture": "a b"}]}],
    [{"ecosystem": "deb", "name": "a", "version": "1", "dependencies": {}}],
    [{"ecosystem": "deb", "name": "a", "version": "1", "dependencies": [depends("")]}],
    *[{text: {"snapshot": "two"}} for text in TEXTS[:-1]],
    *[{"main": {"snapshot": text}} for text in TEXTS[:-1]],
    *[{"main": {"repository": text}} for text in TEXTS[:-1]],
    {"main": {"snapshot": "two", "repository": "pool"}},
    *({"main": bad} for bad in ({}, [], "two", {"snapshot": None}, {"snapshot": ["two"]}, None)),
    *[{"origin": text} for text in TEXTS[:-1]],
    *({"architectures": bad} for bad in ("amd64", [None], ["AMD64"], [["a"]], {})),
    *({"valid_for": bad} for bad in (0, -1, 1.5, 1e300, "1", None)),
    {"not_automatic": "yes"},
    [file(f"{number}.whl") for number in range(2000)],
    {str(number): number for number in range(100_000)},
    {"a": "x" * 2_000_000},
]
DEEP = ["[" * depth + "]" * depth for depth in (100, 2000, 5000, 100_000)]
DEEP += ['{"a":' * depth + "1" + "}" * depth for depth in (100, 2000, 5000, 100_000)]
ARRAYS: list[list[Any]] = [[], [""], [None], TEXTS[:-1]]
# What is no query, or one that means harm.
QUERIES = [
    *(
        "(",
        ")",
        "a,",
        "|",
        "!",
        "!!!!a",
        "a (",
        "a (>> )",
        "a (= 1",
        "a {",
        "a {}",
        "$",
        "$Version",
    ),
    *(
        "$Version (= ')",
        "$Version (= \\')",
        "$x (% [)",
        "$x (~ ()",
        "$x (~ (a*)*b)",
        "Name (~ \\1)",
    ),
    *("x' or true --", "x (= 1') or true --)", "$1", "($1)[1]", "%s", "{name}", "Name (% {name})"),
    *("a {'}", "a (= 1) {all}", "\x01", "'", '"', "'a", '"a"', "$Version (>= ~~~)", "deb_1_'"),
    *("$Architecture (= '')", "$PackageType (deb)", "Section", "section", "é", "(" * 5000),
    *("!" * 5000 + "a", "|".join(["a"] * 5000), "(" * 500 + "a" + ")" * 500, "a (= " + "9" * 10**5),
]
INTEGERS = [0, 1, -1, 2**31 - 1, -(2**31)]
VALUES: dict[str, list[Any]] = {
    "text": [*TEXTS, *QUERIES],
    "jsonb": [Jsonb(value) for value in JSONS] + DEEP,
    "integer": INTEGERS,
    "bigint": [*INTEGERS, 2**63 - 1, -(2**63)],
    "boolean": [True, False],
    "pkgdb.string[]": ARRAYS,
    "text[]": [*ARRAYS, *([text] for text in [*TEXTS, *QUERIES])],
    "uuid": ["00000000-0000-0000-0000-000000000000"],
    "interval": ["0", "-1 s", "1 month -31 days", "300000 years", "178000000 years"],
}
REFUSED_BY_THE_TYPE = {"54001", "22P02", "22P05"}  # too deep; not JSON: no function is reached


def documented() -> set[str]:
    """SQLSTATEs, and one class, of the tables in sql/errors.md."""
    rows = re.findall(r"^\| (class )?(\w+) \|", ERRORS.read_text(), flags=re.MULTILINE)
    return {code for _, code in rows if code != "code"}


def test_documented_errors() -> None:
    assert {"RG400", "RG423", "40P01", "42501", "53"} <= documented()


def fine(state: str | None) -> bool:
    return state is None or state in documented() or state[:2] in documented()


def answer(
    connection: psycopg.Connection[Any], statement: Any, params: Any
) -> psycopg.Error | None:
    """Call, and take back whatever it did."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement, params)
    except psycopg.Error as error:
        return error
    return None


def attempts(
    db: psycopg.Connection[Any], function: str
) -> Iterator[tuple[str, Any, sql.Composed, dict[str, Any]]]:
    """A call that is fine but for one argument: for each argument and value."""
    signature = db.execute(
        """select t.name, format_type(t.type, null)
             from pg_proc p
             cross join lateral unnest(p.proargnames, p.proargtypes::oid[]) t (name, type)
            where p.pronamespace = 'pkgdb'::regnamespace and p.proname = %s
              and t.type is not null""",
        [function],
    ).fetchall()
    call = next(call for call in reversed(TOUR) if call.function == function)
    base = {name: sent(value) for name, value in known(db, call).items()}
    for argument, of_type in signature:
        values = VALUES["text" if of_type == "pkgdb.string" else of_type]
        for value in [None, *values]:
            arguments = base | {argument: value}
            yield (
                argument,
                value,
                sql.SQL("select * from pkgdb.{}({})").format(
                    sql.Identifier(function),
                    sql.SQL(", ").join(
                        sql.SQL("{} => {}::{}").format(
                            sql.Identifier(name),
                            sql.Placeholder(name),
                            sql.SQL(dict(signature)[name]),
                        )
                        for name in arguments
                    ),
                ),
                arguments,
            )


def shown(value: Any) -> str:
    text = repr(value.obj if isinstance(value, Jsonb) else value)
    return text if len(text) < 80 else f"{text[:80]}... ({len(text)})"


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(allowed(FUNCTIONS)["operator"]))
def test_every_argument(db: psycopg.Connection[Any], function: str) -> None:
    walk(db, until(function))
    unfit = {
        id(value)
        for value in VALUES["jsonb"]
        if (error := answer(db, "select %s::jsonb", [value]))
        and error.sqlstate in REFUSED_BY_THE_TYPE
    }
    wrong = []
    for argument, value, statement, arguments in attempts(db, function):
        if id(value) in unfit:
            continue
        error = answer(db, statement, arguments)
        if error is not None and not fine(error.sqlstate):
            wrong.append((argument, shown(value), error.sqlstate, str(error).splitlines()[0][:150]))
    assert wrong == []
    assert db.execute("select * from pkgdb.check_integrity()").fetchall() == []


@pytest.mark.parametrize("function", sorted(allowed(FUNCTIONS)["operator"]))
def test_nulls_everywhere(db: psycopg.Connection[Any], function: str) -> None:
    (count,) = db.execute(
        "select pronargs from pg_proc where pronamespace = 'pkgdb'::regnamespace and proname = %s",
        [function],
    ).fetchone() or (0,)
    error = answer(db, f"select * from pkgdb.{function}({', '.join(['null'] * count)})", None)
    if function == "check_integrity":
        assert error is None
    else:
        assert error is not None
        assert error.sqlstate == "RG400"


@pytest.mark.parametrize("text", TEXTS[:-1], ids=range(len(TEXTS) - 1))
def test_what_is_accepted_comes_back_as_it_was(db: psycopg.Connection[Any], text: str) -> None:
    """Every text that a caller chooses, in every place, until the first refusal of each."""
    where = dict(REPOSITORY)
    for place in ("p_namespace", "p_repository"):
        state = refusal(db, "create_repository", where | {place: text})
        assert state in (None, "RG400")
        if state is None:
            where[place] = text
    walk(db, [Call("create_repository", where)])
    package = where | {"p_ecosystem": "generic", "p_name": "demo"}
    chosen = {"p_version": "1", "p_variant": "", "p_metadata": {}, "p_files": [file("plain")]}
    for place, value in [
        ("p_version", text),
        ("p_variant", text),
        ("p_metadata", {text: [text]}),
        ("p_files", [file(text)]),
        ("p_files", [file("plain") | {"attributes": {text: text}}]),
    ]:
        with db.transaction(force_rollback=True):
            state = refusal(db, "publish", package | chosen | {place: value})
        assert state in (None, "RG400")
        if state is None:
            chosen[place] = value
    perform(db, "publish", package | chosen)
    version = package | {key: chosen[key] for key in ("p_version", "p_variant")}
    tag = "stable"
    for function, changes in [
        ("set_tag", {"p_tag": text}),
        ("set_tag", {"p_tag": tag}),
        ("deprecate", {"p_message": text}),
        ("unyank", {"p_request_key": text}),
        ("unyank", {"p_actor": text}),
        ("yank", {"p_reason": text}),
    ]:
        state = refusal(db, function, version | changes)
        assert state in (None, "RG400")
        if state is None:
            tag = changes.get("p_tag", tag)
    deprecation = text if len(text.encode()) <= 65536 else None

    row = db.execute(
        """select namespace, repository, version, variant, metadata, deprecation, yank_reason
             from pkgdb.package_versions"""
    ).fetchall()
    assert row == [
        (
            *(where["p_namespace"], where["p_repository"]),
            *(chosen["p_version"], chosen["p_variant"], chosen["p_metadata"]),
            *(deprecation, deprecation),
        )
    ]
    names = db.execute("select filename, attributes from pkgdb.files").fetchall()
    assert names == [(f["filename"], f.get("attributes", {})) for f in chosen["p_files"]]
    (resolved,) = perform(db, "resolve", package | {"p_want": f"tag:{tag}"})
    assert chosen["p_version"] in resolved
    assert db.execute("select * from pkgdb.check_integrity()").fetchall() == []


def test_bytes_that_are_no_text(db: psycopg.Connection[Any]) -> None:
    """The server refuses them before any function runs; clients that check refuse them earlier."""
    walk(db, TOUR[:8])
    with pytest.raises(psycopg.DataError):
        perform(db, "publish", PACKAGE | {"p_version": "1\0"})
    with pytest.raises(UnicodeEncodeError):
        perform(db, "publish", PACKAGE | {"p_version": "\ud800"})
    statement = b"select * from pkgdb.publish('acme', 'main', 'pypi', 'demo', $1)"
    for value in (b"1\0", b"\0", b"1\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"):
        result = db.pgconn.exec_params(statement, [value], [25], [pq.Format.BINARY])
        assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"22021", value
    for value in ('{"a": "\\u0000"}', '{"a": "\\ud800"}', "{", ""):
        error = answer(
            db,
            "select * from pkgdb.publish('acme', 'main', 'pypi', 'demo', '9', p_metadata => %s)",
            [value],
        )
        assert error is not None
        assert error.sqlstate in REFUSED_BY_THE_TYPE, value
