"""Which files are as they should be: a feed that has not changed is not even made.

What each feed was made from is kept in a file beside the feeds. It may be lost, or be a copy of any age: then a
feed is made again. Nobody learns an address from it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from digest import feeds
from digest.deliver import write_atomically

_NAME = ".made.json"


class Fresh:
    """What the files in an output folder were made from, by a hash of their names."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._known = _read(output / _NAME)

    def is_fresh(self, stem: str, fingerprint: str) -> bool:
        """Whether both feeds of a subscriber are there, made from the same; without a fingerprint nobody knows."""
        if not fingerprint:
            return False
        return self._known.get(_key(stem)) == fingerprint and all(
            (self._output / f"{stem}{shape}.{ending}").is_file()
            for shape in ("", "-editions")
            for ending in feeds.FORMATS
        )

    def put(self, stem: str, fingerprint: str) -> None:
        """Note what the files were made from, once they are written."""
        if fingerprint:
            self._known[_key(stem)] = fingerprint

    def save(self, stems: list[str] | None = None) -> None:
        """Keep it for the next pass; with ``stems``, of these alone. Raises OSError."""
        if stems is not None:
            keys = set(map(_key, stems))
            self._known = {key: value for key, value in self._known.items() if key in keys}
        if self._known or (self._output / _NAME).is_file():
            write_atomically(self._output / _NAME, json.dumps(self._known).encode())


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(stem: str) -> str:
    return hashlib.sha256(stem.encode()).hexdigest()[:16]
