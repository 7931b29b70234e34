"""Project pages of simple indexes in their JSON form (PEP 691)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from pkgdb.indexes.entry import Bad, Entry
from pkgdb.indexes.source import Damaged, Source


@dataclass
class _Release:
    """A version's files, gathered."""

    version: str
    line: int
    files: list[dict[str, Any]] = field(default_factory=list)
    unregistered: list[dict[str, Any]] = field(default_factory=list)
    yanks: list[bool | str | None] = field(default_factory=list)


def looks_like(head: bytes) -> bool:
    return head.lstrip()[:1] == b"{" and re.search(rb'"files"\s*:\s*\[', head) is not None


def read(source: Source) -> Iterator[Entry | Bad]:
    document = source.document()
    page = document.value
    name, files = page.get("name"), page.get("files")
    if not isinstance(name, str) or not isinstance(files, list):
        raise Damaged(1, "not a project page: it has no name, or no list of files")

    releases: dict[object, _Release] = {}
    versions = page.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, str):
            releases.setdefault(_identity(version), _Release(version, 1))
    unusual: list[tuple[int, dict[str, Any]]] = []
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("filename"), str):
            yield Bad(document.line_of('"files"'), "a file has no name")
            continue
        line = document.line_of(json.dumps(file["filename"]))
        found = _version_of(name, file["filename"])
        if found is None:
            unusual.append((line, file))
        else:
            release = releases.setdefault(found, _Release(str(found), line))
            _add(release, line, file)

    # Eggs, installers and other archives of old say their version in no way that can be parsed,
    # only recognised, once the versions are known.
    for line, file in unusual:
        known = [r for r in releases.values() if _begins(name, r.version, file["filename"])]
        if known:
            _add(max(known, key=lambda r: len(r.version)), line, file)
        else:
            yield Bad(line, f"cannot tell the version of {file['filename']}")

    for release in releases.values():
        yield _entry(name, release)


def _identity(version: str) -> object:
    try:
        return Version(version)
    except InvalidVersion:
        return version


def _version_of(project: str, filename: str) -> Version | None:
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return version if name == canonicalize_name(project) else None


def _begins(project: str, version: str, filename: str) -> bool:
    head, separator, rest = filename.partition(f"-{version}")
    return (
        bool(separator)
        and canonicalize_name(head) == canonicalize_name(project)
        and re.match(r"[-.](?![0-9])|$", rest) is not None
    )


def _add(release: _Release, line: int, file: dict[str, Any]) -> None:
    release.line = line if release.line == 1 else min(release.line, line)
    hashes, size = file.get("hashes"), file.get("size")
    sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
    attributes = {
        key: value
        for key, value in file.items()
        if key not in ("filename", "url", "hashes", "size", "yanked") and value is not None
    }
    if sha256 is None or size is None:
        release.unregistered.append({"filename": file["filename"], "hashes": hashes} | attributes)
    else:
        release.files.append(
            {
                "filename": file["filename"],
                "sha256": sha256,
                "size": size,
                "attributes": attributes,
            }
        )
    release.yanks.append(file.get("yanked"))


def _entry(name: str, release: _Release) -> Entry:
    reasons = [yank for yank in release.yanks if isinstance(yank, str) and yank]
    return Entry(
        release.line,
        {
            "ecosystem": "pypi",
            "name": name,
            "version": release.version,
            "files": release.files,
            "metadata": {"files": release.unregistered} if release.unregistered else {},
        },
        yanked=(reasons[0] if reasons else True) if _all_yanked(release) else False,
        unregistered=len(release.unregistered),
    )


def _all_yanked(release: _Release) -> bool:
    # An empty reason yanks as well: what is not yanked says false, or nothing.
    return bool(release.yanks) and all(
        yank is not False and yank is not None for yank in release.yanks
    )
