"""The calls that meet each other, and the states in which they meet: one registration, version 2.0.

Everything happens to one version of one package, so that as many pairs as possible get into each
other's way.
"""

from itertools import combinations_with_replacement, product
from typing import Any

from tests.model import Call, call, file

REPOSITORY: dict[str, Any] = {"repository": "repo"}
PACKAGE = REPOSITORY | {"name": "pkg"}
VERSION = PACKAGE | {"version": "2.0"}
POLICY = {"reuse": "same_content", "keep_versions": 1}
MAIN = file("pkg-2.0.tar.gz", size=20)
CONTENT: dict[str, Any] = {"files": [MAIN], "metadata": {"summary": "two"}}

OPERATIONS: dict[str, Call] = {
    "publish": call("publish", **VERSION, **CONTENT),
    "publish other content": call("publish", **VERSION, files=[file("pkg-2.0.tar.gz", "other")]),
    "publish other metadata": call("publish", **VERSION, files=[MAIN], metadata={"summary": "2"}),
    "publish one more file": call("publish", **VERSION, files=[MAIN, file("pkg-2.0.whl")]),
    "publish other version": call("publish", **PACKAGE, version="3.0", files=[file("pkg-3.0.zip")]),
    "publish with a key": call("publish", **VERSION, **CONTENT, request_key="key"),
    "publish a new name": call("publish", **VERSION, **CONTENT, if_revision=0),
    "publish_many": call(
        "publish_many",
        **REPOSITORY,
        items=[
            {"name": "pkg", "version": "4.0", "files": [file("pkg-4.0.tar.gz")]},
            {"name": "pkg", "version": "2.0", **CONTENT},
            {"name": "pkg", "version": "2.0.0", "files": [file("pkg-2.0.tar.gz", "other")]},
        ],
        strict=False,
    ),
    "add_files": call("add_files", **VERSION, files=[file("pkg-2.0.tar.gz.asc")]),
    "yank": call("yank", **VERSION, reason="broken"),
    "unyank": call("unyank", **VERSION),
    "deprecate": call("deprecate", **VERSION, message="use 3.0"),
    "quarantine": call("quarantine", **VERSION, reason="malware?"),
    "release_quarantine": call("release_quarantine", **VERSION),
    "delete_version": call("delete_version", **VERSION),
    "restore_version": call("restore_version", **VERSION),
    "delete_file": call("delete_file", **VERSION, filename="pkg-2.0.tar.gz"),
    "set_tag": call("set_tag", **VERSION, tag="stable"),
    "drop_tag": call("drop_tag", **PACKAGE, tag="stable"),
    "purge": call("purge"),
    "apply_retention": call("apply_retention", **REPOSITORY),
    "alter_repository (reuse)": call("alter_repository", **REPOSITORY, policy={"reuse": "always"}),
    "alter_repository (rules)": call(
        "alter_repository",
        **REPOSITORY,
        policy={"immutable": True, "keep_versions": None, "protected_names": ["P*"]},
    ),
    "rename_repository": call("rename_repository", **REPOSITORY, new_name="renamed"),
    "drop_repository": call("drop_repository", **REPOSITORY),
    "create_repository": call("create_repository", **REPOSITORY, policy=POLICY),
    "create_repository (new name)": call("create_repository", repository="renamed", policy=POLICY),
    "reserve_name": call("reserve_name", **PACKAGE),
    "release_name": call("release_name", **PACKAGE),
    "repair_latest": call("repair_latest", **PACKAGE),
    "expire_publications": call("expire_publications"),
}

CREATED = [call("create_repository", **REPOSITORY, policy=POLICY)]
ABSENT = [
    *CREATED,
    call(
        "publish_many",
        **REPOSITORY,
        items=[
            {"name": "pkg", "version": "1.5b1", "files": [file("pkg-1.5b1.whl")]},
            {"name": "pkg", "version": "1.0", "files": [file("pkg-1.0.tar.gz")]},
        ],
    ),
    call("set_tag", **PACKAGE, version="1.0", tag="stable"),
]
AVAILABLE = [*ABSENT, call("publish", **VERSION, **CONTENT)]

LAPSE = call("lapse")  # every lease ends: no function of the interface

