"""The pages of the web application: loaded, and tried out, once."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from digest.errors import TemplateError
from digest.render.templates import environment

_STYLE = "web/style.css"
_PAGES = ("unsubscribe", "unsubscribed", "more", "less", "marked", "missing", "trouble")


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one installation, as HTML by name."""

    html: dict[str, bytes]
    style_hash: str  #: of the style sheet inside, for a Content-Security-Policy: "sha256-..."


def load(folders: Sequence[Path], service: str) -> Pages:
    """Render the pages with the templates in these folders, the first folder first.

    Raises TemplateError with its place. No page depends on who asks, so each is rendered once.
    """
    env = environment(folders)
    try:
        style, _, _ = env.loader.get_source(env, _STYLE)  # type: ignore[union-attr]
        if "</" in style:
            raise TemplateError(f'{_STYLE} has "</" in it, which would end the style sheet')
        html = {
            name: env.get_template(f"web/{name}.html.j2")
            .render(service=service, style=Markup(style))  # noqa: S704 - the operator's own file
            .encode()
            for name in _PAGES
        }
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename}:{error.lineno}: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        raise TemplateError(f"{error.name} is in none of the template folders") from error
    except (jinja2.TemplateError, UnicodeDecodeError) as error:
        raise TemplateError(f"a template of web/: {error}") from error
    hashed = hashlib.sha256(style.encode()).digest()
    return Pages(html=html, style_hash=f"sha256-{b64encode(hashed).decode()}")
