"""GitLab, Cargo packages in 18.5: a second unique index, in another table, forgot the condition on
the status: the same bug as #351795, three and a half years later. Right: every unique index and
every statement leaves ghosts out, or stands in a table here with the reason why not."""

import re

import psycopg
import pytest

from tests.incidents.support import Call, Package, Session, World, call, content

ID = "an id, given once"
REFERENCE = "reference data, without states"

INDEXES_WITH_GHOSTS = {
    "alembic_version_pkc": "the migration tool's own",
    "backend_name_key": "a name is not free before the store is empty",
    "backend_pkey": ID,
    "blob_copy_pkey": ID,
    "blob_pkey": "bytes have no state: rows need them or not",
    "consumer_pkey": "a consumer has no state",
    "dependency_pkey": "what a version says goes with its row",
    "distribution_component_pkey": "a component goes when its distribution is switched or dropped",
    "distribution_name_key": "a distribution has no state",
    "distribution_pkey": ID,
    "ecosystem_pkey": REFERENCE,
    "feed_event_event_key": ID,
    "feed_event_pkey": "a position, given once",
    "feed_head_pkey": "a feed has no state",
    "feed_incarnation_incarnation_key": ID,
    "feed_incarnation_pkey": ID,
    "file_pkey": ID,
    "mirror_file_pkey": "what an update has staged goes when it ends",
    "mirror_item_pkey": "what an update has staged goes when it ends",
    "mirror_pkey": "how far a mirror has got goes with its repository",
    "mirror_update_pkey": ID,
    "mirror_version_pkey": "what a version was when it came in goes with its row",
    "namespace_pkey": "a namespace has no state",
    "outbox_pkey": ID,
    "package_version_pkey": ID,
    "protection_pkey": "what the schema was installed with",
    "publication_pkey": ID,
    "registration_lookalike_key": "given up when the repository is dropped",
    "registration_name_key": "moved to the repository's own scope when it is dropped; a name"
    " without versions stays claimed on purpose",
    "registration_pkey": ID,
    "registration_scheme_key": ID,
    "repository_backend_pkey": "a repository that is dropped uses its backends until it is purged",
    "repository_pkey": ID,
    "request_pkey": "an answer stands even if the version was deleted since",
    "snapshot_member_pkey": "a snapshot has no state, and its members stay in it",
    "snapshot_name_key": "a snapshot has no state",
    "snapshot_pkey": ID,
    "snapshot_source_pkey": "a snapshot has no state",
    "tag_pkey": "tags are deleted with their version",
    "tombstone_pkey": "what was deleted is what it is about",
    "validation_pkey": "a result stands, whatever became of its publication",
    "version_scheme_pkey": REFERENCE,
}

FOUND = "the row of an id that was found live under the lock"
POINTER = "the row of a latest pointer, which only a live row has"
GHOSTS = "ghosts are what it is about"
IN_USE = "a backend that a repository uses is live"
FROZEN = "a snapshot keeps what it contains, whatever became of it since"
ANSWER = "the state is looked at under the lock, and decides the answer"

