"""proposals that were refused"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refusal",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("proposal", sa.String(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name="fk_refusal_subscriber_id_subscriber"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "proposal", name="pk_refusal"),
        sqlite_with_rowid=False,
    )
