"""Crates of Cargo."""

import re
from typing import Any

from pkgdb.packages.archive import gzipped_tar
from pkgdb.packages.documents import toml_of
from pkgdb.packages.package import Contents, Format, Opened, PackageError, called, quoted, required

# Where a dependency comes from that names no registry.
_CRATES_IO = "https://github.com/rust-lang/crates.io-index"
_KINDS = {
    "dependencies": "normal",
    "dev-dependencies": "dev",
    "dev_dependencies": "dev",
    "build-dependencies": "build",
    "build_dependencies": "build",
}
_COMPARATOR = re.compile(r"(=|>=|>|<=|<|~|\^)?\s*([0-9xX*][0-9A-Za-z.+*-]*)")


def read(package: Opened) -> Contents:
    """What a line of the index has of Cargo.toml, as Cargo writes it into a crate."""
    document = None
    folders = set()
    tar = gzipped_tar(package)
    for member in tar:
        folder, _, file = member.name.partition("/")
        folders.add(folder)
        if len(folders) > 1:
            raise PackageError(f"more than one folder: {quoted(sorted(folders))}")
        if file == "Cargo.toml":
            if document is not None:
                raise PackageError("two files Cargo.toml")
            document = tar.content(member)
    if document is None:
        raise PackageError("no Cargo.toml")
    manifest = toml_of("Cargo.toml", document)
    about = _table(manifest, "package") or _table(manifest, "project")
    name, version = required("name", about.get("name")), required("version", about.get("version"))
    if folders != {f"{name}-{version}"}:
        raise PackageError(f"the folder {quoted(folders.pop())} is not called {name}-{version}")
    plain, newer = _features(_table(manifest, "features"))
    return Contents(
        name=name,
        version=version,
        filename=called(package, f"{name}-{version}.crate"),
        metadata={
            "deps": _dependencies(manifest),
            "features": plain,
            # Features of a kind that Cargo before 1.60 would stumble over: `v` keeps it away.
            **({"features2": newer, "v": 2} if newer else {}),
            "links": _text(about, "links"),
            "rust_version": _text(about, "rust-version"),
        },
    )


def _dependencies(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    tables: list[tuple[str | None, dict[str, Any]]] = [(None, manifest)]
    targets = _table(manifest, "target")
    tables += [(target, _table(targets, target)) for target in targets]
    return [
        _dependency(key, of, kind, target)
        for target, table in tables
        for section, kind in _KINDS.items()
        for key, of in _table(table, section).items()
    ]


def _dependency(key: str, of: Any, kind: str, target: str | None) -> dict[str, Any]:
    table = {"version": of} if isinstance(of, str) else of
    if not isinstance(table, dict):
        raise PackageError(f"dependency {quoted(key)} is no table")
    package = _text(table, "package")
    return {
        "name": key,
        "req": _requirement(key, _text(table, "version")),
        "features": _texts(table, "features"),
        "optional": _boolean(table, "optional", False),
        "default_features": _boolean(
            table, "default-features", _boolean(table, "default_features", True)
        ),
        "target": target,
        "kind": kind,
        "registry": _text(table, "registry-index") or _CRATES_IO,
        "package": package if package != key else None,
    }


def _requirement(key: str, version: str | None) -> str:
    """As Cargo writes it: 1.2 is ^1.2."""
    texts = []
    for comparator in (version or "*").split(","):
        match = _COMPARATOR.fullmatch(comparator.strip())
        if match is None:
            raise PackageError(f"dependency {quoted(key)} requires {quoted(version)}")
        of = re.sub("[xX]", "*", match[2]) if "-" not in match[2] else match[2]
        texts.append((match[1] or ("" if "*" in of else "^")) + of)
    return ", ".join(texts)


def _features(features: dict[str, Any]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    plain: dict[str, list[str]] = {}
    newer: dict[str, list[str]] = {}
    for key in features:
        enabled = _texts(features, key)
        syntax = any(of.startswith("dep:") or "?/" in of for of in enabled)
        (newer if syntax else plain)[key] = enabled
    return plain, newer


def _table(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key, {})
    if not isinstance(value, dict):
        raise PackageError(f"{quoted(key)} is no table")
    return value


def _text(of: dict[str, Any], key: str) -> str | None:
    value = of.get(key)
    if not isinstance(value, str | None):
        raise PackageError(f"{quoted(key)} is no text")
    return value


def _texts(of: dict[str, Any], key: str) -> list[str]:
    value = of.get(key, [])
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise PackageError(f"{quoted(key)} is no list of texts")
    return value


def _boolean(of: dict[str, Any], key: str, default: bool) -> bool:
    value = of.get(key, default)
    if not isinstance(value, bool):
        raise PackageError(f"{quoted(key)} is not true or false")
    return value


FORMATS = (Format("cargo", ".crate", "application/gzip", read),)
