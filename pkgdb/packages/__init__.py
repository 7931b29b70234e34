"""Reads the files that packages come in, for publishing them.

``read_package`` tells what a file is by its suffix, and where that leaves a choice by what is in
it; reads name, version and what the ecosystem's index says of it out of its metadata; and takes its
digests. It trusts nothing in the file: a part is read into memory only where it has at most 1 MiB,
and whatever is damaged, contradictory or not storable is a PackageError.

========= ============= =============================== ==========================================
ecosystem file          metadata, of the version        attributes, of the file
========= ============= =============================== ==========================================
pypi      .whl, sdists  none: the files of a release    requires-python; core-metadata (PEP 658) of
                        need not agree                  wheels
npm       .tgz          package.json                    integrity, shasum, fileCount, unpackedSize
deb       .deb          the control file                MD5sum, SHA1
cargo     .crate        deps, features, features2, v,
                        links, rust_version
gem       .gem          dependencies, ruby, rubygems,
                        and who, what and which license
nuget     .nupkg        what the registration index has packageHash (SHA512)
                        of the nuspec
helm      .tgz          Chart.yaml
========= ============= =============================== ==========================================

What a control file says of other packages (``Depends`` and its kin) is in its dependencies as well.

What an index says of every file is not repeated: Cargo's ``cksum``, Helm's ``digest`` and the
checksum of RubyGems are the SHA-256, npm's tarball is the file's name. A deb's variant is its
architecture, a gem's is its platform, other than ruby.
"""

import hashlib
import os
from pathlib import Path
from typing import IO

from pkgdb.packages import cargo, deb, gem, helm, npm, nuget, pypi
from pkgdb.packages.archive import gzipped_tar
from pkgdb.packages.package import (
    Contents,
    Format,
    Opened,
    PackageError,
    PackageFile,
    quoted,
    storable,
)

__all__ = ["ECOSYSTEMS", "PackageError", "PackageFile", "read_package"]

_FORMATS: list[Format] = [
    format for of in (pypi, npm, deb, cargo, gem, nuget, helm) for format in of.FORMATS
]
_CHUNK = 1 << 20

ECOSYSTEMS = tuple(dict.fromkeys(format.ecosystem for format in _FORMATS))
"""Those whose packages can be read."""


def read_package(path: Path, ecosystem: str | None = None) -> PackageFile:
    """What a package's file says of itself.

    PackageError where it is no package that could be published, of the stated ecosystem if one is
    stated; OSError where it cannot be read at all.
    """
    try:
        if path.exists() and not path.is_file():
            raise PackageError("not a file")
        with path.open("rb") as file:
            return _read(Opened(path.name, file, os.fstat(file.fileno()).st_size), ecosystem)
    except PackageError as error:
        raise PackageError(f"{quoted(path.name)}: {error}") from error


def _read(package: Opened, ecosystem: str | None) -> PackageFile:
    before = os.fstat(package.file.fileno())
    format = _format(package, ecosystem)
    contents = format.read(package)
    algorithms = {"sha256"} | {algorithm for algorithm, _ in format.digests.values()}
    digests = _digests(package.file, algorithms)
    after = os.fstat(package.file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise PackageError("the file was written to while it was read")
    attributes = contents.attributes | {
        name: written(digests[algorithm]) for name, (algorithm, written) in format.digests.items()
    }
    return PackageFile(
        ecosystem=format.ecosystem,
        name=contents.name,
        version=contents.version,
        variant=contents.variant,
        filename=_plain(contents),
        media_type=format.media_type,
        sha256=digests["sha256"].hex(),
        size=package.size,
        metadata=storable("the metadata", contents.metadata),
        attributes=storable("the attributes", attributes),
        dependencies=contents.dependencies,
    )


def _format(package: Opened, ecosystem: str | None) -> Format:
    if ecosystem is not None and ecosystem not in ECOSYSTEMS:
        raise PackageError(
            f"packages of {quoted(ecosystem)} cannot be read, those of {', '.join(ECOSYSTEMS)} can"
        )
    formats = [format for format in _FORMATS if ecosystem in (None, format.ecosystem)]
    found = [format for format in formats if package.filename.endswith(format.suffix)]
    if not found:
        suffixes = ", ".join(dict.fromkeys(format.suffix for format in formats))
        raise PackageError(f"a package of {ecosystem or 'a known kind'} ends in {suffixes}")
    if len(found) == 1:
        return found[0]
    names = {member.name.partition("/")[2] for member in gzipped_tar(package)}
    package.file.seek(0)
    marks = {"npm": "package.json", "helm": "Chart.yaml"}
    marked = [format for format in found if marks[format.ecosystem] in names]
    if len(marked) != 1:
        which = ("both", "and") if marked else ("neither", "nor")
        raise PackageError("it has {} package.json of npm {} Chart.yaml of helm".format(*which))
    return marked[0]


def _digests(file: IO[bytes], algorithms: set[str]) -> dict[str, bytes]:
    hashes = [hashlib.new(name, usedforsecurity=False) for name in sorted(algorithms)]
    file.seek(0)
    while chunk := file.read(_CHUNK):
        for of in hashes:
            of.update(chunk)
    return {of.name: of.digest() for of in hashes}


def _plain(contents: Contents) -> str:
    if "/" in contents.filename or "\\" in contents.filename:
        raise PackageError(f"{quoted(contents.filename)} is no name of a file")
    return contents.filename
