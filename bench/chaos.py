"""`make chaos`: kill `digest run` some hundred times, and compare the mail server with the ledger.

On SQLite and on PostgreSQL (DIGEST_TEST_POSTGRES_URL), by both policies of `when_uncertain`; at every named
point in a random order, and from outside at any moment of the dialogue. Prints a table and, last, one line of
JSON; exits with 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from digest.crashpoints import POINTS
from tests.chaos import Tally, order, world

COLUMNS = "kills connections deliveries accepted lost doubled doubtful parked".split()


def long_run(policy: str, postgres: str, kills: int, seed: int) -> Tally:
    """Kill so many times, at named points and from outside in turn."""
    with world(policy, readers=60, seed=seed, postgres=postgres) as made:
        while made.kills < kills:
            made.round(order(made.chance))
            made.storm(10)
            print(f"{name(policy, postgres)}: {made.kills} kills", file=sys.stderr, flush=True)
        return made.tally()


def name(policy: str, postgres: str) -> str:
    return f"{'postgresql' if postgres else 'sqlite'}, {policy}"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=520, help="in all")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options.add_argument("--jobs", type=int, default=2, help="installations at once")
    given = options.parse_args()
    postgres = os.environ.get("DIGEST_TEST_POSTGRES_URL", "")
    if not postgres:
        print("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested", file=sys.stderr)
    print(f"seed {given.seed}", file=sys.stderr)
    engines = ["", postgres] if postgres else [""]
    cases = [(policy, engine) for engine in engines for policy in ("resend", "hold")]
    share = -(-given.kills // len(cases))
    with ThreadPoolExecutor(given.jobs) as pool:
        seeds = range(given.seed, given.seed + len(cases))
        runs = [
            pool.submit(long_run, *case, share, seed)
            for case, seed in zip(cases, seeds, strict=True)
        ]
        tallies = [run.result() for run in runs]
    total = sum(tallies, Tally())
    rows = [*zip([name(*case) for case in cases], tallies, strict=True), ("all", total)]
    print(f"{'':22}" + "".join(f"{column:>13}" for column in COLUMNS))
    for title, tally in rows:
        print(f"{title:22}" + "".join(f"{getattr(tally, column):>13}" for column in COLUMNS))
    for point in (*POINTS, "from outside"):
        print(f"  killed {total.reached[point]:4} times {point}")
    unreached = [f"never reached: {point}" for point in POINTS if not total.reached[point]]
    wrong = [*total.wrong, *unreached]
    print("\n".join(wrong) or "nothing is wrong")
    figures = {column: getattr(total, column) for column in COLUMNS}
    print(json.dumps({"seed": given.seed, **figures, "wrong": len(wrong)}))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
