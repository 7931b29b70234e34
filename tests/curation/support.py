"""Packages, written short, and what repositories and snapshots have of them."""

from hashlib import sha256
from typing import Any

from pkgdb.relations import dependencies_of
from tests.behaviour.calls import Calls


def package(
    text: str,
    /,
    content: str | None = None,
    metadata: dict[str, object] | None = None,
    ecosystem: str = "deb",
    **relations: str,
) -> dict[str, Any]:
    """An item as publish_many takes it: `package("curl 8.0 amd64", depends="libc6 (>= 2.34)")`. It
    is of version 1 and for all architectures where nothing is said."""
    name, version, variant = [*text.split(), *["1", "all"][len(text.split()) - 1 :]]
    fields = {field.replace("_", "-").title(): value for field, value in relations.items()}
    return {
        "ecosystem": ecosystem,
        "name": name,
        "version": version,
        "variant": variant,
        "files": [bytes_of(f"{name}_{version}_{variant}.deb", content or text)],
        "metadata": metadata or {},
        "dependencies": dependencies_of(fields),
    }


def bytes_of(filename: str, content: str) -> dict[str, Any]:
    digest = sha256(content.encode()).hexdigest()
    return {"filename": filename, "sha256": digest, "size": len(content)}


def stock(api: Calls, repository: str, *packages: str | dict[str, Any], **policy: object) -> Calls:
    """A hosted repository with these packages; returns its functions."""
    api.create_repository(repository, policy=policy)
    add(api, repository, *packages)
    return api.at(repository)


def add(api: Calls, repository: str, *packages: str | dict[str, Any]) -> None:
    items = [package(each) if isinstance(each, str) else each for each in packages]
    told = [row.message for row in api.rows("publish_many", repository, items)]
    assert told == [None] * len(items)


def in_repository(api: Calls, repository: str, query: str | None = None) -> list[str]:
    return described(api.rows("search_versions", repository, query=query))


def in_snapshot(api: Calls, snapshot: str, query: str | None = None) -> list[str]:
    return described(api.rows("search_versions", snapshot=snapshot, query=query))


def described(rows: list[Any]) -> list[str]:
    return [f"{row.name} {row.version} {row.variant}".strip() for row in rows]


def changes(ref: Any) -> list[str]:
    """Of a snapshot or a repository: `+` what came, `-` what went."""
    signs = {"add": "+", "remove": "-"}
    return [
        f"{signs[each['action']]}{each['name']} {each['version']} {each['variant']}".strip()
        for each in ref.changes
    ]


def filenames(api: Calls, snapshot: str) -> list[str]:
    rows = api.rows("search_versions", snapshot=snapshot, files=True)
    return [file["filename"] for row in rows for file in row.files]
