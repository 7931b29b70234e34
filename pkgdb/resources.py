"""Where sql/ and migrations/ lie: beside this file in a wheel, above it in a checkout."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def folder(name: Literal["migrations", "sql"]) -> Path:
    """The folder of that name; a real one, since alembic cannot read from a zip file."""
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"this installation of pkgdb lacks its {name} folder")
