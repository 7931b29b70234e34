"""A rendering that ends at any step, killed or without room on the disk, leaves whole states."""

from __future__ import annotations

import errno
import json
import multiprocessing
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pkgdb.archive.listing import Entry
from tests.archive import victims
from tests.archive.support import Site, check

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.archive.victims"])

NEVER = sys.maxsize
Entries = list[Entry] | None


def ended(target: Callable[..., None], *arguments: object) -> Any:
    """What a process says in the end; None where it was killed."""
    pipe, other = processes.Pipe()
    process = processes.Process(target=target, args=(other, *arguments))
    process.start()
    other.close()
    try:
        return pipe.recv()
    except EOFError:
        return None
    finally:
        process.join()
        pipe.close()


class Change:
    """A change of a distribution, which can be begun again and again from the same state."""

    def __init__(self, base: Path, before: Entries, after: Entries) -> None:
        self._base = base
        self.names = [{entry.files[0].filename for entry in each or []} for each in (before, after)]
        self.after = after
        self.steps = 0
        ready = self._base / "ready"
        if before:
            assert ended(victims.victim, ready, NEVER, victims.die, before)
            age(ready)
        reference = self.begun()
        error, self.steps = ended(victims.victim, reference, NEVER, victims.die, after)
        assert error == 0
        self.result = layout(reference)

    def begun(self) -> Path:
        """A folder in which the change has not yet been made."""
        base = self._base / "attempt"
        shutil.rmtree(base, ignore_errors=True)
        shutil.copytree(self._base / "ready", base, symlinks=True)
        return base

    def seen(self, base: Path) -> set[str]:
        """The files that readers find."""
        shown = (base / "site" / "debian" / "dists" / "stable").exists()
        return check(base / "site") if shown else set()

    def turned_once(self, states: list[set[str]]) -> None:
        """Whether what was seen is the old state up to some step, and the new one from there."""
        turn = states.index(self.names[1])
        assert states == [self.names[0]] * turn + [self.names[1]] * (len(states) - turn)


def age(base: Path) -> None:
    """As if it had been rendered a while ago: nothing has to wait for another second."""
    for path in base.rglob("state.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"date": 1_700_000_000}))


def layout(base: Path) -> set[str]:
    """The names of what is in the folder, whatever the numbers of generations are."""
    paths = [
        path.relative_to(base).as_posix()
        for path in (base / "site").rglob("*")
        if path.is_symlink() or path.is_file() or ".generations" in path.parts
    ]
    return {re.sub(r"/\d+(?=/|$)", "/N", path) for path in paths}


@pytest.fixture(params=["first", "other", "removed"])
def change(request: pytest.FixtureRequest, base: Path) -> Change:
    (base / "ready").mkdir()
    site = Site(base / "ready")
    both, old, new = (site.deb(name, "1", "amd64") for name in ("both", "old", "new"))
    states: dict[str, tuple[Entries, Entries]] = {
        "first": (None, [both, new]),
        "other": ([both, old], [both, new]),
        "removed": ([both, old], None),
    }
    return Change(base, *states[request.param])


@pytest.mark.slow
def test_killed_at_every_step(change: Change) -> None:
    states = []
    for at in range(change.steps):
        base = change.begun()
        assert ended(victims.victim, base, at, victims.die, change.after) is None
        states.append(change.seen(base))
        age(base)
        error, _ = ended(victims.victim, base, NEVER, victims.die, change.after)
        assert error == 0
        assert change.seen(base) == change.names[1]
        assert layout(base) == change.result
    change.turned_once(states)


@pytest.mark.slow
def test_no_room_from_any_step_on(change: Change) -> None:
    states = []
    for at in range(change.steps):
        base = change.begun()
        error, _ = ended(victims.victim, base, at, victims.full, change.after)
        assert error in (0, errno.ENOSPC)
        states.append(change.seen(base))
        assert error or states[-1] == change.names[1]
        age(base)
        error, _ = ended(victims.victim, base, NEVER, victims.die, change.after)
        assert error == 0
        assert change.seen(base) == change.names[1]
        assert layout(base) == change.result
    change.turned_once(states)


def test_a_write_that_ends_early(site: Site) -> None:
    old = site.deb("demo", "1")
    many = [old, *(site.deb(f"demo{number}", "1") for number in range(20))]
    assert ended(victims.victim, site.base, NEVER, victims.die, [old])[0] == 0
    age(site.base)
    assert ended(victims.small_files, site.base, 2000, many) == errno.EFBIG
    assert check(site.path) == {"demo_1_all.deb"}
    assert ended(victims.victim, site.base, NEVER, victims.die, many)[0] == 0
    assert len(check(site.path)) == 21
