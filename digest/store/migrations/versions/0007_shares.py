"""a share once for all editions that have it"""

import json
import struct

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ledger_time = sa.DateTime(timezone=True).with_variant(sa.Integer(), "sqlite")
edition = sa.table("edition", sa.column("id"), sa.column("composed_at", ledger_time))
before = sa.table("reason", sa.column("edition_id"), sa.column("reasons", sa.JSON()))
reason = sa.table("reason", sa.column("edition_id"), sa.column("shares", sa.LargeBinary()))


def upgrade() -> None:
    share = op.create_table(
        "share",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("made_at", ledger_time, nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_share"),
    )
    connection = op.get_bind()
    op.add_column("reason", sa.Column("shares", sa.LargeBinary(), nullable=True))
    last = 0
    joined = sa.join(before, edition, before.c.edition_id == edition.c.id)
    while rows := connection.execute(
        sa.select(before, edition.c.composed_at)
        .select_from(joined)
        .where(before.c.edition_id > last)
        .order_by(before.c.edition_id)
        .limit(500)
    ).all():
        for number, told, composed_at in rows:
            packed = []
            for reasons in told:
                groups: dict[str, list[list[object]]] = {}
                for interest, *one in reasons:
                    groups.setdefault(interest or f"\0{one[0]}", [interest]).append(one)
                texts = sorted(
                    groups.values(), key=lambda group: -sum(points for _, _, points in group[1:])
                )
                packed.append(
                    [
                        connection.scalar(
                            share.insert()
                            .values(
                                made_at=composed_at, reasons=json.dumps(group, ensure_ascii=False)
                            )
                            .returning(share.c.id)
                        )
                        for group in texts
                    ]
                )
            numbers = [each for some in packed for each in some]
            base = min(numbers, default=0)
            layout = f"<Q{len(packed)}H{len(numbers)}I"
            body = struct.pack(layout, base, *map(len, packed), *(n - base for n in numbers))
            connection.execute(
                reason.update().where(reason.c.edition_id == number).values(shares=body)
            )
        last = rows[-1].edition_id
    with op.batch_alter_table("reason") as table:
        table.drop_column("reasons")
        table.alter_column("shares", existing_type=sa.LargeBinary(), nullable=False)
