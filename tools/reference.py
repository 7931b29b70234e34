"""Writes docs/reference.md: every function, view and result, as the database itself describes them.

    python tools/reference.py

Starts a server of its own, installs the schema and asks the catalog. Areas and their order are
those of sql/install.sql. What a view calls beneath it can be called too, but is no interface.
"""

import re
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from pkgdb import migrate
from pkgdb.server import Server

ROOT = Path(__file__).parent.parent
SQL = ROOT / "sql"
PAGE = ROOT / "docs" / "reference.md"
SQLSTATE = r"RG\d{3}|\d\d[0-9A-Z]{2}\d"
ROLES = ["pkgdb_reader", "pkgdb_publisher", "pkgdb_operator"]
HEAD = """\
<!-- Written by tools/reference.py: do not edit. -->

# Reference

Every function and view of the schema `pkgdb`, and what they return, as the database describes them:
`\\df+ pkgdb.*` and `\\d+ pkgdb.*` in psql say the same. The words and the policies are explained in
[functions.md](functions.md), the errors in [errors.md](../sql/errors.md).

Arguments can be given by name. *For* names the role that may call or read: a `pkgdb_publisher` may
all that a `pkgdb_reader` may, and a `pkgdb_operator` all that both may. What is called `text` is
mostly of the domain `pkgdb.string`, which is text that is compared byte by byte.

What means the same everywhere:

| argument | |
|---|---|
| `p_namespace` | the tenant; the first repository or backend in it makes it |
| `p_repository`, `p_backend`, `p_snapshot`, `p_consumer` | names within the namespace |
| `p_prefix`, `p_distribution` | together the name of a distribution |
| `p_ecosystem` | the [package type](ecosystems.md), as in package URLs |
| `p_name`, `p_version` | in any spelling that the ecosystem accepts |
| `p_variant` | an architecture or platform, where that is part of a version's identity |
| `p_if_revision` | refuse with RG412 unless the revision is this one; null: whatever it is |
| `p_request_key` | any text. Within seven days a call repeated with it does nothing more and \
gets the first answer; another call with it is RG409 |
| `p_actor`, `p_reason`, `p_description` | any text: who does it, why, what it is |
| `p_publication_id`, `p_update_id`, `p_fence` | as the function that began it returned them |
| `p_sha256`, `p_generation`, `p_attempt` | as the work was handed out |
| `p_limit` | how many at most; null, where it is the default: all |
| `p_lease` | the time after which somebody else may take over |

| column | |
|---|---|
| `outcome` | what the call did; `unchanged`: all was so already |
| `revision` | changes whenever what the row is about does, for `p_if_revision` |
| `registration_id`, `version_id`, other ids | stay when names change |
| `sha256` | 64 hexadecimal digits |
| `size`, `bytes` | a number of bytes |
| `lease_until`, `fence` | until when the caller has it; who takes over gets a higher fence |
| `actor`, `login` | whom the caller named, and who was connected |
"""


class Area(NamedTuple):
    title: str
    names: list[str]  # of what its files create, in their order


class Column(NamedTuple):
    name: str
    type: str
    default: str | None
    comment: str | None


class Thing(NamedTuple):
    """A function, a view, or the type of a row."""

    name: str
    columns: list[Column]  # the arguments of a function
    comment: str
    role: str | None
    result: str | None
    result_type: str | None  # its name where it is one of the schema's


FUNCTIONS = """
    select p.proname::text, p.proargnames[1:p.pronargs] as names,
           array(select format_type(t, null)
                   from unnest(p.proargtypes) with ordinality a (t, place) order by place) as types,
           array(select pg_get_function_arg_default(p.oid, place)
                   from generate_series(1, p.pronargs) place order by place) as defaults,
           obj_description(p.oid, 'pg_proc') as comment,
           (select r from unnest(%(roles)s::text[]) with ordinality roles (r, place)
             where has_function_privilege(r, p.oid, 'execute') order by place limit 1) as role,
           pg_get_function_result(p.oid) as result,
           (select t.typname::text from pg_type t
             where t.oid = p.prorettype and t.typnamespace = p.pronamespace) as result_type
      from pg_proc p
     where p.pronamespace = 'pkgdb'::regnamespace and p.prosecdef
     order by p.proname
"""
RELATIONS = """
    select c.relname::text, array_agg(a.attname::text order by a.attnum) as names,
           array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum) as types,
           array_agg(col_description(c.oid, a.attnum) order by a.attnum) as comments,
           coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type'))
               as comment,
           (select r from unnest(%(roles)s::text[]) with ordinality roles (r, place)
             where c.relkind = 'v' and has_table_privilege(r, c.oid, 'select')
             order by place limit 1) as role
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'pkgdb'::regnamespace and c.relkind in ('c', 'r', 'v')
     group by c.oid
     order by c.relname
"""


def areas() -> list[Area]:
    """What install.sql runs under each of its comments."""
    found: list[Area] = []
    for line in (SQL / "install.sql").read_text().splitlines():
        if line.startswith("-- "):
            found.append(Area(line.removeprefix("-- ").rstrip("."), []))
        elif line.startswith("\\ir "):
            text = (SQL / line.removeprefix("\\ir ")).read_text()
            found[-1].names.extend(
                re.findall(r"^create (?:function|view) pkgdb\.(\w+)", text, flags=re.MULTILINE)
            )
    return found


