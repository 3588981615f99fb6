"""The command line as a process that may be killed.

It is forked from a server that has imported the libraries, and nothing of ours: a second saved each time.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_LIBRARIES = """alembic.command babel click cssutils email_validator feedgen.feed feedparser httpx jinja2
lxml.etree numpy orjson premailer prometheus_client psycopg pydantic pydantic_settings pylatexenc.latexwalker
requests rich.console rich.table sqlalchemy sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite
tree_sitter tree_sitter_toml watchfiles zstandard""".split()

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(_LIBRARIES)


class Command:
    """A `digest` command that runs in a folder; ``before`` is Python that it executes first."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        before: str = "",
    ) -> None:
        handle, self._output = tempfile.mkstemp()
        os.close(handle)
        given = (folder, self._output, arguments, {**(environ or {})}, before)
        self._process = _forks.Process(target=_run, args=given)
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def join(self, seconds: float) -> None:
        """Wait for its end, but not longer than so."""
        self._process.join(seconds)

    def wait(self, seconds: float = 120) -> int:
        """Wait for its exit code; that of a signal is negative. Then `output` is what it printed."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join()
        self._process.close()
        self.output = Path(self._output).read_text()
        Path(self._output).unlink()
        assert code is not None, f"it did not end in {seconds} s: {self.output}"
        return code


def _run(
    folder: Path,
    output: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    before: str,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "digest"]:
        del sys.modules[name]  # imported with the caller's main module; read the environment anew
    os.environ.update(environ)
    os.chdir(folder)
    with open(output, "wb") as written:  # noqa: PTH123
        os.dup2(written.fileno(), 1)
        os.dup2(written.fileno(), 2)
    sys.argv = ["digest", *arguments]
    exec(compile(before, "before", "exec"), {})
    runpy.run_module("digest", run_name="__main__", alter_sys=True)
