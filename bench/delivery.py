"""What does a mail cost from the claim of its row to the mark that it was sent?

Goal: CPU in our process at most 4 times that of Postfix's `smtp-source`, which sends one ready message again
and again over ten connections. Naive is Jinja2, premailer (its cache at 4096), EmailMessage and smtplib for
each mail. All three send to the same `smtp-sink` on this machine, in turn. Needs both tools in PATH or
/usr/sbin (Debian: postfix). PostgreSQL is measured where DIGEST_TEST_POSTGRES_URL names a server.
"""

from __future__ import annotations

import os
import resource
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache, partial
from pathlib import Path
from statistics import median

os.environ["PREMAILER_CACHE_MAXSIZE"] = "4096"  # read when it is imported

import jinja2
import premailer

from bench import ROOT, report
from bench.ledger import databases
from digest import deliver, pipeline, render, store
from digest.deliver.smtp import Server, smtp, wire
from digest.http import Client
from digest.model import Delivery, DeliveryState, Message
from digest.pipeline.deliver import Prepared
from digest.store import deliveries, editions, schema, subscribers

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MAILS, NAIVE, ROUNDS, CONNECTIONS, PAPERS = 2_000, 20, 5, 10, 15
ABSTRACT = "We study how readers choose papers, and find that they choose those they like. " * 21
CARD = """<tr><td class="card"><h2><a href="https://arxiv.org/abs/{{ paper.id }}">{{ paper.title }}</a></h2>
<p class="who">{{ paper.who }}</p><p class="text">{{ paper.abstract }}</p>
{% for badge in paper.badges %}<span class="badge">{{ badge }}</span>{% endfor %}
<table><tr><td class="bar"><p class="small">{{ paper.points }} points</p></td></tr></table></td></tr>"""
PAGE = (
    "<!DOCTYPE html><html><head><title>{{ title }}</title><style>"
    ".card {padding: 16px; border-bottom: 1px solid #ddd; font-family: Georgia, serif}"
    "h2 {font-size: 18px; line-height: 24px; margin: 0 0 8px 0} a {color: #123456}"
    "p {margin: 0 0 8px 0} .who {color: #555; font-size: 14px} .text {font-size: 16px}"
    ".badge {background: #eef; padding: 2px 6px; font-size: 12px} .small {font-size: 12px}"
    "</style></head><body><h1>{{ title }}</h1><table>"
    "{% for paper in papers %}" + CARD + "{% endfor %}</table></body></html>"
)


def tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not found:
        raise SystemExit(f"{name} is needed; on Debian: apt-get install postfix")
    return found


@contextmanager
def sink() -> Iterator[int]:
    """Run smtp-sink on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asroot = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([tool("smtp-sink"), *asroot, f"127.0.0.1:{port}", "1000"])
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def content(number: int) -> str:
    """A page such as our template makes, by the naive way."""
    papers = [
        {
            "id": f"2611.{number * PAPERS + n:05}",
            "title": f"The {n}th paper that reader {number} might like: a study of choices",
            "who": "A. Author, B. Author and 7 more",
            "abstract": ABSTRACT,
            "badges": ["multi-agent +2.5", "tool use +0.8", "planning +0.6"],
            "points": 3.9,
        }
        for n in range(PAPERS)
    ]
    page = jinja2.Environment(autoescape=True).from_string(PAGE)
    inlined: str = premailer.transform(page.render(title="Your papers", papers=papers))
    return inlined


def mail(number: int) -> EmailMessage:
    """A whole message by the standard library."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"] = "papers@example.org", f"reader{number}@example.org"
    made["Subject"] = "Your papers"
    html = content(number)
    made.set_content(ABSTRACT * PAPERS)
    made.add_alternative(html, subtype="html")
    return made


def naive(port: int) -> None:
    for number in range(NAIVE):
        with smtplib.SMTP("127.0.0.1", port) as session:
            session.send_message(mail(number))