# What 2.0 is when the calls meet. `processing`: a publisher reserved it and crashed.
STATES: dict[str, list[Call]] = {
    "no such name": CREATED,
    "reserved name": [*CREATED, call("reserve_name", **PACKAGE)],
    "absent": ABSENT,
    "processing": [*ABSENT, call("begin_publication", **VERSION), LAPSE],
    "available": AVAILABLE,
    "yanked": [*AVAILABLE, call("yank", **VERSION)],
    "quarantined": [*AVAILABLE, call("quarantine", **VERSION)],
    "deleted": [*AVAILABLE, call("delete_version", **VERSION)],
}

# Two repositories that claim their names for the whole namespace: "pkg" and its look-alike "p.kg".
SHARING = {"name_scope": "namespace", "reuse": "always"}
GUARDED = SHARING | {"lookalike_guard": True}


def named(repository: str, name: str) -> dict[str, Call]:
    """What claims or frees that name in that repository."""
    where = {"repository": repository, "name": name}
    item = {"name": name, "version": "1.0"}
    return {
        f"publish {name} in {repository}": call("publish", **where, version="1.0"),
        f"publish_many {name} in {repository}": call(
            "publish_many", repository=repository, items=[item], strict=False
        ),
        f"reserve {name} in {repository}": call("reserve_name", **where),
        f"release {name} in {repository}": call("release_name", **where),
    }


NAMING: dict[str, Call] = {
    **named("repo", "pkg"),
    **named("other", "pkg"),
    **named("other", "p.kg"),
    "drop repo": call("drop_repository", repository="repo"),
    "guard repo": call("alter_repository", repository="repo", policy={"lookalike_guard": True}),
    "unguard repo": call("alter_repository", repository="repo", policy={"lookalike_guard": False}),
    "unshare repo": call("alter_repository", repository="repo", policy={"name_scope": "ecosystem"}),
}

TWO = [
    call("create_repository", repository="repo", policy=SHARING),
    call("create_repository", repository="other", policy=GUARDED),
]
NAMING_STATES: dict[str, list[Call]] = {
    "two repositories": TWO,
    "pkg in repo": [*TWO, NAMING["publish pkg in repo"]],
    "pkg reserved in repo": [*TWO, NAMING["reserve pkg in repo"]],
    "p.kg in other": [*TWO, NAMING["publish p.kg in other"]],
}

# Publishing in steps. `publication=1` is the first one that was begun when the calls meet.
SIDE = file("pkg-2.0.sig")
FIRST = {"publication": 1, "fence": 1}
FAILED: dict[str, Any] = {"publication": 1, "validator": "scan", "result": "failed"}
PUBLISHING: dict[str, Call] = {
    "begin": call("begin_publication", **VERSION, **CONTENT),
    "begin with a key": call("begin_publication", **VERSION, **CONTENT, request_key="key"),
    "begin other content": call(
        "begin_publication",
        **VERSION,
        **CONTENT | {"files": [file("pkg-2.0.tar.gz", "other")]},
    ),
    "begin other metadata": call("begin_publication", **VERSION, metadata={"summary": "2"}),
    "begin one more file": call(
        "begin_publication", **VERSION, **CONTENT | {"files": [file("pkg-2.0.whl")]}
    ),
    "begin a side file": call("begin_publication", **VERSION, files=[SIDE], role="side"),
    "renew": call("renew_publication", **FIRST),
    "succeed": call("record_validation", **FAILED | {"result": "succeeded"}),
    "fail": call("record_validation", **FAILED),
    "fail later": call("record_validation", **FAILED, round=2, quarantine=True),
    "commit": call("commit_publication", **FIRST),
    "commit the second": call("commit_publication", publication=2, fence=1),
    "commit with fence 2": call("commit_publication", publication=1, fence=2),
    "abort": call("abort_publication", **FIRST),
    "expire": OPERATIONS["expire_publications"],
}
# Which of the other calls meet them: what writes or hides the same rows.
BESIDE_PUBLISHING = [
    *("publish", "publish other content", "publish one more file", "publish_many", "add_files"),
    *("quarantine", "delete_version", "restore_version", "delete_file", "purge"),
    *("apply_retention", "alter_repository (rules)", "drop_repository", "release_name"),
]
BEGUN = PUBLISHING["begin with a key"]
PUBLISHING_STATES: dict[str, list[Call]] = {
    "no such name": CREATED,
    "deleted": STATES["deleted"],
    "begun": [*ABSENT, BEGUN],
    "begun, a new name": [*CREATED, BEGUN],
    "given up": [*ABSENT, BEGUN, LAPSE],
    "given up, a new name": [*CREATED, BEGUN, LAPSE],
    "two begun": [*CREATED, BEGUN, PUBLISHING["begin one more file"]],
    "a side file begun": [*AVAILABLE, PUBLISHING["begin a side file"]],
    "committed": [*ABSENT, BEGUN, PUBLISHING["commit"]],
    "to be validated": [
        *CREATED,
        call("alter_repository", **REPOSITORY, policy={"validators": {"scan": "required"}}),
        BEGUN,
    ],
}

