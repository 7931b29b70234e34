"""Writes pkgdb/_sync from pkgdb/_async.

    python tools/unasync.py            write
    python tools/unasync.py --check    exit 1 when a file is stale, and write nothing

Words are replaced in code, docstrings and comments alike, one rule after the other, so the result
is the same under every Python. ruff sorts the imports and formats.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "pkgdb" / "_async", ROOT / "pkgdb" / "_sync"

# ruff looks for modules on disk, where the twin may not be yet.
FIRST_PARTY = ["--config", 'lint.isort.known-first-party = ["pkgdb"]']

RULES = {
    r"( *)from sqlalchemy\.ext\.asyncio import AsyncConnection, AsyncSession\b": (
        r"\1from sqlalchemy import Connection\n\1from sqlalchemy.orm import Session"
    ),
    r"\bimport asyncio\b": "import threading\nimport time",
    r"\basyncio\.sleep\b": "time.sleep",
    r"\basyncio\.Lock\b": "threading.Lock",
    r"\basyncio\.current_task\b": "threading.current_thread",
    r"\basync (?=def |with |for )": "",
    r"\bawait ": "",
    r"\baconnect\b": "connect",
    r"\bpkgdb\._async\b": "pkgdb._sync",
    r"\b__a(enter|exit)__\b": r"__\1__",
    r"\bAbstractAsyncContextManager\b": "AbstractContextManager",
    r"\basynccontextmanager\b": "contextmanager",
    r"\bAsync(?=[A-Z])": "",
}


def twin(source: Path) -> str:
    """The synchronous text of one asynchronous module."""
    text = source.read_text(encoding="utf-8")
    for pattern, replacement in RULES.items():
        text = re.sub(pattern, replacement, text)
    name = source.relative_to(ROOT).as_posix()
    text = f"# Generated from {name} by tools/unasync.py: do not edit.\n{text}"
    target = TARGET / source.name
    for command in (["check", "--fix", "--select=I,F401", *FIRST_PARTY], ["format"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", target, "-"],
            input=text,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            encoding="utf-8",
        ).stdout
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description="Write pkgdb/_sync from pkgdb/_async.")
    parser.add_argument("--check", action="store_true", help="only tell what is stale")
    check = parser.parse_args().check

    expected = {TARGET / source.name: twin(source) for source in sorted(SOURCE.glob("*.py"))}
    present = {path: path.read_text(encoding="utf-8") for path in TARGET.glob("*.py")}
    stale = sorted(path for path in expected | present if expected.get(path) != present.get(path))
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT).as_posix()}")
        if not check and path in expected:
            path.parent.mkdir(exist_ok=True)
            path.write_text(expected[path], encoding="utf-8")
        elif not check:
            path.unlink()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
