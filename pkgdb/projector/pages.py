"""What the pages of a package say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Protocol
from urllib.parse import quote, unquote

from pkgdb.models import StoredFile

__all__ = ["Package", "Shown", "file_path", "files_of", "pages_of", "roots", "url_of"]

UrlOf = Callable[[StoredFile], str]

# What npm publishes, and what it published before it was strict. No part begins with a dot.
_NPM_NAME = re.compile(r"(@[\w~-][\w.~-]*/)?[\w~!()*'-][\w.~!()*'-]*", re.ASCII)
_PYPI_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# One name below its digest, and none that is hidden: those are the projector's own.
_FILE = re.compile(r"packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^./\x00-\x1f][^/\x00-\x1f]*")
_LONGEST_NAME = 255  # bytes, in a folder of nearly every file system


class Shown(Protocol):
    """A version, as far as pages speak of it."""

    @property
    def version(self) -> str: ...
    @property
    def listed(self) -> bool: ...
    @property
    def yank_reason(self) -> str | None: ...
    @property
    def deprecation(self) -> str | None: ...
    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def files(self) -> tuple[StoredFile, ...]: ...
    @property
    def published_at(self) -> datetime: ...


@dataclass(frozen=True)
class Package:
    """A package as it is now; `versions` highest first, with the files whose bytes are here."""

    ecosystem: str
    name: str
    normalized_name: str
    latest: str | None = None
    latest_stable: str | None = None
    tags: dict[str, str] | None = None
    versions: tuple[Shown, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Where its pages are; none for a name that cannot be a path."""
        name = self.normalized_name
        if len(name) > _LONGEST_NAME:
            return ()
        if self.ecosystem == "pypi" and _PYPI_NAME.fullmatch(name):
            return (f"simple/{name}/index.html", f"simple/{name}/index.v1_json")
        if self.ecosystem == "npm" and _NPM_NAME.fullmatch(name):
            return (f"npm/{name}",)
        return ()


def file_path(file: StoredFile) -> str | None:
    """Where a file is; None for a name that cannot be a path."""
    digest = file.sha256
    path = f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{file.filename}"
    fits = len(os.fsencode(file.filename)) <= _LONGEST_NAME and _FILE.fullmatch(path)
    return path if fits else None


def files_of(package: Package, base_url: str, page: str) -> set[str]:
    """The paths of the files that the last of its pages links to."""
    listed = json.loads(page)
    if package.ecosystem == "pypi":
        urls = [file["url"].removeprefix("../../") for file in listed["files"]]
    else:
        tarballs = [version["dist"]["tarball"] for version in listed["versions"].values()]
        urls = [url.removeprefix(f"{base_url}/") for url in tarballs]
    return {path for path in map(unquote, urls) if _FILE.fullmatch(path)}


def url_of(package: Package, base_url: str) -> UrlOf:
    """How its pages name the files that are where `file_path` says."""
    root = "../.." if package.ecosystem == "pypi" else base_url
    return lambda file: f"{root}/{quote(str(file_path(file)))}"


def pages_of(package: Package, url: UrlOf) -> dict[str, str]:
    """The text of each page, by its path; `url` says where a file is."""
    texts = _pypi(package, url) if package.ecosystem == "pypi" else (_npm(package, url),)
    return dict(zip(package.paths, texts, strict=True))


def roots(names: Iterable[str]) -> dict[str, str]:
    """The pages that list the packages of a simple index."""
    names = list(names)
    links = [f'<a href="{quote(name)}/">{escape(name)}</a><br>' for name in names]
    listed = {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in names]}
    return {
        "simple/index.html": _html("Simple index", links),
        "simple/index.v1_json": json.dumps(listed),
    }


def _pypi(package: Package, url: UrlOf) -> tuple[str, str]:
    links, files = [], []
    for version in package.versions:
        yanked = False if version.listed else version.yank_reason or True
        for file in version.files:
            requires = file.attributes.get("requires-python")
            attributes = [f'href="{url(file)}#sha256={file.sha256}"']
            described: dict[str, Any] = {
                "filename": file.filename,
                "url": url(file),
                "hashes": {"sha256": file.sha256},
                "size": file.size,
                "upload-time": f"{version.published_at:%Y-%m-%dT%H:%M:%S.%fZ}",
                "yanked": yanked,
            }
            if isinstance(requires, str):
                attributes.append(f'data-requires-python="{escape(requires)}"')
                described["requires-python"] = requires
            if yanked:
                reason = "" if yanked is True else yanked
                attributes.append(f'data-yanked="{escape(reason)}"')
            links.append(f"<a {' '.join(attributes)}>{escape(file.filename)}</a><br>")
            files.append(described)
    listed = {
        "meta": {"api-version": "1.1"},
        "name": package.normalized_name,
        "versions": list(dict.fromkeys(version.version for version in package.versions)),
        "files": files,
    }
    return _html(f"Links for {package.name}", links), json.dumps(listed)


def _html(title: str, links: Iterable[str]) -> str:
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html><head><meta charset="utf-8">',
            '<meta name="pypi:repository-version" content="1.1">',
            f"<title>{escape(title)}</title></head>",
            f"<body><h1>{escape(title)}</h1>",
            *links,
            "</body></html>",
            "",
        ]
    )


def _npm(package: Package, url: UrlOf) -> str:
    latest = package.latest_stable or package.latest
    versions = {version.version: _manifest(package, version, url) for version in _whole(package)}
    return json.dumps(
        {
            "_id": package.name,
            "name": package.name,
            "dist-tags": {
                tag: version
                for tag, version in {"latest": latest, **(package.tags or {})}.items()
                if version in versions
            },
            "versions": versions,
            "time": {
                version.version: f"{version.published_at:%Y-%m-%dT%H:%M:%S.%fZ}"
                for version in _whole(package)
            },
        }
    )


def _whole(package: Package) -> list[Shown]:
    """A version of npm is one tarball."""
    return [version for version in package.versions if len(version.files) == 1]


def _manifest(package: Package, version: Shown, url: UrlOf) -> dict[str, Any]:
    (file,) = version.files
    dist = {**file.attributes, "tarball": url(file)}
    manifest = {
        **version.metadata,
        "_id": f"{package.name}@{version.version}",
        "name": package.name,
        "version": version.version,
        "dist": dist,
    }
    # npm has no yanking: who asks for exactly this version gets it, and is told.
    said = version.deprecation if version.listed else version.yank_reason or "yanked"
    return manifest if said is None else manifest | {"deprecated": said}
