"""Named places where a test may kill the process, to see what a restart makes of it.

`DIGEST_TEST_CRASH="after the dot:3"` kills it the third time that place is reached. Unset, it costs nothing.
"""

from __future__ import annotations

import os
import signal

_point, _, _nth = os.environ.get("DIGEST_TEST_CRASH", "").rpartition(":")
_armed = bool(_point)
_left = int(_nth) if _armed else 0


def reach(point: str) -> None:
    """Die here, as by a power cut, if the environment asks for it."""
    global _left
    if _armed and point == _point:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
