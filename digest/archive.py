"""Several files as one, each with its hash: what `digest backup` writes and `digest restore` reads.

A tar file packed by gzip. First a list (`backup.json`) and a word for whoever opens it, then the files,
small ones first. `tar xzf` opens it where digest is not at hand.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from digest.errors import DigestError

LIST = "backup.json"
_FORMAT = 1
_CHUNK = 1 << 20
_LONGEST_LIST = 1 << 24  # bytes; a list is a few hundred

Told = Callable[[int], object]  #: hears of each number of bytes done


class ArchiveError(DigestError):
    """This is no backup that digest can read."""


def pack(
    target: Path,
    files: Mapping[str, Path],
    about: Mapping[str, Any],
    note: str,
    told: Told = lambda _size: None,
) -> None:
    """Write files into one, which only its owner may read; nobody ever sees half of it.

    ``files`` are the paths by their names in the archive; ``about`` goes into the list.
    """
    sizes = {name: path.stat().st_size for name, path in files.items()}
    listed = {name: {"bytes": sizes[name], "sha256": _hash(path)} for name, path in files.items()}
    head = {"format": _FORMAT} | dict(about) | {"files": listed}
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    draft.touch(mode=0o600)
    try:
        with tarfile.open(draft, "w:gz", compresslevel=6) as tar:
            _add_text(tar, LIST, json.dumps(head, indent=2))
            _add_text(tar, "README.txt", note)
            for name, path in sorted(files.items(), key=lambda each: sizes[each[0]]):
                with path.open("rb") as content:
                    info = _member(name, sizes[name])
                    tar.addfile(info, _Watched(content, told))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def about(source: Path) -> dict[str, Any]:
    """Read what a backup says of itself; raises ArchiveError."""
    with _opened(source) as tar:
        first = tar.next()
        if first is None or first.name != LIST or first.size > _LONGEST_LIST:
            raise ArchiveError(f"{source}: is no backup of digest")
        content = tar.extractfile(first)
        try:
            head = json.loads(content.read()) if content else {}
        except ValueError as error:
            raise ArchiveError(f"{source}: its list is damaged: {error}") from error
    if not isinstance(head, dict) or not isinstance(head.get("files"), dict):
        raise ArchiveError(f"{source}: its list is damaged")
    if head.get("format") != _FORMAT:
        made_by = head.get("digest", "another version")
        raise ArchiveError(f"{source}: was made by digest {made_by}; restore it with that one")
    return head


def extract(source: Path, places: Mapping[str, Path], told: Told = lambda _size: None) -> None:
    """Write files of a backup to these places, readable by their owner alone.

    Raises ArchiveError where one is missing or is not what the list says; what was written stays.
    """
    listed, missing = about(source)["files"], set(places)
    with _opened(source) as tar:
        for member in tar:
            if member.name not in missing or not member.isreg():
                continue
            content = tar.extractfile(member)
            assert content
            place = places[member.name]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(mode=0o600)
            with place.open("wb") as written:
                hashed = _copy(content, written, told)
            if hashed != listed.get(member.name, {}).get("sha256"):
                raise ArchiveError(f"{source}: {member.name} is damaged; take another backup")
            missing.discard(member.name)
    if missing:
        raise ArchiveError(
            f"{source}: {', '.join(sorted(missing))} is missing; take another backup"
        )


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(source, "r:gz") as tar:
            yield tar
    except FileNotFoundError as error:
        raise ArchiveError(f"{source}: there is no such file") from error
    except (
        tarfile.TarError,
        EOFError,
        OSError,
    ) as error:  # gzip's errors are OSErrors and EOFErrors
        if isinstance(error, OSError) and error.filename and error.filename != str(source):
            raise  # of a place that is written to
        raise ArchiveError(f"{source}: cannot be read as a backup: {error}") from error


def _hash(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _copy(content: IO[bytes], written: IO[bytes], told: Told) -> str:
    hashed = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        hashed.update(chunk)
        written.write(chunk)
        told(len(chunk))
    return hashed.hexdigest()


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    tar.addfile(_member(name, len(content)), io.BytesIO(content))


class _Watched(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, content: IO[bytes], told: Told) -> None:
        self._content, self._told = content, told

    def read(self, size: int = -1) -> bytes:
        chunk = self._content.read(size)
        self._told(len(chunk))
        return chunk
