"""Days and public editions → pages that any web server can serve.

A page is written when it is new, and again while it is among the newest of its kind: then it still names what
comes after it. Older ones stay as they are; whoever deletes one gets it made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from digest import feeds, render, store
from digest.deliver import write_atomically
from digest.errors import StoreError
from digest.model import Entry, Subscriber
from digest.pipeline.listing import as_listed
from digest.pipeline.service import Service
from digest.rank import trend
from digest.render import web
from digest.store import editions, papers, subscribers
from digest.store.subscribers import Standing

_FOLDER = "archive"
_UP = "../"  # from a page of the archive to the front page
_ON_FRONT, _ON_DAY = 10, 100  # papers
_UNSETTLED = 2  # pages of a kind that are written again: the newest, and the one before it
_FORMATS = {"xml": "RSS", "atom": "Atom", "json": "JSON Feed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of the archive's list."""

    words: str
    address: str  #: of its papers; empty where none came
    papers: int
    editions: tuple[tuple[str, str, int], ...]  #: name, address, papers


class _Set(NamedTuple):
    """A public interest set."""

    subscriber: Subscriber
    standing: Standing
    editions: list[tuple[date, int, int]]  #: local date, id, papers; oldest first

    @property
    def slug(self) -> str:
        return render.slug(self.subscriber.name)


class _State(NamedTuple):
    """What there is to be shown."""

    days: Mapping[date, tuple[int, int]]  #: papers, newest dump; oldest first
    sets: Sequence[_Set]


def publish(service: Service, now: datetime) -> tuple[int, list[str]]:
    """Write the front page and the archive; return how many files changed, and what went wrong."""
    with store.reading(service.engine) as connection:
        state = _State(papers.days(connection), _public_sets(service, connection))
    folder = service.output / _FOLDER
    there = {path.name for path in folder.glob("*.html")}
    wanted = _pages(service, state, now)
    gone = there - wanted.keys()
    fresh = {
        name
        for name, (unsettled, _) in wanted.items()
        if unsettled or name not in there or (gone and len(name) == len("2026-11.html"))
    }
    changed = 0
    errors: list[str] = []
    files: dict[str, Callable[[], bytes]] = {
        f"{_FOLDER}/{name}": wanted[name][1] for name in wanted if name in fresh
    }
    files["index.html"] = partial(front, service, state)
    for name, content in service.renderer.pages.files.items():
        files[name] = partial(bytes, content)
    for name, make in files.items():
        try:
            changed += write_atomically(service.output / name, make())
        except StoreError:
            raise
        except Exception as error:  # one page's trouble is not the others'
            told = f"{error.strerror}" if isinstance(error, OSError) else str(error)
            errors.append(f"page {name}: {told}")
    for name in gone:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            errors.append(f"page {name}: {error.strerror}; remove it by hand")
    return changed, errors


_Made = tuple[bool, Callable[[], bytes]]  # whether it still changes, and what makes it


def _pages(service: Service, state: _State, now: datetime) -> dict[str, _Made]:
    """Name the files of the archive, and what each is made by."""
    made: dict[str, _Made] = {}
    for on, unsettled, around in _in_order([*state.days]):
        made[f"{on}.html"] = (unsettled, partial(_day, service, state, on, *around))
    for each in state.sets:
        shown = {on: edition_id for on, edition_id, count in each.editions if count}
        for on, unsettled, around in _in_order([*shown]):
            make = partial(_edition, service, each, shown[on], now, *around)
            made[f"{on}-{each.slug}.html"] = (unsettled, make)
    listed = _listed(service, state)
    months = sorted({on.replace(day=1) for on in listed})
    for on, unsettled, around in _in_order(months):
        make = partial(_month, service, state, listed, on, *around)
        made[f"{on:%Y-%m}.html"] = (unsettled, make)
    made["index.html"] = (True, partial(index, service, state, listed, months))
    return made


def _in_order(
    dates: Sequence[date],
) -> Iterable[tuple[date, bool, tuple[date | None, date | None]]]:
    """Give each date, whether its page still changes, and the dates before and after it."""
    for number, on in enumerate(dates):
        before = dates[number - 1] if number else None
        after = dates[number + 1] if number + 1 < len(dates) else None
        yield on, number >= len(dates) - _UNSETTLED, (before, after)


def _public_sets(service: Service, connection: store.Connection) -> list[_Set]:
    found = []
    for person in service.subscribers.values():
        standing = subscribers.standing(connection, person.name) if person.public else None
        if standing and not standing.unsubscribed_at:
            found.append(_Set(person, standing, editions.dates(connection, standing.id)))
    return found


def offers(
    service: Service, root: str, sets: Iterable[_Set], *, stream: bool = True
) -> list[web.Offer]:
    """Name the feeds a page offers; ``root`` leads to the front page where no public address is set."""
    found = [("Every paper we saw", "feeds/stream")] if stream else []
    for each in sets:
        stem = service.feed_stem(each.subscriber, each.standing)
        name = each.subscriber.name
        found += [
            (f"{name}, paper by paper", stem),
            (f"{name}, edition by edition", f"{stem}-editions"),
        ]
    base = f"{service.url}/" if service.url else root
    return [
        web.Offer(
            title=title,
            formats=tuple(
                (_FORMATS[ending], kind.media_type, f"{base}{stem}.{ending}")
                for ending, kind in feeds.FORMATS.items()
            ),
        )
        for title, stem in found
    ]


