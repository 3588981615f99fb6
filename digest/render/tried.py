"""Templates, found and tried out: what is wrong with one is told with its file and line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import jinja2

from digest.errors import TemplateError
from digest.render.text import wrap

T = TypeVar("T")


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


def read(env: jinja2.Environment, name: str) -> tuple[str, str]:
    """Read a template: its source, and its path."""
    loader = env.loader
    assert loader is not None
    try:
        source, path, _ = loader.get_source(env, name)
    except jinja2.TemplateNotFound as error:
        raise TemplateError(f"{name} is in none of the template folders") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{name} is not UTF-8: {error}") from error
    return source, path or name


def get(env: jinja2.Environment, name: str) -> jinja2.Template:
    """Compile a template."""
    read(env, name)
    try:
        return env.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename}:{error.lineno}: {error.message}") from error


def tried(render: Callable[..., T], *values: object, **named: object) -> T:
    """Render; what goes wrong is a TemplateError with the last line of a template that it passed."""
    try:
        return render(*values, **named)
    except Exception as error:
        raise TemplateError(f"{place(error)}: {error or type(error).__name__}") from error


def place(error: Exception) -> str:
    """Say where in the templates it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.endswith(".j2")]
    return places[-1] if places else "a template"
