"""Every function that changes something, each with a call of it that succeeds.

The package has 0.1.0, 1.0.0, 2.0.0 (with a tag and a file) and 3.0.0-rc.1; above these, 9.0.0-rc.1
is yanked, 8.0.0 quarantined, 7.0.0 deleted, 6.0.0 being published by someone whose lease has ended
and 5.0.0 by someone who may commit. Another repository keeps its bytes on backends, a third has
10.0.0; there are snapshots, a distribution, and mirrors that are being updated.
"""

from typing import NamedTuple

import psycopg

from tests.incidents.support import Call, Package, World, call, content

LEFT_PAD = Package("npm", "left-pad")
LATEST = ("3.0.0-rc.1", "2.0.0")


class Mutator(NamedTuple):
    call: Call
    outcome: str
    latest: tuple[str | None, str | None] = LATEST


BULK = [{"ecosystem": "npm", "name": "left-pad", "version": "4.0.0"}]
SIGNATURE = content("left-pad.sig", "signature")

# Publications, in the order in which prepare() begins them, and what they are called with.
COMMITTED, READY, UPLOADING = 1, 2, 4
STORED, AWAITED = content("one", "one"), content("two", "two")
UNNEEDED, DELETED = content("three", "three"), content("four", "four")
STORING = [(5, "1", STORED, 3), (6, "4", DELETED, 5), (7, "3", UNNEEDED, 7)]  # what is uploaded
TOOL = Package("generic", "tool", "kept")
UPSTREAM = content("upstream.tgz", "upstream")
BRINGING, BROUGHT = 1, 2  # updates of mirrors
INSTALLATION = "00000000-0000-4000-8000-000000000000"


def copy(blob: dict[str, object], generation: int, backend: str = "disk") -> tuple[object, ...]:
    return "acme", backend, blob["sha256"], generation


def mirrored(version: str, *files: dict[str, object]) -> dict[str, object]:
    return {"ecosystem": "npm", "name": "left-pad", "version": version, "files": list(files)}


# A mutator of a package, and where latest and latest stable stand after it.
OF_PACKAGES = {
    "publish": Mutator(LEFT_PAD("publish", "4.0.0"), "created", ("4.0.0", "4.0.0")),
    "publish_many": Mutator(
        call("publish_many", "acme", "main", BULK), "created", ("4.0.0", "4.0.0")
    ),
    "add_files": Mutator(LEFT_PAD("add_files", "1.0.0", p_files=[SIGNATURE]), "files_added"),
    "commit_publication": Mutator(
        call("commit_publication", "acme", READY, 1), "created", ("5.0.0", "5.0.0")
    ),
    "record_validation": Mutator(
        call("record_validation", "acme", COMMITTED, "scan", "failed", None, 2, p_quarantine=True),
        "quarantined",
        ("3.0.0-rc.1", "1.0.0"),
    ),
    "yank": Mutator(LEFT_PAD("yank", "3.0.0-rc.1"), "yanked", ("2.0.0", "2.0.0")),
    "unyank": Mutator(LEFT_PAD("unyank", "9.0.0-rc.1"), "unyanked", ("9.0.0-rc.1", "2.0.0")),
    "deprecate": Mutator(LEFT_PAD("deprecate", "2.0.0", p_message="old"), "deprecated"),
    "quarantine": Mutator(LEFT_PAD("quarantine", "2.0.0"), "quarantined", ("3.0.0-rc.1", "1.0.0")),
    "release_quarantine": Mutator(
        LEFT_PAD("release_quarantine", "8.0.0"), "released", ("8.0.0", "8.0.0")
    ),
    "delete_version": Mutator(
        LEFT_PAD("delete_version", "2.0.0"), "deleted", ("3.0.0-rc.1", "1.0.0")
    ),
    "restore_version": Mutator(
        LEFT_PAD("restore_version", "7.0.0"), "restored", ("7.0.0", "7.0.0")
    ),
    "delete_file": Mutator(
        LEFT_PAD("delete_file", "2.0.0", p_filename="left-pad.asc"), "file_deleted"
    ),
    "set_tag": Mutator(LEFT_PAD("set_tag", "1.0.0", p_tag="next"), "tagged"),
    "drop_tag": Mutator(LEFT_PAD("drop_tag", "next"), "tag_dropped"),
    "apply_retention": Mutator(call("apply_retention", "acme", "main"), "1"),
    "repair_latest": Mutator(LEFT_PAD("repair_latest"), "unchanged"),
    "copy_versions": Mutator(
        call("copy_versions", "acme", "main", "{left-pad}", "side"),
        "copied",
        ("10.0.0", "10.0.0"),
    ),
    "move_versions": Mutator(
        call("move_versions", "acme", "side", "main", "{left-pad (= 2.0.0)}"),
        "moved",
        ("3.0.0-rc.1", "1.0.0"),
    ),
    "remove_versions": Mutator(
        call("remove_versions", "acme", "main", "{left-pad (= 2.0.0)}"),
        "removed",
        ("3.0.0-rc.1", "1.0.0"),
    ),
}

