"""Subscribers and their editions, each queued for delivery when it is saved."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Column, Connection, Row, func, select

from digest.model import DeliveryState, Edition, Entry, Paper, Ranked, Section, Share, Signals
from digest.store import bulk, papers, schema, shares

_HIGHEST = 2**31 - 1  # what the column of ids can hold
_SECTIONS = (Section.MATCH, Section.CLIMBING, Section.STRETCH, Section.NEAREST)  # by stored number
Ints = npt.NDArray[np.int64]


def listed_before(
    connection: Connection, subscriber_id: int, until: datetime, since: datetime
) -> set[int]:
    """Collect the papers of a subscriber's editions between two times; what only came near does not count."""
    edition = schema.edition.c
    packed = connection.scalars(
        select(edition.entries).where(
            edition.subscriber_id == subscriber_id,
            edition.local_date >= _earliest(since),
            edition.composed_at >= since,
            edition.composed_at < until,
        )
    )
    entries = (entry for each in packed for entry in unpack(each))
    return {paper_id for paper_id, _, section in entries if section != Section.NEAREST}


def _earliest(composed_at: datetime) -> date:
    """Give the earliest local date of an edition composed then: it is indexed, and years cost nothing.

    An edition that is made up has the date of its slot, a week before at most; zones are a day apart.
    """
    return composed_at.date() - timedelta(days=8)


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
            edition.local_date >= _earliest(since),
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
    edition, subscriber = schema.edition.c, schema.subscriber.c
    # One look into the index for each; max() with GROUP BY would read all of their years.
    last = (
        select(edition.local_date)
        .where(edition.subscriber_id == subscriber.id)
        .order_by(edition.local_date.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(select(subscriber.id, last).where(subscriber.id.in_(subscriber_ids)))
    return {row[0]: row[1] for row in rows if row[1]}


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


def save_editions(
    connection: Connection, drafts: Sequence[Draft], known: shares.Saved | None = None
) -> dict[int, int]:
    """Freeze editions and queue their deliveries; return the number of each that was saved, by subscriber.

    The others had an edition of that local date already; so has the second of two drafts alike. ``known``
    are the shares that editions of this pass saved before, in transactions that were committed.
    """
    if not drafts:
        return {}
    stored = _stored(connection)
    known = {} if known is None else known
    ids = shares.next_ids(connection, "edition", len(drafts))
    bulk.insert(
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
        unless="subscriber_id, local_date",
    )
    edition = schema.edition.c
    inserted = select(edition.id).where(edition.id.between(ids[0], ids[-1]))
    kept = set(connection.scalars(inserted))
    saved = [each for each in zip(ids, drafts, strict=True) if each[0] in kept]
    given = [share for _, each in saved for entry in each.entries for share in entry.shares]
    made_at = stored(schema.share.c.made_at, drafts[0].composed_at)
    bulk.insert(connection, schema.share, shares.save(connection, given, known, made_at))
    bulk.insert(
        connection,
        schema.reason,
        [
            (edition_id, shares.pack([entry.shares for entry in each.entries], known))
            for edition_id, each in saved
            if any(entry.shares for entry in each.entries)
        ],
    )
    at = schema.delivery.c.changed_at
    bulk.insert(
        connection,
        schema.delivery,
        [
            (edition_id, each.address, "queued", 0, 0, None, None, stored(at, each.composed_at), 0)
            for edition_id, each in saved
            if each.address
        ],
    )
    return {each.subscriber_id: edition_id for edition_id, each in saved}


def _stored(connection: Connection) -> Callable[[Column[Any], Any], Any]:
    """Make what turns a value into what the driver takes; a pass has the same few again and again."""

    @cache
    def stored(column: Column[Any], value: Any) -> Any:
        convert = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        return convert(value) if convert else value

    return stored


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
    shares.clear(connection, before, 50 * limit)
    return gone.rowcount


_PAGE = 32  # shares that follow each other by number: a dictionary of all would take five times the room
_OnShelf = tuple[Paper, Signals, Signals | None]  # how it stands, and how it stood when first seen


class Shelf:
    """What many editions have in common, each loaded once: papers as a dump had them, and shares. It never changes."""

    def __init__(self, papers: int = 5_000, shares: int = 400_000) -> None:
        self._most_papers, self._most_shares = papers, shares
        self._papers: dict[tuple[int, int], _OnShelf] = {}  # by dump and id
        self._pages: dict[int, list[Share | None]] = {}
        self._on_pages = 0  # shares

    def papers(
        self, connection: Connection, dump_id: int, ids: Iterable[int]
    ) -> dict[int, _OnShelf]:
        """Load papers and what readers had made of them, as far as they are not here."""
        kept = self._papers
        found = {each: kept[dump_id, each] for each in ids if (dump_id, each) in kept}
        if missing := set(ids) - found.keys():
            now = papers.signals(connection, missing, dump_id)
            first = papers.first_signals(connection, missing)
            for each in papers.by_id(connection, missing, dump_id).values():
                before = risen(first.get(each.id), now.get(each.id))
                found[each.id] = each, now.get(each.id, Signals()), before
            if len(kept) + len(missing) > self._most_papers:
                kept = self._papers = {}
            kept |= {(dump_id, each): found[each] for each in missing if each in found}
        return found

    def shares(self, connection: Connection, numbers: Sequence[int]) -> dict[int, Share]:
        """Load shares, by number, as far as they are not here."""
        pages = self._pages
        found = {
            number: share
            for number in numbers
            if (page := pages.get(number // _PAGE)) and (share := page[number % _PAGE])
        }
        if len(found) < len(numbers) and (missing := set(numbers) - found.keys()):
            loaded = shares.load(connection, missing)
            self.put(loaded)
            found |= loaded
        return found

    def put(self, numbered: Mapping[int, Share]) -> None:
        """Keep shares, like those just saved, for whoever loads the editions that have them."""
        if self._on_pages + len(numbered) > self._most_shares:
            self._pages.clear()
            self._on_pages = 0
        for number, share in numbered.items():
            page = self._pages.get(number // _PAGE)
            if page is None:
                page = self._pages[number // _PAGE] = [None] * _PAGE
            page[number % _PAGE] = share
        self._on_pages += len(numbered)


def load_edition(connection: Connection, edition_id: int) -> Edition:
    """Load an edition as it was frozen: papers and signals as they were known then."""
    row = connection.execute(_editions().where(schema.edition.c.id == edition_id)).one()
    return _loaded(connection, [row], Shelf())[0]


def load_editions(
    connection: Connection, edition_ids: Sequence[int], shelf: Shelf | None = None
) -> dict[int, Edition]:
    """Load editions as they were frozen; what the shelf has is not loaded again."""
    rows = connection.execute(_editions().where(schema.edition.c.id.in_(edition_ids))).all()
    return {each.id: each for each in _loaded(connection, rows, shelf or Shelf())}


def recent_editions(
    connection: Connection,
    subscriber_id: int,
    since: datetime | None = None,
    shelf: Shelf | None = None,
) -> list[Edition]:
    """Load a subscriber's newest editions, newest first; with a shelf, what others have read is there."""
    edition = schema.edition.c
    chosen = _editions().where(edition.subscriber_id == subscriber_id)
    if since:
        chosen = chosen.where(edition.local_date >= _earliest(since), edition.composed_at >= since)
    rows = connection.execute(chosen.order_by(edition.local_date.desc())).all()
    return _loaded(connection, rows, shelf or Shelf())


def dates(connection: Connection, subscriber_id: int) -> list[tuple[date, int, int]]:
    """List a subscriber's editions, oldest first: local date, id, and how many papers they showed.

    What only came nearest does not count. An edition that is damaged is left out.
    """
    edition = schema.edition.c
    rows = connection.execute(
        select(edition.local_date, edition.id, edition.entries)
        .where(edition.subscriber_id == subscriber_id)
        .order_by(edition.local_date)
    )
    found = []
    for on, edition_id, packed_entries in rows:
        with suppress(ValueError, IndexError):
            sections = [section for _, _, section in unpack(packed_entries)]
            found.append((on, edition_id, len(sections) - sections.count(Section.NEAREST)))
    return found


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
        select(edition, subscriber.c.name, reason.c.shares)
        .join(subscriber, subscriber.c.id == edition.c.subscriber_id)
        .outerjoin(reason, reason.c.edition_id == edition.c.id)
    )


def _loaded(connection: Connection, rows: Sequence[Row[Any]], shelf: Shelf) -> list[Edition]:
    shown = [unpack(row.entries) for row in rows]
    ids: defaultdict[int, set[int]] = defaultdict(set)
    for row, chosen in zip(rows, shown, strict=True):
        ids[row.dump_id].update([paper_id for paper_id, *_ in chosen])
    known = {dump: shelf.papers(connection, dump, some) for dump, some in ids.items()}
    told = [
        shares.unpack(row.shares, len(chosen)) if row.shares else ([0] * len(chosen), [])
        for row, chosen in zip(rows, shown, strict=True)
    ]
    why = shelf.shares(connection, [number for _, some in told for number in some])
    return [
        _edition(connection, row, chosen, known[row.dump_id], why, *numbers)
        for row, chosen, numbers in zip(rows, shown, told, strict=True)
    ]


def _edition(
    connection: Connection,
    row: Row[Any],
    chosen: Sequence[tuple[int, int, Section]],
    known: Mapping[int, _OnShelf],
    why: Mapping[int, Share],
    counts: Sequence[int],
    numbers: Sequence[int],
) -> Edition:
    entries: list[Entry] = []
    done = 0
    for (paper_id, points, section), count in zip(chosen, counts, strict=True):
        paper, now, before = known[paper_id]
        mine = tuple([why[number] for number in numbers[done : done + count]])
        entries.append(Entry(paper, now, points, mine, section, before))
        done += count
    climbing = {each.paper.id for each in entries if each.section is Section.CLIMBING}
    if climbing:
        earlier = stood_before(connection, row.subscriber_id, row.composed_at, climbing, ())
        entries = [
            each._replace(before=risen(earlier.get(each.paper.id), each.signals))
            if each.paper.id in climbing
            else each
            for each in entries
        ]
    return Edition(
        id=row.id,
        subscriber=row.name,
        local_date=row.local_date,
        composed_at=row.composed_at,
        considered=row.considered,
        matched=row.matched,
        cut=row.cut,
        remarks=row.remarks,
        entries=tuple(entries),
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
