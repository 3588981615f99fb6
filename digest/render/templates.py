"""The template set: found, checked and inlined once, when it loads."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import jinja2
import jinja2.nodes

from digest.errors import TemplateError
from digest.model import Edition, Entry, FeedEntry, Paper, Reason, Section, Signals
from digest.render import mime
from digest.render.fragments import Cut, Part, Press
from digest.render.frame import Frame
from digest.render.inline import inline
from digest.render.text import wrap
from digest.render.view import card, notice_page

log = logging.getLogger(__name__)
T = TypeVar("T")

FEED_ENTRY, FEED_EDITION = "feeds/entry.html.j2", "feeds/edition.html.j2"
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
    env.filters["gain"] = lambda n: f"{'+' if n > 0 else '−'}{abs(n):,}"
    env.globals["count"] = _count
    return env


def _count(number: int | None, word: str) -> str:
    """ "1 star", "1,000 stars", and nothing for none; the number never leaves its word."""
    return f"{number:,}\xa0{word}{'' if number == 1 else 's'}" if number else ""


def load(folders: Sequence[Path]) -> Renderer:
    """The templates in these folders, the first folder first; or a `TemplateError` with its place."""
    env = environment(folders)
    subject = _get(env, SUBJECT)
    text, html = (cut(env, *read(env, name), name) for name in (TEXT, HTML))
    _try_whole(Press(subject, text, html))  # errors have the lines of the files here
    press = Press(subject, text, _inlined(env, HTML))
    if press.cut and (fault := _fault_in_pieces(press)):
        log.warning("%s", fault)
        press = Press(subject, Part(text.whole), Part(press.html.whole))
    for name in NOTICES:
        _try_notice(_notice(env, name, inline=False))
    feed_entry, feed_edition = _get(env, FEED_ENTRY), _get(env, FEED_EDITION)
    for entry in (_FULL, _BARE):
        _try(feed_entry.render, card=card(entry, _BARE_FRAME, 600), section=entry.section)
    for edition, _ in _samples():
        paper = FeedEntry(
            uid="a", title="A", link="", html="<p>A</p>", listed_at=edition.composed_at
        )
        _try(feed_edition.render, edition=edition, papers=[paper])
    notices = {name: _notice(env, name) for name in NOTICES}
    return Renderer(press, notices, feed_entry, feed_edition)


def _inlined(env: jinja2.Environment, name: str) -> Part:
    source = inline(lambda wanted: read(env, wanted), env, name, STYLE)
    settled = env.overlay(trim_blocks=False, lstrip_blocks=False)  # all is trimmed already
    return cut(settled, source, read(env, name)[1], name)


def _notice(env: jinja2.Environment, name: str, *, inline: bool = True) -> Notice:
    subject, text = (_get(env, f"email/{name}{end}.txt.j2") for end in ("-subject", ""))
    html = f"email/{name}.html.j2"
    return Notice(subject, text, _inlined(env, html).whole if inline else _get(env, html))


def cut(env: jinja2.Environment, source: str, path: str, name: str) -> Part:
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


def read(env: jinja2.Environment, name: str) -> tuple[str, str]:
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
    read(env, name)
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


def _samples() -> Iterator[tuple[Edition, Frame]]:
    """What has everything and what has nothing: a wrong name shows now, not at six."""
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
            yield edition, frame


def _try_whole(press: Press) -> None:
    for edition, frame in _samples():
        _try(press.whole_bodies, edition, frame, 9, 600)


def _fault_in_pieces(press: Press) -> str:
    """Say which template's blocks, by themselves, do not give what they give in their places."""
    for edition, frame in _samples():
        whole = press.whole_bodies(edition, frame, 9, 600)
        try:
            pieces = press.bodies(edition, frame, 9, 600)
        except Exception as error:
            return _slow(_place(error).rpartition(":")[0], f": {error}")
        for part, one, other in (
            (press.text, whole.text, pieces.text),
            (press.html, whole.html, pieces.html),
        ):
            if mime.decoded(one) != mime.decoded(other):
                return _slow(str(part.whole.filename), "")
    return ""


def _slow(path: str, why: str) -> str:
    return (
        f"{path}: a block uses more than the value it is named after, or a link is not put in as it is; "
        f"mails are rendered whole, each by itself, which is much slower{why}"
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
        raise TemplateError(f"{_place(error)}: {error or type(error).__name__}") from error


def _place(error: Exception) -> str:
    """Where in the templates it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.endswith(".j2")]
    return places[-1] if places else "email/edition.html.j2:1"
