"""The calls that meet each other, and the states in which they meet: one registration, version 2.0.

Everything happens to one version of one package, so that as many pairs as possible get into each
other's way.
"""

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

# What 2.0 is when the calls meet. `processing`: a publisher reserved it and crashed.
STATES: dict[str, list[Call]] = {
    "no such name": CREATED,
    "reserved name": [*CREATED, call("reserve_name", **PACKAGE)],
    "absent": ABSENT,
    "processing": [*ABSENT, call("hold_slot", **VERSION)],
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

CALLS = OPERATIONS | NAMING
ARRANGEMENTS = STATES | NAMING_STATES

HOLD_SLOT = """
    insert into pkgdb.package_version
        (namespace, registration_id, scheme, version, status, lease_until, created_at)
    select g.namespace, g.registration_id, g.scheme, %(version)s, 'processing', now(), now()
      from pkgdb.registration g
     where g.namespace = %(namespace)s
"""

# What a hand-written statement may leave behind, for repair_latest.
DAMAGE = """
    update pkgdb.registration
       set latest_version_id = null, version_count = version_count + 5
     where namespace = 'NAMESPACE'
"""
