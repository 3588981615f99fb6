"""Benchmarks: one file a question. Each prints a table and, as its last line, one JSON object.

Every figure is a ratio of CPU times taken side by side in one run, so that a slow or busy machine
changes both sides alike.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import digest

ROOT = Path(digest.__file__).parent.parent  # digest comes before numpy: it sets its threads
SEEDS = sorted((ROOT / "seeds").glob("*.txt"))


def cpu(works: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Measure the CPU seconds of each work: the median of interleaved rounds."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = time.process_time()
            work()
            taken[name].append(time.process_time() - started)
    return {name: median(times) for name, times in taken.items()}


def report(title: str, rows: Mapping[str, float], ratios: Mapping[str, float]) -> None:
    """Print seconds as milliseconds, then the ratios, then both as JSON."""
    print(title)
    for name, seconds in rows.items():
        print(f"  {name:42} {seconds * 1000:10.2f} ms")
    for name, ratio in ratios.items():
        print(f"  {name:42} {ratio:10.2f} times")
    figures = {f"{name} ms": round(seconds * 1000, 3) for name, seconds in rows.items()}
    figures |= {name: round(ratio, 3) for name, ratio in ratios.items()}
    print(json.dumps(figures))
