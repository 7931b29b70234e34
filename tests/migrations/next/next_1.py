"""Tables: a column with a default, a constraint that is not valid yet, another table.

All of it on one table that publishers use, and nothing that reads its rows.
"""

from pkgdb.migrate import as_owner, execute
from tests.migrations.newer import SHIPPED

revision = "next_1"
down_revision = SHIPPED[0]
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        execute("""
            alter table pkgdb.registration
                add column summary pkgdb.string not null default 'none',
                add constraint registration_summary_check
                    check (length(summary) <= 1000) not valid;
            create table pkgdb.registration_note (
                namespace       pkgdb.string not null,
                registration_id bigint not null,
                note            text,
                constraint registration_note_pkey primary key (namespace, registration_id),
                constraint registration_note_registration_fkey
                    foreign key (namespace, registration_id) references pkgdb.registration
            );
            comment on table pkgdb.registration_note is 'What somebody thinks of a package.';
        """)


def downgrade() -> None:
    pass
