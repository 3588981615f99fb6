"""Fuzz one target with coverage guidance: python -m fuzz TARGET [--seconds 600].

A finding is written below build/fuzz/TARGET/; put it into tests/data/fuzz/TARGET/ with its cure.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris


def main() -> None:
    """Start libFuzzer with what is known as a corpus."""
    with atheris.instrument_imports(include=["digest"], enable_loader_override=False):
        from fuzz.targets import TARGETS, seeds
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    asked = parser.parse_args()
    root = Path(__file__).parent.parent
    folder = root / "build/fuzz" / asked.target
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    kept = [path.read_bytes() for path in (root / "tests/data/fuzz" / asked.target).glob("*")]
    for number, data in enumerate([*seeds(root)[asked.target], *kept]):
        (corpus / f"seed-{number}").write_bytes(data)
    options = ["-max_len=8192", "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1"]
    options += [f"-max_total_time={asked.seconds}", f"-artifact_prefix={folder}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], TARGETS[asked.target])
    atheris.Fuzz()


main()
