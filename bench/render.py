"""What a personalised mail of 15 papers costs, against rendering and inlining each mail by itself.

Readers have 8 interests each out of a pool in which an interest has 40 readers, as 10,000 readers with 2,000
different interests would; papers are those of seeds/, ranked by the ranker. The batch begins with nothing kept;
"a new reader's mail" is one of its last quarter, whose papers others had, and whose combination of interests
nobody had; about one in twenty of the pieces it is made of (why an interest has a paper) is new with it. Then the
same editions go to other readers: nothing is kept for a combination of interests, so this is what a mail costs whose
pieces are known. What is counted is rendering and building, from an edition to the bytes that go out; loading the
edition is not. Beside it the same editions by Jinja2, an inliner and an `EmailMessage` for each mail.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from functools import partial
from itertools import pairwise
from random import Random
from statistics import median

os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")  # premailer reads it when it is imported

import css_inline
import jinja2
import premailer

from bench import ROOT, SEEDS, report
from digest import rank, render, sources
from digest.model import Edition, Entry, Interest, Paper, Signals
from digest.render import templates, view
from digest.render.fragments import Press
from digest.render.frame import cleaned

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
READERS, INTERESTS, EACH, PAPERS, ROUNDS = 400, 80, 8, 15, 3
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
    """The editions of all readers."""
    papers: dict[str, Paper] = {}
    for path in SEEDS:
        dump = sources.read_dump(path, "seeds")
        for sighting in dump.sightings:
            papers.setdefault(sighting.paper.title, sighting.paper)
    known = [replace(paper, uid=f"{n:016x}") for n, paper in enumerate(papers.values())]
    corpus = rank.fit(known)
    random = Random(1)
    board = rank.Board(corpus)
    pool = interests(known)
    made = []
    for number in range(READERS):
        wanted = random.sample(pool, EACH)
        chosen = rank.rank(corpus, wanted, known, board)[:PAPERS]
        entries = [
            Entry(
                paper=each.paper,
                signals=Signals(upvotes=20 + each.paper.id, comments=3),
                before=Signals(upvotes=11, comments=3),
                points=each.points,
                reasons=each.reasons,
            )
            for each in chosen
        ]
        edition = Edition(
            subscriber=f"reader{number}",
            local_date=NOW.date(),
            composed_at=NOW,
            considered=len(known),
            matched=len(entries) + random.randrange(20),
            entries=tuple(entries),
        )
        made.append(edition)
    return made


def interests(papers: Sequence[Paper]) -> list[Interest]:
    """Interests in pairs of words that several of the papers have, three pairs in each."""
    pairs: Counter[str] = Counter()
    for paper in papers:
        words = re.findall(r"[a-z]{4,}", f"{paper.title} {paper.abstract}".casefold())
        pairs.update({f"{one} {two}" for one, two in pairwise(words)})
    common = sorted(pair for pair, papers_with in pairs.items() if 5 <= papers_with <= 15)
    Random(2).shuffle(common)
    return [
        Interest(name=common[n].capitalize(), keywords=tuple(common[n : 3 * INTERESTS : INTERESTS]))
        for n in range(INTERESTS)
    ]


def by_mail(inlined: Callable[[str], str]) -> Callable[[Edition, render.Frame], bytes]:
    """Make the way that renders and inlines each mail by itself."""
    folder = ROOT / "templates"
    env = templates.environment([folder])
    css = (folder / templates.STYLE).read_text(encoding="utf-8")
    sheet = '<link rel="stylesheet" href="style.css">'

    def template(name: str) -> jinja2.Template:  # blocks in their places cost nothing
        part = templates.cut(env, *templates.read(env, name), name)
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


Mails = Sequence[tuple[bytes, render.Frame]]


def spent(make: Callable[[Edition, render.Frame], object], mails: Mails) -> float:
    """The CPU seconds of a mail, by an edition as it is read from the database.

    All of it is new to the process but the papers, which are read once for many editions.
    """
    seconds = 0.0
    papers: dict[str, Paper] = {}
    for pickled, around in mails:
        edition = pickle.loads(pickled)
        entries = [
            replace(e, paper=papers.setdefault(e.paper.uid, e.paper)) for e in edition.entries
        ]
        edition = replace(edition, entries=tuple(entries))
        started = time.process_time()
        make(edition, around)
        seconds += time.process_time() - started
    return seconds / len(mails)


def main() -> None:
    mails = [(pickle.dumps(edition), frame(n)) for n, edition in enumerate(editions())]
    inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    renderer = render.load([ROOT / "templates"])
    naive, quick = by_mail(with_premailer), by_mail(inliner.inline)
    earlier, others = mails[: READERS * 3 // 4], mails[READERS * 3 // 4 :]
    alike = [(edition, frame(READERS + n)) for n, (edition, _) in enumerate(others)]
    taken: dict[str, list[float]] = {}
    for start in range(ROUNDS):
        press = renderer.press
        fresh = replace(renderer, press=Press(press.subject, press.text, press.html))
        ours = partial(render.message, fresh)
        some = others[start * 4 : start * 4 + 4]
        for name, make, given in (
            ("first mails of a batch, nothing kept", ours, earlier[:20]),
            ("(the rest of the batch)", ours, earlier[20:]),
            ("a new reader's mail", ours, others),
            ("another's with the same interests", ours, alike),
            ("Jinja2 + premailer + EmailMessage", naive, some),
            ("Jinja2 + css-inline + EmailMessage", quick, some),
        ):
            taken.setdefault(name, []).append(spent(make, given))
    rows = {name: median(each) for name, each in taken.items()}
    made = [render.message(renderer, pickle.loads(each), around) for each, around in others]
    size = sum(len(each.content) for each in made) / len(made) / 1024
    print(f"{READERS} mails of {PAPERS} papers, {size:.0f} KiB each")
    _, _, new, again, slow, quicker = rows.values()
    report(
        "Rendering and building a personalised mail",
        rows,
        {
            "premailer against a new reader's": slow / new,
            "premailer against another's with the same interests": slow / again,
            "css-inline against a new reader's": quicker / new,
            "css-inline against another's with the same interests": quicker / again,
        },
    )


if __name__ == "__main__":
    main()
