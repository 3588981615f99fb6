"""Styles into elements, once for a template: premailer never sees a Jinja tag, nor runs for a mail."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from jinja2 import Environment

from digest.errors import TemplateError

_HOLDER = re.compile(r"zqj\d{4}zq")
_FOREIGN = re.compile(  # what premailer would fetch, lose, or apply to the wrong round of a loop
    r"@(?!media\b)[^\s;{]*|url\s*\(|[+~]|:(?:first|last|nth|only|empty|not|root)[\w-]*"
)
_SHEET = re.compile(r'<link rel="stylesheet" href="style\.css"\s*/?>')
_INCLUDE = re.compile(r"""\{%\s*include\s+["']([^"']+)["']\s*%\}""")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_OPENS = frozenset("if for macro call filter with autoescape block".split())


class _Tag(NamedTuple):
    source: str
    path: str
    line: int


Read = Callable[[str], tuple[str, str]]  # the name of a template to its source and path


def inline(read: Read, env: Environment, name: str, css_name: str) -> str:
    """The template, and what it includes, with the rules of the style sheet in its elements."""
    css, css_path = read(css_name)
    css = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), css, flags=re.DOTALL)
    _refuse_css(css, {css_path: css})
    tags: dict[str, _Tag] = {}
    sources: dict[str, str] = {}
    html = "".join(_hold(read, env, name, tags, sources))
    places = _Places(sources, tags)
    places.feed(html)
    places.close()
    html = _HOLDER.sub(lambda m: f"<!--{m[0]}-->" if m[0] in places.text else m[0], html)
    html = _SHEET.sub(lambda _: f"<style>{css}</style>", html)
    out = re.sub(r"\s*\n\s*", "\n", _inlined(html))
    out = re.sub(r"(?<=>)  +(?=<)", " ", out)  # a tag was before it: an indentation after all
    out = re.sub(r' style="[^"]*"', lambda m: m[0].replace("; ", ";").replace(", ", ","), out)
    survived = [*_HOLDER.findall(out), *[""] * len(tags)]
    for held, (holder, tag) in zip(survived, tags.items(), strict=False):
        if held != holder:
            raise TemplateError(
                f"{tag.path}:{tag.line}: {tag.source} does not survive inlining here"
            )
    holders = re.compile(f"<!--({_HOLDER.pattern})-->|({_HOLDER.pattern})")
    return holders.sub(lambda m: tags[m[1] or m[2]].source, out)


def _inlined(html: str) -> str:
    rules = {
        "allow_network": False,
        "strip_important": False,
        "disable_validation": True,
        "cache_css_parsing": False,
        "cssutils_logging_level": logging.CRITICAL,
        "disable_basic_attributes": ["align", "valign", "bgcolor", "width", "height"],
    }
    return str(_premailer().Premailer(html, **rules).transform(pretty_print=False))


def _premailer() -> Any:
    """Import premailer without requests, by which it would fetch style sheets: ours has none to fetch.

    That library and what it brings along would take 9 MB of a service's memory, and part of each start.
    """
    nothing = ModuleType("requests")
    found = sys.modules.setdefault("requests", nothing)
    try:
        import premailer
    finally:
        if found is nothing:
            del sys.modules["requests"]
    return premailer


def _hold(
    read: Read, env: Environment, name: str, tags: dict[str, _Tag], sources: dict[str, str]
) -> Iterator[str]:
    """The template with a placeholder for each tag, and includes in their places; comments go."""
    source, path = read(name)
    sources[path] = source
    held: list[str] | None = None
    first = 0
    for line, kind, value in env.lex(source):
        if kind.endswith("_begin"):
            held, first = ["{% raw %}" if kind == "raw_begin" else value[:2]], line
        elif held is None:
            yield value
        elif not kind.endswith("_end"):
            held.append(value)
        else:
            held.append("{% endraw %}" if kind == "raw_end" else value.strip().lstrip("-+"))
            tag = _Tag("".join(held), path, first)
            held = None
            if included := _INCLUDE.fullmatch(tag.source):
                yield from _hold(read, env, included[1], tags, sources)
            elif kind != "comment_end":
                holder = f"zqj{len(tags):04}zq"
                tags[holder] = tag
                yield holder


def _refuse_css(css: str, sources: Mapping[str, str]) -> None:
    rules = re.sub(r"\{[^{}]*\}", lambda m: re.sub(r"[+~:]", " ", m[0]), css)
    if found := _FOREIGN.search(rules):
        path, source = next(
            (each for each in sources.items() if found[0] in each[1]), next(iter(sources.items()))
        )
        line = source.count("\n", 0, max(0, source.find(found[0]))) + 1
        raise TemplateError(f"{path}:{line}: {found[0].strip()} cannot be used in a mail's styles")


class _Places(HTMLParser):
    """Where each tag stands; refuses it where no placeholder can."""

    def __init__(self, sources: Mapping[str, str], tags: dict[str, _Tag]) -> None:
        super().__init__(convert_charrefs=False)
        self.sources, self.tags = sources, tags
        self.text: set[str] = set()  #: placeholders between elements
        self._open: list[str] = []
        self._blocks: list[tuple[str, object]] = []

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        for holder in _HOLDER.findall(" ".join([name, *(key for key, _ in attrs)])):
            self._refuse(
                holder, "stands between attributes; put it inside one or around the element"
            )
        for key, value in attrs:
            for holder in _HOLDER.findall(value or ""):
                if key in ("class", "id", "style"):
                    self._refuse(holder, f"stands inside {key}; write one element for each look")
                self._pair(holder, (self.getpos(), key))
            if key == "style":
                _refuse_css(f"{{{value}}}", self.sources)
        if name not in _VOID:
            self._open.append(name)

    def handle_startendtag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(name, attrs)
        self.handle_endtag(name)

    def handle_endtag(self, name: str) -> None:
        for holder in _HOLDER.findall(name):
            self._refuse(holder, "stands in the name of an element")
        if name in self._open:
            while self._open.pop() != name:
                pass

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "style":
            _refuse_css(data, self.sources)
        for holder in _HOLDER.findall(data):
            if inside in ("style", "script", ""):
                self._refuse(
                    holder, f"stands inside <{inside}>" if inside else "stands outside <html>"
                )
            if inside != "title":
                self.text.add(holder)
            self._pair(holder, tuple(self._open))

    def handle_decl(self, decl: str) -> None:
        for holder in _HOLDER.findall(decl):
            self._refuse(holder, "stands inside a declaration")

    def unknown_decl(self, data: str) -> None:
        self.handle_decl(data)

    def handle_pi(self, data: str) -> None:
        self.handle_decl(data)

    def _pair(self, holder: str, place: object) -> None:
        """A branch must end where it began, or else its halves are not whole elements."""
        word = re.match(r"\{%\s*(\w*)", self.tags[holder].source)
        verb = word[1] if word else ""
        if verb in ("include", "extends", "import", "from"):
            self._refuse(holder, "cannot be used here: only a file named in quotes can be included")
        if verb in _OPENS:
            self._blocks.append((holder, place))
        elif self._blocks and (verb.startswith("end") or verb in ("else", "elif")):
            opened, where = self._blocks[-1]
            if where != place:
                self._refuse(opened, "has a branch with half an element; open and close it inside")
            if verb.startswith("end") and verb != "endset":
                self._blocks.pop()

    def _refuse(self, holder: str, why: str) -> NoReturn:
        tag = self.tags[holder]
        raise TemplateError(f"{tag.path}:{tag.line}: {tag.source} {why}")