# Bytes: those of the one file, on a disk that the repository requires, and in a cloud.
DISK: dict[str, Any] = {"backend": "disk", "sha256": MAIN["sha256"]}
CLOUD = DISK | {"backend": "cloud"}


def requires(backend: str, requirement: str) -> Call:
    named = {"backend": backend, "requirement": requirement}
    return call("set_repository_backend", **REPOSITORY, **named)


STORING: dict[str, Call] = {
    "begin": PUBLISHING["begin"],
    "publish": OPERATIONS["publish"],
    "record a copy": call("record_copy", **FIRST, **DISK),
    "commit": PUBLISHING["commit"],
    "abort": PUBLISHING["abort"],
    "delete_version": OPERATIONS["delete_version"],
    "restore_version": OPERATIONS["restore_version"],
    "purge": OPERATIONS["purge"],
    "drop_repository": OPERATIONS["drop_repository"],
    "require the cloud": requires("cloud", "required"),
    "do without the disk": requires("disk", "none"),
    "promote_backends": call("promote_backends"),
    "claim_copies": call("claim_copies"),
    "find the bytes": call("verify_copy", **CLOUD, found_sha256=MAIN["sha256"]),
    "find nothing": call("verify_copy", **DISK, found_sha256=None),
    "fail to copy": call("record_copy_failure", **CLOUD, attempt=1, error="refused"),
    "collect_blobs": call("collect_blobs", backend="disk"),
    "confirm": call("confirm_blob_deleted", **DISK, attempt=1),
    "sequence_events": call("sequence_events"),
}
BACKENDS = [
    *CREATED,
    call("add_backend", backend="disk", url="file:///srv/disk"),
    call("add_backend", backend="cloud", url="s3://bucket"),
    requires("disk", "required"),
]
STORED = [*BACKENDS, BEGUN, STORING["record a copy"], STORING["commit"]]
UNNEEDED = [*STORED, STORING["delete_version"], STORING["purge"]]
STORING_STATES: dict[str, list[Call]] = {
    "announced": [*BACKENDS, BEGUN],
    "arrived": [*BACKENDS, BEGUN, STORING["record a copy"]],
    "stored": [*STORED, STORING["sequence_events"]],
    "being copied": [*STORED, requires("cloud", "required"), STORING["claim_copies"]],
    "filled": [
        *STORED,
        requires("cloud", "required"),
        STORING["claim_copies"],
        STORING["find the bytes"],
    ],
    "lost": [*STORED, STORING["find nothing"]],
    "deleted": [*STORED, STORING["delete_version"]],
    "unneeded": UNNEEDED,
    "collected": [*UNNEEDED, STORING["collect_blobs"]],
}

# Snapshots, what is copied, and what is served. Of "repo" there is "old", from before 2.0 lost a
# file, and "new", from after that; "both" was made from them. "other" has another 2.0.
OTHER: dict[str, Any] = {"repository": "other"}
SERVED = {"prefix": "", "distribution": "stable"}
WHEEL = file("pkg-2.0.whl")


def freeze(snapshot: str, repository: str | None = "repo", **rest: Any) -> Call:
    return call("create_snapshot", snapshot=snapshot, repository=repository, **rest)


def serve(function: str, components: dict[str, Any], **rest: Any) -> Call:
    return call(function, **SERVED, components=components, **rest)


