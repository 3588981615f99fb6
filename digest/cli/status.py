"""The command that shows the service on one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from digest import __version__
from digest.cli.context import Context
from digest.cli.service import count, summary
from digest.errors import ConfigError

if TYPE_CHECKING:
    from digest.pipeline import Status
    from digest.store.passes import PassRow

_WIDTH, _LABEL = 80, 12
_DUMPS, _PEOPLE, _WAITING = 3, 6, 3  # rows of each


@click.command()
@click.pass_obj
def status(context: Context) -> None:
    """Show on one screen what there is, what happened last and what comes next.

    \b
    Example:
      digest status
    """
    from digest import pipeline

    wrong = None
    try:
        config = context.load()
    except ConfigError as error:  # a service that runs goes on with the last good one
        wrong = error
        config = context.load(people=False)
    now = datetime.now(UTC)
    with context.service(config) as service:
        state = pipeline.status(service, now)
    composer = config.schedule.composer
    for line in screen(config.service.name, state, people=wrong is None, composer=composer):
        click.echo(line)
    if wrong:
        raise wrong


def screen(
    name: str, state: Status, *, people: bool = True, composer: str = "digest serve"
) -> Iterator[str]:
    """Write the lines of the screen, each of at most 80 columns as far as words allow.

    ``composer`` is the command that composes editions.
    """
    facts = state.facts
    papers, dumps = (sum(getattr(s, each) for s in facts.sources) for each in ("papers", "dumps"))
    has = f"{papers:,} papers from {count(dumps, 'dump')}"
    yield from textwrap.wrap(
        f"{name}: {has}; digest {__version__}, database {facts.database}", _WIDTH
    )
    if not state.passes:
        yield _fact("last pass", "none yet; next: digest run")
    for made, label in zip(state.passes, ("last pass", "before that", ""), strict=False):
        yield from _pass(label, made, state)
    if facts.overdue:
        yield _fact("overdue", f"{facts.overdue_told}; is `{composer}` running?")
    yield from _mail(state)
    for error in state.failing:
        yield _fact("trouble", error)
    if not people:
        told = "it is wrong; a service that runs goes on with the last good one"
        yield _fact("config", told)
    yield ""
    yield from _sources(state)
    yield ""
    if people:
        yield from _people(state)


def _fact(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{label:{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pass(label: str, made: PassRow, state: Status) -> Iterator[str]:
    from digest import pipeline

    now = state.facts.at
    when = f"{made.started_at:%Y-%m-%d %H:%M} to {made.finished_at:%H:%M} UTC"
    since = f", {ago(now - made.finished_at)} ago" if label == "last pass" else ""
    outcome = pipeline.recorded(made.outcome)
    told = f"{when}{since}: {summary(outcome).removeprefix('ran; ')}"
    yield _fact(label, told) if since else _cut(f"{label:{_LABEL}}{told}", _WIDTH)
    for line in outcome.errors if label == "last pass" else ():
        if not any(each in line for each in state.failing):  # which are named below
            yield _fact("", f"! {line}")


def _mail(state: Status) -> Iterator[str]:
    facts = state.facts
    due = [
        f"{facts.outcomes.get(key, 0)} {words}"
        for key, words in (("nothing_new", "had nothing new"), ("too_late", "came too late"))
        if facts.outcomes.get(key)
    ]
    ended = [f"{number} {name}" for name, number in facts.settled.items()]
    made = count(facts.outcomes.get("editions", 0), "edition")
    yield _fact("last day", "; ".join([made, *due, f"mails: {', '.join(ended) or 'none'}"]))
    waiting = ", ".join(f"{number} {name}" for name, number in facts.open.items()) or "empty"
    oldest = f", the oldest for {ago(facts.queue_age)}" if facts.queued_since else ""
    cure = "; digest deliveries --state uncertain" if facts.open.get("uncertain") else ""
    yield _fact("queue", f"{waiting}{oldest}{cure}")
    for name, not_before, answer in state.waiting[:_WAITING]:
        when = f" until {not_before:%m-%d %H:%M} UTC" if not_before else ""
        yield _fact("", f"! a mail to {name} waits{when}: {answer}")
    if facts.suppressions:
        why = ", ".join(f"{number} {reason}" for reason, number in facts.suppressions.items())
        yield _fact("no mail to", f"{why}; digest suppressions list")


def _sources(state: Status) -> Iterator[str]:
    facts = state.facts
    yield f"{'source':18}{'papers':>9}{'new paper':>11}{'last read':>11}"
    for each in facts.sources:
        new, read = (
            ago(facts.at - at) if at else "never"
            for at in (each.new_at, each.read_at or each.new_at)
        )
        note = f"  {each.stale}" if each.stale else "  fails" if each.errors else ""
        yield f"{_cut(each.name, 17):18}{each.papers:>9,}{new:>11}{read:>11}{note}".rstrip()
    for dump in state.recent_dumps[:_DUMPS]:
        told = f"{dump.new} new of {dump.papers}"
        remarks = f"; {dump.remarks}" if dump.remarks else ""
        rejected = f", {dump.rejected} rejected" if dump.rejected else ""
        yield _cut(f"  {_cut(dump.name, 36)}: {told}{rejected}{remarks}", _WIDTH)


def in_short(schedule: str) -> str:
    """Write a schedule's days as people say them."""
    return schedule.replace("mon,tue,wed,thu,fri", "mon-fri").replace("mon-fri,sat,sun", "daily")


def _people(state: Status) -> Iterator[str]:
    facts = state.facts
    if not (state.people or facts.subscribers):
        return
    left = f", {facts.left} left" if facts.left else ""
    yield f"{'next edition (UTC)':20}subscriber ({facts.subscribers}{left})"
    ordered = sorted(state.people, key=lambda each: (not each.next[:1].isdigit(), each.next))
    for each in ordered[:_PEOPLE]:
        who = f"{each.name}, {each.address or 'feed only'}"
        when = in_short(each.schedule)
        if each.next[:1].isdigit():
            yield _cut(f"{each.next:20}{who}: {when}", _WIDTH)
        else:
            yield _cut(f"{'':20}{who}: {each.next}", _WIDTH)
    if len(ordered) > _PEOPLE:
        yield f"{'':20}and {len(ordered) - _PEOPLE} more: digest schedule"
    if state.signed_up:
        more = "and " if ordered else ""
        yield f"{'':20}{more}{state.signed_up} who signed up: digest subscribers list"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def ago(length: timedelta) -> str:
    """Say a length of time in its largest unit."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            number = seconds // size
            return f"{number} {unit}{'s' if unit == 'day' else ''}"
    return f"{seconds} s"


COMMANDS = (status,)
