"""The gallery of mails: every case as HTML, text and message, and a page that shows them all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from digest.cli.context import frame, template_folders
from digest.errors import DigestError
from digest.gallery import CASES

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
    mails = _mails(renderer, _full(frame(config)))
    files = {}
    for name, (_, message) in mails.items():
        files[f"{name}.html"] = message.html.encode()
        files[f"{name}.txt"] = message.text.encode()
        files[f"{name}.eml"] = message.content
    files[INDEX] = _index(mails).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise DigestError(f"{error.filename}: {error.strerror}") from error
    return [folder / name for name in files]


def _mails(renderer: Renderer, full: Frame) -> dict[str, tuple[str, Message]]:
    """Render what each mail shows and the mail itself, by the name of its files."""
    from digest import render

    mails = {
        case.name: (
            case.shows,
            render.message(renderer, case.edition, replace(full, layout=case.layout)),
        )
        for case in CASES
    }
    now, first_at = CASES[0].edition.composed_at, datetime(2025, 3, 15, 7, 30)  # noqa: DTZ001
    names = ("Mixture of experts", "Fine-tuning", "Retrieval")
    url = "https://digest.example.org/confirm/Zk3v9Qm1x0aTt7LwYb2cDe"
    mails["confirm"] = ("the confirmation", render.confirmation(renderer, full, url, now))
    mails["already"] = (
        "the answer to a subscriber who subscribes again",
        render.already(renderer, full, left=False, about="1", now=now),
    )
    moved = "new@example.org"
    link = url.replace("confirm", "address")
    mails["account"] = (
        "a link that touches somebody's data",
        render.account(renderer, full, "address", link, moved, now),
    )
    mails["welcome"] = ("the welcome", render.welcome(renderer, full, names, first_at, now))
    return mails


def _full(frame: Frame) -> Frame:
    """Give the frame everything that a mail of this installation may have."""
    return replace(
        frame,
        recipient="reader@example.org",
        unsubscribe_url="https://digest.example.org/unsubscribe/Zk3v9Qm1x0aTt7LwYb2cDe",
        unsubscribe_mailto="unsubscribe@example.org",
        preferences_url="https://digest.example.org/preferences/Zk3v9Qm1x0",
        more_url="https://digest.example.org/more/Zk3v9Qm1x0",
        less_url="https://digest.example.org/less/Zk3v9Qm1x0",
        feed_url="https://digest.example.org/feeds/Zk3v9Qm1x0.xml",
        web_url="https://digest.example.org/editions/Zk3v9Qm1x0",
        postal_address="1 Sample Street, Sampletown",
    )


def _index(mails: dict[str, tuple[str, Message]]) -> str:
    cases = (
        _CASE.format(name=escape(name), shows=escape(shows), subject=escape(_subject(message)))
        for name, (shows, message) in mails.items()
    )
    return _PAGE.format(cases="\n".join(cases))


def _subject(message: Message) -> str:
    from email import message_from_bytes, policy

    return str(message_from_bytes(message.content, policy=policy.default)["Subject"])
