"""Calls of curation, short, and what snapshots, repositories and distributions have."""

from tests.incidents.support import NAMESPACE, REPOSITORY, Call, Package, World, call, content


def array(*texts: str) -> str:
    """A text[] as it is written."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def deb(name: str, repository: str = REPOSITORY) -> Package:
    return Package("deb", name, repository)


def publish(
    name: str, version: str = "1", repository: str = REPOSITORY, text: str | None = None
) -> Call:
    """A version for all architectures with one file; `text` are other bytes than usual."""
    file = content(f"{name}_{version}_all.deb", f"{name} {version}" if text is None else text)
    return deb(name, repository)("publish", version, "all", p_files=[file])


def delete(name: str, version: str = "1", repository: str = REPOSITORY) -> Call:
    return deb(name, repository)("delete_version", version, "all")


def freeze(snapshot: str, repository: str | None = REPOSITORY, **named: object) -> Call:
    return call("create_snapshot", NAMESPACE, snapshot, repository, **named)


def merge(snapshot: str, *sources: str, **named: object) -> Call:
    return call("merge_snapshots", NAMESPACE, snapshot, array(*sources), **named)


def pull(snapshot: str, target: str, source: str, *queries: str, **named: object) -> Call:
    asked = array(*queries or ["Name"])
    return call("pull_snapshot", NAMESPACE, snapshot, target, source, asked, **named)


def select(snapshot: str, source: str, *queries: str, **named: object) -> Call:
    return call(
        "filter_snapshot", NAMESPACE, snapshot, source, array(*queries or ["Name"]), **named
    )


def rename(snapshot: str, name: str) -> Call:
    return call("rename_snapshot", NAMESPACE, snapshot, name)


def drop(snapshot: str, **named: object) -> Call:
    return call("drop_snapshot", NAMESPACE, snapshot, **named)


def copy(target: str, source: str, *queries: str, **named: object) -> Call:
    asked = array(*queries or ["Name"])
    return call("copy_versions", NAMESPACE, target, asked, source, **named)


def move(target: str, source: str, *queries: str, **named: object) -> Call:
    asked = array(*queries or ["Name"])
    return call("move_versions", NAMESPACE, target, source, asked, **named)


def remove(repository: str, *queries: str, **named: object) -> Call:
    asked = array(*queries or ["Name"])
    return call("remove_versions", NAMESPACE, repository, asked, **named)


def serve(distribution: str = "stable", /, **components: str) -> Call:
    """Create a distribution that serves snapshots; `live="main"` serves that repository."""
    return call("create_distribution", NAMESPACE, "", distribution, "deb", sources(components))


def switch(distribution: str = "stable", /, *, p_if_revision: int | None = None,
           **components: str) -> Call:  # fmt: skip
    return call(
        "switch_distribution", NAMESPACE, "", distribution, sources(components),
        p_if_revision=p_if_revision,
    )  # fmt: skip


def sources(components: dict[str, str]) -> dict[str, object]:
    """What each component serves: a snapshot, or the repository, where the component is `live`."""
    return {
        component: {"repository" if component == "live" else "snapshot": source}
        for component, source in components.items()
    }


def item(name: str, version: str = "1", text: str | None = None) -> dict[str, object]:
    """A package as publish_many and stage_mirror_items are told of it."""
    file = content(f"{name}_{version}_all.deb", f"{name} {version}" if text is None else text)
    return {
        "ecosystem": "deb", "name": name, "version": version, "variant": "all", "files": [file],
    }  # fmt: skip


def fill(world: World, repository: str, *packages: str, **policy: object) -> None:
    """Make a repository with such packages: a name, or a name and a version."""
    world.repository(repository, **policy)
    for package in packages:
        name, _, version = package.partition(" ")
        world.given(publish(name, version or "1", repository))


def mirror(world: World, repository: str, *items: dict[str, object], **policy: object) -> int:
    """Make a mirror that has been updated once; returns the number of that update."""
    world.repository(repository, "mirror", **policy)
    number = begin(world, repository)
    world.given(
        call("stage_mirror_items", NAMESPACE, number, 1, [*items]),
        call("commit_mirror_update", NAMESPACE, number, 1),
    )
    return number


def begin(world: World, repository: str, **named: object) -> int:
    """Begin an update of a mirror; returns its number."""
    world.given(call("begin_mirror_update", NAMESPACE, repository, **named))
    row = world.db.execute("select max(update_id) from pkgdb.mirror_updates").fetchone()
    assert row is not None
    return row[0]


def in_snapshot(world: World, snapshot: str) -> list[str]:
    """Names and versions."""
    return names(world, "search_versions(%s, p_snapshot => %s)", snapshot)


def in_repository(world: World, repository: str = REPOSITORY) -> list[str]:
    return names(world, "search_versions(%s, p_repository => %s)", repository)


def served(world: World, distribution: str = "stable") -> list[str]:
    """With the component in front."""
    return names(world, "distribution_content(%s, '', %s)", distribution)


def names(world: World, source: str, *arguments: str) -> list[str]:
    query = f"select concat_ws(' ', component, name, version) from pkgdb.{source}"
    rows = world.db.execute(query.encode(), [NAMESPACE, *arguments])
    return sorted(row[0] for row in rows)


def digest(world: World, snapshot: str) -> str:
    row = world.db.execute("select pkgdb.snapshot_digest(%s, %s)", [NAMESPACE, snapshot]).fetchone()
    assert row is not None
    return row[0]


def snapshots(world: World) -> list[str]:
    """Names, one for each row."""
    rows = world.db.execute("select snapshot from pkgdb.snapshots order by snapshot, snapshot_id")
    return [name for (name,) in rows]
