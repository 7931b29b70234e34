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
    without need.
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
    of_repository: bool = False  # whether the revision is the repository's
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
        if self.of_repository:
            query = "select coalesce(max(revision), 0) as now from pkgdb.repositories"
            (row,) = api.ask(f"{query} where repository = %s", self.arguments[1])
        else:
            query = "select coalesce(max(revision), 0) as now from pkgdb.registration"
            (row,) = api.ask(f"{query} where name = %s", self.name)
        return row.now


MAIN = ("acme", "main")
DEMO = (*MAIN, "pypi", "demo")
NEW_FILE = file("demo-1.0.asc", "signature")

MUTATIONS = [
    Mutation(
        "create_repository", ("acme", "other"), outcome="created", event="repository_created",
        other={"kind": "mirror"}, of_repository=True, takes_revision=False, elsewhere="",
    ),
    Mutation(
        "alter_repository", (*MAIN, {"reuse": "always"}), outcome="altered",
        event="repository_altered", other={"if_revision": 7}, of_repository=True,
    ),
    Mutation(
        "rename_repository", (*MAIN, "renamed"), outcome="renamed", event="repository_renamed",
        again="RG404", other={"if_revision": 7}, of_repository=True,
    ),
    Mutation(
        "drop_repository", MAIN, outcome="dropped", event="repository_dropped", again="RG404",
        other={"force": True}, of_repository=True,
    ),
    Mutation(
        "set_repository_backend", (*MAIN, "spare"), outcome="altered", event="repository_altered",
        other={"requirement": "optional"}, of_repository=True,
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
]  # fmt: skip

# Changes that are not about one registration or repository, or answer with a count.
BULK = [
    Mutation(
        "publish_many",
        (*MAIN, [{"ecosystem": "npm", "name": "left", "version": f"{n}.0.0"} for n in range(3)]),
        outcome="created", other={"strict": False},
    ),
    Mutation("apply_retention", MAIN, event="retired"),
    Mutation("purge", ("acme",), elsewhere=""),
    Mutation("promote_backends", ("acme",), elsewhere=""),
    Mutation("repair_latest", DEMO),
]  # fmt: skip

# What changes nothing that anyone can see: no revision, no event.
UPLOAD = ("acme", publication_of("awaited"))
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
]  # fmt: skip
