"""The real papers that benches work on."""

from __future__ import annotations

import os
from pathlib import Path

from bench import SEEDS
from digest import identity
from digest.model import Paper
from digest.sources import read_dump


def shared() -> Path | None:
    """Find the folder of shared data; None where there is none."""
    folder = os.environ.get("DIGEST_SHARED_DATA")
    return Path(folder) if folder and Path(folder).is_dir() else None


def seed_papers() -> list[Paper]:
    seen = [s.paper for file in SEEDS for s in read_dump(file, "seeds").sightings]
    return list(identity.diff(seen, {}).papers.values())


def replay_papers(folder: Path) -> list[Paper]:
    seen = [
        s.paper
        for file in sorted((folder / "replay").iterdir())
        for s in read_dump(file, "r").sightings
    ]
    return list(identity.diff(seen, {}).papers.values())