_NOTHING = _State({}, ())


def front(service: Service, state: _State = _NOTHING) -> bytes:
    """Make the front page; without a state, as it is before anything was read."""
    on = max(state.days, default=None)
    entries = _entries(service, on, state.days[on][1]) if on else []
    return service.page(
        "front",
        "./",
        day=web.in_words(on, service.frame.language) if on else "",
        cards=[web.paper_card(each, service.frame) for each in entries[:_ON_FRONT]],
        more=max(len(entries) - _ON_FRONT, 0),
        address=f"{_FOLDER}/{on}.html",
        feeds=offers(service, "./", state.sets),
        opml=f"{service.url}/feeds/all.opml" if service.url else "",
    )


def _entries(service: Service, on: date, dump_id: int) -> list[Entry]:
    """The papers that came on a day, what trended most by its end first."""
    start = datetime.combine(on, time(), UTC)
    with store.reading(service.engine) as connection:
        found = papers.seen_since(connection, start, as_of_dump=dump_id)
        seen = papers.sightings_since(connection, start - service.lookback, dump_id)
        signals = papers.signals(connection, [paper.id for paper in found], dump_id)
    heat = trend.points(seen, 1000)
    found.sort(key=lambda p: (-heat.get(p.id, 0), -(signals[p.id].upvotes or 0)))
    return [Entry(paper=paper, signals=signals[paper.id], points=0) for paper in found]


def _day(
    service: Service, state: _State, on: date, before: date | None, after: date | None
) -> bytes:
    entries = _entries(service, on, state.days[on][1])
    return service.page(
        "day",
        _UP,
        day=web.in_words(on, service.frame.language),
        total=len(entries),
        cards=[web.paper_card(each, service.frame) for each in entries[:_ON_DAY]],
        more=max(len(entries) - _ON_DAY, 0),
        earlier=_to(service, before),
        later=_to(service, after),
        feeds=offers(service, _UP, ()),
    )


def _edition(
    service: Service,
    of: _Set,
    edition_id: int,
    now: datetime,
    before: date | None,
    after: date | None,
) -> bytes:
    with store.reading(service.engine) as connection:
        edition = as_listed(editions.load_edition(connection, edition_id), now)
    frame = service.frame_for(of.subscriber, None, of.standing)
    return service.page(
        "edition",
        _UP,
        page=web.edition_page(edition, frame),
        name=of.subscriber.name,
        private=False,
        signed="",
        preferences="",
        unsubscribe="",
        earlier=_to(service, before, f"-{of.slug}"),
        later=_to(service, after, f"-{of.slug}"),
        feeds=offers(service, _UP, [of], stream=False),
    )


def _to(service: Service, on: date | None, end: str = "") -> tuple[str, str] | None:
    return (f"{on}{end}.html", web.short(on, service.frame.language)) if on else None


def _listed(service: Service, state: _State) -> dict[date, Day]:
    """List every day that has something, newest first."""
    by_date: dict[date, list[tuple[str, str, int]]] = {}
    for each in state.sets:
        for on, _, count in each.editions:
            if count:
                name = each.subscriber.name
                by_date.setdefault(on, []).append((name, f"{on}-{each.slug}.html", count))
    return {
        on: Day(
            words=web.in_words(on, service.frame.language),
            address=f"{on}.html" if on in state.days else "",
            papers=state.days.get(on, (0, 0))[0],
            editions=tuple(by_date.get(on, ())),
        )
        for on in sorted({*state.days, *by_date}, reverse=True)
    }


def _month(
    service: Service,
    state: _State,
    listed: Mapping[date, Day],
    month: date,
    before: date | None,
    after: date | None,
) -> bytes:
    def to(on: date | None) -> tuple[str, str] | None:
        return (f"{on:%Y-%m}.html", web.month(on, service.frame.language)) if on else None

    return service.page(
        "archive",
        _UP,
        month=web.month(month, service.frame.language),
        days=[day for on, day in listed.items() if on.replace(day=1) == month],
        months=(),
        earlier=to(before),
        later=to(after),
        feeds=offers(service, _UP, state.sets),
    )


def index(
    service: Service,
    state: _State = _NOTHING,
    listed: Mapping[date, Day] = MappingProxyType({}),
    months: Sequence[date] = (),
) -> bytes:
    """Make the first page of the archive, as it is before anything was read where nothing is given."""
    newest = months[-1:]
    return service.page(
        "archive",
        _UP,
        month="",
        days=[day for on, day in listed.items() if on.replace(day=1) in newest],
        months=[
            (web.month(on, service.frame.language), f"{on:%Y-%m}.html") for on in reversed(months)
        ],
        earlier=None,
        later=None,
        feeds=offers(service, _UP, state.sets),
    )
