"""Subscribers and their editions, each queued for delivery when it is saved."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Row, Table, func, select, text, update

from digest.model import DeliveryState, Edition, Entry, Ranked, Reason, Section, Signals
from digest.store import papers, schema, upsert

_SECTIONS = (Section.MATCH, Section.CLIMBING, Section.STRETCH, Section.NEAREST)  # by stored number


class Standing(NamedTuple):
    """What the store knows of a subscriber; the interests are in the configuration."""

    id: int
    name: str
    schedule: str
    next_due_at: datetime | None
    token_version: int
    unsubscribed_at: datetime | None


def standings(connection: Connection) -> dict[str, Standing]:
    """Load every subscriber's standing, by name."""
    return {row.name: Standing(*row) for row in connection.execute(_standings())}


def standing(connection: Connection, name: str) -> Standing | None:
    """Load one subscriber's standing; None for a name the store does not know yet."""
    subscriber = schema.subscriber.c
    row = connection.execute(_standings().where(subscriber.name == name)).first()
    return Standing(*row) if row else None


def standing_by_id(connection: Connection, subscriber_id: int) -> Standing | None:
    """Load one subscriber's standing by number, as links and envelopes name them."""
    subscriber = schema.subscriber.c
    row = connection.execute(_standings().where(subscriber.id == subscriber_id)).first()
    return Standing(*row) if row else None


def due(connection: Connection, now: datetime) -> list[Standing]:
    """Load who is due, longest waiting first. Costs by how many are due, not by how many there are."""
    subscriber = schema.subscriber.c
    rows = connection.execute(
        _standings()
        .where(subscriber.next_due_at <= now, subscriber.unsubscribed_at.is_(None))
        .order_by(subscriber.next_due_at)
    )
    return [Standing._make(row) for row in rows.all()]  # all at once costs less than one by one


def _standings() -> Any:
    return select(*(schema.subscriber.c[name] for name in Standing._fields))


def put_subscribers(
    connection: Connection, plans: Mapping[str, tuple[str, datetime | None]]
) -> None:
    """Record schedules and when each is due next, by name; a name that is new becomes a subscriber."""
    connection.execute(
        upsert(connection, schema.subscriber, ("schedule", "next_due_at")),
        [
            {"name": name, "schedule": line, "next_due_at": next_due_at, "token_version": 1}
            for name, (line, next_due_at) in sorted(plans.items())
        ],
    )


def advance(connection: Connection, known: Standing, next_due_at: datetime) -> bool:
    """Move on to the next time an edition is due; False where somebody else has done so since."""
    subscriber = schema.subscriber.c
    moved = connection.execute(
        update(schema.subscriber)
        .where(subscriber.id == known.id, subscriber.next_due_at == known.next_due_at)
        .values(next_due_at=next_due_at)
    )
    return moved.rowcount == 1


def set_unsubscribed(
    connection: Connection,
    subscriber_id: int,
    unsubscribed_at: datetime | None,
    next_due_at: datetime | None,
) -> None:
    """Record that a subscriber left (and waits for nothing), or came back and is due then."""
    connection.execute(
        update(schema.subscriber)
        .where(schema.subscriber.c.id == subscriber_id)
        .values(unsubscribed_at=unsubscribed_at, next_due_at=next_due_at)
    )


def shown(
    connection: Connection, subscriber_ids: Iterable[int], since: datetime
) -> dict[int, set[int]]:
    """Collect the papers that editions since then showed, by subscriber; failed deliveries do not count."""
    edition, delivery = schema.edition.c, schema.delivery.c
    rows = connection.execute(
        select(edition.subscriber_id, edition.entries)
        .outerjoin_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .where(
            edition.subscriber_id.in_(list(subscriber_ids)),
            edition.composed_at >= since,
            func.coalesce(delivery.state, "") != DeliveryState.FAILED,
        )
    )
    found: defaultdict[int, set[int]] = defaultdict(set)
    for subscriber_id, packed in rows:
        entries = unpack(packed)
        found[subscriber_id].update(e[0] for e in entries if e[2] != Section.NEAREST)
    return found


def has_edition(connection: Connection, subscriber_id: int, local_date: date | None = None) -> bool:
    """Whether a subscriber has an edition: of one local date, or any."""
    edition = schema.edition.c
    found = select(edition.id).where(edition.subscriber_id == subscriber_id)
    if local_date:
        found = found.where(edition.local_date == local_date)
    return connection.execute(found.limit(1)).first() is not None


class Draft(NamedTuple):
    """An edition that is to be frozen."""

    subscriber_id: int
    local_date: date
    composed_at: datetime
    dump_id: int
    considered: int  #: papers that were new
    matched: int  #: of these, how many had enough points
    cut: int  #: points that a paper needed to match
    remarks: str
    entries: Sequence[Ranked]
    address: str | None  #: None: read as a feed, nothing is sent