# The others: of what nobody sees yet, of a name, of a repository, of a namespace.
OF_OTHERS = {
    "begin_publication": Mutator(LEFT_PAD("begin_publication", "4.0.0"), "begun"),
    "renew_publication": Mutator(call("renew_publication", "acme", READY, 1), "renewed"),
    "abort_publication": Mutator(call("abort_publication", "acme", READY, 1), "aborted"),
    "expire_publications": Mutator(call("expire_publications", "acme"), "1"),
    "reserve_name": Mutator(Package("npm", "right-pad")("reserve_name"), "reserved"),
    "release_name": Mutator(Package("npm", "up-pad")("release_name"), "released"),
    "create_repository": Mutator(call("create_repository", "acme", "other"), "created"),
    "alter_repository": Mutator(
        call("alter_repository", "acme", "main", {"reuse": "always"}), "altered"
    ),
    "rename_repository": Mutator(call("rename_repository", "acme", "main", "mane"), "renamed"),
    "drop_repository": Mutator(call("drop_repository", "acme", "main", p_force=True), "dropped"),
    "purge": Mutator(call("purge", "acme"), "1"),
    "upgrade_scheme": Mutator(call("upgrade_scheme", "acme", 1), "unchanged"),
    "add_backend": Mutator(call("add_backend", "acme", "tape", "file:///dev/st0"), "created"),
    "adopt_backend": Mutator(call("adopt_backend", "acme", "disk"), "adopted"),
    "retire_backend": Mutator(call("retire_backend", "acme", "old disk"), "retired"),
    "set_repository_backend": Mutator(
        call("set_repository_backend", "acme", "main", "disk"), "altered"
    ),
    "promote_backends": Mutator(call("promote_backends", "acme"), "1"),
    "record_copy": Mutator(
        call("record_copy", "acme", UPLOADING, 1, *copy(AWAITED, 1)[1:]), "recorded"
    ),
    "claim_copies": Mutator(call("claim_copies", "acme"), "cloud"),
    "verify_copy": Mutator(call("verify_copy", *copy(STORED, 3), None), "lost"),
    "record_copy_failure": Mutator(
        call("record_copy_failure", *copy(DELETED, 5), 1, "refused"), "recorded"
    ),
    "collect_blobs": Mutator(call("collect_blobs", "acme", "disk", INSTALLATION), "disk"),
    "confirm_blob_deleted": Mutator(
        call("confirm_blob_deleted", *copy(DELETED, 5), 1), "postponed"
    ),
    "sequence_events": Mutator(call("sequence_events", "acme"), "35"),  # all that prepare() makes
    "prune_events": Mutator(call("prune_events", "acme"), "0"),
    "register_consumer": Mutator(call("register_consumer", "acme", "indexer"), "registered"),
    "acknowledge_events": Mutator(call("acknowledge_events", "acme", "reader", 0), "unchanged"),
    "drop_consumer": Mutator(call("drop_consumer", "acme", "reader"), "True"),
    "create_snapshot": Mutator(call("create_snapshot", "acme", "new", "main"), "created"),
    "merge_snapshots": Mutator(call("merge_snapshots", "acme", "new", "{one,two}"), "created"),
    "pull_snapshot": Mutator(
        call("pull_snapshot", "acme", "new", "one", "two", "{left-pad}"), "created"
    ),
    "filter_snapshot": Mutator(
        call("filter_snapshot", "acme", "new", "one", "{left-pad}"), "created"
    ),
    "rename_snapshot": Mutator(call("rename_snapshot", "acme", "one", "new"), "renamed"),
    "drop_snapshot": Mutator(call("drop_snapshot", "acme", "one"), "dropped"),
    "seal_snapshots": Mutator(call("seal_snapshots", "acme"), "2"),
    "create_distribution": Mutator(
        call("create_distribution", "acme", "", "edge", "npm", {"main": {"repository": "main"}}),
        "created",
    ),
    "switch_distribution": Mutator(
        call("switch_distribution", "acme", "", "stable", {"main": {"snapshot": "one"}}),
        "switched",
    ),
    "drop_distribution": Mutator(call("drop_distribution", "acme", "", "stable"), "dropped"),
    "begin_mirror_update": Mutator(call("begin_mirror_update", "acme", "idle"), "begun"),
    "stage_mirror_items": Mutator(
        call("stage_mirror_items", "acme", BRINGING, 1, [mirrored("5.0.0")]), "staged"
    ),
    "missing_mirror_copies": Mutator(call("missing_mirror_copies", "acme", BRINGING, 1), "disk"),
    "record_mirror_copy": Mutator(
        call("record_mirror_copy", "acme", BRINGING, 1, *copy(UPSTREAM, 9)[1:]), "recorded"
    ),
    "commit_mirror_update": Mutator(call("commit_mirror_update", "acme", BROUGHT, 1), "committed"),
    "abort_mirror_update": Mutator(call("abort_mirror_update", "acme", BRINGING, 1), "aborted"),
}

