"""The state of the service, gathered from the store at one moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from digest import sources, store
from digest.edition import expects_papers
from digest.facts import Facts, SourceFacts, overdue
from digest.model import Source
from digest.pipeline.service import Service
from digest.store import facts as counted
from digest.store import fetches, subscribers
from digest.store.fetches import Fetch
from digest.store.passes import recent_passes

_DAY = timedelta(days=1)
_PATIENCE = 3  # days on which a source should have had new papers, and had none
_COMPOSING = timedelta(minutes=5)  # so long a tick and a job may take to get to somebody
_FAILING = timedelta(days=1)  # a server is sometimes away for an hour
FILES = "files"  #: where papers come from that were given to `digest ingest`
REST = "other"  #: sources that are no longer configured


def facts(service: Service, now: datetime) -> Facts:
    """Gather the state of the service; raises StoreError where the database cannot be used."""
    since = now - _DAY
    with store.reading(service.engine) as connection:
        gathered = counted.by_source(connection)
        asked = {each.name: _asked(connection, each, now) for each in service.sources}
        people, left, next_due_at = counted.subscribers(connection)
        overdue, overdue_since = subscribers.count_due(
            connection, now - service.wait_for_sources - max(3 * service.tick, _COMPOSING)
        )
        passes, outcomes = counted.passes(connection, since)
        waiting, queued_since = counted.open_deliveries(connection)
        return Facts(
            at=now,
            database=store.version(connection) or "",
            sources=(
                *(
                    _source(each, gathered.pop(each.name, None), asked[each.name], now)
                    for each in service.sources
                ),
                *_others(gathered),
            ),
            subscribers=people,
            left=left,
            next_due_at=next_due_at,
            overdue=overdue,
            overdue_since=overdue_since,
            last_pass_at=passes[0].finished_at if passes else None,
            tick=service.tick,
            seconds=next((s for each in passes if (s := each.outcome.get("seconds"))), {}),
            outcomes=outcomes,
            open=waiting,
            settled=counted.settled_deliveries(connection, since),
            queued_since=queued_since,
            suppressions=counted.suppressions(connection),
        )


def _asked(connection: store.Connection, source: Source, now: datetime) -> list[Fetch]:
    """Load what a source answered to all that is asked of it now.

    A day's list that is no longer asked for, and a file that was taken away, are no trouble any more.
    """
    known = fetches.of_source(connection, source.name).values()
    if source.kind == "folder":
        return [each for each in known if not each.failures or Path(each.url).exists()]
    wanted = {request.url for request in sources.REQUESTS[source.kind](source, now)}
    return [each for each in known if each.url in wanted or not each.failures]


def _source(
    source: Source, gathered: counted.Gathered | None, asked: list[Fetch], now: datetime
) -> SourceFacts:
    failing = [each for each in asked if each.failures]
    read_at = max((each.fetched_at for each in asked if each.fetched_at), default=None)
    found = gathered or counted.Gathered(0, 0, 0, 0, None)
    return SourceFacts(
        name=source.name,
        dumps=found.dumps,
        papers=found.papers,
        sightings=found.sightings,
        rejected=found.rejected,
        read_at=read_at,
        new_at=found.new_at,
        failures=max((each.failures for each in failing), default=0),
        errors=_errors(source, failing),
        stale=stale(source, read_at, found.new_at, bool(failing) and source.kind != "folder", now),
    )


def _errors(source: Source, failing: list[Fetch]) -> tuple[str, ...]:
    """Say what cannot be read: each file, but of a server only the last that it said."""
    newest = sorted(failing, key=lambda each: each.not_before, reverse=True)
    if source.kind == "folder" or len(newest) < 2:
        return tuple(each.error or "" for each in newest)
    return (f"{newest[0].error} (and {len(newest) - 1} more of its addresses)",)


def stale(
    source: Source,
    read_at: datetime | None,
    new_at: datetime | None,
    failing: bool,
    now: datetime,
) -> str:
    """Say why a source should have brought something by now; nothing where it need not have."""
    if failing and (read_at is None or now - read_at > _FAILING):
        return "no good answer for a day" if read_at else "it never answered well"
    if not source.publishes or read_at is None:
        return ""
    since = new_at or read_at - timedelta(days=30)
    days = (now - since) // _DAY
    missed = sum(
        expects_papers(source.publishes, now - _DAY * back) for back in range(min(days, 30))
    )
    return "" if missed < _PATIENCE else f"nothing new on {missed} of its days"


def _others(gathered: dict[str, counted.Gathered]) -> list[SourceFacts]:
    """What came from files, and what from sources that are gone, as one."""
    made = []
    for name in (FILES, REST):
        found = [each for key, each in gathered.items() if (key == FILES) == (name == FILES)]
        if found:
            made.append(
                SourceFacts(
                    name=name,
                    dumps=sum(each.dumps for each in found),
                    papers=sum(each.papers for each in found),
                    sightings=sum(each.sightings for each in found),
                    rejected=sum(each.rejected for each in found),
                    new_at=max((each.new_at for each in found if each.new_at), default=None),
                )
            )
    return made


def unready(service: Service, now: datetime) -> str:
    """Say why the service is not ready to serve; empty where it is. Raises StoreError."""
    with store.reading(service.engine) as connection:
        found = store.version(connection)
        if found != store.VERSION:
            return f"the database is at version {found}, not {store.VERSION}"
        passes = recent_passes(connection, 1)
    last = passes[0].finished_at if passes else None
    late = last and overdue(last, service.tick, now)
    return f"no pass since {last:%Y-%m-%d %H:%M} UTC" if last and late else ""
