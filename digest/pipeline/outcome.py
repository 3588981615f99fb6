"""What a pass, or a part of one, came to; and the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from digest import store
from digest.model import DeliveryState
from digest.pipeline.compose import Composed
from digest.pipeline.service import Service
from digest.store import passes


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a pass did, and why nothing happened where nothing did."""

    dumps: int = 0
    new_papers: int = 0
    rejected: int = 0  #: pieces of new dumps that are no whole papers
    due: int = 0  #: whose hour it was, whatever came of it
    editions: int = 0
    nothing_new: int = 0
    already: int = 0  #: had their edition of that local date before
    too_few: int = 0  #: papers wait, but fewer than the subscriber wants at once
    too_late: int = 0  #: after downtime; joins the next edition
    held: int = 0  #: wait for sources that are late
    held_for: tuple[str, ...] = ()
    sent: int = 0
    failed: int = 0
    waiting: int = 0
    suppressed: int = 0  #: mails that came back, or complaints, after which an address gets no more
    left: int = 0  #: by mail
    odd: int = 0  #: mails in the bounce mailbox that nobody understood
    feeds_changed: int = 0
    withheld: int = 0  #: mails not sent, as their subscriber left or their address is suppressed
    errors: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)  #: by stage

    @property
    def counts(self) -> dict[str, int]:
        """Give the counts that are not 0, by name."""
        return {
            name: count for name, count in vars(self).items() if isinstance(count, int) and count
        }

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return self == Outcome(errors=self.errors)

    @property
    def good(self) -> bool:
        """Whether mail that was to go out could."""
        return bool(self.sent) or not self.waiting


def recorded(outcome: Mapping[str, Any]) -> Outcome:
    """Read an outcome from the record; one of another version may have other counts."""
    known = {field.name for field in fields(Outcome)}
    return Outcome(**{name: value for name, value in outcome.items() if name in known})


def composed_counts(composed: Composed) -> dict[str, Any]:
    """Say in an outcome's words what composing came to."""
    counts = composed.counts
    return {
        "due": counts.total() + len(composed.errors),
        "editions": counts["editions"],
        "nothing_new": counts["nothing new"],
        "already": counts["already"],
        "too_few": counts["too few"],
        "too_late": counts["too late"],
        "held": counts["held"],
        "held_for": composed.late if counts["held"] else (),
    }


def delivered_counts(delivered: Mapping[str, int]) -> dict[str, Any]:
    """Say in an outcome's words what delivering came to."""
    return {
        "sent": delivered[DeliveryState.SENT],
        "failed": delivered[DeliveryState.FAILED],
        "waiting": delivered[DeliveryState.QUEUED],
        "withheld": delivered[DeliveryState.SUPPRESSED],
    }


def put_on_record(service: Service, started_at: datetime, outcome: Outcome) -> None:
    """Put an outcome on record, for `digest status`."""
    with store.writing(service.engine) as connection:
        told = vars(outcome) | {"seconds": {} if outcome.idle else outcome.seconds}
        made = passes.PassRow(started_at, datetime.now(UTC), told)
        passes.add_pass(connection, made, idle=outcome.idle)
