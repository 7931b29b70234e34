"""What the readers yield."""

import json
import re
from dataclasses import dataclass
from typing import Any

# NUL, which JSON can write and PostgreSQL cannot store; with another backslash before it, it is a
# text about that escape.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class Bad:
    """An entry that cannot be read."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A version as an index describes it."""

    line: int
    item: dict[str, Any]
    """As ``publish_many`` takes it."""
    yanked: bool | str = False
    """True, or the reason."""
    deprecated: str | None = None
    tags: tuple[str, ...] = ()
    unregistered: int = 0
    """Files that the index names without their SHA-256 or size; they are in the metadata only."""

    @property
    def label(self) -> str:
        """Which version this is, for a person."""
        variant = self.item.get("variant")
        return f"{self.item['name']} {self.item['version']}" + (f" ({variant})" if variant else "")

    def checked(self) -> "Entry | Bad":
        """Itself, unless something in it cannot be stored: that would spoil its whole batch."""
        try:
            text = json.dumps(self.item, allow_nan=False, ensure_ascii=False)
            text.encode()
        except UnicodeEncodeError:
            return Bad(self.line, f"{self.label}: a text has half a surrogate pair")
        except ValueError:
            return Bad(self.line, f"{self.label}: a number is not finite")
        if "\\u0000" in text and _NUL.search(text):
            return Bad(self.line, f"{self.label}: a text has a NUL")
        return self