ALL = OF_PACKAGES | OF_OTHERS


def prepare(world: World) -> None:
    """The state from which each of them succeeds."""
    world.repository(keep_versions=3)
    for version in ("9.0.0-rc.1", "8.0.0", "7.0.0", "0.1.0", "1.0.0", "2.0.0", "3.0.0-rc.1"):
        world.given(LEFT_PAD("publish", version))
    signed = LEFT_PAD(
        "begin_publication", "2.0.0", p_files=[content("left-pad.asc")], p_role="side"
    )
    world.given(
        LEFT_PAD("yank", "9.0.0-rc.1"),
        LEFT_PAD("quarantine", "8.0.0"),
        LEFT_PAD("delete_version", "7.0.0"),
        signed,
        call("commit_publication", "acme", COMMITTED, 1),
        LEFT_PAD("set_tag", "2.0.0", p_tag="next"),
        LEFT_PAD("set_tag", "9.0.0-rc.1", p_tag="yanked"),
        Package("npm", "up-pad")("reserve_name"),
        LEFT_PAD("begin_publication", "5.0.0"),
        LEFT_PAD("begin_publication", "6.0.0"),
        call("register_consumer", "acme", "reader"),
    )
    world.db.execute(
        "update pkgdb.publication set lease_until = '-infinity' where version = '6.0.0'"
    )
    prepare_storage(world)
    prepare_curation(world)


def prepare_storage(world: World) -> None:
    """`kept`, of whose blobs one is on its way to the disk, one there, and two not needed there any
    more; and `shared`, whose backend is still said to be filling."""
    world.repository("kept")
    world.repository("shared")
    world.given(
        call("add_backend", "acme", "disk", "file:///srv/disk"),
        call("add_backend", "acme", "cloud", "s3://bucket"),
        call("add_backend", "acme", "old disk", "file:///srv/old"),
        call("set_repository_backend", "acme", "kept", "disk"),
        call("set_repository_backend", "acme", "kept", "cloud", "optional"),
        Package("generic", "twin", "shared")("publish", "1", p_files=[STORED]),
        call("set_repository_backend", "acme", "shared", "disk"),
        TOOL("begin_publication", "2", p_files=[AWAITED]),
    )
    for publication, version, blob, generation in STORING:
        world.given(
            TOOL("begin_publication", version, p_files=[blob]),
            call("record_copy", "acme", publication, 1, *copy(blob, generation)[1:]),
            call("commit_publication", "acme", publication, 1),
        )
    world.db.execute(
        "update pkgdb.backend set installation_id = %s where name = 'disk'", [INSTALLATION]
    )
    purge, collect = (
        call("purge", "acme", "kept"),
        call("collect_blobs", "acme", "disk", INSTALLATION),
    )
    world.given(TOOL("delete_version", "4"), purge, collect, TOOL("delete_version", "3"), purge)


def prepare_curation(world: World) -> None:
    """`side` with names of its own; two snapshots, of which a distribution serves the second; and
    three mirrors: one whose update waits for its bytes, one that could commit, and an idle one."""
    world.repository("side", name_scope="repository")
    world.repository("bringing", kind="mirror")
    world.repository("brought", kind="mirror")
    world.repository("idle", kind="mirror")
    world.given(
        Package("npm", "left-pad", "side")("publish", "10.0.0"),
        call("create_snapshot", "acme", "one", "main"),
        call("create_snapshot", "acme", "two", "main"),
        call("create_distribution", "acme", "", "stable", "npm", {"main": {"snapshot": "two"}}),
        call("set_repository_backend", "acme", "bringing", "disk"),
        call("begin_mirror_update", "acme", "bringing"),
        call("stage_mirror_items", "acme", BRINGING, 1, [mirrored("4.0.0", UPSTREAM)]),
        call("missing_mirror_copies", "acme", BRINGING, 1),
        call("begin_mirror_update", "acme", "brought"),
        call("stage_mirror_items", "acme", BROUGHT, 1, [mirrored("4.0.0")]),
    )


def public_mutators(db: psycopg.Connection) -> set[str]:
    """What an application may call and that is not only reading."""
    return {
        name
        for (name,) in db.execute(
            """
            select proname from pg_proc
             where pronamespace = 'pkgdb'::regnamespace and prosecdef and provolatile = 'v'
               and has_function_privilege('pkgdb_operator', oid, 'execute')
            """
        )
    }