STATEMENTS_WITH_GHOSTS = {
    ("add_backend", "backend"): "the name of a retired one is taken, until its store is empty",
    ("adopt_backend", "backend"): "retired ones are emptied as well",
    ("alter_repository", "repository"): FOUND,
    ("announce_copies", "backend"): IN_USE,
    ("announce_filling", "backend"): IN_USE,
    ("backends", "backend"): "the operator's list: retired ones until nothing is left on them",
    ("bury_members", "package_version"): FOUND,
    ("check_clashes", "file"): FROZEN,
    ("check_clashes", "package_version"): FROZEN,
    ("check_installation", "backend"): "retired ones are emptied as well",
    ("check_integrity", "blob_copy"): GHOSTS,
    ("check_integrity", "file"): GHOSTS,
    ("check_integrity", "package_version"): GHOSTS,
    ("check_integrity", "repository"): GHOSTS,
    ("claim_copies", "backend"): FOUND,
    ("claim_copies", "blob_copy"): FOUND,
    ("collect_blobs", "backend"): "retired ones are emptied as well",
    ("collect_blobs", "blob_copy"): GHOSTS,
    ("collect_blobs", "file"): "a ghost has its bytes until it is purged: it may be restored",
    ("commit_publication", "file"): "the files of a publication: it is open, so they are live",
    ("commit_publication", "package_version"): FOUND,
    ("confirm_blob_deleted", "blob_copy"): GHOSTS,
    ("confirm_blob_deleted", "file"): "a ghost has its bytes until it is purged",
    ("create_snapshot", "repository"): FOUND,
    ("dead_letters", "backend"): "what is left to be deleted on a retired one is listed too",
    ("delete_file", "file"): FOUND,
    ("deprecate", "package_version"): FOUND,
    ("describe_members", "file"): FROZEN,
    ("describe_members", "package_version"): FROZEN,
    ("describe_members", "repository"): "a snapshot keeps what it has of a dropped repository",
    ("diff_snapshots", "file"): FROZEN,
    ("diff_snapshots", "package_version"): FROZEN,
    ("drop_repository", "repository"): FOUND,
    ("drop_tag", "package_version"): "the row of a tag, which only a live row has",
    ("end_publication", "file"): "the files of a publication: it is open, so they are live",
    ("files", "package_version"): "found by its key first, and looked at then",
    ("forget_unpublished", "file"): GHOSTS,
    ("forget_unpublished", "package_version"): GHOSTS,
    ("highest_members", "package_version"): FROZEN,
    ("is_last_copy", "file"): "a ghost has its bytes until it is purged: it may be restored",
    (
        "keep_overlay",
        "package_version",
    ): "those that upstream has just replaced are what it is about",
    ("lock_copy", "blob_copy"): ANSWER,
    ("lock_publication", "repository"): "that of a registration; dropping it ends publications",
    ("lock_task", "backend"): "retired ones are emptied as well",
    ("lock_task", "blob_copy"): ANSWER,
    ("lock_update", "repository"): "that of an open update; dropping it ends the update",
    ("lock_waits", "repository"): "locks of dropped repositories have names too",
    ("match_members", "package_version"): FROZEN,
    ("member_changes", "package_version"): FROZEN,
    ("member_digests", "file"): FROZEN,
    ("member_digests", "package_version"): FROZEN,
    ("member_graph", "package_version"): FROZEN,
    ("member_variants", "package_version"): FROZEN,
    ("members_of", "package_version"): FROZEN,
    ("missing_copies", "backend"): IN_USE,
    ("outdated_registrations", "repository"): "what a dropped repository left has to move too",
    ("promote_backends", "repository"): FOUND,
    ("publication_digests", "file"): "the files of a publication: it is open, so they are live",
    ("publications", "repository"): "what was published in a dropped one is history",
    ("purge", "blob_copy"): "any copy keeps the row of its backend",
    ("purge", "file"): GHOSTS,
    ("purge", "package_version"): GHOSTS,
    ("purge_dropped", "package_version"): GHOSTS,
    ("purge_dropped", "repository"): GHOSTS,
    ("quarantine", "package_version"): FOUND,
    ("quarantine_publication", "package_version"): FOUND,
    ("read_copies", "file"): FROZEN,
    ("read_copies", "package_version"): FROZEN,
    ("record_copy_failure", "blob_copy"): ANSWER,
    ("record_present", "blob_copy"): ANSWER,
    ("registrations", "package_version"): POINTER,
    ("release_quarantine", "package_version"): FOUND,
    ("rename_repository", "repository"): FOUND,
    ("replace_members", "package_version"): FROZEN,
    ("repository_backends", "backend"): IN_USE,
    ("resolve", "package_version"): POINTER,
    ("restore_version", "file"): GHOSTS,
    ("retire_backend", "backend"): "one that is retired can still be abandoned",
    ("retire_backend", "blob_copy"): "all that is on it",
    ("retire_backend", "file"): "a ghost has its bytes until it is purged: it may be restored",
    ("retire_backend", "repository"): "a dropped one uses its backends until it is purged",
    ("snapshot_members", "package_version"): FROZEN,
    ("snapshot_rows", "package_version"): FROZEN,
    ("source_members", "repository"): "one that a distribution serves is not dropped",
    ("source_rows", "package_version"): FROZEN,
    ("touch_repository", "repository"): FOUND,
    ("unyank", "package_version"): FOUND,
    ("upgrade_scheme", "package_version"): "ghosts have to move too",
    ("verify_copy", "blob_copy"): ANSWER,
    ("verify_snapshot", "package_version"): FROZEN,
    ("versions", "package_version"): "a page that ended at a version deleted since goes on there",
    ("yank", "package_version"): FOUND,
}

