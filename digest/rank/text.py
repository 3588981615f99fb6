"""From text to terms: one analysis for papers and for keywords.

A term is a stem ("rout"), an acronym in its own case ("MoE") or one CJK character. Function words are dropped, so
that "mixture of experts" and "mixture-of-experts" are the same two neighbouring terms.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import pairwise

import Stemmer  # PyStemmer

STOP_WORDS = frozenset(
    """
    a about above after again all also an and any are as at be because been before being below between both but by
    can cannot could did do does doing down during each either else ever every few for from further had has have
    having he her here hers him his how however i if in into is it its itself just may me might more most must my
    neither no nor not of off on once only onto or other others our ours out over own per rather same shall she
    should since so some such than that the their theirs them then there these they this those though through thus
    to too toward towards under until up upon us via very was we were what when where whether which while who whom
    whose why will with within without would yet you your yours
    """.split()
)
ACRONYM_LENGTH = 6  # a longer word with several capitals is a name (DeepSeekMoE) or shouting: its case means nothing
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"  # written without spaces: one sign, one term
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}_])\w)+")
_STARRED = re.compile(rf"({_WORD.pattern})(\*?)")
_HYPHENATED = re.compile(r"(?<!\w)([^\W\d_]+)[-\u2010-\u2013](?=([^\W\d_]+))")
_LATEX_ACCENT = re.compile(r"\\[\"'`^~=.]\{?(\w)\}?")
_PUNCTUATION = re.compile(r"[^\w\s*/'\u2019\u2010-\u2013-]+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_STEMMER = Stemmer.Stemmer("english")

Terms = tuple[str, ...]
Compounds = Mapping[str, AbstractSet[str]]


def clean(text: str) -> str:
    """Compatibility forms folded; accents dropped, also those written in LaTeX (Schr\\"odinger)."""
    text = _POSSESSIVE.sub("", _LATEX_ACCENT.sub(r"\1", text))
    if text.isascii():
        return text
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFKC", bare)


def words(text: str) -> list[str]:
    return _WORD.findall(clean(text))


def hyphenated(text: str) -> list[tuple[str, str]]:
    """Neighbouring words which a hyphen ties together, in lower case."""
    return _HYPHENATED.findall(clean(text).lower())


@lru_cache(maxsize=1 << 17)
def term(word: str) -> str:
    """`LoRAs` and `LoRA` are the term "LoRA"; `lora` is "lora"; `Routing` is "rout"; a function word is ""."""
    base = word[:-1] if len(word) > 2 and word[-1] == "s" else word
    if len(base) <= ACRONYM_LENGTH and sum(map(str.isupper, base)) >= 2:
        return base
    lower = word.casefold()
    return "" if lower in STOP_WORDS else str(_STEMMER.stemWord(lower))


def is_acronym(one: str) -> bool:
    return one.lower() != one


def is_special(one: str) -> bool:
    """`"as written"` and `prefix*` are looked up otherwise than terms are."""
    return one[-1:] in ('"', "*")


def folded(word: str) -> str:
    """The word without case, but for acronyms."""
    return word if is_acronym(term(word)) else word.casefold()


def keyword_terms(text: str, compounds: Compounds) -> list[tuple[str, str]]:
    """The terms of what a reader typed, each with the word: `"in quotes"` is one, and so is `prefix*`."""
    if len(text) > 2 and text[0] == text[-1] == '"':
        exact = " ".join(map(folded, words(text)))
        return [(f'"{exact}"', text)] if exact else []
    found: list[tuple[str, str]] = []
    plain: list[str] = []
    for word, star in _STARRED.findall(clean(text)):
        if star and len(word) > 1:
            found += [*terms(plain, compounds), (f"{folded(word)}*", f"{word}*")]
            plain = []
        else:
            plain.append(word)
    return found + terms(plain, compounds)


def phrases(text: str) -> list[str]:
    """The phrases of a free text: runs of words between punctuation and function words."""
    found: list[list[str]] = [[]]
    for piece in _PUNCTUATION.split(clean(text)):
        for word in _WORD.findall(piece):
            if term(word):
                found[-1].append(word)
            else:
                found.append([])
        found.append([])
    return [" ".join(run) for run in found if run]


def is_sign(one: str) -> bool:
    """One CJK character: too little to look for alone."""
    return len(one) == 1 and one >= "\u3040"


def terms(spelt: Sequence[str], compounds: Compounds) -> list[tuple[str, str]]:
    """(term, word as written) of each word that counts. `fine-tuning` and `fine tuning` become `finetuning` if the
    papers write it in one word too (see fit)."""
    found: list[tuple[str, str]] = []
    skip = False
    for word, following in pairwise([*spelt, ""]):
        if skip:
            skip = False
        else:
            if word.lower() in compounds and following.lower() in compounds[word.lower()]:
                word, skip = (word + following).lower(), True
            if one := term(word):
                found.append((one, word))
    return found
