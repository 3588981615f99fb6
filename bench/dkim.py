"""What a DKIM signature costs beside the bare signature and the hash of the body; and dkimpy's.

python -m bench.dkim
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import string
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dkim as dkimpy

from digest import render
from digest.deliver import dkim
from digest.model import Edition, Entry, Paper, Signals
from tests.conftest import NOW, ROOT

ROUNDS = 60
BATCH = 5


def mail() -> bytes:
    """Make a mail of 15 papers, as it goes out."""
    words = random.Random(1)

    def text(count: int) -> str:
        made = ("".join(words.choices(string.ascii_lowercase, k=7)) for _ in range(count))
        return " ".join(made)

    papers = (
        Paper(title=text(9), abstract=text(150), arxiv_id=f"2611.{n:05}", authors=("A B", "C D"))
        for n in range(15)
    )
    edition = Edition(
        subscriber="me",
        local_date=NOW.date(),
        composed_at=NOW,
        considered=40,
        matched=15,
        entries=tuple(Entry(paper=each, signals=Signals(), points=1000) for each in papers),
    )
    frame = render.Frame(
        service="Daily papers",
        sender="Daily papers <papers@example.org>",
        recipient="me@example.org",
        domain="example.org",
        list_id="digest.example.org",
        unsubscribe_url="https://example.org/unsubscribe/1/aaaaaaaaaaaaaaaaaaaaaa",
        unsubscribe_mailto="bounces@example.org?subject=unsubscribe",
    )
    return render.message(render.load([ROOT / "templates"]), edition, frame).content


def timed(work: Callable[[], object], batch: int = BATCH) -> float:
    """Microseconds of CPU for one call."""
    began = time.process_time_ns()
    for _ in range(batch):
        work()
    return (time.process_time_ns() - began) / batch / 1000


def main() -> None:
    """Print the table and the figures."""
    content = mail()
    body = content.partition(b"\r\n\r\n")[2]
    header = content[: len(content) - len(body)]
    figures: dict[str, float] = {"bytes": len(content)}
    print(
        f"a mail of 15 papers, {len(content):,} bytes; median of {ROUNDS} rounds side by side, us"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind, limit in (("rsa", 1.3), ("ed25519", 1.4)):
            path = Path(folder, kind)
            dkim.make(path, kind)
            key = dkim.load("example.org", "d", path)
            sign = dkim.signer([key])
            to_sign = header if kind == "rsa" else hashlib.sha256(header).digest()

            def bare(key: dkim.Key = key, to_sign: bytes = to_sign) -> None:
                hashlib.sha256(body).digest()
                key.sign(to_sign)

            rounds = [(timed(bare), timed(lambda sign=sign: sign(content))) for _ in range(ROUNDS)]  # type: ignore[misc]
            floor = statistics.median(each for each, _ in rounds)
            ours = statistics.median(each for _, each in rounds)
            ratio = statistics.median(b / a for a, b in rounds)
            print(
                f"{kind:8} bare + body hash {floor:7.0f}   ours {ours:7.0f}   ratio {ratio:.2f} (at most {limit})"
            )
            figures |= {f"{kind}_bare_us": floor, f"{kind}_us": ours, f"{kind}_ratio": ratio}
            if kind == "rsa":
                other_sign = partial(dkimpy.sign, content, b"d", b"example.org", path.read_bytes())
                way = (b"relaxed", b"relaxed")
                other = timed(partial(other_sign, canonicalize=way), 1)
                print(f"{'rsa':8} dkimpy {other:,.0f}: {other / ours:.0f} times ours")
                figures["dkimpy_rsa_times_ours"] = other / ours
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
