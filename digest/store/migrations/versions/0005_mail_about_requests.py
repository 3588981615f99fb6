"""mail about requests"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pending", sa.Column("mail_at", sa.DateTime(timezone=True), nullable=True))
