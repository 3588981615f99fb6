"""The template set: found, checked and inlined once, when it loads."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import jinja2
import jinja2.nodes

from digest.errors import TemplateError
from digest.model import Edition, Entry, Paper, Reason, Section, Signals
from digest.render import mime
from digest.render.fragments import Cut, Part, Press
from digest.render.inline import inline
from digest.render.text import wrap
from digest.render.view import Frame, card, notice_page

T = TypeVar("T")

FEED_ENTRY = "feeds/entry.html.j2"
HTML, TEXT, SUBJECT, STYLE = (
    f"email/{name}" for name in ("edition.html.j2", "edition.txt.j2", "subject.txt.j2", "style.css")
)
NOTICES = ("confirm", "welcome")  # mails beside the editions: email/NAME.html.j2 and so on


@dataclass(frozen=True, slots=True)
class Notice:
    """The templates of a mail that is no edition."""

    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template


@dataclass(frozen=True, slots=True)
class Renderer:
    """The templates of one installation, ready for any number of mails."""

    press: Press  #: of editions
    notices: Mapping[str, Notice]
    feed_entry: jinja2.Template


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
    env.filters["gain"] = lambda n: f"{'+' if n > 0 else '−'}{abs(n):,}"
    env.globals["count"] = _count
    return env


def _count(number: int | None, word: str) -> str:
    """ "1 star", "1,000 stars", and nothing for none; the number never leaves its word."""
    return f"{number:,}\xa0{word}{'' if number == 1 else 's'}" if number else ""


def load(folders: Sequence[Path]) -> Renderer:
    """The templates in these folders, the first folder first; or a `TemplateError` with its place."""
    env = environment(folders)
    text, html = (_cut(env, *_source(env, name), name) for name in (TEXT, HTML))
    _try_edition(Press(_get(env, SUBJECT), text, html))  # errors have the lines of the files here
    press = Press(_get(env, SUBJECT), text, _inlined(env, HTML))
    _try_edition(press)
    for notice in (_notice(env, name, inline=False) for name in NOTICES):
        _try_notice(notice)
    feed_entry = _get(env, FEED_ENTRY)
    for entry in (_FULL, _BARE):
        _try(feed_entry.render, card=card(entry, _BARE_FRAME, 600))
    return Renderer(press, {name: _notice(env, name) for name in NOTICES}, feed_entry)


def _inlined(env: jinja2.Environment, name: str) -> Part:
    source = inline(lambda wanted: _source(env, wanted), env, name, STYLE)
    settled = env.overlay(trim_blocks=False, lstrip_blocks=False)  # all is trimmed already
    return _cut(settled, source, _source(env, name)[1], name)


def _notice(env: jinja2.Environment, name: str, *, inline: bool = True) -> Notice:
    subject, text = (_get(env, f"email/{name}{end}.txt.j2") for end in ("-subject", ""))
    html = f"email/{name}.html.j2"
    return Notice(subject, text, _inlined(env, html).whole if inline else _get(env, html))


def _cut(env: jinja2.Environment, source: str, path: str, name: str) -> Part:
    """The template with its blocks in their places, and cut at those of a card and of its reasons."""

    def compiled(tree: jinja2.nodes.Template) -> jinja2.Template:
        code = env.compile(tree, name, path)
        return jinja2.Template.from_code(env, code, env.make_globals(None))

    try:
        whole, frame = env.parse(source, name, path), env.parse(source, name, path)
        blocks = {block.name: block for block in frame.find_all(jinja2.nodes.Block)}
        _replace_blocks(whole, lambda block: block.body)
        if not {"card", "why"} <= set(blocks):
            return Part(compiled(whole))
        _replace_blocks(frame, _slot)
        card, why = (jinja2.nodes.Template(blocks[name].body, lineno=1) for name in ("card", "why"))
        for tree in (card, why):
            tree.set_environment(env)
        return Part(compiled(whole), Cut(compiled(frame), compiled(card), compiled(why)))
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename}:{error.lineno}: {error.message}") from error


def _slot(block: jinja2.nodes.Block) -> list[jinja2.nodes.Node]:
    """Put the value that a block is named after in the block's place."""
    if block.name not in ("card", "why"):
        return block.body
    value = jinja2.nodes.Name(block.name, "load", lineno=block.lineno)
    output = jinja2.nodes.Output([value], lineno=block.lineno)
    assert block.environment
    return [output.set_environment(block.environment)]


