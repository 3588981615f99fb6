"""Named moments at which a test may kill this process, to prove what a crash can and cannot cost.

``DIGEST_TEST_CRASH="after the dot:3"`` kills it with SIGKILL when it comes to that point for the third time.
See `docs/decisions/0011-proof-by-kills.md`.
"""

from __future__ import annotations

import os
import signal
from itertools import count

POINTS = (
    "while ingesting",  # in the transaction that records a dump
    "while composing",  # in the transaction that freezes an edition and queues its delivery
    "before claim",
    "after claim",  # the rows are ours, and that is committed
    "while rendering",
    "at connect",  # TCP is open, nothing is said
    "after MAIL",  # it was answered
    "after RCPT",  # it was answered; nothing is marked yet
    "in DATA",  # the server waits for the body, or has some of it
    "before the dot",  # marked as on its way, and the server has all but the dot
    "after the dot",  # the server has it all, and its answer is not read
    "after the answer",  # read, and not marked
    "after the mark",  # committed
    "while publishing",  # a file's draft is written, and has not its name
)

_PLANNED, _, _NTH = os.environ.get("DIGEST_TEST_CRASH", "").partition(":")
_arrivals = count(1)


def reach(point: str) -> None:
    """Die here, where a test asked for it; else do nothing."""
    if point == _PLANNED and next(_arrivals) == int(_NTH or 1):
        os.kill(os.getpid(), signal.SIGKILL)
