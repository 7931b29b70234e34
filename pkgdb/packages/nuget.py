"""Packages of NuGet."""

import base64
import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from pkgdb.packages.archive import Zip
from pkgdb.packages.package import Contents, Format, Opened, PackageError, called, quoted, required

_TEXTS = (
    "authors", "description", "iconUrl", "language", "licenseUrl", "projectUrl", "summary", "title",
)  # fmt: skip
_LABELS = r"[0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"([0-9]+(?:[.][0-9]+){{0,3}})(-{_LABELS})?(?:[+]{_LABELS})?")


def read(package: Opened) -> Contents:
    """What the registration index has of the nuspec, under its names there."""
    archive = Zip(package)
    nuspecs = [name for name in archive.names if re.fullmatch(r"(?i)[^/\\]+[.]nuspec", name)]
    if len(nuspecs) != 1:
        raise PackageError(f"a package has one nuspec, and not {len(nuspecs)}")
    about = _child(_document(archive.content(nuspecs[0])), "metadata")
    if about is None:
        raise PackageError("the nuspec has no metadata")
    name, version = required("id", _text(about, "id")), required("version", _text(about, "version"))
    # The registry serves a package under its name in lower case and its normal version. Who packed
    # it kept the capitals, and long ago the version as it was written.
    filename = f"{name}.{_normal(version)}.nupkg".lower()
    if package.filename.lower() != f"{name}.{version}.nupkg".lower():
        called(Opened(package.filename.lower(), package.file, package.size), filename)
    return Contents(name=name, version=version, filename=filename, metadata=_metadata(about))


def _document(data: bytes) -> Element:
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise PackageError("the nuspec has a document type") from error
    except (ParseError, ValueError, LookupError) as error:
        raise PackageError(f"the nuspec is not XML: {quoted(str(error))}") from error
    return root


def _normal(version: str) -> str:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise PackageError(f"{quoted(version)} is no version of NuGet")
    numbers = [number.lstrip("0") or "0" for number in match[1].split(".")]
    numbers += ["0"] * (3 - len(numbers))
    if numbers[3:] == ["0"]:
        numbers.pop()
    return ".".join(numbers) + (match[2] or "")


def _metadata(about: Element) -> dict[str, Any]:
    found: dict[str, Any] = {name: text for name in _TEXTS if (text := _text(about, name))}
    if tags := _text(about, "tags"):
        found["tags"] = tags.replace(",", " ").split()
    if "minClientVersion" in about.attrib:
        found["minClientVersion"] = about.attrib["minClientVersion"]
    if (_text(about, "requireLicenseAcceptance") or "").lower() == "true":
        found["requireLicenseAcceptance"] = True
    license = _child(about, "license")
    if license is not None and license.get("type") in ("expression", "file"):
        key = "licenseExpression" if license.get("type") == "expression" else "licenseFile"
        found[key] = (license.text or "").strip()
    types = _children(_child(about, "packageTypes"), "packageType")
    if types:
        found["packageTypes"] = [dict(of.attrib) for of in types]
    repository = _child(about, "repository")
    if repository is not None:
        found["repository"] = dict(repository.attrib)
    groups = _groups(_child(about, "dependencies"))
    return found | ({"dependencyGroups": groups} if groups else {})


def _groups(dependencies: Element | None) -> list[dict[str, Any]]:
    # Old packages list dependencies without groups: for any framework.
    groups = _children(dependencies, "group")
    if not groups and _children(dependencies, "dependency"):
        groups = [dependencies] if dependencies is not None else []
    return [
        {
            **({"targetFramework": framework} if (framework := of.get("targetFramework")) else {}),
            "dependencies": [
                {
                    "id": required("id of a dependency", one.get("id")),
                    "range": one.get("version", ""),
                }
                for one in _children(of, "dependency")
            ],
        }
        for of in groups
    ]


def _children(of: Element | None, name: str) -> list[Element]:
    # Whatever the namespace: there is one for each version of the schema.
    return [child for child in (() if of is None else of) if child.tag.rpartition("}")[2] == name]


def _child(of: Element | None, name: str) -> Element | None:
    found = _children(of, name)
    if len(found) > 1:
        raise PackageError(f"the nuspec has {name} twice")
    return found[0] if found else None


def _text(of: Element, name: str) -> str | None:
    child = _child(of, name)
    return None if child is None else (child.text or "").strip()


FORMATS = (
    Format(
        "nuget",
        ".nupkg",
        "application/zip",
        read,
        {"packageHash": ("sha512", lambda digest: base64.b64encode(digest).decode())},
    ),
)
