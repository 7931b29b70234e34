"""A repository with something in every state, and for each function a call that changes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.behaviour.calls import Calls, file


def furnish(api: Calls) -> None:
    """Fill repositories main and stored of namespace acme.

    pypi demo: 0.1 to 2.0 in one state each, 1.0 with two files and the tag "old", 4.0 and 5.0 are
    being published, the latter with a lease that has ended; the name "kept" is reserved. The other
    policies are default. In stored, files are on their way to two backends, on one, or there
    without need. Snapshots one and two are of filling, distribution stable serves the second; of
    three mirrors bringing and brought are being updated.
    """
    api.create_repository("acme", "main", policy={"keep_versions": 1})
    repo = api.at("acme", "main")
    demo = repo.at("pypi", "demo")
    for version in ("0.1", "0.2", "0.3", "0.4", "0.5", "2.0"):
        demo.publish(version, files=[file(f"demo-{version}.whl", version)])
    demo.publish("1.0", files=[file("demo-1.0.whl"), file("demo-1.0.tar.gz")])
    demo.delete_version("0.1")
    demo.yank("0.2", reason="broken")
    demo.quarantine("0.3", reason="malware")
    demo.deprecate("0.4", message="old")
    demo.set_tag("1.0", tag="old")
    repo.reserve_name("pypi", "kept")
    demo.begin_publication("4.0")
    demo.begin_publication("5.0")
    api.ask("update pkgdb.publication set lease_until = now() where version = '5.0' returning 1")
    api.register_consumer("acme", "reader")
    furnish_backends(api)
    furnish_curation(api)


def furnish_backends(api: Calls) -> None:
    for backend in ("disk", "cloud", "spare"):
        api.add_backend("acme", backend, f"file:///srv/{backend}")
    api.create_repository("acme", "stored")
    api.create_repository("acme", "filling")
    api.set_repository_backend("acme", "stored", "disk")
    api.set_repository_backend("acme", "stored", "cloud", requirement="optional")
    api.publish("acme", "filling", "generic", "twin", "1", files=[file("twin", "stored")])
    api.set_repository_backend("acme", "filling", "disk")
    tool = api.at("acme", "stored", "generic", "tool")
    for version in ("stored", "deleting", "needless", "awaited"):
        begun = tool.begin_publication(version, files=[file(version, version)])
        attempt = api.at("acme", begun.publication_id, begun.fence)
        for each in begun.copies:
            if each["backend"] == "disk" and version != "awaited":
                attempt.record_copy("disk", each["sha256"], each["generation"])
        if version != "awaited":
            attempt.commit_publication()
    for version in ("deleting", "needless"):
        tool.delete_version(version)
        api.purge("acme", "stored")
        if version == "deleting":
            api.rows("collect_blobs", "acme", "disk", api.ask(INSTALLATION.query)[0][0])


def furnish_curation(api: Calls) -> None:
    for snapshot in ("one", "two"):
        api.create_snapshot("acme", snapshot, "filling")
    api.create_distribution("acme", "apt", "stable", "generic", {"main": {"snapshot": "two"}})
    for mirror in ("idle", "bringing", "brought"):
        api.create_repository("acme", mirror, "mirror")
    api.set_repository_backend("acme", "bringing", "disk")
    for mirror in ("bringing", "brought"):
        begun = api.begin_mirror_update("acme", mirror)
        api.stage_mirror_items("acme", begun.update_id, begun.fence, [upstream("1.0")])
        api.rows("missing_mirror_copies", "acme", begun.update_id, begun.fence)


def upstream(version: str) -> dict[str, object]:
    """An item of a mirror's update."""
    files = [file("upstream.deb", "upstream")]
    return {"ecosystem": "deb", "name": "demo", "version": version, "files": files}


@dataclass(frozen=True)
class Found:
    """An argument that another call has given out: the first that this query finds."""

    query: str


def found(api: Calls, value: object) -> object:
    return api.ask(value.query)[0][0] if isinstance(value, Found) else value


