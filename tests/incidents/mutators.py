"""Every function that changes something, each with a call of it that succeeds.

The package has 0.1.0, 1.0.0, 2.0.0 (with a tag and a file) and 3.0.0-rc.1; above these, 9.0.0-rc.1
is yanked, 8.0.0 quarantined, 7.0.0 deleted and 6.0.0 stuck in processing.
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

# A mutator of a package, and where latest and latest stable stand after it.
OF_PACKAGES = {
    "publish": Mutator(LEFT_PAD("publish", "4.0.0"), "created", ("4.0.0", "4.0.0")),
    "publish_many": Mutator(
        call("publish_many", "acme", "main", BULK), "created", ("4.0.0", "4.0.0")
    ),
    "add_files": Mutator(LEFT_PAD("add_files", "1.0.0", p_files=[SIGNATURE]), "files_added"),
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
    "expire_publications": Mutator(call("expire_publications", "acme"), "1"),
    "repair_latest": Mutator(LEFT_PAD("repair_latest"), "unchanged"),
}

# The others: of a name, of a repository, of a namespace.
OF_OTHERS = {
    "reserve_name": Mutator(Package("npm", "right-pad")("reserve_name"), "reserved"),
    "release_name": Mutator(Package("npm", "up-pad")("release_name"), "released"),
    "create_repository": Mutator(call("create_repository", "acme", "other"), "created"),
    "alter_repository": Mutator(
        call("alter_repository", "acme", "main", {"reuse": "always"}), "altered"
    ),
    "rename_repository": Mutator(call("rename_repository", "acme", "main", "mane"), "renamed"),
    "drop_repository": Mutator(call("drop_repository", "acme", "main"), "dropped"),
    "purge": Mutator(call("purge", "acme"), "1"),
    "upgrade_scheme": Mutator(call("upgrade_scheme", "acme", 1), "unchanged"),
}

ALL = OF_PACKAGES | OF_OTHERS


def prepare(world: World) -> None:
    """The state from which each of them succeeds."""
    world.repository(keep_versions=3)
    for version in ("9.0.0-rc.1", "8.0.0", "7.0.0", "0.1.0", "1.0.0", "2.0.0", "3.0.0-rc.1"):
        world.given(LEFT_PAD("publish", version))
    world.given(
        LEFT_PAD("yank", "9.0.0-rc.1"),
        LEFT_PAD("quarantine", "8.0.0"),
        LEFT_PAD("delete_version", "7.0.0"),
        LEFT_PAD("add_files", "2.0.0", p_files=[content("left-pad.asc")]),
        LEFT_PAD("set_tag", "2.0.0", p_tag="next"),
        LEFT_PAD("set_tag", "9.0.0-rc.1", p_tag="yanked"),
        Package("npm", "up-pad")("reserve_name"),
    )
    world.insert_version(LEFT_PAD, "6.0.0", "processing", lease_until="-infinity")


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
