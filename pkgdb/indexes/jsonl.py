"""JSON lines: one version a line."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pkgdb.indexes.entry import Bad, Entry
from pkgdb.indexes.source import Source

_REQUIRED = ("ecosystem", "name", "version")
_ITEM: dict[str, type] = dict.fromkeys(_REQUIRED, str) | {
    "variant": str,
    "files": list,
    "metadata": dict,
    "dependencies": list,
}


def looks_like(head: bytes) -> bool:
    first, end, _ = head.lstrip().partition(b"\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        # A first line longer than what we see: its key has to come before anything nested.
        return not end and re.match(rb'\{[^{\[]*"ecosystem"\s*:', first) is not None
    return isinstance(value, dict) and "ecosystem" in value


def read(source: Source) -> Iterator[Entry | Bad]:
    for number, line in source.lines():
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode())
        except UnicodeDecodeError as error:
            yield Bad(number, f"not UTF-8: {error}")
        except (ValueError, RecursionError) as error:
            yield Bad(number, f"not JSON: {error}")
        else:
            yield _entry(number, value)


def _entry(line: int, value: Any) -> Entry | Bad:
    if not isinstance(value, dict):
        return Bad(line, "not a JSON object")
    yanked = value.pop("yanked", False)
    deprecated = value.pop("deprecated", None)
    tags = value.pop("tags", [])
    missing = [key for key in _REQUIRED if key not in value]
    if missing:
        return Bad(line, f"no {', '.join(missing)}")
    unknown = [key for key in value if key not in _ITEM]
    if unknown:
        return Bad(line, f"unknown {', '.join(unknown)}")
    wrong = [key for key, kind in _ITEM.items() if not isinstance(value.get(key, kind()), kind)]
    if not isinstance(yanked, bool | str):
        wrong.append("yanked")
    if not isinstance(deprecated, str | None):
        wrong.append("deprecated")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        wrong.append("tags")
    if wrong:
        return Bad(line, f"of the wrong type: {', '.join(wrong)}")
    return Entry(line, value, yanked=yanked, deprecated=deprecated, tags=tuple(tags))
