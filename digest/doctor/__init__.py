"""What stands between us and somebody's inbox, found out and said in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    UNKNOWN = "unknown"  #: cannot be seen from here
    ADVICE = "advice"  #: mail goes out, and would be trusted more
    WRONG = "wrong"  #: mail is stopped, or lands in spam


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str  #: what was looked at: "SPF of example.org"
    state: State
    told: str  #: what there is
    cure: str = ""  #: what to do about it
    dns: str = ""  #: the record to put in DNS, as a line of a zone file