def save_editions(connection: Connection, drafts: Sequence[Draft]) -> set[int]:
    """Freeze editions and queue their deliveries; return the ids of the subscribers whose were saved.

    The others had an edition of that local date already; so has the second of two drafts alike. SQL goes
    to the driver as it is: through Core each row would cost three times as much.
    """
    if not drafts:
        return set()
    stored = _stored(connection)
    ids = _edition_ids(connection, len(drafts))
    _insert(
        connection,
        schema.edition,
        [
            (
                edition_id,
                each.subscriber_id,
                stored(schema.edition.c.local_date, each.local_date),
                stored(schema.edition.c.composed_at, each.composed_at),
                each.dump_id,
                each.considered,
                each.matched,
                each.cut,
                each.remarks,
                pack(each.entries),
            )
            for edition_id, each in zip(ids, drafts, strict=True)
        ],
        "ON CONFLICT (subscriber_id, local_date) DO NOTHING",
    )
    edition = schema.edition.c
    inserted = select(edition.id).where(edition.id.between(ids[0], ids[-1]))
    kept = set(connection.scalars(inserted))
    saved = [each for each in zip(ids, drafts, strict=True) if each[0] in kept]
    _insert(
        connection,
        schema.reason,
        [
            (edition_id, json.dumps(_reasons(each.entries), ensure_ascii=False))
            for edition_id, each in saved
            if any(entry.reasons for entry in each.entries)
        ],
    )
    at = schema.delivery.c.changed_at
    _insert(
        connection,
        schema.delivery,
        [
            (edition_id, each.address, "queued", 0, 0, None, None, stored(at, each.composed_at), 0)
            for edition_id, each in saved
            if each.address
        ],
    )
    return {each.subscriber_id for _, each in saved}


def _stored(connection: Connection) -> Callable[[Column[Any], Any], Any]:
    """Make what turns a value into what the driver takes; a pass has the same few again and again."""

    @cache
    def stored(column: Column[Any], value: Any) -> Any:
        convert = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        return convert(value) if convert else value

    return stored


def _edition_ids(connection: Connection, count: int) -> Sequence[int]:
    """Take ids for new editions, ascending; who writes to SQLite is alone while doing so."""
    if connection.dialect.name == "sqlite":
        newest = connection.scalar(select(func.max(schema.edition.c.id))) or 0
        return range(newest + 1, newest + 1 + count)
    taken = text(
        "SELECT nextval(pg_get_serial_sequence('edition', 'id')) FROM generate_series(1, :count)"
    )
    return sorted(connection.scalars(taken, {"count": count}))


def _insert(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], otherwise: str = ""
) -> None:
    """Insert rows with the table's first columns, by the driver alone."""
    if rows:
        names = [column.name for column in table.columns][: len(rows[0])]
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        values = ", ".join([mark] * len(names))
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values}) {otherwise}"  # noqa: S608 - names of ours
        connection.exec_driver_sql(statement, list(rows))


def _reasons(entries: Iterable[Ranked]) -> list[list[tuple[Any, ...]]]:
    return [[(r.interest, r.term, r.field, r.points) for r in each.reasons] for each in entries]


_WIDE_IDS, _WIDE_POINTS, _SECTIONED = 1, 2, 4


def pack(entries: Sequence[Ranked]) -> bytes:
    """Pack paper ids, points and sections into 4 bytes an entry, as a rule.

    A byte of flags, the smallest id, the ids above it, the points, and the sections unless all matched;
    ids and points take 2 bytes each, or 4 where one of them needs it.
    """
    ids = [each.paper.id for each in entries]
    points = [each.points for each in entries]
    sections = [each.section for each in entries]
    flags, count = 0, len(ids)
    base = min(ids, default=0)
    wide_ids, wide_points, last = "H", "H", ""
    if ids and max(ids) - base > 0xFFFF:
        flags, wide_ids = _WIDE_IDS, "I"
    if points and not 0 <= min(points) <= max(points) <= 0xFFFF:
        flags, wide_points = flags | _WIDE_POINTS, "i"
    numbers: list[int] = []
    if sections.count(Section.MATCH) < count:
        flags, last = flags | _SECTIONED, f"{count}B"
        numbers = [_SECTIONS.index(each) for each in sections]
    layout = f"<BI{count}{wide_ids}{count}{wide_points}{last}"
    return struct.pack(layout, flags, base, *[each - base for each in ids], *points, *numbers)


