"""Package URLs in place of an ecosystem, a name, a version and a variant.

A purl splits what the registries join: `pkg:npm/%40scope/name` is the npm package `@scope/name`,
`pkg:maven/group/artifact` is `group:artifact`, and what is one architecture's build of a Debian
package is told by a qualifier. Only the spelling is converted here: what a name or a version may
look like, and which spellings are the same, is decided by the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pkgdb.errors import MalformedArgument

if TYPE_CHECKING:
    from packageurl import PackageURL

__all__ = ["Coordinates", "Name", "coordinates", "only_name"]


class Coordinates(NamedTuple):
    """One version of a package, as the SQL functions name it."""

    ecosystem: str
    name: str | None
    version: str | None
    variant: str | None


class Name(NamedTuple):
    """One package, as the SQL functions name it."""

    ecosystem: str
    name: str | None


_NAME_SEPARATOR = {"maven": ":"}
"""What joins a purl's namespace and its name; `/` where nothing else is said."""

_NAMESPACE_DROPPED = frozenset({"alpm", "apk", "conan", "deb", "rpm"})
"""Here the purl's namespace is the distribution or vendor, which is no part of the name."""

_VARIANT_QUALIFIERS = {
    "alpm": ("arch",),
    "apk": ("arch",),
    "conda": ("subdir", "build"),
    "deb": ("arch",),
    "gem": ("platform",),
    "rpm": ("arch",),
}
"""The qualifiers that belong to a version's identity, joined by `/`."""


def coordinates(
    ecosystem: str | PackageURL,
    name: str | None = None,
    version: str | None = None,
    variant: str | None = None,
) -> Coordinates:
    """The arguments as they are or, where `ecosystem` is a purl, what the purl says.

    A part that the purl leaves open may be given beside it.

    Raises `MalformedArgument` (RG400) for a purl that is not one, that has a subpath, or that
    says what is also given as an argument.
    """
    if isinstance(ecosystem, str):
        if not ecosystem.startswith("pkg:"):
            return Coordinates(ecosystem, name, version, variant)
        # Only who uses purls needs the library: extra `purl`.
        from packageurl import PackageURL

        try:
            purl = PackageURL.from_string(ecosystem)
        except ValueError as exc:
            raise _malformed(f"not a package URL: {exc}") from exc
    else:
        purl = ecosystem
    if purl.subpath:
        raise _malformed(f"{purl.to_string()} names a part of a package, not a package")

    said = Coordinates(purl.type, _name(purl), _version(purl), _variant(purl))
    for part, by_purl, by_argument in (
        ("name", said.name, name),
        ("version", said.version, version),
        ("variant", said.variant, variant),
    ):
        if by_purl and by_argument:
            raise _malformed(f"{purl.to_string()} and an argument both give a {part}")
    return Coordinates(said.ecosystem, said.name, said.version or version, said.variant or variant)


def only_name(ecosystem: str | PackageURL, name: str | None = None) -> Name:
    """Like `coordinates`, where a purl must not say a version or a variant."""
    package = coordinates(ecosystem, name)
    if package.version or package.variant:
        raise _malformed(f"{ecosystem} names a version where a package is meant")
    return Name(package.ecosystem, package.name)


def _name(purl: PackageURL) -> str:
    if not purl.namespace or purl.type in _NAMESPACE_DROPPED:
        return purl.name
    return f"{purl.namespace}{_NAME_SEPARATOR.get(purl.type, '/')}{purl.name}"


def _version(purl: PackageURL) -> str | None:
    epoch = _qualifiers(purl).get("epoch") if purl.type == "rpm" else None
    return f"{epoch}:{purl.version}" if epoch and purl.version else purl.version


def _variant(purl: PackageURL) -> str | None:
    qualifiers = _qualifiers(purl)
    parts = [qualifiers.get(key) for key in _VARIANT_QUALIFIERS.get(purl.type, ())]
    return "/".join(part for part in parts if part) or None


def _qualifiers(purl: PackageURL) -> dict[str, str]:
    return purl.qualifiers if isinstance(purl.qualifiers, dict) else {}


def _malformed(message: str) -> MalformedArgument:
    return MalformedArgument(message, sqlstate="RG400")
