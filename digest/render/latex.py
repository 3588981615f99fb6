"""LaTeX in titles and abstracts → readable Unicode, for people; the store keeps the original.

Only what is certainly LaTeX is touched: a formula between dollar signs, and commands. pylatexenc is never
given a whole text, which it would cut at the first ``%``, and whose ``$5 to $10`` it would eat.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from unicodedata import category

from pylatexenc.latex2text import LatexNodes2Text

logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # what it cannot read is no news

# As pandoc tells a formula from money: no blank inside the signs, no digit after them.
_FORMULA = re.compile(r"(?<![\\$])\$(?![\s$])([^$\n]{1,300}?)(?<![\s\\])\$(?![\d$])")
_DISPLAYED = re.compile(r"(?<![\\$])\$\$([^$\n]{1,300})\$\$(?!\$)")
_BEFORE_COMMAND = re.compile(r"(\\[A-Za-z]{2,20}) +(?=\\[A-Za-z])")
_COMMAND = re.compile(
    r"""\\(?:["'`^~=.]\s?\{?\\?[A-Za-z]\}?"""  # accents: \"o, \'{e}, \'{\i}
    r"""|[cvuHkrbdt]\{[A-Za-z]{1,2}\}"""  # \c{c}, \v{s}
    r"""|(?:text|emph|math|operatorname|mbox|url|sqrt|[dt]?frac)[a-z]*\*?(?:\{[^{}]{0,300}\})+"""
    r"""|[a-zA-Z]{2,20}(?![a-zA-Z])(?:\{\})?|[&%#_$])"""
)
_CITATION = re.compile(r"[ ~]?\\cite[a-z]*\*?(?:\[[^\[\]]{0,80}\])*\{[^{}]{0,300}\}")
_INDEX = re.compile(
    r"((?<![A-Za-z0-9_])[A-Za-z\u0370-\u03ff\u2100-\u214f]|[∏∑∫‖)])([_^])(?:\{([^{}]{1,6})\}|(\w))(?!\w)"
)
_BELOW = dict(
    zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
_ABOVE = dict(
    zip(
        "0123456789+-=()abcdefghijklmnoprstuvwxyzT",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ",
        strict=True,
    )
)
_READER = LatexNodes2Text(math_mode="text", strict_latex_spaces="based-on-source")
_GROUPED = re.compile(r"([_^])\{([^{}]{1,60})\}")


@lru_cache(maxsize=4096)
def readable(text: str) -> str:
    """Make formulas and commands readable: ``$\\alpha<\\beta$`` is α<β, ``L_2`` is L₂, ``\\"o`` is ö."""
    if "$" in text:
        text = _DISPLAYED.sub(_displayed, text)
        text = _FORMULA.sub(lambda match: _formula(match[1]), text)
    if "\\" in text:
        text = _COMMAND.sub(lambda match: _converted(match[0]), _CITATION.sub("", text))
    if "_" in text or "^" in text:
        text = _INDEX.sub(_index, text)
    return text


def _displayed(match: re.Match[str]) -> str:
    """Read what stands between double dollar signs."""
    return _formula(match[1].strip()) if re.search(r"[\\_^]", match[1]) else match[0]


def _formula(inside: str) -> str:
    """Read what stands between dollar signs; one without LaTeX in it stays as written, signs and all."""
    if len(inside) == 1 or inside.isdigit():
        return inside
    if not re.search(r"[\\_^]", inside):
        return f"${inside}$"
    inside = inside.replace("\\|", "‖")  # which pylatexenc would drop
    text = _INDEX.sub(_index, _GROUPED.sub(_group, _INDEX.sub(_index, inside)))
    if "\\" not in text:
        return text.replace("{}", "")
    return _converted(_BEFORE_COMMAND.sub(_blank, text))


def _blank(match: re.Match[str]) -> str:
    """Keep the blank between a relation or a name and the next command: ∈ ℝ, log α; but αβ."""
    name = _converted(match[1])
    apart = (name.isalpha() and len(name) > 1) or category(name[0]) == "Sm"
    return rf"{match[1]}\ " if apart else match[0]


@lru_cache(maxsize=4096)
def _converted(source: str) -> str:
    """Have pylatexenc read a formula or a command; what it cannot read stays as it was."""
    try:
        text: str = _READER.latex_to_text(source)
    except Exception:  # whatever it stumbles over, the reader sees what was written
        return source
    return text if text.strip() and "%s" not in text else source


def _index(match: re.Match[str]) -> str:
    """Write an index in small figures, where Unicode has all of them."""
    small = _small(match[2], match[3] or match[4])
    return match[1] + small if small else match[0]


def _small(place: str, index: str) -> str:
    """The index in small figures; empty where Unicode has not all of them."""
    table = _BELOW if place == "_" else _ABOVE
    return "".join(map(table.__getitem__, index)) if table.keys() >= set(index) else ""


def _group(match: re.Match[str]) -> str:
    """Write what is grouped in small figures too, or else in brackets."""
    if small := _small(match[1], match[2]):
        return f"{{}}{small}"  # apart from a command before it
    return f"{match[1]}({match[2]})" if len(match[2]) > 1 else match[1] + match[2]
