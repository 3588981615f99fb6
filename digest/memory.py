"""How this process handles memory, fitted to passes that make millions of values and some large arrays."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8  # of glibc's mallopt
_NOT_GLIBC = (OSError, AttributeError)


def tune() -> None:
    """Look for cycles of garbage seldom, and keep little of what is free.

    Next to none of a pass's values is in a cycle, and with Python's own thresholds every seventh part of it went
    into looking for them. All threads share one heap: they take turns anyway, and each of its own keeps what it
    had.
    """
    gc.set_threshold(50_000, 20, 100)
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give what is free back to the machine: composing needs much that nothing later does, and glibc keeps it."""
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).malloc_trim(0)