RELATION = (
    r"\b(?:from|join|update|using)\s+\(*pkgdb\."
    r"(package_version|file|repository|backend|blob_copy)\s+(\w+)"
)


def indexes_with_ghosts(db: psycopg.Connection) -> set[str]:
    """Unique indexes without a condition that names live states."""
    indexes = db.execute(
        """
        select c.relname::text, pg_get_expr(i.indpred, i.indrelid)
          from pg_index i
          join pg_class c on c.oid = i.indexrelid
         where c.relnamespace = 'pkgdb'::regnamespace and i.indisunique
        """
    )
    return {
        name
        for name, condition in indexes
        if not re.search(r"\bstat(us|e)\b\S* = ", condition or "")
        or re.search(
            r"<>|not(?! null)|failed|pending_destruction|dropped", condition, re.IGNORECASE
        )
    }


def statements_with_ghosts(db: psycopg.Connection) -> set[tuple[str, str]]:
    """Functions and views with a statement that reads or changes a table that has ghosts, without
    any condition on the state of the row."""
    bodies = db.execute(
        """
        select proname::text, coalesce(pg_get_function_sqlbody(oid), prosrc)
          from pg_proc where pronamespace = 'pkgdb'::regnamespace
        union all
        select relname::text, pg_get_viewdef(oid)
          from pg_class where relnamespace = 'pkgdb'::regnamespace and relkind = 'v'
        """
    )
    found = set()
    for name, body in bodies:
        for statement in re.sub(r"--.*", "", body).split(";"):
            references = re.findall(RELATION, statement, re.IGNORECASE)
            for relation, alias in references:
                condition = (
                    rf"(?:\b{alias}\.|\b(?:where|and)\s+\(*)(?:status|state)\)*(?:::text)?"
                    r"\s*(?:=|<>|in\b|is\b)"
                )
                conditions = re.findall(condition, statement, re.IGNORECASE)
                if len(conditions) < references.count((relation, alias)):
                    found.add((name, relation))
    return found


def test_every_unique_index(world: World) -> None:
    assert indexes_with_ghosts(world.db) == INDEXES_WITH_GHOSTS.keys()


def test_every_statement(world: World) -> None:
    assert statements_with_ghosts(world.db) == STATEMENTS_WITH_GHOSTS.keys()


@pytest.mark.parametrize(
    ("protection", "index"),
    [
        ("live rows only in the live index", "package_version_live_key"),
        ("live rows only in the file index", "file_live_key"),
    ],
)
def test_an_index_that_forgets_is_found(world: World, protection: str, index: str) -> None:
    world.without(protection)
    assert indexes_with_ghosts(world.db) - INDEXES_WITH_GHOSTS.keys() == {index}


def test_a_statement_that_forgets_is_found(world: World) -> None:
    world.without("ghosts are not found")
    assert statements_with_ghosts(world.db) - STATEMENTS_WITH_GHOSTS.keys() == {
        ("find_version", "package_version")
    }


