"""What a mirror follows, whatever its ecosystem: the little that an update needs of it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = [
    "Absent",
    "BadSignature",
    "Changed",
    "Expired",
    "Limits",
    "Settings",
    "Upstream",
    "UpstreamError",
    "Wrong",
    "plain_path",
    "text_of",
    "texts_of",
]

Settings = Mapping[str, Any]
"""The policy `upstream` of a mirror."""

Items = Sequence[Mapping[str, Any]]
"""As `stage_mirror_items` takes them."""

Got = Callable[[int], object]
"""Is told how many bytes more there are."""


class UpstreamError(OSError):
    """Upstream is away or refuses, or what it gives cannot be used; the message says why."""


class Absent(UpstreamError):
    """Upstream has no such file, or shows it to nobody."""


class Wrong(UpstreamError):
    """A file has other bytes than upstream says of it."""


class Changed(UpstreamError):
    """What was read belongs to different states of upstream: read it again from the start."""


class BadSignature(UpstreamError):
    """It is not signed by a key of the keyring, or is not what was signed."""


class Expired(UpstreamError):
    """Upstream itself says that nobody should trust this state of it any longer."""


@dataclass(frozen=True)
class Limits:
    """How many bytes upstream can make us read; what has more is refused."""

    release: int = 32 << 20
    index: int = 2 << 30
    """Of one index, as it is sent and decompressed."""
    file: int = 32 << 30


class Upstream(Protocol):
    """One upstream, at one of its states at a time."""

    async def read_release(self) -> str:
        """Reads what upstream says of its present state; returns what tells it from others.

        Raises:
            BadSignature: There is a keyring, and nobody who is in it says so.
            Expired: It was said too long ago.
            UpstreamError: Upstream is away, refuses, or says nothing usable.
        """
        ...

    def items(self, got: Callable[[int, int], object] | None = None) -> AsyncGenerator[Items]:
        """All versions of the state that was read last, some at a time.

        Args:
            got: Is told how many bytes more of the indexes were read, and how many there are.

        Raises:
            Changed: Upstream has another state by now, or is being changed.
            UpstreamError: Upstream is away, refuses, or an index cannot be used.
        """
        ...

    async def fetch(
        self, path: str, target: Path, sha256: str, size: int, got: Got | None = None
    ) -> None:
        """Writes a file of upstream into a new one, which then has these bytes.

        Raises:
            Absent: It is not there.
            Wrong: It has other bytes.
            UpstreamError: Upstream is away, or refuses.
        """
        ...


_SEGMENT = re.compile(r"[^/\\\x00-\x1f\x7f]+")
_SHOWN = 200


def plain_path(path: object) -> str:
    """A relative path that leads to no other place than it says, without `.` in it.

    Raises:
        UpstreamError: It is anything else: what upstream names is not where we are sent to.
    """
    parts = path.split("/") if isinstance(path, str) else []
    plain = [part for part in parts if part != "."]
    if (
        not plain
        or any(part == ".." or not _SEGMENT.fullmatch(part) for part in plain)
        or re.match("[A-Za-z][A-Za-z0-9+.-]*:", plain[0])
    ):
        raise UpstreamError(f"not a plain relative path: {ascii(path)[:_SHOWN]}")
    return "/".join(plain)


def text_of(settings: Settings, key: str) -> str | None:
    """A setting that is a text, if it is there.

    Raises:
        UpstreamError: It is something else.
    """
    value = settings.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise UpstreamError(f"the mirror's {key} is no text: {ascii(value)[:_SHOWN]}")


def texts_of(settings: Settings, key: str) -> list[str]:
    """A setting that is a list of texts; empty where it is not there.

    Raises:
        UpstreamError: It is something else.
    """
    value = settings.get(key) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise UpstreamError(f"the mirror's {key} are no texts: {ascii(value)[:_SHOWN]}")
    return list(dict.fromkeys(value))
