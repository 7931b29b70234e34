"""Every kind of corruption made by hand is found and named; a history of calls alone is clean."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.permissions.tour import (
    KIT,
    MIRROR,
    NAMESPACE,
    PACKAGE,
    REPOSITORY,
    STABLE,
    TOUR,
    Call,
    copy,
    deb,
    file,
    perform,
    publication,
    update,
    walk,
)

OTHER = {"p_namespace": "other"}
SECOND = REPOSITORY | {"p_repository": "gone"}
HISTORY = [
    *TOUR,
    Call("alter_repository", REPOSITORY | {"p_policy": {"keep_versions": None}}),
    *(
        Call("publish", PACKAGE | {"p_version": version, "p_files": [file(f"{version}.whl")]})
        for version in ("3.0", "3.1", "4.0b1", "5.0")
    ),
    Call("set_tag", PACKAGE | {"p_version": "3.0", "p_tag": "lts"}),
    Call("delete_version", PACKAGE | {"p_version": "3.1"}),
    Call("delete_version", PACKAGE | {"p_version": "5.0"}),
    Call("restore_version", PACKAGE | {"p_version": "5.0"}),
    Call("yank", PACKAGE | {"p_version": "5.0"}),
    Call("reserve_name", PACKAGE | {"p_name": "brand"}),
    Call("create_repository", SECOND),
    Call("publish", SECOND | {"p_ecosystem": "generic", "p_name": "tool", "p_version": "1"}),
    Call("drop_repository", SECOND),
    Call("begin_publication", KIT | {"p_version": "5.0", "p_files": [file("kit-5.0", "5")]}),
    Call("record_copy", publication("5.0") | copy("disk", "5")),
    Call(
        "record_validation",
        NAMESPACE
        | {"p_publication_id": publication("5.0")["p_publication_id"]}
        | {"p_validator": "scan", "p_result": "succeeded"},
    ),
    Call("commit_publication", publication("5.0")),
    Call(
        "create_distribution",
        STABLE
        | {"p_ecosystem": "deb"}
        | {"p_components": {"main": {"snapshot": "two"}, "extra": {"repository": "stage"}}},
    ),
    Call("begin_mirror_update", MIRROR),
    Call("stage_mirror_items", update() | {"p_items": [deb("lib", "4.0", "9")]}),
    Call("create_repository", OTHER | {"p_repository": "main"}),
    Call(
        "publish",
        OTHER
        | {"p_repository": "main", "p_ecosystem": "npm", "p_name": "demo", "p_version": "1.0.0"}
        | {"p_files": [file("demo.tgz")]},
    ),
    Call("create_repository", OTHER | {"p_repository": "up", "p_kind": "mirror"}),
]


@pytest.fixture(scope="module")
def rich(new_database: Callable[..., str], template: str) -> Iterator[psycopg.Connection[Any]]:
    """A database with a rich history, which only functions made. Tests undo what they do."""
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        walk(connection, HISTORY)
        yield connection


def check(connection: psycopg.Connection[Any], namespace: str | None = None) -> list[Any]:
    return connection.execute("select * from pkgdb.check_integrity(%s)", [namespace]).fetchall()


@dataclass(frozen=True)
class Corruption:
    by_hand: str
    promise: str
    relation: str
    detail: str  # a regular expression


ONE, LATEST, IDENTITY = "one live version", "latest is right", "identity and order"
GHOSTS, REFERENCES, FEED, PROTECTIONS = "ghosts and epochs", "references", "feed", "protections"
PUBLISHED, STORED = "published means published", "stored bytes"
SNAPSHOTS, NAMES = "immutable snapshots", "unique names"
COMMIT, SERVED = "one commit", "served content"

DEMO = "(select registration_id from pkgdb.registration where name = 'Demo.App')"
OF_KIT = "registration_id = (select registration_id from pkgdb.registration where name = 'kit')"
BYTES = "decode(repeat('d', 64), 'hex')"  # of what is published and on the disk
NO_CHECKS = "set local session_replication_role = replica;"
COPY_VERSION = """
    insert into pkgdb.package_version
        (namespace, registration_id, scheme, version, variant, status, added_epoch, created_at,
         published_at)
    select namespace, registration_id, scheme, {version}, variant, status, added_epoch, created_at,
           published_at
      from pkgdb.package_version where version = '3.0' and scheme = 'pep440';"""


def drop(table: str, *constraints: str) -> str:
    return "".join(
        f"alter table pkgdb.{table} drop constraint {table}_{name};" for name in constraints
    )


def version(change: str, which: str = "3.0") -> str:
    return (
        f"update pkgdb.package_version set {change}"
        f" where version = '{which}' and registration_id = {DEMO};"
    )


def kit(change: str, which: str) -> str:
    return f"update pkgdb.package_version set {change} where version = '{which}' and {OF_KIT};"


def kit_copy(change: str) -> str:
    return f"update pkgdb.blob_copy set {change} where sha256 = {BYTES};"


def registration(change: str, which: str = "Demo.App") -> str:
    return f"update pkgdb.registration set {change} where name = '{which}';"


CORRUPTIONS = {
    "two live rows of one version": Corruption(
        "drop index pkgdb.package_version_live_key;" + COPY_VERSION.format(version="'v3'"),
        *(ONE, "package_version", "^2 live rows"),
    ),
    "two live files of one name": Corruption(
        """drop index pkgdb.file_live_key;
        insert into pkgdb.file
            (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
             status, added_epoch, created_at)
        select namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
               status, added_epoch, created_at
          from pkgdb.file where filename = '3.0.whl'""",
        *(ONE, "file", "^2 live rows"),
    ),
    "two claims of one name": Corruption(
        drop("registration", "name_key") + registration("normalized_name = 'demo-app'", "other"),
        *(ONE, "registration", "^2 rows claim the name"),
    ),
    "two claims of one look": Corruption(
        "drop index pkgdb.registration_lookalike_key;"
        + registration("lookalike_key = 'dem0app'", "other"),
        *(ONE, "registration", "^2 rows claim the look-alike key"),
    ),
    "two repositories of one name": Corruption(
        "drop index pkgdb.repository_name_key; update pkgdb.repository set name = 'main'",
        *(ONE, "repository", "^2 live rows"),
    ),
    "latest at an older version": Corruption(
        registration(
            "latest_version_id = (select min(version_id) from pkgdb.package_version v"
            f" where status = 'available' and registration_id = {DEMO})"
        ),
        *(LATEST, "registration", r"^latest_version_id is \d+, should be \d+"),
    ),
    "latest null": Corruption(
        registration("latest_version_id = null"),
        *(LATEST, "registration", r"^latest_version_id is null, should be \d+"),
    ),
    "latest stable null": Corruption(
        registration("latest_stable_version_id = null"),
        *(LATEST, "registration", r"^latest_stable_version_id is null"),
    ),
    "latest stable at a prerelease": Corruption(
        registration("latest_stable_version_id = latest_version_id"),
        *(LATEST, "registration", r"^latest_stable_version_id is \d+, should be \d+"),
    ),
    "latest at a ghost": Corruption(
        registration(
            "latest_version_id = (select max(version_id) from pkgdb.package_version"
            f" where status = 'pending_destruction' and registration_id = {DEMO})"
        ),
        *(LATEST, "registration", r"^latest_version_id is"),
    ),
    "latest at nothing": Corruption(
        NO_CHECKS + registration("latest_version_id = 999999"),
        *(LATEST, "registration", r"^latest_version_id is 999999"),
    ),
    "a yanked version as latest": Corruption(
        version("listed = true, yank_reason = null", "5.0"),
        *(LATEST, "registration", r"^latest_version_id is"),
    ),
    "version counter": Corruption(
        registration("version_count = version_count + 1"),
        *(LATEST, "registration", r"^counters are 6 versions, .* should be 5,"),
    ),
    "file counter": Corruption(
        registration("file_count = 0"), LATEST, "registration", r"^counters are"
    ),
    "byte counter": Corruption(
        registration("byte_count = 7"), LATEST, "registration", r"^counters are .* 7 bytes"
    ),
    "size of a blob": Corruption(
        "update pkgdb.blob set size = size + 1", LATEST, "registration", r"^counters are"
    ),
    "a stale order key": Corruption(
        """create or replace function pkgdb.pep440_key(p_version text) returns bytea
        language sql immutable return '\\xff'::bytea""",
        *(IDENTITY, "package_version", "stale"),
    ),
    "a stale normal form of a version": Corruption(
        """create or replace function pkgdb.pep440_normalize(p_version text) returns text
        language sql immutable return p_version || '.x'""",
        *(IDENTITY, "package_version", "'3.0' is stale"),
    ),
    "a stale prerelease": Corruption(
        """create or replace function pkgdb.pep440_is_prerelease(p_version text) returns boolean
        language sql immutable return true""",
        *(IDENTITY, "package_version", "stale"),
    ),
    "a version of another scheme": Corruption(
        NO_CHECKS + version("scheme = 'debian'"),
        *(IDENTITY, "package_version", "^scheme is debian, its registration's is pep440"),
    ),
    "a registration of another scheme": Corruption(
        NO_CHECKS
        + registration("scheme = 'debian'")
        + f"update pkgdb.package_version set scheme = 'debian' where registration_id = {DEMO}",
        *(IDENTITY, "registration", "^scheme is debian, the ecosystem's is pep440"),
    ),
    "a stale normal form of a name": Corruption(
        registration("normalized_name = 'Demo.App'"),
        *(IDENTITY, "registration", "^normalised name 'Demo.App' is stale"),
    ),
    "a name in another scope": Corruption(
        registration("scope_id = 0"),
        *(IDENTITY, "registration", "claimed in another scope"),
    ),
    "a name that a dropped repository still claims": Corruption(
        registration("scope_id = 0", "tool"),
        *(IDENTITY, "registration", "claimed in another scope"),
    ),
    "a missing look-alike key": Corruption(
        registration("lookalike_key = null"),
        *(IDENTITY, "registration", "nobody holds the look-alike key"),
    ),
    "a stale look-alike key": Corruption(
        registration("lookalike_key = 'demo'"),
        *(IDENTITY, "registration", "^look-alike key 'demo' is stale"),
    ),
    "a look-alike key without a guard": Corruption(
        "update pkgdb.repository set lookalike_guard = false",
        *(IDENTITY, "registration", "^the guard is off"),
    ),
    "a reserved name with versions": Corruption(
        drop("registration", "reserved_check") + registration("status = 'reserved'"),
        *(IDENTITY, "registration", "^a reserved name has versions"),
    ),
    "published without an epoch": Corruption(
        drop("package_version", "added_check") + version("added_epoch = null"),
        *(GHOSTS, "package_version", "^available without an epoch"),
    ),
    "published without a time": Corruption(
        drop("package_version", "added_check") + version("published_at = null"),
        *(GHOSTS, "package_version", "^available without an epoch and time"),
    ),
    "failed, but with an epoch": Corruption(
        drop("package_version", "added_check", "removed_check") + version("status = 'failed'"),
        *(GHOSTS, "package_version", "^failed with an epoch of addition"),
    ),
    "a ghost without an epoch of removal": Corruption(
        drop("package_version", "removed_check") + version("removed_epoch = null", "3.1"),
        *(GHOSTS, "package_version", "^pending_destruction without an epoch of removal"),
    ),
    "a live row with an epoch of removal": Corruption(
        drop("package_version", "removed_check") + version("removed_epoch = 1"),
        *(GHOSTS, "package_version", "^available with an epoch of removal"),
    ),
    "processing, and nobody publishes it": Corruption(
        """update pkgdb.publication set status = 'aborted', ended_at = now(), expires_at = now()
            where status = 'open'""",
        *(GHOSTS, "package_version", "^processing without an open publication"),
    ),
    "removed before it was added": Corruption(
        drop("package_version", "removed_check") + version("removed_epoch = 0", "3.1"),
        *(GHOSTS, "package_version", "^removed before it was added"),
    ),
    "an epoch from the future": Corruption(
        version("added_epoch = 99"),
        *(GHOSTS, "package_version", "^an epoch later than the repository's 1"),
    ),
    "a live version in a dropped repository": Corruption(
        "update pkgdb.repository set status = 'dropped', dropped_at = now() where name = 'main'",
        *(GHOSTS, "package_version", "^available in a dropped repository"),
    ),
    "a ghost without a tombstone": Corruption(
        "delete from pkgdb.tombstone where normalized_version = '3.1'",
        *(GHOSTS, "package_version", "^deleted without a tombstone"),
    ),
    "a live file of a ghost": Corruption(
        """update pkgdb.file
              set status = 'available', removed_epoch = null, removed_at = null
            where filename = '3.1.whl'""",
        *(GHOSTS, "file", "^available file of a pending_destruction version"),
    ),
    "an available file of a version that is not": Corruption(
        drop("package_version", "added_check") + version("status = 'processing'"),
        *(GHOSTS, "file", "^available file of a version that is not published"),
    ),
    "a file older than its version": Corruption(
        "update pkgdb.file set added_epoch = 0 where filename = '3.0.whl'",
        *(GHOSTS, "file", "^epochs that do not fit"),
    ),
    "a file name in another scope": Corruption(
        drop("file", "scope_check")
        + "update pkgdb.file set filename_scope_id = 12345 where filename = '3.0.whl'",
        *(GHOSTS, "file", "^name claimed in a scope"),
    ),
    "a publication of what has failed": Corruption(
        kit("status = 'failed', removed_at = now()", "4.0"),
        *(PUBLISHED, "publication", "^open, and its version is failed"),
    ),
    "a publication of nothing": Corruption(
        NO_CHECKS + f"delete from pkgdb.package_version where version = '4.0' and {OF_KIT}",
        *(PUBLISHED, "publication", "^open, and its version is gone"),
    ),
    "committed without a validation": Corruption(
        """update pkgdb.validation set status = 'pending'
            where publication_id = (
                select publication_id from pkgdb.publication where version = '5.0')""",
        *(PUBLISHED, "publication", "^committed without a validation"),
    ),
    "committed, and taken back": Corruption(
        drop("package_version", "added_check")
        + kit("status = 'processing', added_epoch = null, published_at = null", "5.0"),
        *(PUBLISHED, "publication", "^committed, and its version is processing"),
    ),
    "a file on its way in a publication that has ended": Corruption(
        """update pkgdb.file set publication_id = (
                select publication_id from pkgdb.publication where version = '5.0')
            where filename = 'kit-4.0'""",
        *(PUBLISHED, "file", "^processing without an open publication"),
    ),
    "a file on its way to another version": Corruption(
        NO_CHECKS
        + drop("file", "scope_check")
        + f"""update pkgdb.file set version_id = (
                select version_id from pkgdb.package_version where version = '5.0' and {OF_KIT})
            where filename = 'kit-4.0'""",
        *(PUBLISHED, "file", "^processing without an open publication of its version"),
    ),
    "a published file that is still on its way": Corruption(
        drop("file", "publication_check")
        + """update pkgdb.file set publication_id = (
                select publication_id from pkgdb.publication where status = 'open')
            where filename = 'kit-5.0'""",
        *(PUBLISHED, "file", "^processing without"),
    ),
    "published bytes of which there is no copy": Corruption(
        f"delete from pkgdb.blob_copy where sha256 = {BYTES}",
        *(STORED, "blob_copy", "^no copy of published bytes on a required backend"),
    ),
    "lost bytes that nobody is told to bring": Corruption(
        kit_copy("state = 'lost'"),
        *(STORED, "blob_copy", "^no copy of published bytes on a required backend"),
    ),
    "published bytes that never came": Corruption(
        kit_copy("state = 'pending', present_at = null, next_attempt_at = now()"),
        *(STORED, "blob_copy", "^no copy of published bytes on a required backend"),
    ),
    "two live copies": Corruption(
        "drop index pkgdb.blob_copy_live_key;"
        + f"""insert into pkgdb.blob_copy
                (namespace, sha256, backend_id, state, created_at, next_attempt_at)
            select namespace, sha256, backend_id, 'pending', now(), now()
              from pkgdb.blob_copy where sha256 = {BYTES}""",
        *(STORED, "blob_copy", "^2 live copies"),
    ),
    "a copy on no backend": Corruption(
        NO_CHECKS + kit_copy("backend_id = 999999"), STORED, "blob_copy", "^no such backend"
    ),
    "a copy on a retired backend": Corruption(
        "update pkgdb.backend set status = 'retired', retired_at = now()",
        *(STORED, "blob_copy", "^present on a retired backend"),
    ),
    "a deletion that is never due": Corruption(
        "alter table pkgdb.blob_copy drop constraint blob_copy_due_check;"
        + kit_copy("state = 'deleting', next_attempt_at = null"),
        *(STORED, "blob_copy", "^deleting, and never due"),
    ),
    "the last copy, and it goes": Corruption(
        kit_copy("state = 'deleting', next_attempt_at = now()"),
        *(STORED, "blob_copy", "^the last copy of published bytes is to be deleted"),
    ),
    "a copy of no blob": Corruption(
        NO_CHECKS + f"delete from pkgdb.blob where sha256 = {BYTES}",
        *(STORED, "blob_copy", "^no such blob"),
    ),
    "a blob that is forgotten": Corruption(
        """insert into pkgdb.blob (namespace, sha256, size, created_at)
            values ('acme', decode(repeat('00', 32), 'hex'), 1, now())""",
        *(STORED, "blob", "^nothing needs it, and the collector does not know"),
    ),
    "a blob that is forgotten on a backend": Corruption(
        f"""update pkgdb.file set sha256 = (
                select sha256 from pkgdb.blob where size = 100 and sha256 <> {BYTES} limit 1)
            where sha256 = {BYTES}""",
        *(STORED, "blob", "^nothing needs it, and the collector does not know"),
    ),
    "a repository on a retired backend": Corruption(
        "update pkgdb.backend set status = 'retired', retired_at = now()",
        *(STORED, "repository_backend", "^a repository without a live backend"),
    ),
    "a repository on no backend": Corruption(
        NO_CHECKS + "delete from pkgdb.backend",
        *(STORED, "repository_backend", "^a repository without a live backend"),
    ),
    "a snapshot of an epoch that goes on": Corruption(
        "update pkgdb.snapshot set epoch = 99 where name = 'two'",
        *(SNAPSHOTS, "snapshot", "^epoch 99 is not over: the repository is at"),
    ),
    "a snapshot that has lost a member": Corruption(
        "delete from pkgdb.snapshot_member where snapshot_id = "
        "(select snapshot_id from pkgdb.snapshot where name = 'listed')",
        *(SNAPSHOTS, "snapshot", "^0 members, not 1"),
    ),
    "a version that is not as it was frozen": Corruption(
        "update pkgdb.package_version set metadata = '{}' where version = '2.0'",
        *(SNAPSHOTS, "snapshot", "^its listing is not the one that it was sealed with"),
    ),
    "a file that is not as it was frozen": Corruption(
        "update pkgdb.file set media_type = 'other' where filename = 'app_2.0.deb'",
        *(SNAPSHOTS, "snapshot", "^its listing is not the one that it was sealed with"),
    ),
    "a member of another epoch": Corruption(
        "update pkgdb.snapshot_member set epoch = 0",
        *(SNAPSHOTS, "snapshot_member", "^the version did not live at epoch 0"),
    ),
    "two snapshots of one name": Corruption(
        drop("snapshot", "name_key") + "update pkgdb.snapshot set name = 'two'",
        *(NAMES, "snapshot", "^more than one has it"),
    ),
    "two distributions of one name": Corruption(
        drop("distribution", "name_key")
        + """insert into pkgdb.distribution
                (namespace, prefix, name, ecosystem, created_at, updated_at)
            select namespace, prefix, name, ecosystem, now(), now() from pkgdb.distribution""",
        *(NAMES, "distribution", "^more than one has it"),
    ),
    "two updates of one mirror": Corruption(
        "drop index pkgdb.mirror_update_open_key;"
        """insert into pkgdb.mirror_update
            (namespace, repository_id, upstream, actor, login, lease_until, created_at)
        select namespace, repository_id, upstream, actor, login, lease_until, created_at
          from pkgdb.mirror_update where status = 'open'""",
        *(NAMES, "mirror_update", "^more than one has it"),
    ),
    "an update that has ended, and left what it staged": Corruption(
        """update pkgdb.mirror_update
              set status = 'aborted', ended_at = now(), expires_at = now()
            where status = 'open'""",
        *(COMMIT, "mirror_update", "^it has ended, and what it staged is still there"),
    ),
    "an update of what is no mirror": Corruption(
        "update pkgdb.repository set kind = 'hosted', upstream = '{}' where name = 'upstream'",
        *(COMMIT, "mirror_update", "^it is open, and not of a live mirror"),
    ),
    "staged items that nobody counted": Corruption(
        "update pkgdb.mirror_update set staged = 7 where status = 'open'",
        *(COMMIT, "mirror_update", "^it counts 7 staged items, and 1 are there"),
    ),
    "a distribution that serves nothing": Corruption(
        "delete from pkgdb.distribution_component",
        *(SERVED, "distribution", "^it has no components"),
    ),
    "a distribution of a dropped repository": Corruption(
        "update pkgdb.repository set status = 'dropped', dropped_at = now() where name = 'stage'",
        *(SERVED, "distribution_component", "^its distribution, snapshot or live repository"),
    ),
    "a distribution of a snapshot that is not there": Corruption(
        NO_CHECKS + "delete from pkgdb.snapshot where name = 'two'",
        *(SERVED, "distribution_component", "^its distribution, snapshot or live repository"),
    ),
    "a component of no distribution": Corruption(
        NO_CHECKS + "delete from pkgdb.distribution",
        *(SERVED, "distribution_component", "^its distribution, snapshot or live repository"),
    ),
    "a version without its registration": Corruption(
        NO_CHECKS + f"delete from pkgdb.registration where registration_id = {DEMO}",
        *(REFERENCES, "package_version", "^no such registration"),
    ),
    "a registration without its repository": Corruption(
        NO_CHECKS + "delete from pkgdb.repository where name = 'main'",
        *(REFERENCES, "registration", "^no such repository"),
    ),
    "a repository without its namespace": Corruption(
        NO_CHECKS + "delete from pkgdb.namespace", REFERENCES, "repository", "^no such namespace"
    ),
    "a snapshot without its repository": Corruption(
        NO_CHECKS
        + """insert into pkgdb.snapshot (namespace, name, repository_id, epoch, created_at)
            values ('acme', 'daily', 999999, 1, now())""",
        *(REFERENCES, "snapshot", "^no such repository"),
    ),
    "a member of no snapshot": Corruption(
        NO_CHECKS + "delete from pkgdb.snapshot where name = 'listed'",
        *(REFERENCES, "snapshot_member", "^no such snapshot with listed members"),
    ),
    "a snapshot made from nothing": Corruption(
        NO_CHECKS + "delete from pkgdb.snapshot where name = 'two'",
        *(REFERENCES, "snapshot_source", "^no such snapshot"),
    ),
    "dependencies of nothing": Corruption(
        NO_CHECKS + "delete from pkgdb.package_version where version = '2.0'",
        *(REFERENCES, "dependency", "^no such version"),
    ),
    "dependencies of another scheme": Corruption(
        "update pkgdb.dependency set scheme = 'natural'",
        *(REFERENCES, "dependency", "^the scheme is not that of its version"),
    ),
    "a version of what is no mirror": Corruption(
        "update pkgdb.repository set kind = 'hosted', upstream = '{}' where name = 'upstream'",
        *(REFERENCES, "mirror_version", "^no such version of a mirror"),
    ),
    "a file without its version": Corruption(
        NO_CHECKS + f"delete from pkgdb.package_version where registration_id = {DEMO}",
        *(REFERENCES, "file", "^no such version"),
    ),
    "a file without its blob": Corruption(
        NO_CHECKS + "delete from pkgdb.blob", REFERENCES, "file", "^no such blob"
    ),
    "a tag on nothing": Corruption(
        NO_CHECKS + "update pkgdb.tag set version_id = 999999",
        *(REFERENCES, "tag", "^not on a published version"),
    ),
    "a tag on a ghost": Corruption(
        f"""update pkgdb.tag set version_id = (
                select max(version_id) from pkgdb.package_version
                 where status = 'pending_destruction' and registration_id = {DEMO})""",
        *(REFERENCES, "tag", "^not on a published version"),
    ),
    "a tombstone without its registration": Corruption(
        NO_CHECKS + f"delete from pkgdb.registration where registration_id = {DEMO}",
        *(REFERENCES, "tombstone", "^no such registration"),
    ),
    "two events for one revision": Corruption(
        """update pkgdb.outbox set revision = revision - 1
            where event = 'yanked' and version = '5.0'""",
        *(FEED, "outbox", "^2 events for one revision"),
    ),
    "a revision without an event": Corruption(
        registration("revision = revision + 1"),
        *(FEED, "registration", r"^revision \d+, but \d+ events up to revision \d+"),
    ),
    "an event that is lost": Corruption(
        "delete from pkgdb.outbox where event = 'yanked' and version = '5.0'",
        *(FEED, "registration", r"^revision \d+, but \d+ events up to revision \d+"),
    ),
    "no events at all": Corruption(
        "delete from pkgdb.outbox", FEED, "registration", r"^revision \d+, but 0 events"
    ),
    "a repository's revision without an event": Corruption(
        "update pkgdb.repository set revision = revision + 1 where name = 'main'",
        *(FEED, "repository", r"^revision \d+, but \d+ events"),
    ),
    "a snapshot's revision without an event": Corruption(
        "update pkgdb.snapshot set revision = revision + 1 where name = 'two'",
        *(FEED, "snapshot", "^revision 2, but 1 events up to revision 1"),
    ),
    "a distribution's revision without an event": Corruption(
        "update pkgdb.distribution set revision = revision + 1",
        *(FEED, "distribution", "^revision 2, but 1 events up to revision 1"),
    ),
    "an index that is not valid": Corruption(
        """update pg_index set indisvalid = false
            where indexrelid = 'pkgdb.package_version_live_key'::regclass""",
        *(PROTECTIONS, "pg_index", "not valid"),
    ),
    "a unique index that is gone": Corruption(
        "drop index pkgdb.repository_name_key", PROTECTIONS, "unique index", "^is missing"
    ),
    "a unique index that is no longer unique": Corruption(
        """drop index pkgdb.file_live_key;
        create index file_live_key on pkgdb.file (namespace, filename)""",
        *(PROTECTIONS, "unique index", "^is missing"),
    ),
    "a foreign key that is gone": Corruption(
        drop("file", "blob_fkey"), PROTECTIONS, "constraint", "^is missing"
    ),
    "a check that is gone": Corruption(
        drop("file", "role_check"), PROTECTIONS, "constraint", "^is missing"
    ),
    "a primary key that is gone": Corruption(
        drop("tag", "pkey"), PROTECTIONS, "constraint", "^is missing"
    ),
    "a constraint that is not validated": Corruption(
        drop("file", "role_check")
        + """alter table pkgdb.file
            add constraint file_role_check check (role in ('main', 'side')) not valid""",
        *(PROTECTIONS, "pg_constraint", "not validated"),
    ),
}


def test_a_history_of_calls_is_clean(rich: psycopg.Connection[Any]) -> None:
    statuses = rich.execute("select distinct status from pkgdb.package_version").fetchall()
    assert {"available", "pending_destruction"} <= {status for (status,) in statuses}
    assert check(rich) == []
    assert check(rich, "acme") == []
    assert check(rich, "no such namespace") == []


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruption_is_found(rich: psycopg.Connection[Any], kind: str) -> None:
    corruption = CORRUPTIONS[kind]
    with rich.transaction(force_rollback=True):
        rich.execute(corruption.by_hand)
        found = check(rich)
        named = [
            (key, detail)
            for promise, relation, key, detail in found
            if (promise, relation) == (corruption.promise, corruption.relation)
            and re.search(corruption.detail, detail)
        ]
        assert named, found
        assert all(key for key, _ in named)

        # The other tenant is asked about its own rows; protections belong to all.
        hurt = {key["namespace"] for _, _, key, _ in found if "namespace" in key}
        for namespace in ("acme", "other"):
            mine = [row for row in found if row[2].get("namespace", namespace) == namespace]
            assert sorted(check(rich, namespace), key=repr) == sorted(mine, key=repr)
        assert hurt or corruption.promise == PROTECTIONS
    assert check(rich) == []


def test_keys_lead_to_the_row(rich: psycopg.Connection[Any]) -> None:
    """What is reported can be looked up as it stands."""
    with rich.transaction(force_rollback=True):
        rich.execute(registration("version_count = 99"))
        ((_, relation, key, _),) = check(rich)
        where = " and ".join(f"{column} = %({column})s" for column in key)
        row = rich.execute(f"select name from pkgdb.{relation} where {where}", key).fetchone()
        assert row == ("Demo.App",)


def test_there_are_enough_kinds() -> None:
    promises = {corruption.promise for corruption in CORRUPTIONS.values()}
    assert len(promises) == 13
    assert len(CORRUPTIONS) >= 20


REPAIRABLE = [
    kind for kind in CORRUPTIONS if CORRUPTIONS[kind].promise == LATEST and kind != "size of a blob"
]


@pytest.mark.parametrize("kind", REPAIRABLE)
def test_repair_latest(rich: psycopg.Connection[Any], kind: str) -> None:
    with rich.transaction(force_rollback=True):
        rich.execute(CORRUPTIONS[kind].by_hand)
        rich.execute("set local session_replication_role = origin")
        assert check(rich)
        ((_, version_id, revision, outcome),) = perform(
            rich, "repair_latest", PACKAGE | {"p_actor": "Jo"}
        )
        assert outcome == "repaired"
        latest = rich.execute(
            "select latest_version_id, revision from pkgdb.registration where name = 'Demo.App'"
        ).fetchone()
        assert latest == (version_id, revision)
        event = rich.execute("""
            select event, revision, actor from pkgdb.outbox order by event_id desc limit 1
        """).fetchone()
        assert event == ("repaired", revision, "Jo")
        assert check(rich) == []
        ((*_, again),) = perform(rich, "repair_latest", PACKAGE)
        assert again == "unchanged"


def test_repair_latest_after_the_last_version_went(rich: psycopg.Connection[Any]) -> None:
    """A registration without versions left has null pointers and zeros."""
    other = PACKAGE | {"p_name": "empty"}
    with rich.transaction(force_rollback=True):
        perform(rich, "publish", other | {"p_version": "1"})
        perform(rich, "delete_version", other | {"p_version": "1"})
        rich.execute(registration("file_count = 3, byte_count = 5", "empty"))
        assert perform(rich, "repair_latest", other)[0][1:] == (None, 3, "repaired")
        assert check(rich) == []


def test_repair_latest_counts_live_files_of_live_versions(rich: psycopg.Connection[Any]) -> None:
    """Not what was deleted, nor what somebody brought back by hand without its version."""
    with rich.transaction(force_rollback=True):
        perform(rich, "delete_file", PACKAGE | {"p_version": "3.0", "p_filename": "3.0.whl"})
        rich.execute(CORRUPTIONS["a live file of a ghost"].by_hand)
        ((*_, outcome),) = perform(rich, "repair_latest", PACKAGE)
        assert outcome == "unchanged"
        assert [promise for promise, *_ in check(rich)] == [GHOSTS]
