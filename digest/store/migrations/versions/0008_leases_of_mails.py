"""leases of mails about requests"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pending", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_pending_mail_at", "pending", ["mail_at"])


def downgrade() -> None:
    op.drop_index("ix_pending_mail_at", "pending")
    with op.batch_alter_table("pending") as table:
        table.drop_column("lease_until")
