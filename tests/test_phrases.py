"""Phrases that tell some papers from the rest, and the papers that have a keyword."""

from __future__ import annotations

import pytest

from digest.model import Paper
from digest.rank import fit, phrases
from digest.rank.corpus import Corpus
from digest.rank.phrases import Phrase, telling
from digest.rank.score import mentioning

WORDS = (
    "amber birch cedar dune ember fjord grove heath islet jetty kelp lagoon marsh nook orchard pond quarry ridge"
    " shoal tarn"
).split()


def paper(number: int, title: str, abstract: str = "") -> Paper:
    return Paper(id=number, uid=str(number), title=title, abstract=abstract)


def corpus(*inside: tuple[str, str], rest: int = 60) -> tuple[Corpus, set[int], set[int]]:
    """Some papers among many others; and the numbers of these and of those in the store."""
    mine = [paper(n, *each) for n, each in enumerate(inside)]
    others = [
        paper(100 + n, f"{WORDS[n % 20]} {WORDS[(7 * n + 3) % 20]}", f"About {WORDS[n // 3 % 20]}.")
        for n in range(rest)
    ]
    known = fit([*mine, *others])
    numbers = known.store.numbers
    return known, {numbers[each] for each in mine}, {numbers[each] for each in others}


MOTHS = [(f"Moths and {word}", f"The {word} has moths.") for word in WORDS[:8]]


def test_what_these_papers_have_and_the_rest_has_not_tells_them_apart() -> None:
    known, mine, others = corpus(*MOTHS)

    assert [("moths", 8, 0)] == [each[:3] for each in telling(known, mine, others)]
    assert [] == telling(known, others, mine)


def test_how_telling_a_phrase_is_is_its_log_odds_in_standard_errors() -> None:
    # By hand: share 10 * 8 / 68; having 9.18 and 1.18; lacking 8.82 and 68.82; 4.108 / 0.979.
    known, mine, others = corpus(*MOTHS)

    assert [Phrase("moths", 8, 0, 4.2)] == telling(known, mine, others)


def test_without_papers_without_a_rest_or_without_words_nothing_tells() -> None:
    known, mine, others = corpus(*MOTHS)
    empty = fit([])

    assert [] == telling(known, set(), others) == telling(known, mine, set())
    assert [] == telling(empty, {0}, {0})


def test_a_phrase_of_one_paper_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "LEAST_Z", 0.5)
    known, mine, others = corpus(("Moths at night", ""), ("Ferns by day", ""), ("Moths", ""))
    found = {each.text for each in telling(known, mine, others, least_share=0.0)}

    assert found == {"moths"}


def test_a_phrase_that_most_others_have_too_is_left_out() -> None:
    known, mine, others = corpus(*MOTHS)
    numbers = sorted(mine)
    inside, rest = set(numbers[:4]), {*others, *numbers[4:]}

    assert [("moths", 4, 4)] == [each[:3] for each in telling(known, inside, rest, least_share=0.5)]
    assert [] == telling(known, inside, rest, least_share=0.51)


def test_a_phrase_that_shares_a_word_with_a_known_one_says_nothing_new() -> None:
    known, mine, others = corpus(*[("Moths by lamps", f"{word}.") for word in WORDS[:8]])

    assert ["moths lamps"] == [each.text for each in telling(known, mine, others)]
    assert ["lamps"] == [each.text for each in telling(known, mine, others, without=["moth"])]
    assert [] == telling(known, mine, others, without=["a lamp", "moth traps"])


def test_a_pair_of_words_goes_before_its_words_and_else_the_alphabet_decides() -> None:
    apart = [
        (f"Moths {word} lamps" if n % 2 else f"Lamps {word} moths", "")
        for n, word in enumerate(WORDS[:8])
    ]
    together, mine, others = corpus(*[("Monte Carlo", f"{word}.") for word in WORDS[:8]])
    assert ["monte carlo"] == [each.text for each in telling(together, mine, others)]

    known, mine, others = corpus(*apart)
    assert ["lamps", "moths"] == [each.text for each in telling(known, mine, others)]


@pytest.mark.parametrize(
    ("abstract", "told"),
    [
        ("It glows once, {}.", []),  # said in passing
        ("It glows, {}, and glows.", ["glows"]),  # comes back
    ],
)
def test_a_phrase_that_stands_in_no_title_has_to_come_back(abstract: str, told: list[str]) -> None:
    known, mine, others = corpus(*[(word.title(), abstract.format(word)) for word in WORDS[:8]])

    assert told == [each.text for each in telling(known, mine, others)]


def test_a_keyword_is_had_in_any_of_its_forms_and_not_by_its_single_words() -> None:
    titles = ("Lamp moths", "A lamp moth", "Moths without lamps", "Lamps")
    known, _, _ = corpus(*[(each, "") for each in titles])
    found = {known.store.papers[number].title for number in mentioning(known, "lamp moth")}

    assert found == {"Lamp moths", "A lamp moth"}
    assert mentioning(known, "nothing of this") == set()