CURATING: dict[str, Call] = {
    "freeze": freeze("made"),
    "freeze a list": freeze("made", items=[{"name": "pkg", "version": "2.0"}]),
    "freeze nothing": freeze("made", None),
    "merge": call("merge_snapshots", snapshot="made", sources=["old", "new"]),
    "merge the latest": call(
        "merge_snapshots", snapshot="made", sources=["new", "old"], latest=True
    ),
    "merge all": call("merge_snapshots", snapshot="made", sources=["old", "new"], no_remove=True),
    "pull": call(
        "pull_snapshot", snapshot="made", target="new", source="old", queries=["pkg (>= 2.0)"]
    ),
    "filter": call("filter_snapshot", snapshot="made", source="old", queries=["pkg (<= 1.5)"]),
    "rename": call("rename_snapshot", snapshot="old", new_name="made"),
    "rename to what is there": call("rename_snapshot", snapshot="new", new_name="old"),
    "drop": call("drop_snapshot", snapshot="both"),
    "drop a source": call("drop_snapshot", snapshot="old", force=True),
    "copy": call("copy_versions", **OTHER, queries=["Name"], from_repository="repo"),
    "copy the snapshot": call(
        "copy_versions", **REPOSITORY, queries=["pkg (= 2.0)"], from_snapshot="old", replace=True
    ),
    "move": call(
        "move_versions", **OTHER, from_repository="repo", queries=["pkg (>= 1.2)"], replace=True
    ),
    "move back": call(
        "move_versions", **REPOSITORY, from_repository="other", queries=["Name"], replace=True
    ),
    "remove": call("remove_versions", **REPOSITORY, queries=["pkg (= 2.0)"]),
    "serve": serve("create_distribution", {"main": {"snapshot": "old"}}, ecosystem="pypi"),
    "serve live": serve(
        "create_distribution",
        {"main": {"repository": "repo"}, "extra": {"snapshot": "old"}},
        ecosystem="pypi",
    ),
    "switch": serve("switch_distribution", {"main": {"snapshot": "old"}}, if_revision=1),
    "switch to live": serve("switch_distribution", {"main": None, "live": {"repository": "repo"}}),
    "switch back": serve("switch_distribution", {"main": {"snapshot": "new"}}),
    "stop serving": call("drop_distribution", **SERVED),
}
# Which of the other calls meet them.
DROPPING = call("drop_repository", **REPOSITORY, force=True)
BESIDE_CURATING: dict[str, Call] = {
    "drop_repository by force": DROPPING,
    **{
        name: OPERATIONS[name]
        for name in (
            *("publish other content", "publish other version", "publish_many", "add_files"),
            *("quarantine", "delete_version", "delete_file", "restore_version", "purge"),
            *("alter_repository (rules)", "rename_repository", "drop_repository"),
        )
    },
}
FROZEN = [
    *ABSENT,
    call("publish", **VERSION, **CONTENT | {"files": [MAIN, WHEEL]}),
    freeze("old"),
    call("delete_file", **VERSION, filename="pkg-2.0.whl"),
    freeze("new"),
    call("merge_snapshots", snapshot="both", sources=["old", "new"]),
    call("create_repository", **OTHER, policy={"reuse": "always"}),
    call("publish", **VERSION | OTHER, files=[file("pkg-2.0.tar.gz", "other")]),
]
CURATING_STATES: dict[str, list[Call]] = {
    "frozen": FROZEN,
    "served, deleted": [
        *FROZEN,
        serve("create_distribution", {"main": {"snapshot": "new"}}, ecosystem="pypi"),
        call("delete_version", **VERSION),
    ],
}
# Which calls meet which in which state: in the second those that it makes a difference to.
SERVING = [
    *("freeze", "merge", "rename", "drop", "drop a source", "copy the snapshot", "move", "serve"),
    *("switch", "switch to live", "switch back", "stop serving"),
]
CURATING_PAIRS: dict[str, list[tuple[str, str]]] = {
    "frozen": [
        *combinations_with_replacement(CURATING, 2),
        *product(CURATING, BESIDE_CURATING),
    ],
    "served, deleted": [
        *combinations_with_replacement(SERVING, 2),
        *product(SERVING, ["restore_version", "purge", "publish other content"]),
        *product(SERVING, ["drop_repository", "drop_repository by force"]),
    ],
}

# A mirror: `update=0` is the update that was begun last when the calls meet.
MIRROR: dict[str, Any] = {"repository": "repo"}
UPDATE = {"update": 0, "fence": 1}


def upstream(version: str, content: str = "") -> dict[str, Any]:
    return {"name": "pkg", "version": version, "files": [file(f"pkg-{version}.zip", content)]}


