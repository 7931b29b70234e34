"""One call after another, through every public function: each changes or finds something."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

NAMESPACE = {"p_namespace": "acme"}
REPOSITORY = NAMESPACE | {"p_repository": "main"}
PACKAGE = REPOSITORY | {"p_ecosystem": "pypi", "p_name": "Demo.App"}
VERSION = PACKAGE | {"p_version": "1.1"}


@dataclass(frozen=True)
class Call:
    function: str
    arguments: Mapping[str, Any]
    outcome: str | None = None


def file(name: str, digit: str = "a", size: int = 100) -> dict[str, Any]:
    return {"filename": name, "sha256": digit * 64, "size": size}


ITEMS = [
    {"ecosystem": "npm", "name": "@acme/demo", "version": "1.0.0-rc.1", "files": [file("n", "1")]},
    {"ecosystem": "npm", "name": "@acme/demo", "version": "1.0.0+build"},
    {"ecosystem": "cargo", "name": "Demo_App", "version": "0.1.0", "metadata": {"a": [1, "é"]}},
    {"ecosystem": "deb", "name": "demo", "version": "1:2.0~rc1-3", "variant": "amd64"},
    {"ecosystem": "deb", "name": "demo", "version": "1:2.0-1", "variant": "arm64"},
    {"ecosystem": "generic", "name": "demo", "version": "v1.2.3-beta"},
    {"ecosystem": "generic", "name": "demo", "version": "nightly-2024.01"},
    {"ecosystem": "pypi", "name": "demo_app", "version": "2.0RC1", "files": [file("d-2.whl", "2")]},
    {"ecosystem": "pypi", "name": "other", "version": "1!1.0.post2.dev3+local.7"},
]

TOUR = [
    Call("create_repository", REPOSITORY | {"p_request_key": "key 0"}, "created"),
    Call("create_repository", NAMESPACE | {"p_repository": "spare"}, "created"),
    Call("alter_repository", REPOSITORY | {"p_policy": {"lookalike_guard": True}}, "altered"),
    Call(
        "rename_repository",
        NAMESPACE | {"p_repository": "spare", "p_new_name": "second"},
        "renamed",
    ),
    Call("reserve_name", REPOSITORY | {"p_ecosystem": "pypi", "p_name": "Brand"}, "reserved"),
    Call("release_name", REPOSITORY | {"p_ecosystem": "pypi", "p_name": "brand"}, "released"),
    Call("publish", PACKAGE | {"p_version": "1.0", "p_files": [file("d-1.0.whl")]}, "created"),
    Call(
        "publish",
        VERSION | {"p_files": [file("d-1.1.whl", "b")], "p_request_key": "key 1"},
        "created",
    ),
    Call("publish_many", REPOSITORY | {"p_items": ITEMS}, "created"),
    Call("add_files", VERSION | {"p_files": [file("d-1.1.whl.asc", "c", 7)]}, "files_added"),
    Call("yank", VERSION | {"p_reason": "broken", "p_actor": "Jo"}, "yanked"),
    Call("unyank", VERSION, "unyanked"),
    Call("deprecate", VERSION | {"p_message": "use 2"}, "deprecated"),
    Call("quarantine", VERSION | {"p_reason": "virus?"}, "quarantined"),
    Call("release_quarantine", VERSION, "released"),
    Call("set_tag", VERSION | {"p_tag": "stable"}, "tagged"),
    Call("drop_tag", PACKAGE | {"p_tag": "stable"}, "tag_dropped"),
    Call("delete_file", VERSION | {"p_filename": "d-1.1.whl.asc"}, "file_deleted"),
    Call("delete_version", VERSION, "deleted"),
    Call("restore_version", VERSION, "restored"),
    Call("resolve", PACKAGE | {"p_want": "latest"}),
    Call("versions", PACKAGE),
    Call("version_key", {"p_ecosystem": "deb", "p_version": "1:2.0~rc1-3"}),
    Call("normalize_version", {"p_ecosystem": "pypi", "p_version": "v1.0-RC1"}),
    Call("normalize_name", {"p_ecosystem": "pypi", "p_name": "Demo..App"}),
    Call("is_prerelease", {"p_ecosystem": "npm", "p_version": "1.0.0-x"}),
    Call("alter_repository", REPOSITORY | {"p_policy": {"keep_versions": 1}}, "altered"),
    Call("apply_retention", REPOSITORY),
    Call("purge", NAMESPACE),
    Call("expire_publications", NAMESPACE),
    Call("repair_latest", PACKAGE, "unchanged"),
    # Some id that there is, also where each call before was first made and rolled back.
    Call("upgrade_scheme", NAMESPACE | {"p_registration_id": 4}, "unchanged"),
    Call("check_integrity", NAMESPACE),
    Call("drop_repository", NAMESPACE | {"p_repository": "second"}, "dropped"),
]
READING = {
    *("resolve", "versions", "version_key", "normalize_version", "normalize_name"),
    *("is_prerelease", "check_integrity"),
}
# What these would do here is nothing, so a test that wants them to write makes them something.
MAKE_WORK = {
    "expire_publications": """
        insert into pkgdb.package_version
            (namespace, registration_id, scheme, version, status, lease_until, created_at)
        select namespace, registration_id, scheme, '99', 'processing', now() - interval '1 day',
               now()
          from pkgdb.registration where scheme = 'pep440' and normalized_name = 'demo-app'""",
    "repair_latest": """
        update pkgdb.registration set version_count = 99
         where scheme = 'pep440' and normalized_name = 'demo-app'""",
    "upgrade_scheme": """
        update pkgdb.ecosystem
           set scheme = case scheme when 'natural' then 'debian' else 'natural' end""",
}


def perform(
    connection: psycopg.Connection[Any], function: str, arguments: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """`select * from pkgdb.function(...)`, every argument by name."""
    statement = sql.SQL("select * from pkgdb.{}({})").format(
        sql.Identifier(function),
        sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder())
            for name in arguments
        ),
    )
    values = [
        Jsonb(v) if isinstance(v, dict | list) else list(v) if isinstance(v, tuple) else v
        for v in arguments.values()
    ]
    return connection.execute(statement, values).fetchall()


def refusal(
    connection: psycopg.Connection[Any], function: str, arguments: Mapping[str, Any]
) -> str | None:
    """The SQLSTATE that the call ends with, None where it succeeds."""
    try:
        perform(connection, function, arguments)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def walk(
    connection: psycopg.Connection[Any], calls: Iterable[Call] = TOUR
) -> list[list[tuple[Any, ...]]]:
    """Make the calls; return their answers."""
    answers = []
    for call in calls:
        rows = perform(connection, call.function, call.arguments)
        if call.outcome is not None:
            assert all(call.outcome in row for row in rows), (call, rows)
        answers.append(rows)
    return answers
