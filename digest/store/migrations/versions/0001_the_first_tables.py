"""the first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


ledger_date = sa.Date().with_variant(sa.Integer(), "sqlite")
ledger_time = sa.DateTime(timezone=True).with_variant(sa.Integer(), "sqlite")
open_deliveries = sa.text(
    "(state = 'queued' OR state = 'claimed' OR state = 'sending' OR state = 'uncertain')"
)


def upgrade() -> None:
    op.create_table(
        "dump",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(length=32), nullable=False),
        sa.Column("captured_on", sa.Date(), nullable=True),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("ingested_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dump"),
        sa.UniqueConstraint("content_hash", name="uq_dump_content_hash"),
    )
    op.create_index("ix_dump_source_name", "dump", ["source", "name"])
    op.create_table(
        "fetch",
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=True),
        sa.Column("last_modified", sa.String(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("url", name="pk_fetch"),
    )
    op.create_table(
        "pass",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pass"),
    )
    op.create_table(
        "suppression",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("suppressed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_suppression"),
    )
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_subscriber"),
        sa.UniqueConstraint("name", name="uq_subscriber_name"),
    )
    op.create_index("ix_subscriber_next_due_at", "subscriber", ["next_due_at"])

    op.create_table(
        "edition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("local_date", ledger_date, nullable=False),
        sa.Column("composed_at", ledger_time, nullable=False),
        sa.Column("dump_id", sa.Integer(), nullable=False),
        sa.Column("considered", sa.Integer(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("cut", sa.Integer(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dump_id"], ["dump.id"], name="fk_edition_dump_id_dump"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name="fk_edition_subscriber_id_subscriber"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_edition"),
        sa.UniqueConstraint(
            "subscriber_id", "local_date", name="uq_edition_subscriber_id_local_date"
        ),
    )
    op.create_table(
        "interests_version",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name="fk_interests_version_subscriber_id_subscriber",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "since", name="pk_interests_version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paper",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=20), nullable=False),
        sa.Column("first_dump_id", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["first_dump_id"], ["dump.id"], name="fk_paper_first_dump_id_dump"),
        sa.PrimaryKeyConstraint("id", name="pk_paper"),
        sa.UniqueConstraint("uid", name="uq_paper_uid"),
    )
    op.create_index("ix_paper_first_seen_at", "paper", ["first_seen_at"])

    op.create_table(
        "rejection",
        sa.Column("dump_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dump_id"], ["dump.id"], name="fk_rejection_dump_id_dump"),
        sa.PrimaryKeyConstraint("dump_id", "position", name="pk_rejection"),
    )
    op.create_table(
        "mark",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name="fk_mark_subscriber_id_subscriber"
        ),
        sa.ForeignKeyConstraint(["paper_id"], ["paper.id"], name="fk_mark_paper_id_paper"),
        sa.PrimaryKeyConstraint("subscriber_id", "paper_id", name="pk_mark"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reason",
        sa.Column("edition_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["edition.id"], name="fk_reason_edition_id_edition"
        ),
        sa.PrimaryKeyConstraint("edition_id", name="pk_reason"),
    )
    op.create_table(
        "delivery",
        sa.Column("edition_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("lease_until", ledger_time, nullable=True),
        sa.Column("not_before", ledger_time, nullable=True),
        sa.Column("changed_at", ledger_time, nullable=False),
        sa.Column("doubtful", sa.Integer(), nullable=False),
        sa.Column("last_answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["edition.id"], name="fk_delivery_edition_id_edition"
        ),
        sa.PrimaryKeyConstraint("edition_id", name="pk_delivery"),
    )
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["edition_id"],
        sqlite_where=open_deliveries,
        postgresql_where=open_deliveries,
    )
    op.create_table(
        "bounce",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["edition.id"], name="fk_bounce_edition_id_edition"
        ),
        sa.PrimaryKeyConstraint("edition_id", name="pk_bounce"),
    )
    op.create_table(
        "paper_key",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["paper.id"], name="fk_paper_key_paper_id_paper"),
        sa.PrimaryKeyConstraint("key", "paper_id", name="pk_paper_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "revision",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("dump_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("arxiv_id", sa.String(), nullable=True),
        sa.Column("doi", sa.String(), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["dump_id"], ["dump.id"], name="fk_revision_dump_id_dump"),
        sa.ForeignKeyConstraint(["paper_id"], ["paper.id"], name="fk_revision_paper_id_paper"),
        sa.PrimaryKeyConstraint("paper_id", "dump_id", name="pk_revision"),
    )
    op.create_table(
        "sighting",
        sa.Column("dump_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("featured_on", sa.Date(), nullable=True),
        sa.Column("upvotes", sa.Integer(), nullable=True),
        sa.Column("comments", sa.Integer(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("said", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["dump_id"], ["dump.id"], name="fk_sighting_dump_id_dump"),
        sa.ForeignKeyConstraint(["paper_id"], ["paper.id"], name="fk_sighting_paper_id_paper"),
        sa.PrimaryKeyConstraint("dump_id", "position", name="pk_sighting"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sighting_paper_id_dump_id", "sighting", ["paper_id", "dump_id"])
