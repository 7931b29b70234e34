"""Every protection in the schema, and how to take it away, read from the catalog.

Constraints and unique indexes are dropped or widened. Locks are left out or weakened where they are
taken; comparisons with a fence, a revision, an attempt or a generation, and predicates on a status,
are replaced by what lets everything pass. What is read from the catalog cannot be forgotten here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True)
class Mutant:
    kind: str
    place: str  # a relation or a function
    what: str
    script: str

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.place}: {self.what}"

    def apply(self, db: psycopg.Connection[Any]) -> None:
        db.execute(self.script.encode())


def mutants(db: psycopg.Connection[Any]) -> list[Mutant]:
    """All of them; those that look the same in one place are counted."""
    seen = Counter[str]()
    found = []
    for each in [*of_constraints(db), *of_indexes(db), *of_functions(db), *of_views(db)]:
        seen[each.name] += 1
        if seen[each.name] > 1:
            each = Mutant(each.kind, each.place, f"{each.what} #{seen[each.name]}", each.script)
        found.append(each)
    return found


# What check_integrity knows of the schema is no longer what is there: that alone proves nothing.
FORGET = "; delete from pkgdb.protection where relation = '{}' and name = '{}'"

CONSTRAINTS = """
    select k.contype::text, c.relname::text, t.typname::text, k.conname::text
      from pg_constraint k
      left join pg_class c on c.oid = k.conrelid
      left join pg_type t on t.oid = k.contypid
     where k.connamespace = 'pkgdb'::regnamespace and k.contype in ('p', 'u', 'f', 'c')
       and coalesce(c.relname not in ('protection', 'alembic_version'), true)
       and not exists (select from pg_constraint f
                        where k.contype <> 'f' and f.contype = 'f' and f.conindid = k.conindid)
     order by 1, 2, 3, 4
"""
KINDS = {"p": "unique", "u": "unique", "f": "foreign key", "c": "check"}


def of_constraints(db: psycopg.Connection[Any]) -> Iterator[Mutant]:
    """All but the keys that foreign keys refer to: these cannot go alone, and are of numbers that
    the database hands out."""
    for kind, relation, domain, name in db.execute(CONSTRAINTS):
        if relation is None:
            script = f"alter domain pkgdb.{domain} drop constraint {name}"
        else:
            script = f"alter table pkgdb.{relation} drop constraint {name}"
            script += FORGET.format(relation, name)
        yield Mutant(KINDS[kind], relation or domain, name, script)


INDEXES = """
    select c.relname::text, x.relname::text, pg_get_indexdef(x.oid),
           pg_get_expr(i.indpred, i.indrelid)
      from pg_index i
      join pg_class c on c.oid = i.indrelid
      join pg_class x on x.oid = i.indexrelid
     where c.relnamespace = 'pkgdb'::regnamespace and i.indisunique
       and not exists (select from pg_constraint k where k.conindid = x.oid)
     order by 1, 2
"""


def of_indexes(db: psycopg.Connection[Any]) -> Iterator[Mutant]:
    for relation, name, definition, predicate in db.execute(INDEXES):
        drop = f"drop index pkgdb.{name}; "
        plain = definition.replace("UNIQUE ", "") + FORGET.format(relation, name)
        yield Mutant("unique", relation, name, drop + plain)
        if predicate is not None:
            wide = definition[: definition.rindex(" WHERE ")]
            yield Mutant("unique", relation, f"{name}, of all rows", drop + wide)


FUNCTIONS = """
    select p.proname::text, pg_get_functiondef(p.oid)
      from pg_proc p
     where p.pronamespace = 'pkgdb'::regnamespace and p.prokind = 'f'
       and not p.proname = any(%s)
     order by p.proname, p.oid
