"""What a personalised mail of 15 papers costs, against rendering and inlining each mail by itself.

The population is that of `bench.select`: 8 interests of 2,000 for each reader, 500 new papers, chosen and explained
by the ranker. Three mails are measured:

- the first mails of a batch: nothing is known;
- a new reader's mail in a batch of 100,000, where on average 20 readers before had each share (why one interest has one
  paper): the papers, the shares and counts ("7 of 43") are known from others, the combination is nobody else's. How
  many of a reader's shares nobody had before is printed too, for some sizes of the batch;
- another reader's with the same interests.

What is counted is rendering and building, from an edition to the bytes that go out; loading the edition is not.
Beside it the same editions by Jinja2, an inliner and an `EmailMessage` for each mail.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from functools import partial
from random import Random
from statistics import median

os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")  # premailer reads it when it is imported

import jinja2
import premailer

from bench import ROOT, report
from bench.select import some_interests, some_papers, some_subscribers
from digest import rank, render
from digest.model import Edition, Entry, Share, Signals
from digest.rank.select import Shown, entries, select
from digest.render import templates, tried, view
from digest.render.fragments import Press
from digest.render.frame import cleaned

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
READERS, MEASURED, PAPERS, ROUNDS = 1_000, 200, 15, 5
FRAME = render.Frame(
    service="Daily papers",
    sender="Daily papers <papers@example.org>",
    recipient="reader@example.net",
    domain="example.org",
    list_id="daily.example.org",
    preferences_url="https://digest.example.org/preferences/7",
    feed_url="https://digest.example.org/feeds/7.xml",
    web_url="https://digest.example.org/editions/7",
    postal_address="12 Long Lane, Cambridge",
)


def frame(number: int) -> render.Frame:
    """What surrounds the edition of one reader."""
    token = f"{number:022}"
    return replace(
        FRAME,
        recipient=f"reader{number}@example.net",
        unsubscribe_url=f"https://digest.example.org/unsubscribe/{number}/{token}",
        unsubscribe_mailto=f"papers@example.org?subject=unsubscribe%20{token}",
        more_url=f"https://digest.example.org/more/{number}/{token}",
        less_url=f"https://digest.example.org/less/{number}/{token}",
    )


def editions() -> list[Edition]:
    """The editions of some readers; who has an interest and a paper has the same share as others."""
    papers = some_papers()
    people = some_subscribers(some_interests(papers))[:READERS]
    board = rank.Board(rank.fit(papers))
    random = Random(1)
    made = []
    signals = {each.id: Signals(upvotes=20 + each.id, comments=3) for each in papers}
    before = Signals(upvotes=11, comments=3)
    for start in range(0, READERS, 500):
        shard = people[start : start + 500]
        since = [NOW - timedelta(days=30)] * len(shard)
        found = select(board, shard, since, Shown.of_one([]))
        for each, rows, choice in zip(shard, found.rows, found.choices, strict=True):
            made.append(
                Edition(
                    subscriber=each.name,
                    local_date=NOW.date(),
                    composed_at=NOW,
                    considered=len(papers),
                    matched=len(choice.match) + random.randrange(20),
                    entries=tuple(
                        Entry(
                            one.paper, signals[one.paper.id], one.points, one.shares, before=before
                        )
                        for one in entries(board, rows, choice)
                    ),
                )
            )
    return made


def by_mail(inlined: Callable[[str], str]) -> Callable[[Edition, render.Frame], bytes]:
    """Make the way that renders and inlines each mail by itself."""
    folder = ROOT / "templates"
    env = tried.environment([folder])
    css = (folder / templates.STYLE).read_text(encoding="utf-8")
    sheet = '<link rel="stylesheet" href="style.css">'

    def template(name: str) -> jinja2.Template:  # blocks in their places cost nothing
        part = templates.cut(env, *tried.read(env, name), name)
        return part.whole

    subject, text = env.get_template(templates.SUBJECT), template(templates.TEXT)
    html = template(templates.HTML)

    def made(edition: Edition, around: render.Frame) -> bytes:
        around = cleaned(around)
        cards = [view.card(entry, around, 600) for entry in edition.entries]
        page = view.page(edition, around, edition.entries, cards, cards[0].title)
        values = {"page": page, "frame": around}
        values["subject"] = " ".join(subject.render(values).split())
        mail = EmailMessage(policy=policy.SMTP.clone(max_line_length=998))
        mail["From"], mail["To"] = around.sender, around.recipient
        mail["Subject"] = values["subject"]
        mail.set_content(text.render(values))
        page_html = html.render(values).replace(sheet, f"<style>{css}</style>")
        mail.add_alternative(inlined(page_html), subtype="html")
        return mail.as_bytes()

    return made


def with_premailer(html: str) -> str:
    """Inline by premailer, with the settings that a mail needs."""
    return str(
        premailer.transform(
            html,
            allow_network=False,
            strip_important=False,
            disable_validation=True,
            cssutils_logging_level=logging.CRITICAL,
        )
    )


Mails = Sequence[tuple[Edition, render.Frame]]


def spent(make: Callable[[Edition, render.Frame], object], mails: Mails) -> float:
    """The CPU seconds of a mail: the mean of many, as they come."""
    started = time.process_time()
    for edition, around in mails:
        make(edition, around)
    return (time.process_time() - started) / len(mails)


def unknown(found: Sequence[Edition]) -> dict[int, float]:
    """Of a reader's shares, how many nobody before had, after so many readers."""
    seen: set[tuple[str, Share]] = set()
    told = {}
    for number, edition in enumerate(found, 1):
        mine = [(e.paper.uid, share) for e in edition.entries for share in e.shares]
        if number in (100, 300, READERS):
            told[number] = sum(each not in seen for each in mine) / len(mine)
        seen.update(mine)
    return told


