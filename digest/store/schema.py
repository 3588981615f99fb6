"""Tables, the same on SQLite and PostgreSQL. Rows never leave `digest.store`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

VERSION = "0008"  #: the newest migration; a database at any other is refused


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out (SQLite alone would hand back naive values)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.toordinal()


class LedgerTime(TypeDecorator[datetime]):
    """Aware UTC; on SQLite in whole seconds since 1970: 4 bytes where text takes 26."""

    impl = DateTime(timezone=True).with_variant(Integer(), "sqlite")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return (value - _EPOCH) // timedelta(seconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name != "sqlite":
            utc: datetime = value.astimezone(UTC)
            return utc
        return _EPOCH + timedelta(seconds=value)


class LedgerDate(TypeDecorator[date]):
    """A date; on SQLite in days since 1970: 2 bytes where text takes 10, and that twice with the index."""

    impl = Date().with_variant(Integer(), "sqlite")
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.toordinal() - _FIRST_DAY

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        if value is None or dialect.name != "sqlite":
            found: date | None = value
            return found
        return date.fromordinal(value + _FIRST_DAY)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

dump = Table(
    "dump",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("name", String, nullable=False),
    Column("content_hash", String(32), nullable=False, unique=True),
    Column("captured_on", Date),
    Column("papers", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("remarks", Text, nullable=False),  # how it compares with the dumps before it
    Column("ingested_at", UTCDateTime, nullable=False),
    Index(None, "source", "name"),
)

# What an address answered last; a source that fails is left alone until `not_before`.
fetch = Table(
    "fetch",
    metadata,
    Column("url", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("etag", String),
    Column("last_modified", String),
    Column("fetched_at", UTCDateTime),
    Column("not_before", UTCDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
)

rejection = Table(
    "rejection",
    metadata,
    Column("dump_id", ForeignKey("dump.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("place", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("excerpt", Text, nullable=False),
)

paper = Table(
    "paper",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("uid", String(20), nullable=False, unique=True),
    Column("first_dump_id", ForeignKey("dump.id"), nullable=False),
    Column("first_seen_at", UTCDateTime, nullable=False, index=True),
)

# What a paper can be found by; see `identity.keys`.
paper_key = Table(
    "paper_key",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("paper_id", ForeignKey("paper.id"), primary_key=True),
    sqlite_with_rowid=False,
)

# A paper as it was known from one dump on. Editions name a dump, and so keep the text they showed.
revision = Table(
    "revision",
    metadata,
    Column("paper_id", ForeignKey("paper.id"), primary_key=True),
    Column("dump_id", ForeignKey("dump.id"), primary_key=True),
    Column("title", Text, nullable=False),
    Column("abstract", Text, nullable=False),
    Column("arxiv_id", String),
    Column("doi", String),
    Column("published_on", Date),
    Column("facts", JSON(none_as_null=True)),
)

sighting = Table(
    "sighting",
    metadata,
    Column("dump_id", ForeignKey("dump.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("paper_id", ForeignKey("paper.id"), nullable=False),
    Column("place", String, nullable=False),
    Column("featured_on", Date),
    Column("upvotes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
    Column("late", Boolean, nullable=False),
    Column("said", JSON(none_as_null=True)),  # what this dump said otherwise than the paper does
    Index(None, "paper_id", "dump_id"),
    sqlite_with_rowid=False,
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("schedule", String, nullable=False),
    Column("next_due_at", UTCDateTime, index=True),  # NULL: nobody waits for an edition
    Column("token_version", Integer, nullable=False),
    Column("unsubscribed_at", UTCDateTime),
    # Of those who signed up; the interests file keeps its own.
    Column("address", String, unique=True),  # in lower case
    Column("body", LargeBinary),  # what they ask for, as JSON
    Column("signed_up_at", UTCDateTime),
    Column("paused_until", UTCDateTime),
)

# What somebody asked for on a page, and a link that is mailed to them must confirm.
pending = Table(
    "pending",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subscriber_id", ForeignKey("subscriber.id")),
    Column("address", String, nullable=False),
    Column("body", LargeBinary),
    Column("requested_at", UTCDateTime, nullable=False, index=True),
    # When a mail about it is to go out; NULL: it has gone.
    Column("mail_at", UTCDateTime, index=True),
    Column("lease_until", UTCDateTime),  # by the database's clock: somebody is about to mail
    sqlite_autoincrement=True,  # a link names its number, so none comes twice
)

# What a subscriber asked for, since when: why a paper was not chosen is worked out from it again.
interests_version = Table(
    "interests_version",
    metadata,
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True),
    Column("since", UTCDateTime, primary_key=True),
    Column("hash", String(32), nullable=False),
    Column("body", LargeBinary, nullable=False),  # JSON, deflated
    sqlite_with_rowid=False,
)

# What a subscriber said of a paper, last: "more" or "less" of its kind.
mark = Table(
    "mark",
    metadata,
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True),
    Column("paper_id", ForeignKey("paper.id"), primary_key=True),
    Column("verdict", String, nullable=False),
    Column("marked_at", UTCDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# Proposals that a subscriber does not want to see again.
refusal = Table(
    "refusal",
    metadata,
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True),
    Column("proposal", String, primary_key=True),
    Column("refused_at", UTCDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# One row for each subscriber and day, for years: every byte counts (docs/decisions/0010-ledger.md).
edition = Table(
    "edition",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscriber.id"), nullable=False),
    Column("local_date", LedgerDate, nullable=False),
    Column("composed_at", LedgerTime, nullable=False),
    Column("dump_id", ForeignKey("dump.id"), nullable=False),  # papers as they were known then
    Column("considered", Integer, nullable=False),
    Column("matched", Integer, nullable=False),
    Column("cut", Integer, nullable=False),  # points that a paper needed to match
    Column("remarks", Text, nullable=False),
    Column("entries", LargeBinary, nullable=False),  # paper ids, points and sections, packed
    UniqueConstraint("subscriber_id", "local_date"),
)

# What one interest gave one paper: once, for all editions of a pass that have it.
share = Table(
    "share",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("made_at", LedgerTime, nullable=False),  # when those editions were composed
    Column("reasons", Text, nullable=False),  # JSON
)

# Why each paper was chosen, in the order of the entries; cleared when it is old.
reason = Table(
    "reason",
    metadata,
    Column("edition_id", ForeignKey("edition.id"), primary_key=True, autoincrement=False),
    Column("shares", LargeBinary, nullable=False),  # their numbers, packed
)

#: Deliveries that are not over; in these words, since a partial index serves only who asks in its own.
OPEN = text("(state = 'queued' OR state = 'claimed' OR state = 'sending' OR state = 'uncertain')")

delivery = Table(
    "delivery",
    metadata,
    Column("edition_id", ForeignKey("edition.id"), primary_key=True, autoincrement=False),
    Column("address", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),  # claims; the fence
    Column("refusals", Integer, nullable=False),  # by the server, for now
    Column("lease_until", LedgerTime),
    Column("not_before", LedgerTime),
    Column("changed_at", LedgerTime, nullable=False),
    Column("doubtful", Integer, nullable=False),
    Column("last_answer", Text),
    Index("ix_delivery_open", "edition_id", sqlite_where=OPEN, postgresql_where=OPEN),
)

# Addresses we no longer write to, and why.
suppression = Table(
    "suppression",
    metadata,
    Column("address", String, primary_key=True),  # in lower case
    Column("reason", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("suppressed_at", UTCDateTime, nullable=False),
)

# What came back of a mail that a server had taken: the worst, once for each edition.
bounce = Table(
    "bounce",
    metadata,
    Column("edition_id", ForeignKey("edition.id"), primary_key=True),
    Column("kind", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("bounced_at", UTCDateTime, nullable=False),
)

pass_ = Table(
    "pass",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", UTCDateTime, nullable=False),
    Column("finished_at", UTCDateTime, nullable=False),
    Column("outcome", JSON, nullable=False),
)
