"""Wheels and source distributions of Python."""

import hashlib
import re

from packaging.metadata import InvalidMetadata, Metadata, RawMetadata, parse_email
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from pkgdb.packages.archive import Zip, gzipped_tar, only
from pkgdb.packages.package import Contents, Format, Opened, PackageError, quoted, required

_FIELDS = 500


def read_wheel(package: Opened) -> Contents:
    """What METADATA says, which is also served on its own (PEP 658)."""
    try:
        name, version, _, _ = parse_wheel_filename(package.filename)
    except InvalidWheelFilename as error:
        raise PackageError(f"not the name of a wheel: {quoted(str(error))}") from error
    archive = Zip(package)
    folders = {path.partition("/")[0] for path in archive.names}
    infos = [folder for folder in folders if folder.endswith(".dist-info")]
    if (
        len(infos) != 1
        or canonicalize_name(infos[0].removesuffix(".dist-info").rpartition("-")[0]) != name
    ):
        raise PackageError(f"a wheel has one .dist-info, its own, and not {quoted(sorted(infos))}")
    for member in ("METADATA", "WHEEL", "RECORD"):
        if f"{infos[0]}/{member}" not in archive.names:
            raise PackageError(f"no {member}")
    document = archive.content(f"{infos[0]}/METADATA")
    contents = _contents(package, document, name, version)
    contents.attributes["core-metadata"] = {"sha256": hashlib.sha256(document).hexdigest()}
    return contents


def read_sdist(package: Opened) -> Contents:
    """What PKG-INFO says."""
    name, version = _sdist_name(package)
    found = only(gzipped_tar(package), "[^/]+/PKG-INFO")
    if found is None:
        raise PackageError("no PKG-INFO")
    return _contents(package, found[1], name, version)


def read_zipped_sdist(package: Opened) -> Contents:
    """What PKG-INFO says."""
    name, version = _sdist_name(package)
    archive = Zip(package)
    found = [path for path in archive.names if re.fullmatch("[^/]+/PKG-INFO", path)]
    if len(found) != 1:
        raise PackageError(f"a source distribution has one PKG-INFO, and not {len(found)}")
    return _contents(package, archive.content(found[0]), name, version)


def _sdist_name(package: Opened) -> tuple[NormalizedName, Version]:
    try:
        return parse_sdist_filename(package.filename)
    except InvalidSdistFilename as error:
        raise PackageError(f"not the name of an sdist: {quoted(str(error))}") from error


def _contents(package: Opened, document: bytes, name: NormalizedName, version: Version) -> Contents:
    # The files of a release may disagree in what they depend on, even in which Python they run on:
    # nothing of it is said of the version.
    raw = _headers(document)
    said = required("Name", raw.get("name")), required("Version", raw.get("version"))
    # Not validated as a whole, only what is used: summaries of several lines, say, abound.
    metadata = Metadata.from_raw(raw, validate=False)
    try:
        same = (canonicalize_name(metadata.name), metadata.version) == (name, version)
        requires_python = metadata.requires_python
    except InvalidMetadata as error:
        raise PackageError(f"the metadata is malformed: {quoted(str(error))}") from error
    if not same:
        raise PackageError(f"the metadata is of {quoted(said[0])} {quoted(said[1])}")
    return Contents(
        name=said[0],
        version=said[1],
        filename=package.filename,
        attributes=(
            {"requires-python": " ".join(raw["requires_python"].split())}
            if requires_python is not None
            else {}
        ),
    )


def _headers(document: bytes) -> RawMetadata:
    # Without the description that may follow, and bounded: the parser's time is quadratic in how
    # many fields there are.
    headers = re.split(rb"\r?\n\r?\n|\r\r", document, maxsplit=1)[0]
    if len(set(re.findall(rb"^([^\s:]+)[ \t]*:", headers, re.MULTILINE))) > _FIELDS:
        raise PackageError(f"the metadata has more than {_FIELDS} different fields")
    return parse_email(headers.decode(errors="replace"))[0]


FORMATS = (
    Format("pypi", ".whl", "application/zip", read_wheel),
    Format("pypi", ".tar.gz", "application/gzip", read_sdist),
    Format("pypi", ".zip", "application/zip", read_zipped_sdist),
)
