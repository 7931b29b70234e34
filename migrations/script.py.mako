"""${message}

Rules: runs in one transaction, as whoever migrates, under a short lock_timeout. Never edit it, nor
the files it runs, once released. It must not need pkgdb's env.py: applications run it from theirs.
An index on a table that may be large is made concurrently, in an autocommit_block, alone.
"""

${imports if imports else "from alembic import op"}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
