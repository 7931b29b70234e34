"""Copy sql/ into the newest frozen folder, which the newest migration runs.

    python tools/freeze.py           copy
    python tools/freeze.py --check   exit 1 and name the files that differ

Frozen folders of a release never change. Until 1.0 there is one, and it is squashed: overwritten.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SQL = ROOT / "sql"


def newest_frozen(root: Path = ROOT) -> Path:
    return max(path for path in (root / "migrations" / "frozen").iterdir() if path.is_dir())


def contents(folder: Path) -> dict[str, bytes]:
    """Every SQL file below the folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.sql"))
    }


def differing(frozen: Path) -> list[str]:
    current, copied = contents(SQL), contents(frozen)
    return sorted(
        name for name in current.keys() | copied.keys() if current.get(name) != copied.get(name)
    )


def main() -> int:
    frozen = newest_frozen()
    names = differing(frozen)
    if "--check" in sys.argv[1:]:
        for name in names:
            print(f"sql/{name} differs from {frozen.relative_to(ROOT)}/{name}: run `make freeze`")
        return 1 if names else 0
    current = contents(SQL)
    for name in names:
        target = frozen / name
        if name in current:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(current[name])
        else:
            target.unlink()
    print(f"{frozen.relative_to(ROOT)}: {len(names)} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
