"""Subscribers and their editions, each queued for delivery when it is saved."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Column, Connection, Row, Table, bindparam, func, select, text, update

from digest.model import DeliveryState, Edition, Entry, Paper, Ranked, Reason, Section, Signals
from digest.store import papers, schema, upsert

_HIGHEST = 2**31 - 1  # what the column of ids can hold
_SECTIONS = (Section.MATCH, Section.CLIMBING, Section.STRETCH, Section.NEAREST)  # by stored number
Ints = npt.NDArray[np.int64]


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
    if subscriber_id > _HIGHEST:
        return None
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


def advance(connection: Connection, plans: Sequence[tuple[Standing, datetime]]) -> set[int]:
    """Move on to the next time an edition is due; return the ids of those whom nobody else has moved since."""
    subscriber = schema.subscriber.c
    known = {each.id: each.next_due_at for each, _ in plans}
    locked = connection.execute(
        select(subscriber.id, subscriber.next_due_at)
        .where(subscriber.id.in_(list(known)))
        .order_by(subscriber.id)  # always in one order: two that do the same wait, and never cross
        .with_for_update()
    )
    still = {row.id for row in locked if row.next_due_at == known[row.id]}
    moves = [{"of": each.id, "at": at} for each, at in plans if each.id in still]
    if moves:
        connection.execute(
            update(schema.subscriber)
            .where(subscriber.id == bindparam("of"))
            .values(next_due_at=bindparam("at")),
            moves,
        )
    return still


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


def revoke_tokens(connection: Connection, name: str) -> bool:
    """Raise a subscriber's token version, so that older tokens open nothing; False for an unknown name."""
    subscriber = schema.subscriber.c
    raised = connection.execute(
        update(schema.subscriber)
        .where(subscriber.name == name)
        .values(token_version=subscriber.token_version + 1)
    )
    return raised.rowcount == 1


def listed_before(connection: Connection, subscriber_id: int, until: datetime) -> set[int]:
    """Collect the papers of a subscriber's editions before a time; what only came near does not count."""
    edition = schema.edition.c
    packed = connection.scalars(
        select(edition.entries).where(
            edition.subscriber_id == subscriber_id, edition.composed_at < until
        )
    )
    entries = (entry for each in packed for entry in unpack(each))
    return {paper_id for paper_id, _, section in entries if section != Section.NEAREST}


class Showings(NamedTuple):
    """What earlier editions showed, one element for each paper in one of them."""

    reader: Ints  #: number in the sequence of subscribers
    paper: Ints  #: id
    dump: Ints  #: of the edition: what was known then
    climbing: npt.NDArray[np.bool_]


def showings(connection: Connection, subscriber_ids: Sequence[int], since: datetime) -> Showings:
    """Collect what editions since then showed; failed deliveries do not count, nor does what only came nearest."""
    edition, delivery = schema.edition.c, schema.delivery.c
    rows = connection.execute(
        select(edition.subscriber_id, edition.dump_id, edition.entries)
        .outerjoin_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .where(
            edition.subscriber_id.in_(subscriber_ids),
            edition.composed_at >= since,
            func.coalesce(delivery.state, "") != DeliveryState.FAILED,
        )
    ).all()
    numbers = {each: number for number, each in enumerate(subscriber_ids)}
    row, paper, section = unpack_all([each.entries for each in rows])
    reader = np.array([numbers[each.subscriber_id] for each in rows], np.int64)[row]
    dump = np.array([each.dump_id for each in rows], np.int64)[row]
    read = section != _SECTIONS.index(Section.NEAREST)
    climbing = section == _SECTIONS.index(Section.CLIMBING)
    return Showings(reader[read], paper[read], dump[read], climbing[read])


def last_dates(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, date]:
    """Tell the local date of each subscriber's last edition; who had none is left out."""
    edition = schema.edition.c
    rows = connection.execute(
        select(edition.subscriber_id, func.max(edition.local_date))
        .where(edition.subscriber_id.in_(subscriber_ids))
        .group_by(edition.subscriber_id)
    )
    return {row[0]: row[1] for row in rows}


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


def unpack_all(packed: Sequence[bytes]) -> tuple[Ints, Ints, Ints]:
    """Unpack many lists at once: for each entry the number of its list, its paper id, its section's number.

    Lists of one layout and length are read together: a list at a time would cost ten times as much.
    """
    alike: defaultdict[tuple[bytes, int], list[int]] = defaultdict(list)
    for number, each in enumerate(packed):
        alike[each[:1], len(each)].append(number)
    found = [np.empty((3, 0), np.int64)]
    for (flag, size), numbers in alike.items():
        try:
            count, flags = len(unpack(packed[numbers[0]])), flag[0]
        except (
            ValueError,
            IndexError,
        ):  # of what is damaged nothing is known; whoever reads that edition is told
            continue
        if not count:
            continue
        layout = np.dtype(
            [
                ("flags", "u1"),
                ("base", "<u4"),
                ("ids", "<u4" if flags & _WIDE_IDS else "<u2", (count,)),
                ("points", "<i4" if flags & _WIDE_POINTS else "<u2", (count,)),
                ("sections", "u1", (count if flags & _SECTIONED else 0,)),
            ]
        )
        assert layout.itemsize == size
        lists = np.frombuffer(b"".join([packed[number] for number in numbers]), layout)
        ids = lists["base"][:, None].astype(np.int64) + lists["ids"].reshape(-1, count)
        sections = np.zeros(ids.shape, np.int64)
        if flags & _SECTIONED:
            sections[:] = lists["sections"].reshape(-1, count)
        found.append(np.stack([np.repeat(numbers, count), ids.ravel(), sections.ravel()]))
    columns = np.concatenate(found, axis=1)
    row, paper, section = columns[:, np.argsort(columns[0], kind="stable")]
    return row, paper, section


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
    return _loaded(connection, [row])[0]


