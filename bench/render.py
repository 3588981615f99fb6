"""What a personalised mail of 15 papers costs, against rendering and inlining each mail by itself.

Readers have 8 interests each out of a pool in which an interest has 40 readers, as 10,000 readers with 2,000
different interests would; papers are those of seeds/, ranked by the ranker. No two editions share an object, as
when each is read from the database. "cold" starts with nothing kept and renders each edition once; "warm" is
the same batch again. The other two render the same editions with Jinja2, inline each mail's styles and build an
`EmailMessage`.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from itertools import pairwise
from random import Random

os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")  # premailer reads it when it is imported

import css_inline
import jinja2
import premailer

from bench import ROOT, SEEDS, cpu, report
from digest import rank, render, sources
from digest.model import Edition, Entry, Interest, Paper, Signals
from digest.render import templates, view
from digest.render.fragments import Press

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
READERS, INTERESTS, EACH, PAPERS = 400, 80, 8, 15
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
    """The editions of all readers, none sharing an object with another."""
    papers: dict[str, Paper] = {}
    for path in SEEDS:
        dump = sources.read_dump(path, "seeds")
        for sighting in dump.sightings:
            papers.setdefault(sighting.paper.title, sighting.paper)
    known = [replace(paper, uid=f"{n:016x}") for n, paper in enumerate(papers.values())]
    corpus = rank.fit(known)
    random = Random(1)
    memo: rank.Memo = {}
    pool = interests(known)
    made = []
    for number in range(READERS):
        wanted = random.sample(pool, EACH)
        chosen = rank.rank(corpus, wanted, known, memo)[:PAPERS]
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
        made.append(pickle.loads(pickle.dumps(edition)))
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
        around = view.cleaned(around)
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


def main() -> None:
    made = [(edition, frame(number)) for number, edition in enumerate(editions())]
    inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    naive, quick = by_mail(with_premailer), by_mail(inliner.inline)
    renderer = render.load([ROOT / "templates"])

    def batch(renderer: render.Renderer) -> list[bytes]:
        return [render.message(renderer, *each).content for each in made]

    def cold() -> list[bytes]:
        press = renderer.press
        empty = Press(press.subject, press.text, press.html)
        return batch(replace(renderer, press=empty))

    batch(renderer)
    some = made[:6]
    taken = cpu(
        {
            "warm": lambda: batch(renderer),
            "cold": cold,
            "premailer": lambda: [naive(*each) for each in some],
            "css-inline": lambda: [quick(*each) for each in some],
        },
        rounds=7,
    )
    rows = {
        "a mail, pieces kept (warm)": taken["warm"] / len(made),
        "a mail, nothing kept at first (cold)": taken["cold"] / len(made),
        "a mail, Jinja2 + premailer + EmailMessage": taken["premailer"] / len(some),
        "a mail, Jinja2 + css-inline + EmailMessage": taken["css-inline"] / len(some),
    }
    warm, nothing_kept, slow, quicker = rows.values()
    sizes = [len(message) for message in batch(renderer)]
    print(f"{len(made)} mails of {PAPERS} papers, {sum(sizes) / len(sizes) / 1024:.0f} KiB each")
    report(
        "Rendering and building a personalised mail",
        rows,
        {
            "premailer against warm": slow / warm,
            "premailer against cold": slow / nothing_kept,
            "css-inline against warm": quicker / warm,
            "css-inline against cold": quicker / nothing_kept,
        },
    )


if __name__ == "__main__":
    main()
