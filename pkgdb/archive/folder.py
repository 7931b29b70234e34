"""The folder: what its readers see at one moment is one state of a distribution, whole.

    <prefix>/dists/<distribution>                     a link to the tree of a generation (deb)
    <prefix>/<distribution>                           the same (pypi, npm)
    <prefix>/pool/<2 digits>/<sha256>/<filename>      the files that the trees name
    <prefix>/.generations/<link>/<number>/tree/       what a link leads to
                                         /files       what it needs of the pool
                                         /state.json  written last: without, it is half made
    <prefix>/.generations/<link>/seen.json            when nothing had changed yet
                                /dropped              since when there is no link
    <prefix>/.incoming/                               files on their way to the pool

A generation is never changed after its link was set, and a new one has a number of its own. What
is no longer linked stays for a time of grace, with its files; what a client in the middle of an
update still asks for by hash is in the newer generations too. Who writes holds the folder's lock,
so that nothing is cleaned away that is just being put there; who is killed leaves what the next one
recognizes as half made.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import uuid4

from pkgdb._lock import locked
from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.listing import PoolFile

__all__ = ["Folder", "Generation", "Place", "Shelf", "State", "Tree", "checked", "pool_path"]

LOCK = ".pkgdb-archive.lock"
GENERATIONS = ".generations"
INCOMING = ".incoming"
RESERVED = frozenset({"dists", "pool"})
"""Names that no part of a prefix, or of the link of another ecosystem than deb, may have."""

_LONGEST = 255  # bytes, in a folder of nearly every file system
_PART = re.compile(r"[^./\\\s\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
_DIGEST = re.compile("[0-9a-f]{64}")


def checked(what: str, path: str) -> str:
    """A relative path that stays below where it begins, and hides nothing."""
    for part in path.split("/"):
        if not _PART.fullmatch(part) or len(os.fsencode(part)) > _LONGEST:
            raise ArchiveError(f"{what} {path!r} cannot be a path in the archive")
    return path


def pool_path(file: PoolFile) -> str:
    """Where a file is, below the prefix: one path has one content."""
    if not _DIGEST.fullmatch(file.sha256):
        raise ArchiveError(f"{file.sha256!r} is no digest")
    return checked("file", f"pool/{file.sha256[:2]}/{file.sha256}/{file.filename}")


@dataclass(frozen=True)
class State:
    """What a generation shows; `indexes` has the digest and size of each file of its tree.

    `date` is the time that it states, in seconds, and `valid_until` the one up to which its readers
    take it.
    """

    namespace: str
    distribution_id: int
    revision: int
    digest: str
    date: int
    valid_until: int | None
    indexes: dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Generation:
    """One rendering of a distribution that was written to its end."""

    folder: Path
    state: State

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def tree(self) -> Path:
        return self.folder / "tree"


class Tree:
    """A tree that is being written; what the one before has as well is shared with it."""

    def __init__(self, folder: Path, before: Generation | None, date: int) -> None:
        self.folder = folder
        self.date = date
        self.indexes: dict[str, tuple[str, int]] = {}
        self._before = before

    def put(self, path: str, data: bytes) -> bool:
        """Writes an index; True where it is as it was."""
        said = (hashlib.sha256(data).hexdigest(), len(data))
        if self._before is not None and self._before.state.indexes.get(path) == said:
            return self.keep(path)
        self.write(path, data)
        self.indexes[path] = said
        return False

    def keep(self, path: str) -> bool:
        """Takes over an index as it was; False where there was none."""
        if self._before is None or path not in self._before.state.indexes:
            return False
        self.link(self._before.tree / path, path)
        self.indexes[path] = self._before.state.indexes[path]
        return True

    def write(self, path: str, data: bytes) -> None:
        """Writes a file of which no other says what is in it.

        Its time is the generation's. HTTP tells times apart by the second, and who asks for what
        was changed since the one before must not be told that nothing was.
        """
        target = self._target(path)
        _write(target, data)
        os.utime(target, (self.date, self.date))

    def link(self, existing: Path, path: str) -> None:
        """Makes a file of another place one of this tree as well; one that is there stays."""
        target = self._target(path)
        if not target.exists():
            try:
                target.hardlink_to(existing)
            except OSError:  # too many of them, or a file system without
                _write(target, existing.read_bytes())

    def _target(self, path: str) -> Path:
        target = self.folder / checked("index", path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


class Folder:
    """The folder that is served."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the folder's lock.

        Raises:
            BlockingIOError: Another process does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path / LOCK, busy=f"another renderer works in {self.path}"):
            yield

    def shelf(self, prefix: str) -> Shelf:
        """What is below a prefix."""
        if prefix and RESERVED & set(checked("prefix", prefix).split("/")):
            raise ArchiveError(f"prefix {prefix!r} has a part that archives use themselves")
        return Shelf(self, prefix)

    def shelves(self) -> list[Shelf]:
        """Those where something was rendered."""
        found = []
        for folder, folders, _ in os.walk(self.path):
            if GENERATIONS in folders or INCOMING in folders:
                prefix = Path(folder).relative_to(self.path).as_posix()
                found.append(Shelf(self, "" if prefix == "." else prefix))
            folders[:] = [each for each in folders if each[0] != "." and each not in RESERVED]
        return sorted(found, key=lambda shelf: shelf.prefix)

    def real(self, folder: Path) -> Path:
        """Makes a folder below this one, of which no part is a link to somewhere else."""
        made = self.path
        for part in folder.relative_to(self.path).parts:
            made /= part
            if made.is_symlink():
                raise ArchiveError(f"{made} is a link: a distribution cannot be inside another one")
            made.mkdir(exist_ok=True)
        return made

    def sync(self, folder: Path) -> None:
        """Sees to it that what was made in a folder, and above it, outlives the machine's power."""
        for each in (folder, *folder.parents):
            _sync(each)
            if each == self.path:
                break

    def prune(self, folder: Path) -> None:
        """Removes a folder below this one and those above it, as far as they are empty."""
        while folder != self.path:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                break
            folder = folder.parent


