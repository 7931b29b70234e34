"""Readers of index files, yielding what ``publish_many`` takes.

Four formats are read, plain or compressed with gzip, xz, bzip2, lz4 or zstd:

``debian``
    A ``Packages`` file. The variant is the architecture; ``Filename``, ``Size`` and ``SHA256`` make
    the file, its pool path among its attributes; the other fields are the metadata, except those
    that an archive changes without a new version (``Tag``, ``Task``). ``Depends`` and its kin are
    the dependencies as well.
``pypi``
    The JSON page of one project of a simple index (PEP 691). Files are gathered by version; a
    version is yanked where all its files are (PEP 592).
``npm``
    The packument of one package. Each version's manifest is its metadata, ``deprecated`` deprecates
    it and ``dist-tags`` become tags.
``jsonl``
    JSON lines, one version a line, in the shape of an item of ``publish_many``: ``ecosystem``,
    ``name`` and ``version``, and optionally ``variant``, ``files``, ``metadata``,
    ``dependencies``, ``yanked`` (true or the reason), ``deprecated`` (the message) and ``tags`` (a
    list).

A file of a version is registered where the index states its SHA-256 and its size. Packuments state
neither and older simple indexes no size: such files stay in the version's metadata, and
``Entry.unregistered`` counts them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from pkgdb.indexes import debian, jsonl, npm, pypi
from pkgdb.indexes.entry import Bad, Entry
from pkgdb.indexes.source import Damaged, Source

__all__ = ["FORMATS", "Bad", "Entry", "Source", "UnknownFormat", "detect", "read"]

FORMATS: dict[str, Callable[[Source], Iterator[Entry | Bad]]] = {
    "debian": debian.read,
    "pypi": pypi.read,
    "npm": npm.read,
    "jsonl": jsonl.read,
}


class UnknownFormat(ValueError):
    """Nothing in the file says which format it is."""


def detect(source: Source) -> str:
    """The format of a file that was just opened, by its content, then by its name."""
    if {".jsonl", ".ndjson"} & set(source.path.suffixes):
        return "jsonl"
    for name, module in (("jsonl", jsonl), ("npm", npm), ("pypi", pypi), ("debian", debian)):
        if module.looks_like(source.head):
            return name
    raise UnknownFormat(f"{source.path}: not an index file of a known format")


def read(path: Path | Source, format: str | None = None) -> Iterator[Entry | Bad]:
    """Yields each entry, and for each one that cannot be read where it is and why.

    Nothing that is wrong inside the file is raised; OSError is, when it cannot be read at all.
    """
    if isinstance(path, Path):
        with Source(path) as source:
            yield from read(source, format)
        return
    try:
        for entry in FORMATS[format or detect(path)](path):
            yield entry if isinstance(entry, Bad) else entry.checked()
    except Damaged as damaged:
        yield Bad(damaged.line, str(damaged))
