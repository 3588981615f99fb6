"""docs/extend.md is followed to the letter, on a copy of the source code."""

from __future__ import annotations

import json
import mailbox
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, SEEDS

_PIECE = re.compile(
    r"`(?P<file>digest/[\w/.]+)`(?: is new|, (?P<how>instead of|below|above)\s+`(?P<anchor>[^`\n]+)`)"
    r"[^`]*?```python\n(?P<code>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
ABSTRACT = "We study a mixture of experts whose routers learn from what their readers like. " * 5


class Piece(NamedTuple):
    file: str
    how: str | None  #: None: the file is new
    anchor: str
    code: str


def pieces(title: str) -> list[Piece]:
    text = (
        (ROOT / "docs/extend.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    )
    found = [Piece(*each.group("file", "how", "anchor", "code")) for each in _PIECE.finditer(text)]
    assert len(found) == text.count("```python")
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the source code."""
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("digest", "templates", "config"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    (tmp_path / "seeds").mkdir()
    return tmp_path


def follow(title: str, folder: Path) -> None:
    """Do what a section says."""
    for piece in pieces(title):
        path = folder / piece.file
        if piece.how is None:
            path.write_text(piece.code)
            continue
        text, anchor = path.read_text(), f"{piece.anchor}\n"
        assert 1 == text.count(anchor), piece.anchor
        new = {
            "instead of": piece.code,
            "below": anchor + piece.code,
            "above": piece.code + anchor,
        }[piece.how]
        path.write_text(text.replace(anchor, new))


def run(folder: Path, *arguments: str) -> str:
    """Run the digest of a folder."""
    environ = {name: value for name, value in os.environ.items() if "DIGEST_" not in name}
    command = [sys.executable, "-m", "digest", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.fixture
def address() -> Iterator[str]:
    """Answer as Crossref does."""
    works = [
        {"DOI": f"10.1234/{n}", "title": [f"The Expert Number {n}"], "abstract": f"<p>{ABSTRACT}{n}</p>",
         "author": [{"given": "Jane", "family": "Doe"}]}
        for n in range(2)
    ]  # fmt: skip
    answer = {"status": "ok", "message-type": "work-list", "message": {"items": [*works, {}]}}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/works"
        server.shutdown()
        thread.join()


def test_a_source_is_added_in_60_lines(copy: Path, address: str) -> None:
    follow("A source", copy)
    config = copy / "config/digest.toml"
    config.write_text(
        config.read_text().replace("#allow_private = false", "allow_private = true ")
        + f'[[source]]\nname = "works"\nkind = "crossref"\nurl = "{address}"\n'
    )

    assert "dumps, works" in run(copy, "check")
    assert "1 new dump with 2 new papers; 1 piece rejected" in run(copy, "run", "--all")
    assert "Jane Doe" in next((copy / "var/outbox").glob("*.txt")).read_text()
    assert 60 >= sum(len(piece.code.splitlines()) for piece in pieces("A source"))


def test_a_sender_is_added_in_60_lines(copy: Path) -> None:
    follow("A sender", copy)
    shutil.copy(sorted(SEEDS.glob("*.txt"))[0], copy / "seeds")
    config = copy / "config/digest.toml"
    config.write_text(
        config.read_text().replace('#outbox_format = "eml" ', 'outbox_format = "mbox"')
    )

    assert "1 mail sent" in run(copy, "run", "--all")
    box = mailbox.mbox(copy / "var/outbox/mails.mbox")
    assert ["me@example.org"] == [each["To"] for each in box]
    box.close()
    assert 60 >= sum(len(piece.code.splitlines()) for piece in pieces("A sender"))