def plain_type(name: str) -> str:
    """Shorter, and without the domain, which is no more than a text in byte order."""
    name = name.replace("timestamp with time zone", "timestamptz")
    return re.sub(r"^(SETOF )?pkgdb\.", r"\1", re.sub(r"\bpkgdb\.string\b", "text", name))


def plain_default(expression: str | None) -> str | None:
    if expression is None:
        return None
    return re.sub(r"::[\w .]+(\[\])?$", "", expression).replace("NULL", "null")


def read(connection: psycopg.Connection[Any]) -> tuple[list[Thing], list[Thing]]:
    """The functions; and the views and the types of rows."""
    functions = [
        Thing(
            name,
            [
                Column(column, plain_type(type_), plain_default(default), None)
                for column, type_, default in zip(names, types, defaults, strict=True)
            ],
            comment,
            role,
            plain_type(result).replace("SETOF", "setof"),
            result_type,
        )
        for name, names, types, defaults, comment, role, result, result_type in connection.execute(
            FUNCTIONS, {"roles": ROLES}
        )
    ]
    relations = [
        Thing(
            name,
            [
                Column(column, plain_type(type_), None, said)
                for column, type_, said in zip(names, types, comments, strict=True)
            ],
            comment,
            role,
            None,
            None,
        )
        for name, names, types, comments, comment, role in connection.execute(
            RELATIONS, {"roles": ROLES}
        )
    ]
    return functions, relations


def marked_up(text: str, known: Iterable[str]) -> str:
    """A comment as Markdown: arguments and forms as code, links where there is something to say."""

    def mark(found: re.Match[str]) -> str:
        name = found[0]
        if re.fullmatch(SQLSTATE, name):
            return f"[{name}]"
        if name in known:
            return f"[{name}](#{name})"
        return name if re.fullmatch("(?!p_)\\w+", name) else f"`{name}`"

    spans = [
        r"\[?\{(?:[^{}]|\{[^{}]*\})*\}\]?",  # the form of an object
        r"\b\w+:<\w+>",
        r"\b\w+://[\w/]+",
        rf"\b(?:{SQLSTATE})\b",
        r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b",
    ]
    return wrapped(re.sub("|".join(spans), mark, text))


def wrapped(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def listed(columns: list[Column]) -> Iterator[str]:
    """Arguments or columns, one a line."""
    width = max(len(column.name) for column in columns)
    for place, column in enumerate(columns, 1):
        line = f"    {column.name:{width}} {column.type}"
        line += f" default {column.default}" if column.default else ""
        line += "," if place < len(columns) else ""
        yield line + (f"  -- {column.comment}" if column.comment else "")


def function(thing: Thing, relations: dict[str, Thing], known: Iterable[str]) -> str:
    lines = [f"{thing.name}(", *listed(thing.columns), f") returns {thing.result}"]
    said = f"For `{thing.role}`."
    if thing.result_type:
        names = ", ".join(f"`{column.name}`" for column in relations[thing.result_type].columns)
        said += f" Returns [{thing.result_type}](#{thing.result_type}): {names}."
    text, separator, errors = thing.comment.partition(" Errors: ")
    paragraphs = ["\n".join(["```sql", *lines, "```"]), wrapped(said), marked_up(text, known)]
    if separator:
        paragraphs.append(marked_up(f"Errors: {errors}", known))
    return "\n\n".join([f"### {thing.name}", *paragraphs]) + "\n"


def relation(thing: Thing, known: Iterable[str]) -> str:
    """A view, or the type of a row."""
    said = f"View, for `{thing.role}`. {thing.comment}" if thing.role else thing.comment
    code = "\n".join(["```sql", f"{thing.name}(", *listed(thing.columns), ")", "```"])
    return "\n\n".join([f"### {thing.name}", code, marked_up(said, known)]) + "\n"


def page(connection: psycopg.Connection[Any]) -> str:
    read_functions, read_relations = read(connection)
    functions = {thing.name: thing for thing in read_functions}
    relations = {thing.name: thing for thing in read_relations}
    views = {name for name, thing in relations.items() if thing.role}
    results = {thing.result_type for thing in read_functions if thing.result_type}
    known = functions.keys() | views | results

    contents, sections = [], []
    for area in areas():
        names = [name for name in area.names if name in functions or name in views]
        if names:
            links = ", ".join(f"[{name}](#{name})" for name in names)
            contents.append(wrapped(f"**{area.title}:** {links}"))
            sections.append(f"## {area.title}\n")
        for name in names:
            if name in functions:
                sections.append(function(functions[name], relations, known))
            else:
                sections.append(relation(relations[name], known))
    sections.append("## Rows that functions return\n")
    sections += [relation(relations[name], known) for name in sorted(results)]

    text = "\n".join([HEAD, "\n\n".join(contents) + "\n", *sections])
    codes = sorted(set(re.findall(rf"\[({SQLSTATE})\]", text)))
    explained = (SQL / "errors.md").read_text()
    assert not [code for code in codes if f"| {code} |" not in explained]
    return text + "\n" + "".join(f"[{code}]: ../sql/errors.md\n" for code in codes)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pkgdb-reference-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under another account
        with Server(Path(folder) / "server", durable=False, die_with_parent=True) as server:
            migrate.upgrade(server.dsn())
            with psycopg.connect(server.dsn()) as connection:
                PAGE.write_text(page(connection))


if __name__ == "__main__":
    main()