# The same, seen from outside: beside a ghost, each function answers as if it had never been there.

CLEAN, HAUNTED = Package("pypi", "clean"), Package("pypi", "haunted")
FAILED, DELETED = "2.0", "3.0"
WHEEL = [content("a.whl", "new")]


def calls_about(package: Package, version: str) -> dict[str, Call]:
    named = {"ecosystem": package.ecosystem, "name": package.name, "version": version}
    item = named | {"files": WHEEL}
    wanted = f"{{{package.name} (= {version})}}"
    return {
        "publish": package("publish", version, p_files=WHEEL),
        "publish_many": call("publish_many", "acme", package.repository, [item]),
        "add_files": package("add_files", version, p_files=WHEEL),
        "begin_publication": package("begin_publication", version, p_files=WHEEL),
        "yank": package("yank", version),
        "unyank": package("unyank", version),
        "deprecate": package("deprecate", version, p_message="old"),
        "quarantine": package("quarantine", version),
        "release_quarantine": package("release_quarantine", version),
        "delete_version": package("delete_version", version),
        "restore_version": package("restore_version", version),
        "delete_file": package("delete_file", version, p_filename="a.whl"),
        "set_tag": package("set_tag", version, p_tag="t"),
        "drop_tag": package("drop_tag", "t"),
        "resolve": package("resolve", version),
        "versions": package("versions"),
        "repair_latest": package("repair_latest"),
        "apply_retention": call("apply_retention", "acme", package.repository),
        "expire_publications": call("expire_publications", "acme"),
        "copy_versions": call("copy_versions", "acme", "copies", wanted, package.repository),
        "move_versions": call("move_versions", "acme", "copies", package.repository, wanted),
        "remove_versions": call("remove_versions", "acme", package.repository, wanted),
        "search_versions": call(
            "search_versions", "acme", package.repository, p_query=package.name
        ),
        "create_snapshot": call("create_snapshot", "acme", "new", package.repository, [named]),
    }


OF_REPOSITORIES = {
    "create_repository",
    "alter_repository",
    "rename_repository",
    "drop_repository",
    "reserve_name",
    "release_name",
    "set_repository_backend",
}
OF_PUBLICATIONS = {
    "renew_publication",
    "record_copy",
    "record_validation",
    "commit_publication",
    "abort_publication",
}
OF_BYTES = {
    "add_backend",
    "adopt_backend",
    "retire_backend",
    "promote_backends",
    "claim_copies",
    "verify_copy",
    "record_copy_failure",
    "collect_blobs",
    "confirm_blob_deleted",
    "locate_blob",
}
OF_THE_FEED = {
    "sequence_events",
    "read_events",
    "register_consumer",
    "acknowledge_events",
    "drop_consumer",
    "prune_events",
}
OF_SNAPSHOTS = {
    "merge_snapshots",
    "pull_snapshot",
    "filter_snapshot",
    "rename_snapshot",
    "drop_snapshot",
    "seal_snapshots",
    "diff_snapshots",
    "verify_snapshot",
    "snapshot_digest",
}
OF_DISTRIBUTIONS = {
    "create_distribution",
    "switch_distribution",
    "drop_distribution",
    "distribution_content",
}
OF_MIRRORS = {
    "begin_mirror_update",
    "stage_mirror_items",
    "missing_mirror_copies",
    "record_mirror_copy",
    "commit_mirror_update",
    "abort_mirror_update",
}
NOT_OF_VERSIONS = (
    OF_REPOSITORIES
    | OF_PUBLICATIONS
    | OF_BYTES
    | OF_THE_FEED
    | OF_SNAPSHOTS
    | OF_DISTRIBUTIONS
    | OF_MIRRORS
    | {
        "check_integrity",
        "purge",
        "upgrade_scheme",
        "is_prerelease",
        "normalize_name",
        "normalize_version",
        "version_key",
    }
)