def unpack(packed: bytes) -> list[tuple[int, int, Section]]:
    """Paper id, points and section of each entry that was packed; ValueError for what never was."""
    if len(packed) < 5 or packed[0] > (_WIDE_IDS | _WIDE_POINTS | _SECTIONED):
        raise ValueError("the list of papers is damaged")
    flags, base = struct.unpack_from("<BI", packed)
    ids, points = "I" if flags & _WIDE_IDS else "H", "i" if flags & _WIDE_POINTS else "H"
    last = "B" if flags & _SECTIONED else ""
    each = struct.calcsize(f"<{ids}{points}{last}")
    count, rest = divmod(len(packed) - 5, each)
    if rest:
        raise ValueError("the list of papers is damaged")
    layout = f"<{count}{ids}{count}{points}" + (f"{count}B" if last else "")
    found = struct.unpack_from(layout, packed, 5)
    sections = [_SECTIONS[number] for number in found[2 * count :]] or [Section.MATCH] * count
    return [
        (base + above, part, section)
        for above, part, section in zip(
            found[:count], found[count : 2 * count], sections, strict=True
        )
    ]


def clear_reasons(connection: Connection, before: datetime, limit: int = 1000) -> int:
    """Forget why the papers of old editions were chosen, oldest first; return of how many editions."""
    edition, reason = schema.edition, schema.reason
    # Editions are numbered as they are composed: the oldest come first, and no more are looked at.
    oldest = select(reason.c.edition_id).order_by(reason.c.edition_id).limit(limit)
    old = select(edition.c.id).where(
        edition.c.id.in_(oldest.scalar_subquery()), edition.c.composed_at < before
    )
    gone = connection.execute(reason.delete().where(reason.c.edition_id.in_(old.scalar_subquery())))
    return gone.rowcount


def load_edition(connection: Connection, edition_id: int) -> Edition:
    """Load an edition as it was frozen: papers and signals as they were known then."""
    row = connection.execute(_editions().where(schema.edition.c.id == edition_id)).one()
    return _edition(connection, row)


def recent_editions(
    connection: Connection, subscriber_id: int, since: datetime | None = None
) -> list[Edition]:
    """Load a subscriber's newest editions, newest first."""
    edition = schema.edition.c
    chosen = _editions().where(edition.subscriber_id == subscriber_id)
    if since:
        chosen = chosen.where(edition.composed_at >= since)
    rows = connection.execute(chosen.order_by(edition.local_date.desc())).all()
    return [_edition(connection, row) for row in rows]


class Packed(NamedTuple):
    """An edition without the papers' texts, and what came of its delivery."""

    id: int
    local_date: date
    composed_at: datetime
    dump_id: int
    cut: int
    has_reasons: bool
    entries: list[tuple[int, int, Section]]  #: paper id, points, section
    delivery: DeliveryState | None

    def place(self, paper_id: int) -> int | None:
        """Tell the rank of a paper that the edition showed; a nearest miss was not shown."""
        shown = [one for one, _, section in self.entries if section != Section.NEAREST]
        return shown.index(paper_id) + 1 if paper_id in shown else None


def packed(connection: Connection, subscriber_id: int) -> list[Packed]:
    """Load all editions of a subscriber, oldest first, as cheaply as they are stored."""
    edition, delivery, reason = schema.edition.c, schema.delivery.c, schema.reason.c
    rows = connection.execute(
        select(
            edition.id,
            edition.local_date,
            edition.composed_at,
            edition.dump_id,
            edition.cut,
            reason.edition_id.is_not(None),
            edition.entries,
            delivery.state,
        )
        .outerjoin_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .outerjoin(schema.reason, reason.edition_id == edition.id)
        .where(edition.subscriber_id == subscriber_id)
        .order_by(edition.composed_at)
    )
    return [
        Packed._make((*row[:6], unpack(row[6]), DeliveryState(row[7]) if row[7] else None))
        for row in rows
    ]


def _editions() -> Any:
    edition, subscriber, reason = schema.edition, schema.subscriber, schema.reason
    return (
        select(edition, subscriber.c.name, reason.c.reasons)
        .join(subscriber, subscriber.c.id == edition.c.subscriber_id)
        .outerjoin(reason, reason.c.edition_id == edition.c.id)
    )


def _edition(connection: Connection, row: Row[Any]) -> Edition:
    chosen = unpack(row.entries)
    ids = [paper_id for paper_id, *_ in chosen]
    known = papers.by_id(connection, ids, row.dump_id)
    signals = papers.signals(connection, ids, row.dump_id)
    reasons = row.reasons or [[]] * len(chosen)
    return Edition(
        id=row.id,
        subscriber=row.name,
        local_date=row.local_date,
        composed_at=row.composed_at,
        considered=row.considered,
        matched=row.matched,
        cut=row.cut,
        remarks=row.remarks,
        entries=tuple(
            Entry(
                paper=known[paper_id],
                signals=signals.get(paper_id, Signals()),
                points=points,
                section=section,
                reasons=tuple(
                    Reason(interest=interest, term=term, field=field, points=part)
                    for interest, term, field, part in why
                ),
            )
            for (paper_id, points, section), why in zip(chosen, reasons, strict=True)
        ),
    )