def service(url: str, port: int, folder: Path) -> pipeline.Service:
    engine = store.connect(url)
    store.require_current(engine)
    server = Server(host="127.0.0.1", port=port, security="none", messages_per_connection=1_000_000)
    return pipeline.Service(
        engine=engine,
        load_renderer=cache(partial(render.load, [ROOT / "templates"])),
        sources=(),
        subscribers={},
        frame=render.Frame(
            service="Bench", sender="a@example.org", recipient="", domain="a", list_id="a"
        ),
        url="",
        output=folder,
        keys=(b"key",),
        too_late_after=timedelta(hours=6),
        wait_for_sources=timedelta(minutes=30),
        lookback=timedelta(days=30),
        first_lookback=timedelta(days=7),
        trend=0.2,
        when_uncertain=DeliveryState.QUEUED,
        open_sender=lambda: smtp(server, "papers@example.org", deliver.Pace(at_once=CONNECTIONS)),
        open_client=lambda: closing(Client()),
    )


def queue(made: pipeline.Service, day: int) -> None:
    """Queue one mail for each subscriber."""
    with store.writing(made.engine) as connection:
        if day == 0:
            dump = {"id": 1, "source": "bench", "name": "bench", "content_hash": "bench"}
            counts = {"papers": 0, "new": 0, "rejected": 0, "remarks": "", "ingested_at": NOW}
            connection.execute(schema.dump.insert(), dump | counts)
            names = {f"reader{number}": ("UTC 08:00", NOW) for number in range(MAILS)}
            subscribers.put_subscribers(connection, names)
        draft = editions.Draft(0, NOW.date(), NOW, 1, 0, 0, 0, "", [], "")
        drafts = [
            draft._replace(
                subscriber_id=number,
                local_date=NOW.date() + timedelta(days=day),
                address=f"reader{number}@example.org",
            )
            for number in range(1, MAILS + 1)
        ]
        assert len(editions.save_editions(connection, drafts)) == MAILS


def ours(made: pipeline.Service, ready: Sequence[Message]) -> None:
    """Deliver what is queued; the messages were rendered before."""

    def prepare(
        _service: pipeline.Service, claimed: Sequence[Delivery], now: datetime
    ) -> Iterator[Prepared]:
        for each in claimed:
            message = ready[each.edition_id % len(ready)]
            yield Prepared(each, message, "reader", now + timedelta(days=1))

    counts, errors = pipeline.deliver(made, NOW, prepare=prepare)
    assert counts == {DeliveryState.SENT: MAILS}, (counts, errors)


def own_cpu(work: object) -> float:
    started = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - started


def source_cpu(port: int, size: int, mails: int = MAILS) -> float:
    command = [tool("smtp-source"), "-s", str(CONNECTIONS), "-d", "-l", str(size)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "-m", str(mails), f"127.0.0.1:{port}"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rendered() -> list[Message]:
    found = []
    for number in range(50):
        whole = mail(number).as_bytes()
        address = f"reader{number}@example.org"
        found.append(Message(name="", address=address, message_id="", content=whole))
    return [replace(each, wire=wire(each.content)) for each in found]


def main() -> None:
    ready = rendered()
    size = len(ready[0].content)
    taken: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = stack.enter_context(databases(folder))
        port = stack.enter_context(sink())
        services = {kind: service(url, port, folder) for kind, url in urls.items()}
        for day in range(ROUNDS):
            taken.setdefault("smtp-source", []).append(source_cpu(port, size) / MAILS)
            for kind, made in services.items():
                queue(made, day)
                spent = own_cpu(lambda: ours(made, ready))  # noqa: B023
                taken.setdefault(f"ours, {kind}", []).append(spent / MAILS)
            taken.setdefault("naive", []).append(own_cpu(lambda: naive(port)) / NAIVE)
        with store.reading(services["SQLite"].engine) as connection:
            assert deliveries.delivery_counts(connection) == {"sent": MAILS * ROUNDS}
        for made in services.values():
            made.engine.dispose()
    cost = {name: median(times) for name, times in taken.items()}
    ratios = {"bytes of a message": float(size)}
    for kind in services:
        ratios[f"ours, {kind} / smtp-source (SQLite: 4)"] = (
            cost[f"ours, {kind}"] / cost["smtp-source"]
        )
        ratios[f"naive / ours, {kind}"] = cost["naive"] / cost[f"ours, {kind}"]
    report(
        "CPU of a mail, claim to mark (goal in brackets); the sender's process only", cost, ratios
    )


if __name__ == "__main__":
    main()
