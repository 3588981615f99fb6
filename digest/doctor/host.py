"""Is there room, is the database in a safe place, and does the clock go right?"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from digest.doctor import Finding, State

_SLACK = timedelta(minutes=2)  # between two clocks that go right
_MIB = 1 << 20
_TIGHT, _NOTHING = 1024 * _MIB, 100 * _MIB
_WAL = 256 * _MIB
#: File systems of the network, where SQLite's locks do not hold (sqlite.org/howtocorrupt.html §2.1).
_NETWORK = ("nfs", "cifs", "smb", "9p", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs", "davfs")


def disks(folders: Iterable[Path]) -> list[Finding]:
    """Tell how much room there is on each disk that we write to; a folder that is to come counts as its parent's."""
    found: dict[int, Finding] = {}
    for folder in map(_existing, folders):
        device = folder.stat().st_dev
        if device not in found:
            found[device] = room(folder, shutil.disk_usage(folder).free)
    return list(found.values())


def room(folder: Path, free: int) -> Finding:
    """Judge the free bytes of a disk."""
    told = partial(Finding, subject=f"disk of {folder}", told=f"{free // _MIB:,} MiB free")
    if free >= _TIGHT:
        return told(state=State.GOOD)
    cure = "free some space: old feeds, mails of the outbox, logs; a full disk stops every pass"
    return told(state=State.WRONG if free < _NOTHING else State.ADVICE, cure=cure)


def _existing(folder: Path) -> Path:
    return folder if folder.is_dir() or folder == folder.parent else _existing(folder.parent)


def place(file: Path, mounts: str) -> Finding:
    """Judge where a SQLite file lies. ``mounts`` is the text of /proc/mounts, empty where there is none."""
    subject = f"database {file}"
    kind = file_system(file, mounts)
    if kind.startswith(_NETWORK):
        return Finding(
            subject=subject,
            state=State.WRONG,
            told=f"lies on a network file system ({kind}), where locks do not hold: it will be damaged",
            cure="move it to a disk of this machine, or use PostgreSQL (service.database)",
        )
    wal = Path(f"{file}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > _WAL:
        return Finding(
            subject=subject,
            state=State.ADVICE,
            told=f"its log {wal.name} has {size // _MIB:,} MiB: something reads it and does not end",
            cure="end other programs that have the database open; the next pass empties the log",
        )
    return Finding(subject=subject, state=State.GOOD, told=f"on {kind or 'a local disk'}")


def file_system(file: Path, mounts: str) -> str:
    """Name the kind of file system that a file lies on; "" where that cannot be told."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        if file.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def clock(
    now: datetime, others: Sequence[tuple[str, datetime]], last_pass: datetime | None
) -> Finding:
    """Compare our clock with those of others, and with the last thing that we did."""
    told = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    wrong = [
        f"{whose} has {at:%Y-%m-%d %H:%M:%S}" for whose, at in others if abs(at - now) > _SLACK
    ]
    if last_pass and last_pass > now + _SLACK:
        wrong.append(f"the last pass was at {last_pass:%Y-%m-%d %H:%M:%S}")
    if not wrong:
        agreed = f", as {' and '.join(whose for whose, _ in others)} has" if others else ""
        return Finding(subject="clock", state=State.GOOD, told=f"{told}{agreed}")
    cure = "set the clock, or let it be set: timedatectl set-ntp true"
    return Finding(
        subject="clock", state=State.WRONG, told=f"{told}, but {', '.join(wrong)}", cure=cure
    )


def private(files: Iterable[Path]) -> list[Finding]:
    """See that nobody else on this machine may read what is secret: files, and whole folders."""
    open_ = [path for path in files if path.exists() and _mode(path) & 0o077]
    if not open_:
        told = "nobody else may read them"
        return [Finding(subject="secrets", state=State.GOOD, told=told)]
    told = "others on this machine may read it"
    return [
        Finding(
            subject=str(path),
            state=State.ADVICE,
            told=told,
            cure=f"chmod {700 if path.is_dir() else 600} {path}",
        )
        for path in open_
    ]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