def publication_of(version: str) -> Found:
    return Found(f"select publication_id from pkgdb.publications where version = '{version}'")


def copy_of(content: str, backend: str = "disk") -> tuple[object, ...]:
    """Backend, digest and generation."""
    digest = file("", content)["sha256"]
    return backend, digest, Found(f"""
        select c.generation from pkgdb.blob_copy c join pkgdb.backend b using (backend_id)
         where b.name = '{backend}' and encode(c.sha256, 'hex') = '{digest}'
         order by c.generation desc""")  # fmt: skip


def update_of(mirror: str) -> Found:
    return Found(f"select update_id from pkgdb.mirror_updates where repository = '{mirror}'")


INSTALLATION = Found("select installation_id from pkgdb.backends where backend = 'disk'")


@dataclass(frozen=True)
class Mutation:
    """A call that changes the furnished repository."""

    function: str
    arguments: tuple[object, ...]
    named: dict[str, Any] = field(default_factory=dict)
    outcome: str = ""
    event: str = ""  # where it is not the outcome
    again: str = "unchanged"  # outcome or SQLSTATE of the same call afterwards
    other: dict[str, Any] = field(default_factory=dict)  # arguments of another call
    of: str = "registration"  # whose revision it is
    takes_revision: bool = True
    takes_key: bool = True
    package: str = ""  # whose revision it is, where no argument says so
    elsewhere: str = "RG404"  # what the same call finds in another namespace

    def __str__(self) -> str:
        return f"{self.function}-{self.outcome}"

    def __call__(self, api: Calls, **named: object) -> list[Any]:
        return self.call(api, self.given(api), **named)

    def call(self, api: Calls, arguments: Sequence[object], **named: object) -> list[Any]:
        """With other arguments."""
        given = {key: found(api, value) for key, value in (self.named | named).items()}
        return api.rows(self.function, *arguments, **given)

    def given(self, api: Calls) -> list[object]:
        """The arguments, those that others have given out among them."""
        return [found(api, value) for value in self.arguments]

    @property
    def name(self) -> object:
        """Of the package."""
        return self.package or self.arguments[3]

    def revision(self, api: Calls) -> int:
        """Of what it changes, now."""
        place = {"repository": 1, "snapshot": 1, "distribution": 2}
        name = self.name if self.of == "registration" else self.arguments[place[self.of]]
        query = f"select coalesce(max(revision), 0) as now from pkgdb.{self.of} where name = %s"
        (row,) = api.ask(query, name)
        return row.now


MAIN = ("acme", "main")
DEMO = (*MAIN, "pypi", "demo")
NEW_FILE = file("demo-1.0.asc", "signature")

