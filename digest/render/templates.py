"""The template set: found, checked and inlined once, when it loads."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import jinja2

from digest.errors import TemplateError
from digest.model import Edition, Entry, FeedEntry, Paper, Reason, Section, Signals
from digest.render.inline import inline
from digest.render.text import wrap
from digest.render.view import Frame, card, page

FEED_ENTRY, FEED_EDITION = "feeds/entry.html.j2", "feeds/edition.html.j2"
HTML, TEXT, SUBJECT, STYLE = (
    f"email/{name}" for name in ("edition.html.j2", "edition.txt.j2", "subject.txt.j2", "style.css")
)


@dataclass(frozen=True, slots=True)
class Renderer:
    """The templates of one installation, ready for any number of mails."""

    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template
    feed_entry: jinja2.Template
    feed_edition: jinja2.Template


def environment(folders: Sequence[Path]) -> jinja2.Environment:
    """Templates from the first folder that has them; undefined names are errors."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=jinja2.select_autoescape(disabled_extensions=("txt.j2",), default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["wrap"] = wrap
    env.filters["number"] = lambda n: f"{n:,}"
    env.globals["count"] = _count
    return env


def _count(number: int | None, word: str) -> str:
    """ "1 star", "1,000 stars", and nothing for none; the number never leaves its word."""
    return f"{number:,}\xa0{word}{'' if number == 1 else 's'}" if number else ""


def load(folders: Sequence[Path]) -> Renderer:
    """The templates in these folders, the first folder first; or a `TemplateError` with its place."""
    env = environment(folders)
    plain = {name: _get(env, name) for name in (SUBJECT, TEXT, HTML, FEED_ENTRY, FEED_EDITION)}
    for template in plain.values():
        _try(template)
    (source, path), (css, css_path) = _source(env, HTML), _source(env, STYLE)
    inlined = inline(source, css, env, path, css_path)
    settled = env.overlay(trim_blocks=False, lstrip_blocks=False)  # all is trimmed already
    code = settled.compile(inlined, HTML, path)
    html = jinja2.Template.from_code(settled, code, settled.make_globals(None))
    return Renderer(
        subject=plain[SUBJECT],
        text=plain[TEXT],
        html=html,
        feed_entry=plain[FEED_ENTRY],
        feed_edition=plain[FEED_EDITION],
    )


def _source(env: jinja2.Environment, name: str) -> tuple[str, str]:
    loader = env.loader
    assert loader is not None
    try:
        source, path, _ = loader.get_source(env, name)
    except jinja2.TemplateNotFound as error:
        raise TemplateError(f"{name} is in none of the template folders") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{name} is not UTF-8: {error}") from error
    return source, path or name


def _get(env: jinja2.Environment, name: str) -> jinja2.Template:
    _source(env, name)
    try:
        return env.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename}:{error.lineno}: {error.message}") from error


_FULL = Entry(
    paper=Paper(
        title="A title: and more",
        abstract="An abstract.",
        arxiv_id="2501.00001",
        authors=("A", "B", "C", "D", "E"),
        organisation="An organisation",
        published_on=date(2025, 1, 1),
        repository="https://example.org/code",
        project_page="https://example.org/",
    ),
    signals=Signals(upvotes=2, comments=1, stars=1_000),
    points=1_000,
    reasons=(Reason(interest="Interest", term="abstract", field="abstract", points=1_000),),
)
_BARE = Entry(paper=Paper(title="B", abstract="", author_count=7), signals=Signals(), points=0)


def _try(template: jinja2.Template) -> None:
    """Render what has everything and what has nothing: a wrong name shows now, not at six."""
    one = Frame(service="S", sender="s@a.example", recipient="r@a.example", domain="a", list_id="a")
    links = {f"{name}_url": "https://example.org/" for name in ("unsubscribe", "feed", "web")}
    for entries, frame in (((_FULL, _BARE), replace(one, **links, postal_address="P")), ((), one)):
        edition = Edition(
            subscriber="s",
            local_date=date(2025, 1, 1),
            composed_at=datetime(2025, 1, 1, tzinfo=UTC),
            considered=20,
            matched=9 if entries else 0,
            entries=entries,
        )
        shown = page(edition, frame, 9, 600)
        entry = shown.cards[0] if shown.cards else card(1, _BARE, frame.language, 600)
        paper = FeedEntry(uid="a", title="A", html="<p>A</p>", listed_at=edition.composed_at)
        feed = {"card": entry, "section": Section.MATCH, "edition": edition, "papers": [paper]}
        try:
            template.render(page=shown, frame=frame, subject="Subject", **feed)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if f.filename == template.filename]
            place = f"{template.filename}:{lines[-1] if lines else 1}"
            raise TemplateError(f"{place}: {error or type(error).__name__}") from error
