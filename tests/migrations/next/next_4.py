"""An index on a table that publishers write."""

from pkgdb.migrate import create_index

revision = "next_4"
down_revision = "next_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("registration_summary_idx", "registration (namespace, summary)")


def downgrade() -> None:
    pass
