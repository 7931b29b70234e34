"""Gems."""

import io
from typing import Any

from pkgdb.packages.archive import Tar, damage, gunzip, only
from pkgdb.packages.documents import yaml_of
from pkgdb.packages.package import (
    LARGEST,
    Contents,
    Format,
    Opened,
    PackageError,
    called,
    quoted,
    required,
)

# What people want to know of a gem; which files are in it, and who signed it, is in the gem.
_TOLD = ("summary", "description", "authors", "email", "homepage", "licenses", "metadata")


def read(package: Opened) -> Contents:
    """The compact index's dependencies, ruby and rubygems, and what people want to know."""
    found = only(Tar(package.file, package.size), "metadata[.]gz")
    if found is None:
        raise PackageError("no metadata.gz")
    gemspec = yaml_of("metadata", _unpacked(found[1]))
    if not isinstance(gemspec, dict):
        raise PackageError("the metadata is no object")

    name = required("name", gemspec.get("name"))
    version = required("version", _version(gemspec.get("version")))
    platform = required("platform", _platform(gemspec.get("platform")))
    variant = "" if platform == "ruby" else platform
    metadata = {
        "dependencies": _dependencies(gemspec.get("dependencies")),
        "ruby": _requirement(gemspec.get("required_ruby_version")),
        "rubygems": _requirement(gemspec.get("required_rubygems_version")),
    }
    told = {key: gemspec[key] for key in _TOLD if gemspec.get(key)}
    return Contents(
        name=name,
        version=version,
        variant=variant,
        filename=called(package, "-".join(filter(None, (name, version, variant))) + ".gem"),
        metadata=told | metadata,
    )


def _unpacked(data: bytes) -> bytes:
    with damage("metadata.gz"):
        unpacked = gunzip(io.BytesIO(data)).read(LARGEST + 1)
    if len(unpacked) > LARGEST:
        raise PackageError(f"the metadata has more than {LARGEST} bytes")
    return unpacked


def _version(value: Any) -> Any:
    return value.get("version") if isinstance(value, dict) else value


def _platform(value: Any) -> Any:
    # Old gems spell it out: cpu, os and version.
    if isinstance(value, dict):
        parts = [value.get(key) for key in ("cpu", "os", "version")]
        return "-".join(part for part in parts if isinstance(part, str))
    return value or "ruby"


def _requirement(value: Any) -> str:
    """As `>= 1, < 2`."""
    pairs = value.get("requirements") if isinstance(value, dict) else None
    if value is None:
        return ">= 0"
    if not isinstance(pairs, list) or not pairs:
        raise PackageError(f"a malformed requirement: {quoted(value)}")
    texts = []
    for pair in pairs:
        match pair:
            case [str(operator), of] if isinstance(_version(of), str):
                texts.append(f"{operator} {_version(of)}")
            case _:
                raise PackageError(f"a malformed requirement: {quoted(pair)}")
    return ", ".join(texts)


def _dependencies(value: Any) -> list[dict[str, str]]:
    """Those that an installation needs."""
    found = []
    for dependency in value if isinstance(value, list) else ():
        if not isinstance(dependency, dict):
            raise PackageError(f"a malformed dependency: {quoted(dependency)}")
        if dependency.get("type", ":runtime") != ":runtime":
            continue
        # Before RubyGems 1.3.6 it was called version_requirements.
        requirement = dependency.get("requirement", dependency.get("version_requirements"))
        found.append(
            {
                "name": required("name of a dependency", dependency.get("name")),
                "requirements": _requirement(requirement),
            }
        )
    return found


FORMATS = (Format("gem", ".gem", "application/x-tar", read),)
