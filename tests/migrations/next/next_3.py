"""What reads all rows comes after what had to lock the table, in a transaction of its own."""

from pkgdb.migrate import as_owner, execute

revision = "next_3"
down_revision = "next_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        execute("alter table pkgdb.registration validate constraint registration_summary_check;")


def downgrade() -> None:
    pass
