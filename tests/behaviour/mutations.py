"""A repository with something in every state, and for each function a call that changes it."""

from dataclasses import dataclass, field
from typing import Any

from tests.behaviour.calls import Calls, file


def furnish(api: Calls) -> None:
    """Fill repository main of namespace acme.

    pypi demo: 0.1 to 2.0 in one state each, 1.0 with two files and the tag "old"; the name "kept"
    is reserved. The other policies are default.
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

    def __str__(self) -> str:
        return f"{self.function}-{self.outcome}"

    def __call__(self, api: Calls, **named: object) -> list[Any]:
        return api.rows(self.function, *self.arguments, **(self.named | named))

    def revision(self, api: Calls) -> int:
        """Of what it changes, now."""
        if self.of_repository:
            query = "select coalesce(max(revision), 0) as now from pkgdb.repositories"
            (row,) = api.ask(f"{query} where repository = %s", self.arguments[1])
        else:
            query = "select coalesce(max(revision), 0) as now from pkgdb.registration"
            (row,) = api.ask(f"{query} where name = %s", self.arguments[3])
        return row.now


MAIN = ("acme", "main")
DEMO = (*MAIN, "pypi", "demo")
NEW_FILE = file("demo-1.0.asc", "signature")

MUTATIONS = [
    Mutation(
        "create_repository", ("acme", "other"), outcome="created", event="repository_created",
        other={"kind": "mirror"}, of_repository=True, takes_revision=False,
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
    Mutation("expire_publications", ("acme",)),
    Mutation("purge", ("acme",)),
    Mutation("repair_latest", DEMO),
]  # fmt: skip
