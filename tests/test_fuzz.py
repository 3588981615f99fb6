"""What fuzzing found stays found, and every parser that reads the outside keeps its promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, seeds
from tests.conftest import ROOT

KEPT = sorted((ROOT / "tests/data/fuzz").glob("*/*"))
SEEDS = seeds(ROOT)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}: {path.name}")
def test_an_input_that_once_broke_a_parser_breaks_it_no_more(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_something_to_start_from() -> None:
    assert TARGETS.keys() == SEEDS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_from_outside_is_read_or_refused(name: str) -> None:
    """Pieces of real input, cut, doubled and with bytes of any kind between them."""
    pieces = [line for seed in SEEDS[name] for line in seed[:1500].splitlines(keepends=True)]
    mixed = st.lists(st.one_of(st.sampled_from(pieces), st.binary(max_size=20)), max_size=12)

    @settings(max_examples=60)
    @given(mixed.map(b"".join))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    for seed in SEEDS[name]:
        TARGETS[name](seed)
    holds()
