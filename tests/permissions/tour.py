"""One call after another, through every public function: each changes or finds something."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

NAMESPACE = {"p_namespace": "acme"}
REPOSITORY = NAMESPACE | {"p_repository": "main"}
PACKAGE = REPOSITORY | {"p_ecosystem": "pypi", "p_name": "Demo.App"}
VERSION = PACKAGE | {"p_version": "1.1"}
KEPT = NAMESPACE | {"p_repository": "kept"}  # whose bytes are on backends
KIT = KEPT | {"p_ecosystem": "generic", "p_name": "kit"}
POOL = NAMESPACE | {"p_repository": "pool"}  # of packages that depend on one another
STAGE = NAMESPACE | {"p_repository": "stage"}
MIRROR = NAMESPACE | {"p_repository": "upstream"}
STABLE = NAMESPACE | {"p_prefix": "debian", "p_distribution": "stable"}


@dataclass(frozen=True)
class Call:
    function: str
    arguments: Mapping[str, Any]
    outcome: str | None = None


@dataclass(frozen=True)
class Found:
    """An argument that another call has given out: what this query finds before the call."""

    query: str


def file(name: str, digit: str = "a", size: int = 100) -> dict[str, Any]:
    return {"filename": name, "sha256": digit * 64, "size": size}


def publication(version: str) -> dict[str, Any]:
    """The publication of that version of the kit, and the fence of whoever has it."""
    return NAMESPACE | {
        name: Found(f"""
            select {column} from pkgdb.publication p
             where p.version = '{version}' order by publication_id desc limit 1""")
        for name, column in [("p_publication_id", "publication_id"), ("p_fence", "fence")]
    }


def copy(backend: str, digit: str) -> dict[str, Any]:
    """The newest copy of those bytes on a backend."""
    generation = f"""
        select max(c.generation) from pkgdb.blob_copy c
          join pkgdb.backend b using (namespace, backend_id)
         where b.name = '{backend}' and c.sha256 = decode(repeat('{digit}', 64), 'hex')"""
    return {"p_backend": backend, "p_sha256": digit * 64, "p_generation": Found(generation)}


def store(backend: str) -> dict[str, Any]:
    """A backend, and the id that its store says it has."""
    installation = f"select installation_id from pkgdb.backend where name = '{backend}'"
    return {"p_backend": backend, "p_installation_id": Found(installation)}


def update() -> dict[str, Any]:
    """The newest update of a mirror, and the fence of whoever has it."""
    return NAMESPACE | {
        f"p_{column}": Found(
            f"select {column} from pkgdb.mirror_update order by update_id desc limit 1"
        )
        for column in ("update_id", "fence")
    }


def snapshot(name: str) -> dict[str, Any]:
    return NAMESPACE | {"p_snapshot": name}


def deb(name: str, version: str, digit: str, *needs: str) -> dict[str, Any]:
    """A package for amd64 that depends on others, of that version or a later one."""
    return {
        **{"ecosystem": "deb", "name": name, "version": version, "variant": "amd64"},
        "metadata": {"Section": "utils", "Priority": "optional"},
        "files": [file(f"{name}_{version}.deb", digit) | {"attributes": {"path": f"pool/{name}"}}],
        "dependencies": [
            {
                "kind": "depends",
                "alternatives": [{"name": need, "constraints": [[">=", version]]}, {"name": "any"}],
            }
            for need in needs
        ],
    }


IDENTITY = ("ecosystem", "name", "version", "variant")
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
    # A package whose bytes are nowhere, then on one backend, and another on its way to two.
    Call("create_repository", KEPT, "created"),
    Call("publish", KIT | {"p_version": "1.0", "p_files": [file("kit-1.0", "d")]}, "created"),
    Call("add_backend", NAMESPACE | {"p_backend": "disk", "p_url": "file:///srv/disk"}, "created"),
    Call("add_backend", NAMESPACE | {"p_backend": "cloud", "p_url": "s3://b/prefix"}, "created"),
    Call("set_repository_backend", KEPT | {"p_backend": "disk"}, "altered"),
    Call(
        "set_repository_backend",
        KEPT | {"p_backend": "cloud", "p_requirement": "optional"},
        "altered",
    ),
    Call("alter_repository", KEPT | {"p_policy": {"validators": {"scan": "required"}}}, "altered"),
    Call("claim_copies", NAMESPACE),
    Call(
        "begin_publication",
        KIT
        | {"p_version": "2.0", "p_files": [file("kit-2.0", "e")], "p_request_key": "key 2"}
        | {"p_lease": timedelta(hours=1)},
        "begun",
    ),
    Call("renew_publication", publication("2.0"), "renewed"),
    Call("record_copy", publication("2.0") | copy("disk", "e"), "recorded"),
    Call(
        "record_validation",
        {name: found for name, found in publication("2.0").items() if name != "p_fence"}
        | {"p_validator": "scan", "p_result": "succeeded", "p_actor": "scanner"},
        "recorded",
    ),
    Call("commit_publication", publication("2.0"), "created"),
    Call(
        "begin_publication",
        KIT | {"p_version": "3.0", "p_files": [file("kit-3.0", "f")]},
        "begun",
    ),
    # Packages that need one another: frozen, merged, promoted, served.
    Call("create_repository", POOL, "created"),
    Call(
        "publish_many",
        POOL | {"p_items": [deb("app", "1.0", "3", "lib"), deb("lib", "1.0", "4")]},
        "created",
    ),
    Call("create_snapshot", snapshot("empty") | {"p_description": "nothing"}, "created"),
    Call("create_snapshot", POOL | snapshot("one") | {"p_request_key": "key 3"}, "created"),
    Call(
        "publish_many",
        POOL | {"p_items": [deb("app", "2.0", "5", "lib"), deb("lib", "2.0", "6", "gone")]},
        "created",
    ),
    Call(
        "create_snapshot",
        POOL
        | snapshot("listed")
        | {"p_items": [{k: v for k, v in deb("app", "2.0", "5").items() if k in IDENTITY}]},
        "created",
    ),
    Call("create_snapshot", POOL | snapshot("two"), "created"),
    Call(
        "merge_snapshots",
        snapshot("merged") | {"p_sources": ("one", "two"), "p_latest": True},
        "created",
    ),
    Call(
        "filter_snapshot",
        snapshot("filtered") | {"p_source": "one", "p_queries": ("app",), "p_follow": True},
        "created",
    ),
    Call(
        "pull_snapshot",
        snapshot("pulled")
        | {"p_target": "one", "p_source": "two", "p_queries": ("lib (>= 2)", "$Version (1.0)")}
        | {"p_architectures": ("amd64",), "p_no_remove": True},
        "created",
    ),
    Call("rename_snapshot", snapshot("filtered") | {"p_new_name": "slim"}, "renamed"),
    Call("seal_snapshots", NAMESPACE),
    Call("diff_snapshots", NAMESPACE | {"p_left": "one", "p_right": "two"}),
    Call("verify_snapshot", snapshot("two") | {"p_sources": ("one",)}),
    Call("search_versions", snapshot("two") | {"p_query": "Name (~ a.*), $Version (> 1)"}),
    Call("snapshot_digest", snapshot("merged")),
    Call("create_repository", STAGE, "created"),
    Call(
        "copy_versions",
        STAGE | {"p_queries": ("lib", "app (>= 2)"), "p_from_snapshot": "two"},
        "copied",
    ),
    Call(
        "move_versions",
        STAGE | {"p_queries": ("app (= 1.0)",), "p_from_repository": "pool", "p_replace": True},
        "moved",
    ),
    Call("remove_versions", STAGE | {"p_queries": ("lib (<= 1.0)", "no-such")}, "removed"),
    Call(
        "create_distribution",
        STABLE
        | {"p_ecosystem": "deb", "p_components": {"main": {"snapshot": "one"}}}
        | {"p_settings": {"origin": "Acme", "architectures": ["amd64"], "valid_for": 3600}},
        "created",
    ),
    Call(
        "switch_distribution",
        STABLE
        | {"p_components": {"main": {"snapshot": "two"}, "extra": {"repository": "stage"}}}
        | {"p_if_revision": 1},
        "switched",
    ),
    Call("distribution_content", STABLE),
    # A mirror that begins to follow its upstream, gives up, and then gets there.
    Call("create_repository", MIRROR | {"p_kind": "mirror"}, "created"),
    Call("set_repository_backend", MIRROR | {"p_backend": "disk"}, "altered"),
    Call(
        "alter_repository",
        MIRROR
        | {"p_policy": {"upstream": {"url": "http://deb", "filter": "app", "download": True}}},
        "altered",
    ),
    Call("begin_mirror_update", MIRROR | {"p_release": "release 1"}, "begun"),
    Call("abort_mirror_update", update() | {"p_reason": "no network"}, "aborted"),
    Call(
        "begin_mirror_update",
        MIRROR | {"p_release": "release 2", "p_request_key": "key 4"},
        "begun",
    ),
    Call(
        "stage_mirror_items",
        update() | {"p_items": [deb("app", "3.0", "7"), deb("lib", "3.0", "8")]},
        "staged",
    ),
    Call("missing_mirror_copies", update()),
    Call("record_mirror_copy", update() | copy("disk", "7"), "recorded"),
    Call("commit_mirror_update", update(), "committed"),
    Call("register_consumer", NAMESPACE | {"p_consumer": "indexer"}, "registered"),
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
    Call("abort_publication", publication("3.0") | {"p_reason": "no time"}, "aborted"),
    Call("claim_copies", NAMESPACE),
    Call(
        "record_copy_failure",
        NAMESPACE | copy("cloud", "e") | {"p_attempt": 1, "p_error": "no such bucket"},
        "recorded",
    ),
    Call("verify_copy", NAMESPACE | copy("disk", "d") | {"p_found_sha256": "d" * 64}, "present"),
    Call("promote_backends", NAMESPACE),
    Call("delete_version", KIT | {"p_version": "2.0"}, "deleted"),
    Call("purge", NAMESPACE),
    Call("collect_blobs", NAMESPACE | store("disk")),
    Call("confirm_blob_deleted", NAMESPACE | copy("disk", "e") | {"p_attempt": 1}, "postponed"),
    Call(
        "set_repository_backend", KEPT | {"p_backend": "cloud", "p_requirement": "none"}, "altered"
    ),
    Call("locate_blob", NAMESPACE | {"p_sha256": "d" * 64}),
    Call("retire_backend", NAMESPACE | {"p_backend": "cloud"}, "retired"),
    Call("adopt_backend", NAMESPACE | {"p_backend": "disk"}, "adopted"),
    Call(
        "begin_publication",
        KIT | {"p_version": "4.0", "p_files": [file("kit-4.0", "f")]},
        "begun",
    ),
    Call("expire_publications", NAMESPACE),
    Call("sequence_events", NAMESPACE),
    Call("read_events", NAMESPACE | {"p_after": 1, "p_limit": 2}),
    Call(
        "acknowledge_events", NAMESPACE | {"p_consumer": "indexer", "p_position": 2}, "acknowledged"
    ),
    Call("prune_events", NAMESPACE | {"p_keep": timedelta(0)}),
    Call("drop_consumer", NAMESPACE | {"p_consumer": "indexer"}),
    Call("repair_latest", PACKAGE, "unchanged"),
    # Some id that there is, also where each call before was first made and rolled back.
    Call("upgrade_scheme", NAMESPACE | {"p_registration_id": 4}, "unchanged"),
    Call("check_integrity", NAMESPACE),
    Call("drop_distribution", STABLE, "dropped"),
    Call("drop_snapshot", snapshot("one") | {"p_force": True}, "dropped"),
    Call("drop_repository", NAMESPACE | {"p_repository": "second"}, "dropped"),
]
READING = {
    *("diff_snapshots", "verify_snapshot", "search_versions", "snapshot_digest"),
    *("distribution_content",),
    *("resolve", "versions", "version_key", "normalize_version", "normalize_name"),
    *("is_prerelease", "check_integrity", "locate_blob", "read_events"),
}
# What these would do here is nothing, so a test that wants them to write makes them something.
MAKE_WORK = {
    "repair_latest": """
        update pkgdb.registration set version_count = 99
         where scheme = 'pep440' and normalized_name = 'demo-app'""",
    "upgrade_scheme": """
        update pkgdb.ecosystem
           set scheme = case scheme when 'natural' then 'debian' else 'natural' end""",
}


def until(function: str) -> list[Call]:
    """The tour up to its last call of that function."""
    (*_, last) = (place for place, call in enumerate(TOUR) if call.function == function)
    return TOUR[:last]


def known(db: psycopg.Connection[Any], call: Call) -> dict[str, Any]:
    """The arguments of the call; a superuser looks up those that others have given out."""
    return {
        name: (db.execute(value.query).fetchone() or (None,))[0]
        if isinstance(value, Found)
        else value
        for name, value in call.arguments.items()
    }


def sent(value: Any) -> Any:
    """As it is sent: objects and lists are JSON, tuples are arrays of texts."""
    if isinstance(value, dict | list):
        return Jsonb(value)
    return list(value) if isinstance(value, tuple) else value


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
    return connection.execute(statement, [sent(v) for v in arguments.values()]).fetchall()


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
    connection: psycopg.Connection[Any],
    calls: Iterable[Call] = TOUR,
    looking: psycopg.Connection[Any] | None = None,
) -> list[list[tuple[Any, ...]]]:
    """Make the calls; return their answers. `looking`: a superuser's, where this is not fit."""
    answers = []
    for call in calls:
        rows = perform(connection, call.function, known(looking or connection, call))
        if call.outcome is not None:
            assert all(call.outcome in row for row in rows), (call, rows)
        answers.append(rows)
    return answers
