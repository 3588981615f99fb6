"""Run a command under the limits of a systemd unit, as far as a plain process can take them upon itself.

    python tests/confined.py deploy/digest.service digest run

System calls by libseccomp, which is what systemd uses; memory that is written and executed by the kernel's
own switch; no new privileges; the mask of new files. Namespaces (read-only folders, hidden devices) are
systemd's alone.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001  # SCMP_ACT_*
_NOT_THERE = -1  # __NR_SCMP_ERROR
_NO_NEW_PRIVILEGES, _MDWE = 38, 65  # prctl


class _Lists(dict[str, str]):
    """A key that is given twice has both values, one on each line."""

    def __setitem__(self, key: str, value: str) -> None:
        if isinstance(value, list) and key in self and isinstance(self[key], list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def read(unit: Path) -> ConfigParser:
    """Read a unit file; a key that is given twice has a line for each value."""
    parser = ConfigParser(strict=False, interpolation=None, dict_type=_Lists)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(unit)
    return parser


def calls(group: str) -> set[str]:
    """List the system calls of a group as systemd knows it."""
    shown = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    ).stdout
    found: set[str] = set()
    for line in shown.splitlines()[1:]:
        name = line.strip()
        if name and not name.startswith("#"):
            found |= calls(name) if name.startswith("@") else {name}
    return found


def allowed(filters: str) -> set[str]:
    """Follow the lines of SystemCallFilter: a group is added, behind ~ it is taken away."""
    found: set[str] = set()
    for line in filters.splitlines():
        names = line.removeprefix("~").split()
        said = set().union(*(calls(n) if n.startswith("@") else {n} for n in names))
        found = found - said if line.startswith("~") else found | said
    return found


def confine(unit: Path) -> None:
    """Take the unit's limits upon this process, and all that it starts."""
    service = read(unit)["Service"]
    libc = ctypes.CDLL(None, use_errno=True)
    os.umask(int(service.get("UMask", "022"), 8))
    if service.get("MemoryDenyWriteExecute") == "yes" and libc.prctl(_MDWE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel has no switch for MemoryDenyWriteExecute")
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    names = allowed(service["SystemCallFilter"])
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    refused = _EPERM if service.get("SystemCallErrorNumber") == "EPERM" else _KILL
    made = ctypes.c_void_p(seccomp.seccomp_init(refused))
    for name in names:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number != _NOT_THERE:
            seccomp.seccomp_rule_add(made, ctypes.c_uint32(_ALLOW), number, 0)
    if seccomp.seccomp_load(made):
        raise OSError("seccomp_load failed")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
