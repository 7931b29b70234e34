"""One call of one SQL function, apart from the connection that it runs on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pkgdb.errors import MalformedArgument

__all__ = ["LOOKUPS", "Call"]

LOOKUPS = frozenset(
    {
        "check_integrity",
        "diff_snapshots",
        "distribution_content",
        "is_prerelease",
        "locate_blob",
        "normalize_name",
        "normalize_version",
        "read_events",
        "resolve",
        "search_versions",
        "snapshot_digest",
        "verify_snapshot",
        "version_key",
        "versions",
    }
)
"""The functions that only look: calling one of them again is always safe."""


@dataclass(frozen=True, slots=True)
class Call:
    """`select * from pkgdb.function(p_argument => ..., ...)`, the same text for every driver."""

    function: str
    arguments: dict[str, Any]

    @classmethod
    def of(cls, function: str, arguments: Mapping[str, Any]) -> Call:
        """A call with Python values, by the names that they have in Python."""
        return cls(function, {f"p_{name}": _adapt(value) for name, value in arguments.items()})

    @property
    def sql(self) -> str:
        """The statement; its names are our own, never a caller's."""
        arguments = ", ".join(f"{name} => %({name})s" for name in self.arguments)
        return f"select * from pkgdb.{self.function}({arguments})"  # noqa: S608

    @property
    def lookup(self) -> bool:
        """Whether it changes nothing."""
        return self.function in LOOKUPS

    @property
    def keyed(self) -> bool:
        """Whether a second run gives the answer of the first, if that was committed."""
        return self.arguments.get("p_request_key") is not None


def _adapt(value: Any) -> Any:
    # JSON and numbers go as text without a type, so that the type is the one of the function's
    # argument: no driver has to know jsonb, and an integer is not sent as the smallest type that
    # holds it.
    if isinstance(value, Mapping | list):
        try:
            return json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as exc:
            raise MalformedArgument(f"not JSON: {exc}", sqlstate="RG400") from exc
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # A list is JSON, a tuple is an array.
    return list(value) if isinstance(value, tuple) else value
