"""The group of commands."""

import click

from pkgdb import __version__
from pkgdb.cli.backend import backend
from pkgdb.cli.database import told
from pkgdb.cli.demo import demo
from pkgdb.cli.distribution import distribution
from pkgdb.cli.import_aptly import import_aptly
from pkgdb.cli.integrity import check, locks
from pkgdb.cli.load import load
from pkgdb.cli.mirror import mirror
from pkgdb.cli.project import project
from pkgdb.cli.publish import publish, unpublish
from pkgdb.cli.repository import repository
from pkgdb.cli.setup import down, migrate, up, upgrade_schemes
from pkgdb.cli.show import show
from pkgdb.cli.snapshot import snapshot
from pkgdb.cli.worker import worker


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        with told():
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Keep a package registry's state correct, inside PostgreSQL.

    The database is the one of --dsn or PKGDB_DSN, else that of the embedded server, which is
    started when needed. Exit codes: 0 fine, 1 findings, 2 wrong usage or not to be carried out.
    """


for command in (
    up,
    down,
    migrate,
    upgrade_schemes,
    load,
    publish,
    unpublish,
    backend,
    worker,
    project,
    repository,
    mirror,
    snapshot,
    distribution,
    import_aptly,
    show,
    check,
    locks,
    demo,
):
    cli.add_command(command)
