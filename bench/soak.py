"""Does it hold over ten years, and over half an hour?

Ten simulated years of 1,000 subscribers over all time zones, with edits and outages, against the oracle of
the tests. Then `digest serve` in real time at one-second ticks for 1,000 subscribers in all zones, stopped
by SIGTERM and started again half way: everybody once, and memory flat.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from bench import ROOT
from tests.simulation import CHANGING, ZONES, differences, expected, world

SUBSCRIBERS = 1_000
SERVICE = """
[mail]
from = "Daily papers <papers@example.org>"
[schedule]
tick = "1s"
[[source]]
name = "dumps"
kind = "folder"
path = "seeds"
"""
READER = """
[[subscriber]]
name = "reader{number}"
email = "reader{number}@example.org"
timezone = "{zone}"
send_at = "{at:%H:%M}"
[[subscriber.interest]]
keywords = ["reasoning", "agents", "mixture of experts"]
"""


def simulated(years: int, seed: int) -> dict[str, float]:
    chance = random.Random(seed)
    zones = [*ZONES, *chance.choices([*ZONES, *CHANGING * 50], k=SUBSCRIBERS - len(ZONES))]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    began = time.process_time()
    long = world(seed, start, 365 * years + years // 4, zones, edits=1.5, outages=6)
    wrong = differences(long)
    for line in wrong[:5]:
        print(line)
    return {
        "simulated years": years,
        "subscribers": len(long.lives),
        "outages": len(long.ticks.outages),
        "edits": sum(len(life) - 1 for life in long.lives.values()),
        "editions": sum(len(expected(long, life)) for life in long.lives.values()),
        "otherwise than they should be": len(wrong),
        "CPU seconds": round(time.process_time() - began),
    }


def real(minutes: float) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp())
    (folder / "config").mkdir()
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    (folder / "config/digest.toml").write_text(SERVICE)
    chance, began = random.Random(8), datetime.now(UTC)
    spread = max(1, int(minutes) - 2)  # whole minutes; the last one is for the mails
    readers = []
    for number in range(SUBSCRIBERS):
        zone = chance.choice(ZONES)
        due = began + timedelta(minutes=1 + chance.randrange(spread))
        readers.append(READER.format(number=number, zone=zone, at=due.astimezone(ZoneInfo(zone))))
    (folder / "config/interests.toml").write_text("".join(readers))
    resident: list[list[int]] = []
    codes = []
    for _ in range(2):
        command = [sys.executable, "-m", "digest", "serve"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=folder, env=environ)
        resident.append([])
        ends = time.monotonic() + minutes * 30
        while time.monotonic() < ends and process.poll() is None:
            time.sleep(1)
            resident[-1].append(_resident(process.pid))
        process.send_signal(signal.SIGTERM)
        codes.append(process.wait(60))
    mails = [path.stem.partition("-reader")[2] for path in (folder / "var/outbox").glob("*.eml")]
    # Half of a process's life is for warming up; the rest should not grow.
    growth = [
        median(life[-len(life) // 10 :]) / median(life[len(life) // 2 : len(life) * 6 // 10])
        for life in resident
    ]
    shutil.rmtree(folder)
    return {
        "real minutes": minutes,
        "subscribers": SUBSCRIBERS,
        "mails": len(mails),
        "subscribers with a mail": len({*mails}),
        "exit codes not 0": sum(code != 0 for code in codes),
        "MiB at most": round(max(map(max, resident)) / 1024, 1),
        "growth over the second half of a process's life": round(max(growth), 3),
    }


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line), 0)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--years", type=int, default=10)
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--seed", type=int, default=8)
    given = options.parse_args()
    figures: dict[str, dict[str, float]] = {}
    if given.years:
        figures["simulated"] = simulated(given.years, given.seed)
    if given.minutes:
        figures["real"] = real(given.minutes)
    for name, found in figures.items():
        print(name)
        for what, number in found.items():
            print(f"  {what:50} {number:12}")
    print(json.dumps(figures))
    wrong = figures.get("simulated", {}).get("otherwise than they should be", 0)
    missed = SUBSCRIBERS - figures.get("real", {}).get("subscribers with a mail", SUBSCRIBERS)
    sys.exit(bool(wrong or missed))