"""
# They look for what is wrong, or show what happens; nothing leans on them.
LOOKING_ON = ["check_integrity", "protections"]

# Where a predicate stands says what lets everything pass.
KEYWORDS = re.compile(r"\b(if|elsif|when|where|on|filter|having|return|set|then|else)\b|:=|;")
COLUMN = r"(?:\(\w+\)\.|\w+\.)*"
LITERAL = r"'\w+'(?:::[\w.\"]+)?"
STATUS = re.compile(
    rf"(?<![\w.])(?:{COLUMN}(?:\w+_)?status|{COLUMN}state|\({COLUMN}state\)::text)\s*"
    rf"(?:(?:=|<>|is (?:not )?distinct from)\s*{LITERAL}"
    rf"|(?:= any|<> all)\s*\(array\[[^\]]*\]\)"
    rf"|(?:not )?in \([^()]*\))",
    re.IGNORECASE,
)
FENCE = re.compile(
    rf"(?<![\w.]){COLUMN}(?:fence|attempts?|generation|revision|round|p_now|incarnation|position)"
    r"\s*(?:=|<>|is (?:not )?distinct from)\s*(?:\w+\.)?[pv]_\w+(?:\.\w+)?",
    re.IGNORECASE,
)
ROW_LOCK = re.compile(
    r"\s+for (?:no key update|update|key share|share)(?: of \w+)?(?: skip locked| nowait)?"
    r"(?=[\s;)])"
)
LOCK_KEYS = re.compile(r"perform pkgdb\.lock_keys\((.*?)\);", re.DOTALL)
CHECK_ONLY = "variadic '{}'"  # of the isolation level
NO_LOCK = f"perform pkgdb.lock_keys({CHECK_ONLY});"
LOCKING_CALL = re.compile(r"pkgdb\.(lock_\w+)\(")
EXCLUSIVE = re.compile(r"pkgdb\.(?:lock_\w+|\w+_lock)\((?:[^();]|\([^();]*\))*(\btrue)\)")


def of_functions(db: psycopg.Connection[Any]) -> Iterator[Mutant]:
    functions = [(name, definition) for name, definition in db.execute(FUNCTIONS, [LOOKING_ON])]
    unlocked = {
        name: without.replace(f"FUNCTION pkgdb.{name}(", f"FUNCTION pkgdb.un{name}(")
        for name, definition in functions
        if name.startswith("lock_") and name != "lock_keys"
        if (without := without_locks(definition)) != definition
    }
    for name, definition in functions:
        head, arrow, _ = definition.partition("AS $")
        start = len(head + arrow) if arrow else definition.index("RETURN")
        text = blanked(definition)

        def replaced(kind: str, at: re.Match[str], by: str, *before: str, group: int = 0) -> Mutant:
            begin, end = at.span(group)
            script = definition[:begin] + by + definition[end:]  # noqa: B023
            what = " ".join(at[0].split())
            if by not in ("", "null;", NO_LOCK):
                what += f" -> {by}"
            return Mutant(kind, name, what, "; ".join([*before, script]))  # noqa: B023

        for at in LOCK_KEYS.finditer(text, start):
            if at[1] == CHECK_ONLY:
                yield replaced("isolation level", at, "null;")
            else:
                yield replaced("lock", at, NO_LOCK)
        for at in ROW_LOCK.finditer(text, start):
            yield replaced("row lock", at, "")
        for at in LOCKING_CALL.finditer(text, start):
            if at[1] in unlocked:
                yield replaced("lock", at, f"pkgdb.un{at[1]}(", unlocked[at[1]])
        for at in EXCLUSIVE.finditer(text, start):
            yield replaced("lock", at, "false", group=1)
        for kind, pattern in (("fence", FENCE), ("status", STATUS)):
            for at in pattern.finditer(text, start):
                for value in passing(text[start : at.start()]):
                    yield replaced(kind, at, value)


def without_locks(definition: str) -> str:
    return ROW_LOCK.sub("", LOCK_KEYS.sub(NO_LOCK, definition))


def blanked(text: str) -> str:
    """With spaces for comments: what they say is not what is done."""
    return re.sub(r"--[^\n]*", lambda comment: " " * len(comment[0]), text)


def passing(before: str) -> list[str]:
    """What to put for a predicate that comes after this: none for an assignment."""
    if re.search(r"\bset\s*$", before) or is_assignment(before):
        return []
    words = [word[0] for word in KEYWORDS.finditer(before)]
    return ["true"] if words and words[-1] in ("where", "on", "filter") else ["false", "true"]


def is_assignment(before: str) -> bool:
    """One further column of an UPDATE: `set a = 1, status = ...`."""
    words = [word[0] for word in KEYWORDS.finditer(before)]
    return bool(words) and words[-1] in ("set", "else") and before.rstrip().endswith(",")


VIEWS = """
    select c.relname::text, pg_get_viewdef(c.oid),
           coalesce('with (' || array_to_string(c.reloptions, ', ') || ')', '')
      from pg_class c
     where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'v'
     order by 1
"""


def of_views(db: psycopg.Connection[Any]) -> Iterator[Mutant]:
    for name, definition, options in db.execute(VIEWS):
        for at in STATUS.finditer(definition):
            if passing(definition[: at.start()].lower()) == ["true"]:
                changed = definition[: at.start()] + "true" + definition[at.end() :]
                script = f"create or replace view pkgdb.{name} {options} as {changed}"
                # Where there is one table, newer servers leave its alias out.
                what = re.sub(r"\b\w+\.", "", " ".join(at[0].split()))
                yield Mutant("status", name, what, script)
