"""What the operator wants to see at a glance: is everything well, what is to come, and how it went so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from digest import store
from digest.facts import Facts
from digest.pipeline.facts import facts
from digest.pipeline.service import Service
from digest.render.operator import Panel, Row
from digest.render.spark import Spark, spark
from digest.store import deliveries, history, passes
from digest.store.passes import PassRow

DAYS = 30
_PASSES = 1000  # all that are kept
_SHOWN = 5
_COUNTED = ("editions", "sent", "failed", "waiting")
_HOURS = 24
_LONG = timedelta(hours=1)  # that a mail waits


def overview(service: Service, now: datetime) -> list[Panel]:
    """Collect the operator's panels. Each query is bounded; raises StoreError."""
    days = [now.date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    since = now - timedelta(days=DAYS)
    told = facts(service, now)
    with store.reading(service.engine) as connection:
        papers = history.new_papers(connection, since)
        sent = history.deliveries(connection, days[0])
        suppressed = history.suppressions(connection, since)
        due = history.due(connection, now + timedelta(hours=_HOURS))
        asked = history.next_asked(connection)
        done = passes.recent_passes(connection, _PASSES)
        waiting = deliveries.waiting(connection)
        counts = deliveries.delivery_counts(connection)
    return [
        _sources(told, papers, asked, days),
        _passes(told, done, days),
        _queue(told, done, waiting, days),
        _deliveries(counts, sent, days),
        _suppressions(told.suppressions, suppressed, days),
        _next_runs(told, due, now),
    ]


def _spark(by_day: Mapping[date, int], days: Sequence[date], what: str) -> Spark:
    values = [by_day.get(day, 0) for day in days]
    return spark(values, f"{what} on each of the last {len(days)} days")


def _sources(
    told: Facts,
    papers: Mapping[str, Mapping[date, int]],
    asked: Mapping[str, datetime],
    days: Sequence[date],
) -> Panel:
    rows = []
    for each in told.sources:
        wrong = bool(each.errors or each.stale)
        now = "failing" if each.errors else "silent" if each.stale else "well"
        notes = [*each.errors, *([each.stale] if each.stale else [])]
        notes.append(f"{each.papers:,} papers in {each.dumps:,} dumps")
        if each.read_at:
            notes.append(f"last read {_at(each.read_at)}")
        if each.name in asked and asked[each.name] > told.at:
            notes.append(f"asked again from {_at(asked[each.name])} on")
        line = _spark(papers.get(each.name, {}), days, "new papers")
        state = "bad" if wrong else "ok"
        rows.append(
            Row(name=each.name, now=now, state=state, notes=tuple(notes), spark=line)  # type: ignore[arg-type]
        )
    nothing = "No source is configured."
    return Panel(title="Sources", about="new papers", rows=tuple(rows), nothing=nothing)


def _passes(told: Facts, done: Sequence[PassRow], days: Sequence[date]) -> Panel:
    rows = []
    errors: Counter[date] = Counter()
    made: Counter[date] = Counter()
    for each in done:
        errors[each.finished_at.date()] += len(each.outcome.get("errors", ()))
        made[each.finished_at.date()] += each.outcome.get("editions", 0)
    if told.last_pass_at:
        stuck = told.stuck
        rows = [
            Row(
                name="Last pass",
                now=_at(told.last_pass_at),
                state="bad" if stuck else "ok",
                notes=("passes have stopped: is digest serve running?",) if stuck else (),
                spark=_spark(made, days, "editions"),
            ),
            Row(
                name="Errors in the last pass",
                now=f"{len(done[0].outcome.get('errors', ())):,}",
                state="bad" if done[0].outcome.get("errors") else "ok",
                notes=tuple(done[0].outcome.get("errors", ())[:_SHOWN]),
                spark=_spark(errors, days, "errors"),
            ),
        ]
    for each in done[1:_SHOWN]:
        rows.append(Row(name=_at(each.finished_at), now=_came_to(each)))
    nothing = "No pass has been done yet: digest run, or digest serve."
    return Panel(title="Last passes", about="editions, errors", rows=tuple(rows), nothing=nothing)


def _came_to(done: PassRow) -> str:
    counts = [f"{done.outcome[name]:,} {name}" for name in _COUNTED if done.outcome.get(name)]
    return ", ".join(counts) or "nothing to do"


def _queue(
    told: Facts,
    done: Sequence[PassRow],
    waiting: Sequence[tuple[str, datetime | None, str | None]],
    days: Sequence[date],
) -> Panel:
    left: Counter[date] = Counter()
    for each in done:
        day = each.finished_at.date()
        left[day] = max(left[day], each.outcome.get("waiting", 0))
    late = told.queue_age > _LONG
    total = sum(told.open.values())
    rows = [
        Row(
            name="Mails that wait",
            now=f"{total:,}",
            state="bad" if late or told.open.get("uncertain") else "ok",
            notes=(
                *(f"{count:,} {state}" for state, count in sorted(told.open.items())),
                *([f"the oldest since {_at(told.queued_since)}"] if told.queued_since else []),
            ),
            spark=spark([left[day] for day in days], "mails left waiting by a pass", summed=False),
        )
    ]
    for name, later, answer in waiting[:_SHOWN]:
        when = f"again from {_at(later)} on" if later else "with the next pass"
        rows.append(Row(name=name, now=when, notes=(answer,) if answer else ()))
    return Panel(title="Queue", about="mails that a pass left waiting", rows=tuple(rows))


def _deliveries(
    counts: Mapping[str, int], sent: Mapping[str, Mapping[date, int]], days: Sequence[date]
) -> Panel:
    bad = ("failed", "uncertain")
    rows = [
        Row(
            name=state,
            now=f"{count:,}",
            state="bad" if state in bad and sent.get(state) else "",
            spark=_spark(sent.get(state, {}), days, f"deliveries {state}"),
        )
        for state, count in sorted(counts.items())
    ]
    nothing = "Nothing has been queued yet."
    return Panel(title="Deliveries by state", about="deliveries", rows=tuple(rows), nothing=nothing)


def _suppressions(
    counts: Mapping[str, int], days_of: Mapping[str, Mapping[date, int]], days: Sequence[date]
) -> Panel:
    rows = tuple(
        Row(
            name=reason,
            now=f"{count:,}",
            spark=_spark(days_of.get(reason, {}), days, f"addresses suppressed ({reason})"),
        )
        for reason, count in sorted(counts.items())
    )
    return Panel(
        title="Suppressions", about="addresses", rows=rows, nothing="No address is suppressed."
    )


def _next_runs(told: Facts, due: Sequence[datetime], now: datetime) -> Panel:
    by_hour = [0] * _HOURS
    for at in due:
        by_hour[max(0, int((at - now).total_seconds() // 3600))] += 1
    overdue = sum(at <= now for at in due)
    rows = [
        Row(
            name="Editions due within a day",
            now=f"{len(due):,}",
            notes=(f"{overdue:,} are due now",) if overdue else (),
            spark=spark(by_hour, f"editions due in each of the next {_HOURS} hours"),
        ),
        Row(name="Next edition", now=_at(told.next_due_at) if told.next_due_at else "none"),
        Row(name="Subscribers", now=f"{told.subscribers:,}", notes=(f"{told.left:,} left",)),
    ]
    return Panel(title="Next runs", about="editions of the next 24 hours", rows=tuple(rows))


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
