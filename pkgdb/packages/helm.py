"""Charts of Helm."""

import re
import struct
from decimal import Decimal
from typing import Any

from pkgdb.packages.archive import gzipped_tar
from pkgdb.packages.documents import NULLS, yaml_of
from pkgdb.packages.package import Contents, Format, Opened, PackageError, called, required

_YES = ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y")
_NO = ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N")

_INTEGER = re.compile(
    "([-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)|0o?(?P<octal>[0-7]+)"
    "|(?P<decimal>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(?:[.][0-9]+|[0-9]+(?:[.][0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_LARGEST_SINGLE = 3.4e38


def read(package: Opened) -> Contents:
    """What an index.yaml has of Chart.yaml; of a chart for Helm 2, with requirements.yaml."""
    documents: dict[str, bytes] = {}
    tar = gzipped_tar(package)
    for member in tar:
        # Helm takes off the first folder, whatever its name; subcharts lie deeper.
        if re.fullmatch("[^/]+/(?:Chart|requirements)[.]yaml", member.name):
            file = member.name.partition("/")[2]
            if file in documents:
                raise PackageError(f"two files {file}")
            documents[file] = tar.content(member)
    chart = _object("Chart.yaml", documents.get("Chart.yaml"))
    name, version = required("name", chart.pop("name", None)), chart.pop("version", None)
    version = required("version", version)
    if required("apiVersion", chart.get("apiVersion")) == "v1" and "requirements.yaml" in documents:
        requirements = _object("requirements.yaml", documents["requirements.yaml"])
        chart["dependencies"] = requirements.get("dependencies", [])
    _set_boolean(chart, "deprecated")
    dependencies = chart.get("dependencies", [])
    for dependency in dependencies if isinstance(dependencies, list) else ():
        if not isinstance(dependency, dict):
            raise PackageError("a dependency is no object")
        _set_boolean(dependency, "enabled")
    return Contents(
        name=name,
        version=version,
        filename=called(package, f"{name}-{version}.tgz"),
        metadata=chart,
    )


def _object(file: str, document: bytes | None) -> dict[str, Any]:
    if document is None:
        raise PackageError(f"no {file}")
    value = yaml_of(file, document, _plain)
    if not isinstance(value, dict):
        raise PackageError(f"{file} is no object")
    return {key: of for key, of in value.items() if of is not None}


def _plain(text: str) -> str | None:
    # Nearly all that a chart says is a text to Helm, but not before it was read as YAML:
    # `version: 1.10` is 1.1, and has to be to us as well.
    if text in NULLS:
        return None
    if text in _YES:
        return "true"
    if text in _NO:
        return "false"
    number = text if text[0] in "._" else text.replace("_", "")
    if match := _INTEGER.fullmatch(number):
        base = 16 if match["hex"] else 2 if match["binary"] else 8 if match["octal"] else 10
        integer = int(match[1] + match[match.lastgroup or 0], base)
        if -(2**63) <= integer < 2**64:
            return str(integer)
    return _as_helm_writes(float(number)) or text if _FLOAT.fullmatch(number) else text


def _as_helm_writes(number: float) -> str | None:
    """The shortest text of the nearest number of 32 bits, if there is one."""
    if abs(number) > _LARGEST_SINGLE:
        return None
    single = struct.pack("<f", number)
    digits = next(n for n in range(9) if struct.pack("<f", float(f"{number:.{n}e}")) == single)
    shortest = f"{number:.{digits}e}"
    exponent = int(shortest.partition("e")[2])
    return f"{Decimal(shortest):f}" if -4 <= exponent < 6 else shortest


def _set_boolean(of: dict[str, Any], key: str) -> None:
    if key in of:
        if of[key] not in ("true", "false"):
            raise PackageError(f"{key} is not true or false")
        of[key] = of[key] == "true"


FORMATS = (Format("helm", ".tgz", "application/gzip", read),)
