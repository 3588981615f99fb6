"""The template set: found, checked and inlined once, when it loads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import jinja2
import jinja2.nodes

from digest.errors import TemplateError
from digest.model import FeedEntry
from digest.render import mime, pages, samples
from digest.render.fragments import Cut, Part, Press
from digest.render.inline import inline
from digest.render.pages import Pages
from digest.render.tried import environment, get, place, read, tried
from digest.render.view import card, notice_page

log = logging.getLogger(__name__)

FEED_ENTRY, FEED_EDITION = "feeds/entry.html.j2", "feeds/edition.html.j2"
HTML, TEXT, SUBJECT, STYLE = (
    f"email/{name}" for name in ("edition.html.j2", "edition.txt.j2", "subject.txt.j2", "style.css")
)
NOTICES = (
    "confirm",
    "already",
    "welcome",
    "account",
)  # mails beside the editions: email/NAME.html.j2 and so on


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
    pages: Pages
    feed_look: str  #: differs where the templates of feeds do
    feed_entries: dict[tuple[object, ...], str] = field(default_factory=dict)  #: made lately


def load(folders: Sequence[Path]) -> Renderer:
    """The templates in these folders, the first folder first; or a `TemplateError` with its place."""
    env = environment(folders)
    subject = get(env, SUBJECT)
    text, html = (cut(env, *read(env, name), name) for name in (TEXT, HTML))
    _try_whole(Press(subject, text, html))  # errors have the lines of the files here
    press = Press(subject, text, _inlined(env, HTML))
    if press.cut and (fault := _fault_in_pieces(press)):
        log.warning("%s", fault)
        press = Press(subject, Part(text.whole), Part(press.html.whole))
    for name in NOTICES:
        _try_notice(_notice(env, name, inline=False))
    feed_entry, feed_edition = get(env, FEED_ENTRY), get(env, FEED_EDITION)
    for entry in (samples.FULL, samples.BARE):
        tried(feed_entry.render, card=card(entry, samples.BARE_FRAME, 600), section=entry.section)
    for edition, _ in samples.editions():
        paper = FeedEntry(
            uid="a", title="A", link="", html="<p>A</p>", listed_at=edition.composed_at
        )
        tried(feed_edition.render, edition=edition, papers=[paper])
    notices = {name: _notice(env, name) for name in NOTICES}
    return Renderer(press, notices, feed_entry, feed_edition, pages.load(env), _look(env, "feeds/"))


def _look(env: jinja2.Environment, folder: str) -> str:
    """Hash the templates of a folder."""
    names = sorted(name for name in env.list_templates() if name.startswith(folder))
    told = "\0".join(text for name in names for text in (name, read(env, name)[0]))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _inlined(env: jinja2.Environment, name: str) -> Part:
    source = inline(lambda wanted: read(env, wanted), env, name, STYLE)
    settled = env.overlay(trim_blocks=False, lstrip_blocks=False)  # all is trimmed already
    return cut(settled, source, read(env, name)[1], name)


def _notice(env: jinja2.Environment, name: str, *, inline: bool = True) -> Notice:
    subject, text = (get(env, f"email/{name}{end}.txt.j2") for end in ("-subject", ""))
    html = f"email/{name}.html.j2"
    return Notice(subject, text, _inlined(env, html).whole if inline else get(env, html))


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


def _try_whole(press: Press) -> None:
    for edition, frame in samples.editions():
        tried(press.whole_bodies, edition, frame, 9, 600)


def _fault_in_pieces(press: Press) -> str:
    """Say which template's blocks, by themselves, do not give what they give in their places."""
    for edition, frame in samples.editions():
        whole = press.whole_bodies(edition, frame, 9, 600)
        try:
            pieces = press.bodies(edition, frame, 9, 600)
        except Exception as error:
            return _slow(place(error).rpartition(":")[0], f": {error}")
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
    for frame in (samples.FULL_FRAME, samples.BARE_FRAME):
        page, templates = notice_page(frame, "P"), (notice.subject, notice.text, notice.html)
        for template, kind in product(templates, KINDS):
            values = {"frame": frame, "page": page, "subject": "S", "kind": kind, **_NOTICED}
            tried(template.render, values)


KINDS = ("export", "erase", "address", "arrive", "moved")  # of mails about somebody's data
_NOTICED = {
    "new_address": "a@example.org",
    "url": "https://example.org/",
    "first": "Monday",
    "interests": ("One", "Two"),
    "hours": "H",
    "left": True,
}