def _replace_blocks(
    tree: jinja2.nodes.Node, put: Callable[[jinja2.nodes.Block], list[jinja2.nodes.Node]]
) -> None:
    for node in [tree, *tree.find_all(jinja2.nodes.Node)]:
        for name, value in list(node.iter_fields()):
            if isinstance(value, list):
                while any(isinstance(each, jinja2.nodes.Block) for each in value):
                    value = [
                        put_in
                        for each in value
                        for put_in in (
                            put(each) if isinstance(each, jinja2.nodes.Block) else [each]
                        )
                    ]
                setattr(node, name, value)


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
        abstract="An abstract & one more.",
        arxiv_id="2501.00001",
        authors=("A", "B", "C", "D", "E"),
        organisation="An organisation",
        published_on=date(2025, 1, 1),
        repository="https://example.org/code",
        project_page="https://example.org/",
        uid="u1",
    ),
    signals=Signals(upvotes=2, comments=1, stars=1_000),
    before=Signals(upvotes=1, comments=2),
    points=1_000,
    reasons=(
        Reason(interest="Interest", term="title", field="title", points=700),
        Reason(interest="Interest", term="related words: one, two", field=None, points=200),
        Reason(interest=None, term="trend", field=None, points=100),
    ),
)
_BARE = Entry(paper=Paper(title="B", abstract="", author_count=7), signals=Signals(), points=0)
_ENTRIES = (
    _FULL,
    _BARE,
    replace(_FULL, signals=Signals(late=True)),
    replace(_FULL, section=Section.CLIMBING),
    replace(_BARE, section=Section.STRETCH),
    replace(_BARE, section=Section.NEAREST),
)
_BARE_FRAME = Frame(
    service="S", sender="s@a.example", recipient="r@a.example", domain="a", list_id="a"
)
_FULL_FRAME = replace(
    _BARE_FRAME,
    **{name: "https://example.org/" for name in Frame.__slots__ if name.endswith("_url")},
    unsubscribe_mailto="u@a.example",
    postal_address="P",
    layout="interests",
)


def _try_edition(press: Press) -> None:
    """Render what has everything and what has nothing: a wrong name shows now, not at six."""
    for entries in (_ENTRIES, _ENTRIES[:1], _ENTRIES[1:], ()):
        for frame in (_FULL_FRAME, _BARE_FRAME):
            edition = Edition(
                subscriber="s",
                local_date=date(2025, 1, 1),
                composed_at=datetime(2025, 1, 1, tzinfo=UTC),
                considered=20 if entries or frame is _FULL_FRAME else 0,
                matched=9 if entries else 0,
                entries=entries,
                remarks="R" if entries else "",
            )
            whole = _try(press.whole_bodies, edition, frame, 9, 600)
            pieces = _try(press.bodies, edition, frame, 9, 600)
            for part, one, other in (
                (press.text, whole.text, pieces.text),
                (press.html, whole.html, pieces.html),
            ):
                if mime.decoded(one) != mime.decoded(other):
                    raise TemplateError(
                        f"{part.whole.filename}:1: its card and why blocks give something else by "
                        "themselves; inside, use nothing but the value that the block is named after"
                    )


def _try_notice(notice: Notice) -> None:
    for frame in (_FULL_FRAME, _BARE_FRAME):
        for template in (notice.subject, notice.text, notice.html):
            values = {"frame": frame, "page": notice_page(frame, "P"), "subject": "S", **_NOTICED}
            _try(template.render, values)


_NOTICED = {"url": "https://example.org/", "first": "Monday", "interests": ("One", "Two")}


def _try(render: Callable[..., T], *values: object, **named: object) -> T:
    try:
        return render(*values, **named)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.endswith(".j2")]
        place = places[-1] if places else "a template:1"
        raise TemplateError(f"{place}: {error or type(error).__name__}") from error
