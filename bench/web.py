"""What does digest's own server cost, against the least that its library does in the same run?

A server is busy all the time while `wrk` asks, so its requests in a second of its own processor time are what
it answers in a second where nothing else runs; these are compared, so that a busy machine changes nothing.

Budget (one worker, loopback, `wrk`): a 304 for a private feed at no less than 60 % of a bare Starlette route that
returns an empty 304; a public feed from the disk at no less than 40 % of a bare route that returns the same bytes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bench.feeds import NOW, service
from digest import pipeline
from digest.web import Site, application, configured, listening

ROUNDS, SECONDS, CONNECTIONS = 5, 2, 16


def bare(content: bytes) -> ASGIApp:
    """The least there is: nothing is looked up, and nothing is said but what was asked for."""

    async def unchanged(_request: Request) -> Response:
        return Response(status_code=304)

    async def whole(_request: Request) -> Response:
        return Response(content)

    return Starlette(routes=[Route("/unchanged", unchanged), Route("/whole", whole)])


def ours(folder: Path) -> ASGIApp:
    """The application of an installation, on its own connection to the database."""
    made = replace(service(folder), web=True)
    site = Site(made)
    return application(lambda: site)


def _run(make: Callable[..., ASGIApp], of: object, listener: socket.socket) -> None:
    uvicorn.Server(configured(make(of))).run(sockets=[listener])


@contextmanager
def served(make: Callable[..., ASGIApp], of: object) -> Iterator[tuple[str, int]]:
    """Serve an application by one worker, a process of its own; give its address and its number."""
    with listening("127.0.0.1", 0) as listener:
        process = multiprocessing.get_context("fork").Process(
            target=_run, args=(make, of, listener)
        )
        process.start()
        try:
            assert process.pid
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", process.pid
        finally:
            process.terminate()
            process.join()


def rate(wrk: str, server: int, url: str, *headers: str) -> float:
    """Ask as fast as the server answers; requests in a second of its processor time."""
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    for header in headers:
        command += ["-H", header]
    before = taken(server)
    told = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    seconds = taken(server) - before
    assert "Non-2xx" not in told, told
    found = re.search(r"(\d+) requests in", told)
    assert found, told
    return int(found[1]) / seconds


def taken(process: int) -> float:
    """Seconds of processor time that a process has had (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def etag(url: str, private: bool) -> str:
    """Make sure that the server does what is measured, and give what a reader would send back."""
    first = httpx.get(url)
    again = httpx.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (200, 304) == (first.status_code, again.status_code)
    assert first.headers["Cache-Control"].startswith("private" if private else "public")
    return f"If-None-Match: {first.headers['ETag']}"


def main(wrk: str) -> None:
    """Measure in turns, so that a busy machine slows all alike."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        made = replace(service(Path(name), people=200), web=True)
        pipeline.ingest_sources(made, NOW)
        pipeline.register(made, NOW)
        pipeline.publish(made, NOW, pipeline.compose(made, NOW).subscribers)
        [path] = [f"{e.path}.xml" for e in pipeline.feed_list(made) if e.label == "reader150"][:1]
        content = (made.output / "feeds/stream.xml").read_bytes()
        made.engine.dispose()
        least, bare_server = stack.enter_context(served(bare, content))
        site, server = stack.enter_context(served(ours, Path(name)))
        private, public = f"{site}/{path}", f"{site}/feeds/stream.xml"
        works: dict[str, tuple[str, ...]] = {
            "bare Starlette, an empty 304": (f"{least}/unchanged",),
            "a private feed, 304": (private, etag(private, private=True)),
            "a public feed, 304": (public, etag(public, private=False)),
            "bare Starlette, the same bytes": (f"{least}/whole",),
            "a public feed from the disk": (public,),
            "the same, packed": (public, "Accept-Encoding: gzip"),
            "a private feed": (private,),
        }
        rates: dict[str, list[float]] = {each: [] for each in works}
        for _ in range(ROUNDS):
            for each, asked in works.items():
                asks = bare_server if asked[0].startswith(least) else server
                rates[each].append(rate(wrk, asks, *asked))
    told = {each: median(found) for each, found in rates.items()}
    print(f"One worker, {CONNECTIONS} connections; the stream has {len(content) // 1024} KiB")
    for each, found in told.items():
        print(f"  {each:34} {found:8.0f} in a second of the processor")
    least_304, least_200 = (
        told["bare Starlette, an empty 304"],
        told["bare Starlette, the same bytes"],
    )
    ratios = {
        "304 of a private feed / bare": told["a private feed, 304"] / least_304,
        "public feed from disk / bare": told["a public feed from the disk"] / least_200,
    }
    for each, ratio in ratios.items():
        print(f"  {each:34} {ratio:8.2f} times")
    print(json.dumps({each: round(found, 3) for each, found in (told | ratios).items()}))


if __name__ == "__main__":
    program = shutil.which("wrk")
    if not program:
        sys.exit("bench.web needs wrk: apt-get install wrk")
    main(program)
