"""The gallery of mails: every case as HTML, text and message, and a page that shows them all."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from digest.cli.context import frame, template_folders
from digest.errors import DigestError
from digest.gallery import CASES, Case

if TYPE_CHECKING:
    from digest.model import Message
    from digest.render import Frame, Renderer
    from digest.settings import Config

INDEX = "index.html"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Gallery of mails</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2em; }}
iframe {{ border: 1px solid #888; height: 40em; max-width: 100%; margin-right: 1em; }}
</style>
<h1>Gallery of mails</h1>
{cases}
</html>
"""
_CASE = """<h2 id="{name}">{shows}</h2>
<p>{subject}</p>
<p><a href="{name}.html">{name}.html</a>, <a href="{name}.txt">{name}.txt</a>, <a href="{name}.eml">{name}.eml</a></p>
<p><iframe src="{name}.html" width="320" loading="lazy" title="{shows}, on a phone"></iframe>
<iframe src="{name}.html" width="640" loading="lazy" title="{shows}, on a desk"></iframe></p>"""


def write(config: Config, folder: Path) -> list[Path]:
    """Render every case with the templates of this configuration; return the files, the index last."""
    from digest import render

    renderer = render.load(template_folders(config))
    full = _full(frame(config))
    rendered = {case: _message(renderer, full, case) for case in CASES}
    files = {}
    for case, message in rendered.items():
        files[f"{case.name}.html"] = message.html.encode()
        files[f"{case.name}.txt"] = message.text.encode()
        files[f"{case.name}.eml"] = message.content
    files[INDEX] = _index(rendered).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise DigestError(f"{error.filename}: {error.strerror}") from error
    return [folder / name for name in files]


def _message(renderer: Renderer, full: Frame, case: Case) -> Message:
    """Render one case as its subscriber would get it; the one place that knows of `case.layout`."""
    from digest import render

    return render.message(renderer, case.edition, full)


def _full(frame: Frame) -> Frame:
    """Give the frame everything that a mail of this installation may have."""
    return replace(
        frame,
        recipient="reader@example.org",
        unsubscribe_url="https://digest.example.org/unsubscribe/Zk3v9Qm1x0aTt7LwYb2cDe",
        unsubscribe_mailto="unsubscribe@example.org",
        feed_url="https://digest.example.org/feeds/Zk3v9Qm1x0.xml",
        web_url="https://digest.example.org/editions/Zk3v9Qm1x0",
        postal_address="1 Sample Street, Sampletown",
    )


def _index(rendered: dict[Case, Message]) -> str:
    cases = (
        _CASE.format(
            name=escape(case.name), shows=escape(case.shows), subject=escape(_subject(message))
        )
        for case, message in rendered.items()
    )
    return _PAGE.format(cases="\n".join(cases))


def _subject(message: Message) -> str:
    from email import message_from_bytes, policy

    return str(message_from_bytes(message.content, policy=policy.default)["Subject"])
