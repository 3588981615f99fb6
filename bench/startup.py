"""What does the command line cost before it does anything? CPU of whole processes, against an idle Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median

from bench import report

RUNS = 25
DIGEST = str(Path(sys.executable).with_name("digest"))
WORKS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "digest --help": [DIGEST, "--help"],
    "digest --version": [DIGEST, "--version"],
    "digest restore --help": [DIGEST, "restore", "--help"],
}


def seconds(command: list[str]) -> float:
    """Run a command to its end; return its CPU seconds, user's and system's."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
    _, status, used = os.wait4(pid, 0)
    assert status == 0, command
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure, interleaved."""
    taken: dict[str, list[float]] = {name: [] for name in WORKS}
    for _ in range(RUNS):
        for name, command in WORKS.items():
            taken[name].append(seconds(command))
    rows = {name: median(times) for name, times in taken.items()}
    idle, *others = rows
    report(
        f"CPU of a whole process, the median of {RUNS}",
        rows,
        {f"{name} / {idle}": rows[name] / rows[idle] for name in others},
    )


if __name__ == "__main__":
    main()