MUTATIONS = [
    Mutation(
        "create_repository", ("acme", "other"), outcome="created", event="repository_created",
        other={"kind": "mirror"}, of="repository", takes_revision=False, elsewhere="",
    ),
    Mutation(
        "alter_repository", (*MAIN, {"reuse": "always"}), outcome="altered",
        event="repository_altered", other={"if_revision": 7}, of="repository",
    ),
    Mutation(
        "rename_repository", (*MAIN, "renamed"), outcome="renamed", event="repository_renamed",
        again="RG404", other={"if_revision": 7}, of="repository",
    ),
    Mutation(
        "drop_repository", MAIN, outcome="dropped", event="repository_dropped", again="RG404",
        other={"force": True}, of="repository",
    ),
    Mutation(
        "set_repository_backend", (*MAIN, "spare"), outcome="altered", event="repository_altered",
        other={"requirement": "optional"}, of="repository",
    ),
    Mutation(
        "publish", (*MAIN, "pypi", "new", "1.0"), outcome="created", other={"metadata": {"a": 1}},
    ),
    Mutation(
        "publish", (*DEMO, "3.0"), {"files": [file("demo-3.0.whl")], "metadata": {"a": 1}},
        outcome="created", other={"variant": "any"},
    ),
    Mutation(
        "publish", (*DEMO, "1.0"), {"files": [NEW_FILE]}, outcome="files_added",
        other={"files": []},
    ),
    Mutation(
        "add_files", (*DEMO, "1.0"), {"files": [NEW_FILE]}, outcome="files_added",
        other={"files": [file("other.asc")]},
    ),
    Mutation(
        "commit_publication", ("acme", publication_of("4.0"), 1), outcome="created",
        takes_key=False, package="demo",
    ),
    Mutation("yank", (*DEMO, "1.0"), outcome="yanked", other={"reason": "broken"}),
    Mutation("unyank", (*DEMO, "0.2"), outcome="unyanked", other={"variant": "any"}),
    Mutation(
        "deprecate", (*DEMO, "1.0"), {"message": "use 2.0"}, outcome="deprecated",
        other={"message": "use 3.0"},
    ),
    Mutation("deprecate", (*DEMO, "0.4"), outcome="undeprecated", other={"message": "use 3.0"}),
    Mutation("quarantine", (*DEMO, "1.0"), outcome="quarantined", other={"reason": "malware"}),
    Mutation("release_quarantine", (*DEMO, "0.3"), outcome="released", other={"variant": "any"}),
    Mutation("delete_version", (*DEMO, "1.0"), outcome="deleted", other={"variant": "any"}),
    Mutation("restore_version", (*DEMO, "0.1"), outcome="restored", other={"variant": "any"}),
    Mutation(
        "delete_file", (*DEMO, "1.0"), {"filename": "demo-1.0.whl"}, outcome="file_deleted",
        other={"filename": "demo-1.0.tar.gz"},
    ),
    Mutation(
        "set_tag", (*DEMO, "2.0"), {"tag": "new"}, outcome="tagged", other={"tag": "newer"},
    ),
    Mutation(
        "set_tag", (*DEMO, "2.0"), {"tag": "old"}, outcome="tagged", other={"tag": "newer"},
    ),
    Mutation("drop_tag", (*DEMO, "old"), outcome="tag_dropped", other={"if_revision": 7}),
    Mutation(
        "reserve_name", (*MAIN, "pypi", "mine"), outcome="reserved", takes_revision=False,
    ),
    Mutation(
        "release_name", (*MAIN, "pypi", "kept"), outcome="released", takes_revision=False,
    ),
    Mutation(
        "create_snapshot", ("acme", "new", "main"), outcome="created", event="snapshot_created",
        again="RG409", other={"description": "new"}, of="snapshot", takes_revision=False,
    ),
    Mutation(
        "merge_snapshots", ("acme", "new", ("one", "two")), outcome="created",
        event="snapshot_created", again="RG409", other={"latest": True}, of="snapshot",
        takes_revision=False,
    ),
    Mutation(
        "pull_snapshot", ("acme", "new", "one", "two", ("twin",)), outcome="created",
        event="snapshot_created", again="RG409", other={"follow": False}, of="snapshot",
        takes_revision=False,
    ),
    Mutation(
        "filter_snapshot", ("acme", "new", "one", ("twin",)), outcome="created",
        event="snapshot_created", again="RG409", other={"follow": True}, of="snapshot",
        takes_revision=False,
    ),
    Mutation(
        "rename_snapshot", ("acme", "one", "new"), outcome="renamed", event="snapshot_renamed",
        again="RG404", of="snapshot", takes_revision=False,
    ),
    Mutation(
        "drop_snapshot", ("acme", "one"), outcome="dropped", event="snapshot_dropped",
        again="RG404", other={"force": True}, of="snapshot", takes_revision=False,
    ),
    Mutation(
        "create_distribution", ("acme", "apt", "edge", "pypi", {"main": {"repository": "main"}}),
        outcome="created", event="distribution_created", again="RG409",
        other={"settings": {"origin": "Acme"}}, of="distribution", takes_revision=False,
    ),
    Mutation(
        "switch_distribution", ("acme", "apt", "stable", {"main": {"snapshot": "one"}}),
        outcome="switched", event="distribution_switched", other={"if_revision": 7},
        of="distribution",
    ),
    Mutation(
        "drop_distribution", ("acme", "apt", "stable"), outcome="dropped",
        event="distribution_dropped", again="RG404", other={"if_revision": 7}, of="distribution",
    ),
]  # fmt: skip

