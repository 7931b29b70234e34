"""${message}

Publishers go on meanwhile, with the functions and the wrapper of the release before. What keeps it
so is in docs/migrations.md: additive only, one table that publishers use, no scan under its lock.
Never edit it, nor the files it runs, once released.
"""

${imports + "\n" if imports else ""}from pkgdb.migrate import as_owner, execute

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    with as_owner():
        execute("")


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