def main() -> None:
    found = editions()
    for number, part in unknown(found).items():
        print(f"reader {number:,}: {part:.0%} of the shares nobody had before")
    mails = [(edition, frame(n)) for n, edition in enumerate(found)]
    import css_inline  # here, since bench.morning measures the memory of who imports this module

    inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    renderer = render.load([ROOT / "templates"])
    press = renderer.press
    naive, quick = by_mail(with_premailer), by_mail(inliner.inline)
    new = mails[-MEASURED:]
    alike = [(edition, frame(READERS + n)) for n, (edition, _) in enumerate(new)]
    # Whoever has a share of theirs, and another combination: the shares of all, dealt out anew.
    others = [(dealt, frame(2 * READERS + n)) for n, dealt in enumerate(others_with(new))]
    gc.collect()
    gc.freeze()
    taken: dict[str, list[float]] = {}
    for start in range(ROUNDS):
        fresh = replace(renderer, press=Press(press.subject, press.text, press.html))
        ours = partial(render.message, fresh)
        some = new[start * 4 : start * 4 + 4]
        for name, make, given in (
            ("first mails of a batch, nothing known", ours, mails[:20]),
            ("(mails that others had before)", ours, others),
            ("a new reader's mail, all shares known", ours, new),
            ("another's with the same interests", ours, alike),
            ("Jinja2 + premailer + EmailMessage", naive, some),
            ("Jinja2 + css-inline + EmailMessage", quick, some),
        ):
            taken.setdefault(name, []).append(spent(make, given))
    rows = {name: median(each) for name, each in taken.items()}
    made = [render.message(renderer, each, around) for each, around in new]
    size = sum(len(each.content) for each in made) / len(made) / 1024
    shares = [len(entry.shares) for each, _ in new for entry in each.entries]
    print(
        f"{len(new)} mails of {len(shares) / len(new):.1f} papers, {size:.0f} KiB each, "
        f"{sum(shares) / len(shares):.1f} shares for each paper"
    )
    first, _, known, again, slow, quicker = rows.values()
    report(
        "Rendering and building a personalised mail",
        rows,
        {
            "premailer against the first of a batch": slow / first,
            "premailer against a new reader's (goal: 250)": slow / known,
            "premailer against the same interests": slow / again,
            "css-inline against a new reader's": quicker / known,
        },
    )


def others_with(new: Mails) -> list[Edition]:
    """Editions of others that have the papers and shares of the new readers, each in another combination."""
    chance = Random(3)
    entries = [entry for edition, _ in new for entry in edition.entries]
    chance.shuffle(entries)
    dealt = []
    for number, (edition, _) in enumerate(new):
        some = {each.paper.id: each for each in entries[number * PAPERS : (number + 1) * PAPERS]}
        dealt.append(replace(edition, subscriber=f"o{number}", entries=tuple(some.values())))
    return dealt


if __name__ == "__main__":
    main()
