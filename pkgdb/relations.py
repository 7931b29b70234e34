"""What Debian packages say of each other, read out of the fields of a control stanza.

Stricter than `debian.deb822.PkgRelation`, which gives back what it does not understand, under its
whole text as a name, and warns in a log.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["KINDS", "RelationError", "dependencies_of"]

FIELDS = (
    "Depends", "Pre-Depends", "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks",
    "Replaces", "Provides",
)  # fmt: skip
KINDS = tuple(field.lower() for field in FIELDS)
"""The kinds of dependencies, named as their fields."""

_ALTERNATIVE = re.compile(
    r"""
    ([A-Za-z0-9][A-Za-z0-9._+-]*) (?: : ([A-Za-z0-9][A-Za-z0-9-]*) )? \s*
    (?: \( \s* (<<|<=|<|=|>=|>>|>)? \s* ([0-9][A-Za-z0-9.+:~-]*) \s* \) )?
    """,
    re.VERBOSE,
)
# As dpkg reads what it warns of: the operators of its early days, and none.
_OF_OLD = {None: "=", "<": "<=", ">": ">="}
_ONE_EACH = {"Conflicts", "Breaks", "Replaces", "Provides"}
_MOST = 16_384  # relations and alternatives of a package; the database takes 1 MiB of them
_SHOWN = 80


class RelationError(ValueError):
    """A field is no list of relations; the message says which and where."""


def dependencies_of(fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """The relations of a stanza, as `publish` takes dependencies.

    Raises:
        RelationError: A field is malformed. An empty one, or one that ends with a comma, is not.
    """
    given = [fields[field] for field in FIELDS if field in fields]
    if sum(value.count(",") + value.count("|") for value in given) > _MOST:
        raise RelationError(f"it has more than {_MOST} relations")
    return [
        {"kind": field.lower(), "alternatives": alternatives}
        for field in FIELDS
        if field in fields
        for alternatives in _relations(field, fields[field])
    ]


def _relations(field: str, value: str) -> list[list[dict[str, Any]]]:
    relations = [relation.strip() for relation in value.split(",")]
    if relations[-1] == "":
        relations.pop()
    if field in _ONE_EACH and "|" in value:
        raise RelationError(f"{field} has alternatives: {_shown(value)}")
    return [[_alternative(field, one) for one in relation.split("|")] for relation in relations]


def _alternative(field: str, text: str) -> dict[str, Any]:
    match = _ALTERNATIVE.fullmatch(text.strip())
    if match is None:
        raise RelationError(f"{field} has a malformed relation: {_shown(text)}")
    name, architecture, operator, version = match.groups()
    alternative: dict[str, Any] = {
        "name": name,
        "constraints": [[_OF_OLD.get(operator, operator), version]] if version else [],
    }
    if architecture:
        alternative["architecture"] = architecture
    return alternative


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
