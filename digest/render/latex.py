"""LaTeX in titles and abstracts → readable Unicode, for people; the store keeps the original.

Only what is certainly LaTeX is touched: a formula between dollar signs, and commands. pylatexenc is never
given a whole text, which it would cut at the first ``%``, and whose ``$5 to $10`` it would eat.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text

logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # what it cannot read is no news

# As pandoc tells a formula from money: no blank inside the signs, no digit after them.
_FORMULA = re.compile(r"(?<![\\$])\$(?![\s$])([^$\n]{1,300}?)(?<![\s\\])\$(?![\d$])")
_COMMAND = re.compile(
    r"""\\(?:["'`^~=.]\s?\{?\\?[A-Za-z]\}?"""  # accents: \"o, \'{e}, \'{\i}
    r"""|[cvuHkrbdt]\{[A-Za-z]{1,2}\}"""  # \c{c}, \v{s}
    r"""|(?:text|emph|math|operatorname|mbox|url|sqrt|[dt]?frac)[a-z]*\*?(?:\{[^{}]{0,300}\})+"""
    r"""|[a-zA-Z]{2,20}(?![a-zA-Z])(?:\{\})?|[&%#_$])"""
)
_CITATION = re.compile(r"[ ~]?\\cite[a-z]*\*?(?:\[[^\[\]]{0,80}\])*\{[^{}]{0,300}\}")
_INDEX = re.compile(
    r"((?<![A-Za-z0-9_])[A-Za-z\u0370-\u03ff\u2100-\u214f]|[‖)])([_^])(?:\{([^{}]{1,6})\}|(\w))(?!\w)"
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
_GROUPED = re.compile(r"([_^])\{([^{}]{1,60})\}")


@lru_cache(maxsize=4096)
def readable(text: str) -> str:
    """Make formulas and commands readable: ``$\\alpha<\\beta$`` is α<β, ``L_2`` is L₂, ``\\"o`` is ö."""
    if "$" in text:
        text = _FORMULA.sub(lambda match: _formula(match[1]), text)
    if "\\" in text:
        text = _COMMAND.sub(lambda match: _converted(match[0]), _CITATION.sub("", text))
    if "_" in text or "^" in text:
        text = _INDEX.sub(_index, text)
    return text


def _formula(inside: str) -> str:
    """Read what stands between dollar signs; one without LaTeX in it stays as written, signs and all."""
    if len(inside) == 1 or inside.isdigit():
        return inside
    if not re.search(r"[\\_^]", inside):
        return f"${inside}$"
    inside = inside.replace("\\|", "‖")  # which pylatexenc would drop
    text = _INDEX.sub(_index, _GROUPED.sub(_group, _INDEX.sub(_index, inside)))
    return _converted(text) if "\\" in text else text


@lru_cache(maxsize=4096)
def _converted(source: str) -> str:
    """Have pylatexenc read a formula or a command; what it cannot read stays as it was."""
    try:
        text: str = LatexNodes2Text(math_mode="text", strict_latex_spaces=False).latex_to_text(
            source
        )
    except Exception:  # whatever it stumbles over, the reader sees what was written
        return source
    return text if text.strip() and "%s" not in text else source


def _index(match: re.Match[str]) -> str:
    """Write an index in small figures, where Unicode has all of them."""
    table = _BELOW if match[2] == "_" else _ABOVE
    small = [table.get(char) for char in (match[3] or match[4])]
    return match[0] if None in small else match[1] + "".join(filter(None, small))


def _group(match: re.Match[str]) -> str:
    return f"{match[1]}({match[2]})" if len(match[2]) > 1 else match[1] + match[2]
