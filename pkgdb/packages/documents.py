"""JSON, TOML and YAML out of packages, as plain values."""

import base64
import binascii
import json
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import yaml  # type: ignore[import-untyped]

from pkgdb.packages.package import PackageError, quoted

_DEEPEST = 64
# Aliases make a small document a large one: a node counts each time that it is in the result.
_NODES = 100_000
_DOTS = 2000
NULLS = ("", "~", "null", "Null", "NULL")


def text_of(what: str, data: bytes) -> str:
    """UTF-8, with or without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PackageError(f"{what} is not UTF-8: {error}") from error


def json_of(what: str, data: bytes) -> Any:
    """What a JSON document says."""
    try:
        return json.loads(text_of(what, data), parse_constant=_no_constant)
    except PackageError:
        raise
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{what} is not JSON: {quoted(str(error))}") from error


def _no_constant(name: str) -> NoReturn:
    raise PackageError(f"{name} is not JSON")


def toml_of(what: str, data: bytes) -> dict[str, Any]:
    """What a TOML document says."""
    text = text_of(what, data)
    # The parser's time is quadratic in how many parts a key has, and keys end with their line.
    if any(line.count(".") > _DOTS for line in text.splitlines()):
        raise PackageError(f"{what} has a line with more than {_DOTS} dots")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{what} is not TOML: {quoted(str(error))}") from error


def _as_written(text: str) -> str | None:
    return None if text in NULLS else text


def yaml_of(what: str, data: bytes, plain: Callable[[str], str | None] = _as_written) -> Any:
    """What a YAML document says, in objects, lists, texts and nulls.

    Tags make nothing of a node, except that !binary is base64. There are no numbers: 1.10 is none
    where it is a version. ``plain`` says what texts without quotes are.
    """
    try:
        return _Builder(what, text_of(what, data), plain).document()
    except yaml.YAMLError as error:
        raise PackageError(f"{what} is not YAML: {quoted(str(error))}") from error


class _Builder:
    """Values out of the events of one document.

    yaml's own loaders recurse, and make what a document asks for: of merges (<<), for example,
    exponentially many.
    """

    def __init__(self, what: str, text: str, plain: Callable[[str], str | None]) -> None:
        self._what = what
        self._plain = plain
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Any:
        event = next(self._events)
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._node(event, _DEEPEST)
        next(self._events)
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise PackageError(f"{self._what} has more than one document")
        return value

    def _node(self, event: yaml.Event, deeper: int) -> Any:
        if deeper == 0:
            raise PackageError(f"{self._what} is nested more than {_DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise PackageError(f"{self._what}: nothing is called {quoted(event.anchor)} yet")
            value, count = self._anchors[event.anchor]
            self._add(count)
            return value
        before = self._count
        self._add(1)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = [self._node(item, deeper - 1) for item in self._until(yaml.SequenceEndEvent)]
        else:
            value = {}
            for key in self._until(yaml.MappingEndEvent):
                name = self._node(key, deeper - 1)
                if not isinstance(name, str):
                    raise PackageError(f"{self._what} has a key that is no text")
                value[name] = self._node(next(self._events), deeper - 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _scalar(self, event: yaml.ScalarEvent) -> str | None:
        if event.implicit[0]:
            return self._plain(event.value)
        if event.tag in ("!binary", "tag:yaml.org,2002:binary"):
            try:
                return base64.b64decode(event.value).decode()
            except (binascii.Error, ValueError) as error:
                raise PackageError(f"{self._what} has a !binary that is no text") from error
        return str(event.value)

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > _NODES:
            raise PackageError(f"{self._what} has more than {_NODES} values")
