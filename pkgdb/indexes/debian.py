"""``Packages`` files of Debian archives."""

import re
from collections.abc import Iterator
from typing import Any

from debian.deb822 import Deb822

from pkgdb.indexes.entry import Bad, Entry
from pkgdb.indexes.source import Damaged, Source
from pkgdb.relations import RelationError, dependencies_of

_LARGEST = 4 << 20  # bytes of one entry; the database takes 1 MiB of metadata

# What the rest of an entry says already, and what an archive changes without a new version.
_NOT_METADATA = {
    "package", "version", "architecture", "filename", "size", "md5sum", "sha1", "sha256", "sha512",
    "tag", "task", "phased-update-percentage",
}  # fmt: skip


def looks_like(head: bytes) -> bool:
    return re.match(rb"\s*[A-Z][A-Za-z0-9-]*:[ \t\n]", head) is not None


def read(source: Source) -> Iterator[Entry | Bad]:
    stanza: list[bytes] = []
    number = size = 0
    for number, line in source.lines(_LARGEST):
        if line.strip():
            stanza.append(line)
            size += len(line)
            if size > _LARGEST:
                raise Damaged(number, f"an entry has more than {_LARGEST} bytes")
        elif stanza:
            yield _entry(number - len(stanza), stanza)
            stanza = []
            size = 0
    if stanza:
        yield _entry(number - len(stanza) + 1, stanza)


def _entry(line: int, stanza: list[bytes]) -> Entry | Bad:
    try:
        fields = Deb822(b"".join(stanza).decode().splitlines())
    except UnicodeDecodeError as error:
        return Bad(line + b"".join(stanza).count(b"\n", 0, error.start), f"not UTF-8: {error}")
    missing = [name for name in ("Package", "Version", "Architecture") if not fields.get(name)]
    if missing:
        return Bad(line, f"no {', '.join(missing)}")

    try:
        dependencies = dependencies_of(fields)
    except RelationError as error:
        return Bad(line, f"{fields['Package']}: {error}")

    item: dict[str, Any] = {
        "ecosystem": "deb",
        "name": fields["Package"],
        "version": fields["Version"],
        "variant": fields["Architecture"],
        "metadata": {k: v for k, v in fields.items() if k.lower() not in _NOT_METADATA},
        "dependencies": dependencies,
    }
    if "Filename" not in fields:
        return Entry(line, item)
    path, size, sha256 = fields["Filename"], fields.get("Size"), fields.get("SHA256")
    if not (size and sha256):
        item["metadata"]["Filename"] = path
        return Entry(line, item, unregistered=1)
    if not re.fullmatch("[0-9]{1,18}", size):
        return Bad(line, f"{fields['Package']}: Size is not a number: {size!r}")
    item["files"] = [
        {
            "filename": path.rpartition("/")[2],
            "sha256": sha256,
            "size": int(size),
            "attributes": {"path": path},
        }
    ]
    return Entry(line, item)
