"""Tarballs of npm."""

import base64
import re

from pkgdb.packages.archive import gzipped_tar
from pkgdb.packages.documents import json_of
from pkgdb.packages.package import Contents, Format, Opened, PackageError, called, required


def read(package: Opened) -> Contents:
    """package.json as it is, less what a registry itself says of a version."""
    document = None
    shrinkwrap = False
    files = unpacked = 0
    tar = gzipped_tar(package)
    for member in tar:
        if member.isreg():
            files += 1
            unpacked += member.size
        # npm takes off the first folder, whatever its name.
        if re.fullmatch("[^/]+/package[.]json", member.name):
            if document is not None:
                raise PackageError("two files package.json")
            document = tar.content(member)
        shrinkwrap |= re.fullmatch("[^/]+/npm-shrinkwrap[.]json", member.name) is not None
    if document is None:
        raise PackageError("no package.json")
    manifest = json_of("package.json", document)
    if not isinstance(manifest, dict):
        raise PackageError("package.json is no object")

    name = required("name", manifest.get("name"))
    version = required("version", manifest.get("version"))
    # The registry's name of a file leaves out the scope and build metadata. `npm pack` does not,
    # Yarn put a v before the version, and calls everything package.tgz now.
    scope, _, base = name.removeprefix("@").rpartition("/")
    whole = version.lstrip("=v ")
    plain = whole.partition("+")[0]
    served = f"{base}-{plain}.tgz"
    called(
        package,
        served,
        "package.tgz",
        *(
            f"{before}{base}-{mark}{number}.tgz"
            for before in ("", f"{scope}-")
            for mark in ("", "v")
            for number in (plain, whole)
        ),
    )
    return Contents(
        name=name,
        version=version,
        filename=served,
        metadata={
            key: value
            for key, value in manifest.items()
            if key not in ("name", "version", "deprecated", "dist") and not key.startswith("_")
        }
        | ({"_hasShrinkwrap": True} if shrinkwrap else {}),
        attributes={"fileCount": files, "unpackedSize": unpacked},
    )


FORMATS = (
    Format(
        "npm",
        ".tgz",
        "application/gzip",
        read,
        {
            "integrity": ("sha512", lambda digest: f"sha512-{base64.b64encode(digest).decode()}"),
            "shasum": ("sha1", bytes.hex),
        },
    ),
)
