"""pkgdb's migrations as some later release may have them: with those in the folder `next`."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from pkgdb import migrate

_config = migrate._config

SHIPPED = [
    revision.revision for revision in ScriptDirectory.from_config(_config(None)).walk_revisions()
]
"""The newest first."""
NEXT = ["next_1", "next_2", "next_3", "next_4"]


def config(target: migrate.Target | None, **attributes: object) -> Config:
    """What takes the place of `migrate._config`."""
    made = _config(target, **attributes)
    locations = [migrate.version_location(), str(Path(__file__).parent / "next")]
    made.set_main_option("path_separator", "newline")
    made.set_main_option("version_locations", "\n".join(locations).replace("%", "%%"))
    return made


PROGRAM = """
import sys
from pkgdb import migrate
from tests.migrations import newer

migrate._config = newer.config
migrate.upgrade(sys.argv[1])
"""
