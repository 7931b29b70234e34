"""An application applies pkgdb's migrations from its own history, by its own env.py."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from pkgdb import migrate
from tests.migrations.tools import dump, value
from tests.support import ServerUnderTest

ENV = """
from alembic import context

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

REVISION = """
from alembic import op

revision = "app_1"
down_revision = None
branch_labels = ("app",)
depends_on = "pkgdb_0001"

def upgrade():
    op.execute("create table public.app_package (note text)")

def downgrade():
    op.execute("drop table public.app_package")
"""


@pytest.fixture
def application(tmp_path: Path, empty_dsn: str) -> Config:
    project = tmp_path / "an application"
    (project / "versions").mkdir(parents=True)
    (project / "env.py").write_text(ENV)
    (project / "versions" / "app_1.py").write_text(REVISION)
    config = Config()
    config.set_main_option("script_location", str(project))
    config.set_main_option("path_separator", "newline")
    locations = [str(project / "versions"), migrate.version_location()]
    config.set_main_option("version_locations", "\n".join(locations))
    config.attributes["engine"] = migrate.engine(empty_dsn)
    return config


def test_up_and_down(
    application: Config, server: ServerUnderTest, empty_dsn: str, dsn: str
) -> None:
    empty = dump(server, empty_dsn)
    command.upgrade(application, "heads")
    versions = (
        "select string_agg(version_num, ' ' order by version_num) from public.alembic_version"
    )
    assert str(value(empty_dsn, versions)).split()[0] == "app_1"
    owner = "select relowner::regrole::text from pg_class where relname = '{}'"
    assert value(empty_dsn, owner.format("app_package")) == "postgres"
    assert value(empty_dsn, owner.format("alembic_version")) == "postgres"

    command.downgrade(application, "app@base")
    assert dump(server, empty_dsn) == dump(server, dsn)
    command.downgrade(application, "pkgdb@base")
    assert dump(server, empty_dsn) == empty
    command.upgrade(application, "heads")
    assert value(empty_dsn, "select to_regclass('pkgdb.repository') is not null") is True
