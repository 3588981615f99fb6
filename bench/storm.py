"""`make storm`: 20,000 deliveries by three workers, and all that may happen to them; then the books are compared.

Two tick. Workers are killed by chance twenty times, cut off from the database twice, and PostgreSQL (a cluster of
its own) is restarted in the middle as after a loss of power. A tenth of the readers is at a domain that takes only
so many a minute. Nothing may be lost; what doubled must be counted as doubtful, at most one for each connection of
a worker that was killed or cut off. Exits with 1 where something is wrong. Each kill leaves its claims to their lease:
there must be some 6,000 readers at least.

    python -m bench.storm [--readers N] [--seed N]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import asdict

from tests.cluster import own_cluster
from tests.storm import CONNECTIONS, storm

KILLS, WORKERS, CUTS = 20, 3, 2


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--readers", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    some, began = given.readers // 40, time.monotonic()
    with (
        own_cluster() as cluster,
        storm(cluster.address, given.readers, given.seed, "domain_per_minute = 300") as made,
    ):
        made.patience = 3_600
        for _ in range(2):
            made.start("serve")
        for _ in range(WORKERS):
            made.start("worker")
        made.strike(KILLS // 2, some)
        for _ in range(CUTS):
            made.cut_off()
            made.strike(1, some)
        cluster.restart()
        made.engine.dispose()
        made.strike(KILLS // 2 - CUTS, some)
        told = made.finish()
        cuts = WORKERS * (CUTS + 1)  # each with its connections
    figures = asdict(told) | {"seconds": round(time.monotonic() - began)}
    for name, value in figures.items():
        print(f"  {name:12} {value:8,}")
    print(json.dumps(figures | {"seed": given.seed}))
    good = (given.readers, 0) == (told.deliveries, told.lost)
    if not good or not told.doubled <= told.doubtful <= (told.kills + cuts) * CONNECTIONS:
        sys.exit("what was sent and what is in the ledger do not agree")


if __name__ == "__main__":
    main()