class Shelf:
    """The distributions of one prefix, and the pool that they share."""

    def __init__(self, root: Folder, prefix: str) -> None:
        self.root = root
        self.prefix = prefix
        self.folder = root.path / prefix
        self.generations = self.folder / GENERATIONS
        self._incoming = self.folder / INCOMING

    def place(self, link: str) -> Place:
        """Where a distribution is seen."""
        if len(quote(checked("distribution", link), safe="")) > _LONGEST:
            raise ArchiveError(f"distribution {link!r} has too long a name for a folder")
        return Place(self, link)

    def places(self) -> list[Place]:
        """Those where something was rendered."""
        return [Place(self, unquote(each.name)) for each in _folders(self.generations, ".+")]

    # The pool

    def pooled(self, file: PoolFile) -> Path:
        """Where a file is, or would be."""
        return self.folder / pool_path(file)

    def has(self, file: PoolFile) -> bool:
        """Whether a file is in the pool; its bytes were looked at when it was put there."""
        try:
            return self.pooled(file).stat().st_size == file.size
        except FileNotFoundError:
            return False

    def incoming(self) -> Path:
        """A path for a file on its way."""
        return self.root.real(self._incoming) / uuid4().hex

    def admit(self, fresh: Path, file: PoolFile) -> None:
        """Moves a file whose bytes are right into the pool."""
        _sync(fresh)
        target = self.pooled(file)
        for folder in (target.parent.parent.parent, target.parent.parent, target.parent):
            if not folder.exists():
                self.root.real(folder)
                _sync(folder.parent)
        fresh.replace(target)
        _sync(target.parent)

    # Cleaning

    def mend(self) -> None:
        """Removes what was half made."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        for place in self.places():
            for number in place.unseen():
                place.discard(number)

    def clean(self, now: float, grace: float) -> None:
        """Removes what nobody needs any longer."""
        places = self.places()
        for place in places:
            for number in place.expired(now, grace):
                place.discard(number)
        if husks := [husk for place in places for husk in place.husks()]:
            self._sweep({path for place in places for path in place.needed()})
            for husk in husks:
                husk.rmdir()
        for place in places:
            place.prune()
        for folder in (self._incoming, self.generations, self.folder):
            self.root.prune(folder)

    def _sweep(self, needed: set[str]) -> None:
        """Removes all else from the pool."""
        pool = self.folder / "pool"
        for few in _folders(pool, "[0-9a-f]{2}"):
            for one in _folders(few, _DIGEST.pattern):
                for file in one.iterdir():
                    if file.relative_to(self.folder).as_posix() not in needed:
                        file.unlink()
                self.root.prune(one)
            self.root.prune(few)


class Place:
    """Where a distribution is seen: a link, and the generations that it has led to."""

    def __init__(self, shelf: Shelf, link: str) -> None:
        self.link = link
        self._shelf = shelf
        self._path = shelf.folder / link
        self._folder = shelf.generations / quote(link, safe="")

    def __str__(self) -> str:
        return str(self._path)

    @property
    def distribution(self) -> str:
        """The name of what is seen here."""
        return self.link.removeprefix("dists/")

    def last(self) -> State | None:
        """The newest state of what is seen here, or was."""
        whole = self._whole()
        return whole[-1].state if whole else None

    def current(self) -> Generation | None:
        """What the link leads to."""
        number = self._linked()
        return next((each for each in self._whole() if each.number == number), None)

    def kept(self, now: float, grace: float) -> list[Generation]:
        """The generations that clients may still be reading: replaced less than `grace` ago."""
        seen = self._seen()
        ends: list[float | None] = [later.state.date for later in seen[1:]]
        ends.append(None if self._linked() else self._dropped())
        return [
            generation
            for generation, end in zip(seen, ends, strict=False)
            if end is None or now - end < grace
        ]

    # Rendering

    def begin(self, files: Iterable[PoolFile]) -> Path:
        """The folder of a new generation. From now on its files stay in the pool.

        Raises:
            ArchiveError: There is no place for the link.
        """
        self._shelf.root.real(self._path.parent)
        if os.path.lexists(self._path) and self._linked() is None:
            raise ArchiveError(f"{self._path} was made by something else")
        (self._folder / "seen.json").unlink(missing_ok=True)
        number = max(self._numbers(), default=0) + 1
        fresh = self._shelf.root.real(self._folder / str(number))
        _write(fresh / "files", "\n".join(map(pool_path, files)).encode())
        (fresh / "tree").mkdir()
        return fresh

    def switch(self, fresh: Path, state: State) -> None:
        """Makes a generation, whose tree is written, what readers see."""
        for folder, _, _ in os.walk(fresh):
            _sync(Path(folder))
        _write(fresh / "state.json", json.dumps(asdict(state)).encode())
        self._shelf.root.sync(fresh)
        link = self._folder / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(self._target(int(fresh.name)))
        link.replace(self._path)
        self._shelf.root.sync(self._path.parent)
        (self._folder / "dropped").unlink(missing_ok=True)

    def seen(self) -> object:
        """What `see` was told of the current generation; None where it was not."""
        try:
            said = json.loads((self._folder / "seen.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        number = self._linked()
        return said["seen"] if number and said["generation"] == number else None

    def see(self, seen: object) -> None:
        """Remembers something until there is another generation."""
        said = json.dumps({"generation": self._linked(), "seen": seen})
        fresh = self._folder / "seen.new"
        fresh.write_text(said)
        fresh.replace(self._folder / "seen.json")

    # Cleaning

    def drop(self) -> bool:
        """Removes the link; whether there was one."""
        linked = self._linked() is not None
        if linked:
            self._path.unlink()
        self._shelf.root.prune(self._path.parent)
        if self._dropped() is None:
            _write(self._folder / "dropped", b"")
        return linked

    def unseen(self) -> list[int]:
        """The generations that no reader has seen.

        They have no state yet, or the link was not yet set to them.
        """
        seen = {self._linked(), *(each.number for each in self._seen())}
        return [number for number in self._numbers() if number not in seen]

    def expired(self, now: float, grace: float) -> list[int]:
        """The generations that nobody reads any longer."""
        kept = {each.number for each in self.kept(now, grace)}
        return [each.number for each in self._seen() if each.number not in kept]

    def discard(self, number: int) -> None:
        """Removes a generation, but for its empty folder: what it needed of the pool is not gone.

        In an order in which no half of it passes for whole.
        """
        folder = self._folder / str(number)
        (folder / "state.json").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder / "tree")
        (folder / "files").unlink(missing_ok=True)

    def husks(self) -> list[Path]:
        """The folders of generations that were removed."""
        return [folder for folder in self._folders() if not any(folder.iterdir())]

    def needed(self) -> Iterator[str]:
        """What the generations need of the pool, those too that are half made.

        Raises:
            FileNotFoundError: It is not known of one that readers may see.
        """
        for folder in self._folders():
            if (folder / "state.json").exists() or (folder / "files").exists():
                yield from (folder / "files").read_text(encoding="utf-8").split("\n")

    def prune(self) -> None:
        """Removes what is left where there is no generation any longer."""
        if not self._numbers():
            shutil.rmtree(self._folder, ignore_errors=True)

    # Generations

    def _folders(self) -> list[Path]:
        return [self._folder / str(number) for number in self._numbers()]

    def _numbers(self) -> list[int]:
        with suppress(FileNotFoundError):
            names = [each.name for each in self._folder.iterdir()]
            return sorted(int(name) for name in names if name.isdecimal())
        return []

    def _whole(self) -> list[Generation]:
        """Those that were written to their end, oldest first."""
        found = []
        for folder in self._folders():
            with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                said = json.loads((folder / "state.json").read_bytes())
                indexes = {path: (one[0], one[1]) for path, one in said.pop("indexes").items()}
                found.append(Generation(folder, State(**said, indexes=indexes)))
        return found

    def _seen(self) -> list[Generation]:
        """Those of them that the link has led to, the current one last."""
        linked = self._linked()
        return [each for each in self._whole() if linked is None or each.number <= linked]

    def _target(self, number: int) -> str:
        return os.path.relpath(self._folder / str(number) / "tree", self._path.parent)

    def _linked(self) -> int | None:
        """The number of the generation that the link leads to; None where it is none of ours."""
        with suppress(OSError):
            target = str(self._path.readlink())
            number = Path(target).parent.name
            if number.isdecimal() and target == self._target(int(number)):
                return int(number)
        return None

    def _dropped(self) -> float | None:
        """When the link was removed, if it was."""
        with suppress(FileNotFoundError):
            return (self._folder / "dropped").stat().st_mtime
        return None


def _folders(folder: Path, pattern: str) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        for each in sorted(folder.iterdir()):
            if re.fullmatch(pattern, each.name) and each.is_dir() and not each.is_symlink():
                yield each


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
