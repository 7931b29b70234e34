"""The wrapper and the catalog of the database say the same."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy.dialects import postgresql

import pkgdb
from pkgdb import tables
from pkgdb._call import LOOKUPS
from pkgdb.models import MissingCopy, StoredFile, Validation, _Result

NOT_FUNCTIONS = {"close", "repository", "transaction"}
ON_A_REPOSITORY = {
    "create": "create_repository",
    "alter": "alter_repository",
    "rename": "rename_repository",
    "drop": "drop_repository",
    "set_backend": "set_repository_backend",
}
INSIDE_OTHERS = {MissingCopy, StoredFile, Validation}  # objects in a column of another result


def methods(cls: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and name not in NOT_FUNCTIONS
    }


@pytest.fixture
def functions(db: psycopg.Connection) -> dict[str, dict[str, Any]]:
    """The public functions. (A role is also granted what a view calls: no security definers.)"""
    rows = db.cursor(row_factory=dict_row).execute(
        """
        select p.proname, p.provolatile, obj_description(p.oid, 'pg_proc') as comment,
               array(select substr(n.name, 3)
                       from unnest(p.proargnames) with ordinality n (name, i)
                      where i <= p.pronargs order by i) as arguments,
               array(select pg_get_function_arg_default(p.oid, i)
                       from generate_series(1, p.pronargs) i) as defaults
          from pg_proc p
         where p.pronamespace = 'pkgdb'::regnamespace and p.prosecdef
           and exists (select from aclexplode(p.proacl) a
                        where a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner)
        """
    )
    return {row["proname"]: row for row in rows.fetchall()}


@pytest.mark.parametrize("cls", [pkgdb.Registry, pkgdb.AsyncRegistry])
def test_each_function_has_a_method_with_its_arguments(
    cls: type, functions: dict[str, dict[str, Any]]
) -> None:
    in_python = {
        name: {parameter for parameter in signature.parameters if parameter != "self"}
        for name, signature in methods(cls).items()
    }
    assert in_python == {name: set(row["arguments"]) for name, row in functions.items()}


def test_what_is_given_by_place_comes_in_the_functions_order(
    functions: dict[str, dict[str, Any]],
) -> None:
    for name, signature in methods(pkgdb.Registry).items():
        by_place = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
        ]
        assert by_place == functions[name]["arguments"][: len(by_place)], name


def test_defaults_are_the_functions_own(
    functions: dict[str, dict[str, Any]], db: psycopg.Connection
) -> None:
    empty = {"policy", "metadata", "create_distribution.settings"}  # None stands for {}
    for name, signature in methods(pkgdb.Registry).items():
        row = functions[name]
        for argument, default in zip(row["arguments"], row["defaults"], strict=True):
            ours = signature.parameters[argument].default
            if default is None or ours is inspect.Parameter.empty:
                continue
            (theirs,) = db.execute(f"select {default}").fetchone() or ()
            if not empty.isdisjoint({argument, f"{name}.{argument}"}):
                assert ours is None
                ours = {}
            ours = list(ours) if isinstance(ours, tuple) else ours  # an array, of SQL or of JSON
            assert ours == theirs, f"{name}({argument})"


@pytest.mark.parametrize(
    ("repository", "registry"),
    [(pkgdb.Repository, pkgdb.Registry), (pkgdb.AsyncRepository, pkgdb.AsyncRegistry)],
)
def test_a_repository_has_each_method_about_one(repository: type, registry: type) -> None:
    expected = {
        name: [
            p for p in signature.parameters.values() if p.name not in {"namespace", "repository"}
        ]
        for name, signature in methods(registry).items()
        if {"namespace", "repository"} <= signature.parameters.keys()
    }
    bound = {
        ON_A_REPOSITORY.get(name, name): list(signature.parameters.values())
        for name, signature in methods(repository).items()
    }
    assert bound == expected
    assert "Outcome `created`" in inspect.getdoc(repository.__dict__["publish"])


def test_docstrings_name_the_errors_that_the_functions_document(
    functions: dict[str, dict[str, Any]],
) -> None:
    shared = {"RG400", "RG404", "RG405", "RG412"}  # said once, for the class
    for name, row in functions.items():
        ours = set(re.findall(r"RG\d\d\d", inspect.getdoc(getattr(pkgdb.Registry, name)) or ""))
        theirs = set(re.findall(r"RG\d\d\d", row["comment"]))
        assert ours - shared == theirs - shared, name


def test_lookups_are_what_changes_nothing(functions: dict[str, dict[str, Any]]) -> None:
    assert {name for name, row in functions.items() if row["provolatile"] != "v"} == LOOKUPS


@pytest.mark.parametrize(
    "model", [model for model in _Result.__subclasses__() if model not in INSIDE_OTHERS]
)
def test_results_have_the_fields_of_their_types(model: type, db: psycopg.Connection) -> None:
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in model.__name__).strip("_")
    in_database = db.execute(
        """
        select attname::text from pg_attribute
         where attrelid = format('pkgdb.%%s', %s::text)::regclass and attnum > 0
           and not attisdropped
        """,
        [snake],
    ).fetchall()
    assert {name for (name,) in in_database} == {field.name for field in dataclasses.fields(model)}


def test_tables_are_the_views(db: psycopg.Connection) -> None:
    in_database = db.execute(
        """
        select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
          from pg_class c
          join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace = 'pkgdb'::regnamespace and c.relkind = 'v'
        """
    ).fetchall()
    in_python = [
        (table.name, column.name, column.type.compile(postgresql.dialect()).lower())
        for table in tables.metadata.tables.values()
        for column in table.columns
    ]
    assert sorted(in_python) == sorted(in_database)