def haunt(world: World) -> None:
    world.repository(reuse="always", keep_versions=1)
    world.repository("copies", name_scope="repository")
    world.given(
        CLEAN("publish", "1.0"),
        HAUNTED("publish", DELETED, p_files=[content("a.whl", "old")]),
        HAUNTED("delete_version", DELETED),
        HAUNTED("publish", "1.0"),
        HAUNTED("begin_publication", FAILED, p_files=WHEEL),
        call("abort_publication", "acme", 1, 1),
    )


def seen(session: Session, package: Package, function: str, version: str) -> list[object]:
    """The answer, and what a reader then finds. Nothing of it stays."""
    session.begin()
    found: list[object] = [session.do(calls_about(package, version)[function])]
    if not str(found[0]).startswith("RG"):
        found += [session.do(package("versions")), session.do(package("resolve", "latest"))]
        found += session.connection.execute(
            "select version, filename, sha256 from pkgdb.files where name = %s", [package.name]
        )
    session.rollback()
    return found


def test_every_public_function_is_here(world: World) -> None:
    public = world.db.execute(
        """
        select proname::text from pg_proc
         where pronamespace = 'pkgdb'::regnamespace and prosecdef
           and has_function_privilege('pkgdb_operator', oid, 'execute')
        """
    )
    assert {name for (name,) in public} == calls_about(CLEAN, FAILED).keys() | NOT_OF_VERSIONS


@pytest.mark.parametrize("version", [FAILED, DELETED], ids=["failed", "deleted"])
def test_no_function_sees_a_ghost(world: World, version: str) -> None:
    haunt(world)
    session = world.session()
    different = {}
    for function in calls_about(CLEAN, version):
        haunted, clean = (seen(session, p, function, version) for p in (HAUNTED, CLEAN))
        if haunted != clean:
            different[function] = haunted[0]
    if version == FAILED:
        assert different == {}
    else:  # a repeated delete is a success, and what was deleted can be restored
        assert different == {"delete_version": "unchanged", "restore_version": "restored"}


def test_functions_see_it_without_the_condition(world: World) -> None:
    haunt(world.without("ghosts are not found"))
    session = world.session()
    assert seen(session, HAUNTED, "publish", FAILED) != seen(session, CLEAN, "publish", FAILED)


def calls_in(repository: str) -> dict[str, Call]:
    package = Package("npm", "left-pad", repository)
    place = ("acme", repository)
    return calls_about(package, "1.0.0") | {
        "create_repository": call("create_repository", *place),
        "alter_repository": call("alter_repository", *place, {"reuse": "always"}),
        "rename_repository": call("rename_repository", *place, "new"),
        "drop_repository": call("drop_repository", *place),
        "reserve_name": package("reserve_name"),
        "release_name": package("release_name"),
        "set_repository_backend": call("set_repository_backend", *place, "disk"),
        "purge": call("purge", *place),
        "create_distribution": call(
            *("create_distribution", "acme", "", "stable", "npm"),
            {"main": {"repository": repository}},
        ),
        "begin_mirror_update": call("begin_mirror_update", *place),
    }


def test_no_function_sees_a_dropped_repository(world: World) -> None:
    world.repository("dropped")
    world.given(
        Package("npm", "left-pad", "dropped")("publish", "1.0.0"),
        call("drop_repository", "acme", "dropped"),
    )
    world.repository()
    world.repository("copies", name_scope="repository")
    session = world.session()
    answers: dict[str, dict[str, str]] = {"dropped": {}, "never": {}}
    for repository, answered in answers.items():
        for function, each in calls_in(repository).items():
            session.begin()
            answered[function] = session.do(each)
            session.rollback()
    assert answers["dropped"] == answers["never"]
    assert session.do(Package("npm", "left-pad")("publish", "1.0.0")) == "created"
    assert session.do(call("rename_repository", "acme", "main", "dropped")) == "renamed"
    assert world.violated() == set()
