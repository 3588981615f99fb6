"""A PostgreSQL of its own, on a free port: to restart, to stop in the middle, or to watch."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp


@dataclass(frozen=True)
class Cluster:
    """Where it is, and how it is controlled."""

    address: str
    folder: Path
    control: tuple[str, ...]  #: `pg_ctl` with all but the action

    def restart(self) -> None:
        """Restart it at once, as after a loss of power."""
        _run([*self.control, "-m", "immediate", "restart"])

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "log").read_text()

    @property
    def pid(self) -> int:
        """The number of its first process, which the others belong to."""
        return int((self.folder / "data/postmaster.pid").read_text().split()[0])


@contextmanager
def own_cluster(*settings: str) -> Iterator[Cluster]:
    """Start a cluster with these settings (`name=value`), and remove it at the end."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    assert found, "PostgreSQL's own programs are not installed beside the server"
    folder = Path(mkdtemp(prefix="digest_pg_"))
    asked = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if asked:
        shutil.chown(folder, "postgres")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    data = str(folder / "data")
    initdb = str(found[-1].with_name("initdb"))
    _run([*asked, initdb, "-D", data, "-A", "trust", "-U", "postgres"])
    told = [f"-p {port}", f"-k {folder}", "-c listen_addresses=127.0.0.1"]
    options = " ".join([*told, *(f"-c {each}" for each in settings)])
    control = (*asked, str(found[-1]), "-D", data, "-w", "-o", options, "-l", f"{folder}/log")
    _run([*control, "start"])
    address = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    try:
        yield Cluster(address, folder, control)
    finally:
        _run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
