"""How this process handles memory, fitted to passes that make millions of values and some large arrays."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # of glibc's mallopt
_LARGE = 256 * 1024  # bytes
_NOT_GLIBC = (OSError, AttributeError)


def tune() -> None:
    """Look for cycles of garbage seldom, and keep little of what is free.

    Next to none of a pass's values is in a cycle, and with Python's own thresholds every seventh part of it went
    into looking for them. All threads share one heap: they take turns anyway, and each of its own keeps what it
    had. Large blocks are given back as soon as they are free: by glibc's own rule some 60 MB would stay after a
    large batch.
    """
    gc.set_threshold(50_000, 20, 100)
    with suppress(*_NOT_GLIBC):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Give freed memory back to the machine: composing needs much that sending and waiting do not."""
    with suppress(*_NOT_GLIBC):
        ctypes.CDLL(None).malloc_trim(0)
