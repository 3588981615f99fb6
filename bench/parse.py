"""What does parsing the five dumps cost, against splitting the same text into lines?"""

from __future__ import annotations

import unicodedata

from bench import SEEDS, cpu, report
from digest.sources import parse_dump

contents = [path.read_bytes() for path in SEEDS]
texts = [content.decode() for content in contents]


def floor() -> None:
    for text in texts:
        unicodedata.normalize("NFC", text).splitlines()


def parse() -> None:
    for content in contents:
        parse_dump(content, "seeds", "a dump", "a dump")


if __name__ == "__main__":
    taken = cpu({"splitlines and NFC": floor, "parse": parse}, rounds=51)
    report(
        "Parsing the five seed dumps, bytes to sightings (budget: 10 times)",
        taken,
        {"parse / floor": taken["parse"] / taken["splitlines and NFC"]},
    )