def load_editions(connection: Connection, edition_ids: Sequence[int]) -> dict[int, Edition]:
    """Load editions as they were frozen, each paper once for all of them."""
    rows = connection.execute(_editions().where(schema.edition.c.id.in_(edition_ids))).all()
    return {each.id: each for each in _loaded(connection, rows)}


def recent_editions(
    connection: Connection, subscriber_id: int, since: datetime | None = None
) -> list[Edition]:
    """Load a subscriber's newest editions, newest first."""
    edition = schema.edition.c
    chosen = _editions().where(edition.subscriber_id == subscriber_id)
    if since:
        chosen = chosen.where(edition.composed_at >= since)
    rows = connection.execute(chosen.order_by(edition.local_date.desc())).all()
    return _loaded(connection, rows)


class Packed(NamedTuple):
    """An edition without the papers' texts, and what came of its delivery."""

    id: int
    local_date: date
    composed_at: datetime
    dump_id: int
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
        Packed._make((*row[:5], unpack(row[5]), DeliveryState(row[6]) if row[6] else None))
        for row in rows
    ]


def _editions() -> Any:
    edition, subscriber, reason = schema.edition, schema.subscriber, schema.reason
    return (
        select(edition, subscriber.c.name, reason.c.reasons)
        .join(subscriber, subscriber.c.id == edition.c.subscriber_id)
        .outerjoin(reason, reason.c.edition_id == edition.c.id)
    )


def _loaded(connection: Connection, rows: Sequence[Row[Any]]) -> list[Edition]:
    shown = [unpack(row.entries) for row in rows]
    ids: defaultdict[int, set[int]] = defaultdict(set)
    for row, chosen in zip(rows, shown, strict=True):
        ids[row.dump_id].update(paper_id for paper_id, *_ in chosen)
    known = {dump: papers.by_id(connection, some, dump) for dump, some in ids.items()}
    signals = {dump: papers.signals(connection, some, dump) for dump, some in ids.items()}
    first = papers.first_signals(connection, set().union(*ids.values()))
    return [
        _edition(connection, row, chosen, known[row.dump_id], signals[row.dump_id], first)
        for row, chosen in zip(rows, shown, strict=True)
    ]


def _edition(
    connection: Connection,
    row: Row[Any],
    chosen: Sequence[tuple[int, int, Section]],
    known: Mapping[int, Paper],
    signals: Mapping[int, Signals],
    first: Mapping[int, Signals],
) -> Edition:
    reasons = row.reasons or [[]] * len(chosen)
    climbing = {paper_id for paper_id, _, section in chosen if section == Section.CLIMBING}
    earlier = stood_before(connection, row.subscriber_id, row.composed_at, climbing, ())
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
                before=risen(
                    (earlier if section == Section.CLIMBING else first).get(paper_id),
                    signals.get(paper_id),
                ),
                reasons=tuple(
                    Reason(interest=interest, term=term, field=field, points=part)
                    for interest, term, field, part in why
                ),
            )
            for (paper_id, points, section), why in zip(chosen, reasons, strict=True)
        ),
    )


def stood_before(
    connection: Connection,
    subscriber_id: int,
    composed_at: datetime,
    climbing: Iterable[int],
    others: Iterable[int],
) -> dict[int, Signals]:
    """Tell how papers stood: those that climbed, when an earlier edition showed them; others, when first seen."""
    before = papers.first_signals(connection, others)
    wanted = set(climbing)
    edition = schema.edition.c
    earlier = (
        select(edition.dump_id, edition.entries)
        .where(edition.subscriber_id == subscriber_id, edition.composed_at < composed_at)
        .order_by(edition.composed_at.desc())
    )
    for dump_id, packed in connection.execute(earlier) if wanted else ():
        shown = {e[0] for e in unpack(packed) if e[2] != Section.NEAREST} & wanted
        before |= papers.signals(connection, shown, dump_id)
        wanted -= shown
        if not wanted:
            break
    return before


def risen(before: Signals | None, now: Signals | None) -> Signals | None:
    """How a paper stood before, if it has risen since."""
    if not before or not now:
        return None
    then = before.upvotes, before.comments, before.stars
    return before if then != (now.upvotes, now.comments, now.stars) else None