# Changes that are not about one registration or repository, or answer with a count.
BULK = [
    Mutation(
        "publish_many",
        (*MAIN, [{"ecosystem": "npm", "name": "left", "version": f"{n}.0.0"} for n in range(3)]),
        outcome="created", other={"strict": False},
    ),
    Mutation(
        "copy_versions", (*MAIN, ("twin",)), {"from_repository": "filling"}, outcome="copied",
        other={"replace": True},
    ),
    Mutation(
        "move_versions", (*MAIN, "filling", ("twin",)), outcome="moved", other={"replace": True},
    ),
    Mutation("remove_versions", (*MAIN, ("demo",)), outcome="removed", other={"dry_run": True}),
    Mutation(
        "commit_mirror_update", ("acme", update_of("brought"), 1), outcome="committed",
        takes_key=False,
    ),
    Mutation("apply_retention", MAIN, event="retired", takes_key=False),
    Mutation("purge", ("acme",), elsewhere="", takes_key=False),
    Mutation("promote_backends", ("acme",), elsewhere="", takes_key=False),
    Mutation("repair_latest", DEMO, takes_key=False),
]  # fmt: skip

# What changes nothing that anyone can see: no revision, no event.
UPLOAD = ("acme", publication_of("awaited"))
BRINGING = ("acme", update_of("bringing"))
QUIET = [
    Mutation(
        "add_backend", ("acme", "tape"), {"url": "file:///dev/st0"}, outcome="created",
        other={"url": "file:///dev/st1"}, elsewhere="",
    ),
    Mutation("adopt_backend", ("acme", "disk"), outcome="adopted"),
    Mutation("retire_backend", ("acme", "spare"), outcome="retired"),
    Mutation("begin_publication", (*DEMO, "3.0"), outcome="begun"),
    Mutation("renew_publication", (*UPLOAD, 1), outcome="renewed"),
    Mutation("record_copy", (*UPLOAD, 1, *copy_of("awaited")), outcome="recorded"),
    Mutation("record_validation", (*UPLOAD, "scan", "failed"), outcome="recorded"),
    Mutation("abort_publication", (*UPLOAD, 1), outcome="aborted"),
    Mutation("expire_publications", ("acme",), elsewhere=""),
    Mutation("claim_copies", ("acme",), elsewhere=""),
    Mutation(
        "verify_copy", ("acme", *copy_of("stored")), {"found_sha256": None}, outcome="lost",
    ),
    Mutation(
        "record_copy_failure", ("acme", *copy_of("deleting"), 1), {"error": "full"},
        outcome="recorded", elsewhere="",
    ),
    Mutation("collect_blobs", ("acme",), {"backend": "disk", "installation_id": INSTALLATION}),
    Mutation(
        "confirm_blob_deleted", ("acme", *copy_of("deleting"), 1), outcome="postponed",
        elsewhere="",
    ),
    Mutation("sequence_events", ("acme",), elsewhere=""),
    Mutation("prune_events", ("acme",), elsewhere=""),
    Mutation("register_consumer", ("acme", "indexer"), outcome="registered", elsewhere=""),
    Mutation("acknowledge_events", ("acme", "reader", 0), outcome="unchanged"),
    Mutation("drop_consumer", ("acme", "reader"), elsewhere=""),
    Mutation("seal_snapshots", ("acme",), elsewhere=""),
    Mutation("begin_mirror_update", ("acme", "idle"), outcome="begun"),
    Mutation("stage_mirror_items", (*BRINGING, 1, [upstream("2.0")]), outcome="staged"),
    Mutation("missing_mirror_copies", (*BRINGING, 1)),
    Mutation("record_mirror_copy", (*BRINGING, 1, *copy_of("upstream")), outcome="recorded"),
    Mutation("abort_mirror_update", (*BRINGING, 1), outcome="aborted"),
]  # fmt: skip
