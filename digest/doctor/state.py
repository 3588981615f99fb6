"""What the state of the service says: passes that stopped, mail that waits, sources that bring nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from digest.doctor import Finding, State
from digest.facts import Facts, SourceFacts

_LATE = timedelta(hours=2)


def findings(facts: Facts, *, serving: bool, composer: str = "digest serve") -> list[Finding]:
    """Judge the facts; ``serving`` says whether a daemon is expected, by its configuration.

    ``composer`` is the command that composes editions.
    """
    return [_passes(facts, serving=serving, composer=composer), _mails(facts), _uncertain(facts)]


def _passes(facts: Facts, *, serving: bool, composer: str) -> Finding:
    subject = "passes"
    if facts.last_pass_at is None:
        told, cure = "there was none yet", "digest run, or digest serve for good"
        return Finding(subject=subject, state=State.ADVICE, told=told, cure=cure)
    told = f"the last one ended at {facts.last_pass_at:%Y-%m-%d %H:%M} UTC"
    late = facts.next_due_at and facts.at - facts.next_due_at > _LATE
    if late:
        return Finding(
            subject=subject,
            state=State.WRONG,
            told=f"{told}, and an edition has been due since {facts.next_due_at:%Y-%m-%d %H:%M} UTC",
            cure=f"is `{composer}` running? If it is, see what stops it: digest run",
        )
    if facts.stuck and serving:
        cure = "is digest serve running? systemctl status digest"
        return Finding(subject=subject, state=State.ADVICE, told=told, cure=cure)
    if facts.overdue and serving:
        told = f"{told}, and {facts.overdue_told}"
        cure = f"is `{composer}` running? Its log says what stops it"
        return Finding(subject=subject, state=State.ADVICE, told=told, cure=cure)
    return Finding(subject=subject, state=State.GOOD, told=told)


def _mails(facts: Facts) -> Finding:
    count = sum(number for name, number in facts.open.items() if name != "uncertain")
    if not count:
        return Finding(subject="queue", state=State.GOOD, told="no mail waits")
    hours = facts.queue_age // timedelta(hours=1)
    told = f"{count} mails wait, the oldest for {hours} h"
    if hours < 1:
        return Finding(subject="queue", state=State.GOOD, told=told)
    cure = "digest status shows what the server said; when it is mended, the next pass sends them"
    return Finding(subject="queue", state=State.ADVICE, told=told, cure=cure)


def _uncertain(facts: Facts) -> Finding:
    count = facts.open.get("uncertain", 0)
    if not count:
        return Finding(subject="uncertain mails", state=State.GOOD, told="none")
    return Finding(
        subject="uncertain mails",
        state=State.ADVICE,
        told=f"of {count} nobody knows whether the server took them",
        cure="digest deliveries --state uncertain; then digest deliveries release, or drop",
    )


def source(facts: SourceFacts, trouble: str, *, asked: bool) -> Finding:
    """Judge a source: what is wrong with it now, and what it has brought."""
    told = trouble or facts.stale or next(iter(facts.errors), "")
    if told:
        cure = "see its table in digest.toml; a bad file is best taken out of its folder"
        return Finding(subject=f"source {facts.name}", state=State.ADVICE, told=told, cure=cure)
    since = f"{facts.new_at:%Y-%m-%d}" if facts.new_at else "never yet"
    answers = "answers; " if asked else ""
    return Finding(
        subject=f"source {facts.name}", state=State.GOOD, told=f"{answers}last new paper: {since}"
    )


def mailbox(
    address: str,
    *,
    read: bool,
    read_at: datetime | None,
    error: str,
    every: timedelta,
    now: datetime,
) -> Finding | None:
    """Judge whether somebody reads what comes back; None where nothing is to come back."""
    if not (address or read):
        return None
    if not read:
        told = f"undeliverable mail returns to {address}, and digest does not read it"
        cure = "set maildir or host in [bounces]: who cannot be reached is written to for ever"
        return Finding(subject="bounces", state=State.ADVICE, told=told, cure=cure)
    if error:
        cure = "correct [bounces], or ask whoever runs that mailbox"
        return Finding(subject="bounces", state=State.ADVICE, told=error, cure=cure)
    if read_at is None or now - read_at > max(3 * every, timedelta(days=1)):
        last = f"was last read at {read_at:%Y-%m-%d %H:%M} UTC" if read_at else "was never read"
        return Finding(
            subject="bounces", state=State.ADVICE, told=f"the mailbox {last}", cure="digest bounces"
        )
    told = f"the mailbox was read at {read_at:%Y-%m-%d %H:%M} UTC"
    return Finding(subject="bounces", state=State.GOOD, told=told)