STAGE = call("stage_mirror_items", **UPDATE, items=[upstream("1.0"), upstream("2.0", "other")])
MIRRORING: dict[str, Call] = {
    "begin": call("begin_mirror_update", **MIRROR, release="r2"),
    "begin with a key": call("begin_mirror_update", **MIRROR, release="r2", request_key="key"),
    "begin another release": call("begin_mirror_update", **MIRROR, release="r3"),
    "stage": STAGE,
    "stage other content": call("stage_mirror_items", **UPDATE, items=[upstream("2.0", "third")]),
    "commit": call("commit_mirror_update", **UPDATE),
    "commit with fence 2": call("commit_mirror_update", update=0, fence=2),
    "commit the first": call("commit_mirror_update", update=1, fence=1),
    "abort": call("abort_mirror_update", **UPDATE),
}
BESIDE_MIRRORING: dict[str, Call] = {
    "freeze": freeze("made"),
    "copy": call("copy_versions", **OTHER, queries=["Name"], from_repository="repo"),
    "copy into the mirror": call(
        "copy_versions", **REPOSITORY, queries=["Name"], from_repository="other"
    ),
    "remove": call("remove_versions", **REPOSITORY, queries=["pkg (= 2.0)"]),
    "serve live": serve("create_distribution", {"main": {"repository": "repo"}}, ecosystem="pypi"),
    "alter_repository (upstream)": call(
        "alter_repository", **MIRROR, policy={"upstream": {"url": "https://example.org/"}}
    ),
    "drop_repository by force": DROPPING,
    **{
        name: OPERATIONS[name]
        for name in (
            *("rename_repository", "drop_repository", "publish", "quarantine", "set_tag"),
            *("delete_version", "restore_version", "purge"),
        )
    },
}
MIRRORED = [
    call("create_repository", **MIRROR, kind="mirror"),
    call("create_repository", **OTHER, policy={"reuse": "always"}),
    call("begin_mirror_update", **MIRROR, release="r1", request_key="key"),
    call("stage_mirror_items", **UPDATE, items=[upstream("1.5"), upstream("2.0")]),
    call("commit_mirror_update", **UPDATE),
    freeze("old"),
]
BEGUN_AGAIN = [
    *MIRRORED,
    call("quarantine", **VERSION, reason="malware?"),
    MIRRORING["begin with a key"],
    STAGE,
]
MIRRORING_STATES: dict[str, list[Call]] = {
    "never updated": MIRRORED[:2],
    "begun": [*MIRRORED[:2], MIRRORING["begin with a key"], STAGE],
    "begun again": BEGUN_AGAIN,
    "given up": [*BEGUN_AGAIN, LAPSE],
}
BOTH_MIRRORING = [*combinations_with_replacement(MIRRORING, 2)]
MIRRORING_PAIRS: dict[str, list[tuple[str, str]]] = {
    "never updated": BOTH_MIRRORING,
    "begun": [
        *BOTH_MIRRORING,
        *product(["begin", "stage", "commit"], ["freeze", "copy", "serve live", "publish"]),
    ],
    "begun again": [*BOTH_MIRRORING, *product(["stage", "commit", "abort"], BESIDE_MIRRORING)],
    "given up": [
        *BOTH_MIRRORING,
        *product(["begin", "begin another release"], BESIDE_MIRRORING),
        *product(["stage", "commit", "abort"], ["purge"]),
    ],
}

ARRANGEMENTS = STATES | NAMING_STATES
ARRANGEMENTS |= {f"curating: {name}": calls for name, calls in CURATING_STATES.items()}
ARRANGEMENTS |= {f"mirroring: {name}": calls for name, calls in MIRRORING_STATES.items()}
ARRANGEMENTS |= {f"publishing: {name}": calls for name, calls in PUBLISHING_STATES.items()}
ARRANGEMENTS |= {f"storing: {name}": calls for name, calls in STORING_STATES.items()}

END_OF_LEASES = """
    update pkgdb.publication set lease_until = '2000-01-01Z'
     where namespace = 'NAMESPACE' and status = 'open';
    update pkgdb.mirror_update set lease_until = '2000-01-01Z'
     where namespace = 'NAMESPACE' and status = 'open'
"""

# What a hand-written statement may leave behind, for repair_latest.
DAMAGE = """
    update pkgdb.registration
       set latest_version_id = null, version_count = version_count + 5
     where namespace = 'NAMESPACE'
"""
