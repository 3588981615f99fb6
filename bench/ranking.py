"""How good is the ranking? nDCG@10, nDCG@20 and MAP on graded judgements, beside other rankers.

The judgements lie outside the repository: DIGEST_SHARED_DATA names their folder (see the protocol in its
relevance/README.md). Every paper of the seeds is ranked for a profile's keywords as one interest.

With --choose, also with every constant chosen anew for each profile: the setting that is best on the other
eight, out of a sample of a grid around the constants in the code.
"""

from __future__ import annotations

import json
import math
import random
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import mean, median
from types import ModuleType

import bm25s
import Stemmer
import tantivy
from rank_bm25 import BM25Okapi

from bench.papers import replay_papers, seed_papers, shared
from digest import rank
from digest.model import Interest, Paper
from digest.rank.text import STOP_WORDS

corpus_constants = import_module("digest.rank.corpus")
score_constants = import_module("digest.rank.score")

Grades = Mapping[str, float]
Figures = dict[str, float]
Scores = Mapping[str, float]  # title → points; papers without points are left out


def profiles(folder: Path) -> dict[str, tuple[list[str], Grades]]:
    judged = json.loads((folder / "relevance" / "judgements.json").read_text())
    return {name: (each["keywords"], each["grades"]) for name, each in judged.items()}


def ours(papers: Sequence[Paper], store: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    return ranking(rank.fit([*papers, *store]), papers)


def ranking(corpus: rank.Corpus, papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    def scores(keywords: list[str]) -> Scores:
        ranked = rank.rank(corpus, [Interest(name="profile", keywords=tuple(keywords))], papers)
        return {each.paper.title: each.points for each in ranked}

    return scores


def stems(text: str) -> list[str]:
    """Words without function words, stemmed: what the peers are given."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return list(
        Stemmer.Stemmer("english").stemWords([word for word in words if word not in STOP_WORDS])
    )


def bm25(papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    """`rank_bm25`'s BM25Okapi with its defaults, over stems without function words."""
    index = BM25Okapi([stems(f"{paper.title} {paper.abstract}") for paper in papers])

    def scores(keywords: list[str]) -> Scores:
        found = index.get_scores(stems(" ".join(keywords)))
        return {paper.title: score for paper, score in zip(papers, found, strict=True) if score > 0}

    return scores


def bm25_sparse(papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    """`bm25s` with its defaults (Lucene's variant), over stems without function words."""
    index = bm25s.BM25()
    index.index([stems(f"{p.title} {p.abstract}") for p in papers], show_progress=False)

    def scores(keywords: list[str]) -> Scores:
        known = [word for word in stems(" ".join(keywords)) if word in index.vocab_dict]
        found = index.get_scores(known).tolist() if known else [0.0] * len(papers)
        return {paper.title: score for paper, score in zip(papers, found, strict=True) if score > 0}

    return scores


def fts5(papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    """SQLite FTS5, stemmed by `porter`: keywords as phrases plus 0.3 of their loose words, titles three times."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE paper USING fts5(title, abstract, tokenize='porter')")
    database.executemany("INSERT INTO paper VALUES (?, ?)", [(p.title, p.abstract) for p in papers])

    def ask(texts: Iterator[str]) -> Scores:
        query = " OR ".join(f'"{text}"' for text in texts)
        rows = database.execute(
            "SELECT title, -bm25(paper, 3.0, 1.0) FROM paper WHERE paper MATCH ?", (query,)
        )
        return dict(rows.fetchall())

    def scores(keywords: list[str]) -> Scores:
        words = re.findall(r"[a-z0-9]+", " ".join(keywords).lower())
        phrases, loose = ask(iter(keywords)), ask(w for w in words if w not in STOP_WORDS)
        return {t: phrases.get(t, 0) + 0.3 * loose.get(t, 0) for t in {*phrases, *loose}}

    return scores


def tantivy_index(papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    """tantivy, stemmed by `en_stem`: keywords as phrases plus 0.3 of their loose words, titles three times."""
    builder = tantivy.SchemaBuilder()
    for field in ("title", "abstract"):
        builder.add_text_field(field, tokenizer_name="en_stem")
    builder.add_unsigned_field("number", stored=True)
    index = tantivy.Index(builder.build())
    writer = index.writer(num_threads=1)
    for number, paper in enumerate(papers):
        writer.add_document(
            tantivy.Document(title=paper.title, abstract=paper.abstract, number=number)
        )
    writer.commit()
    index.reload()

    def scores(keywords: list[str]) -> Scores:
        words = re.findall(r"[a-z0-9]+", " ".join(keywords).lower())
        asked = [*(f'"{k}"' for k in keywords), *(f"{w}^0.3" for w in words if w not in STOP_WORDS)]
        query = index.parse_query(
            " OR ".join(asked), ["title", "abstract"], field_boosts={"title": 3.0}
        )
        searcher = index.searcher()
        found = searcher.search(query, limit=len(papers)).hits
        return {papers[searcher.doc(at)["number"][0]].title: points for points, at in found}

    return scores


def substrings(papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    """Count each keyword's occurrences."""

    def scores(keywords: list[str]) -> Scores:
        counted = {
            paper.title: sum(
                f"{paper.title} {paper.abstract}".lower().count(k.lower()) for k in keywords
            )
            for paper in papers
        }
        return {title: count for title, count in counted.items() if count}

    return scores


def order(papers: Sequence[Paper], scores: Scores) -> list[str]:
    """Best first; papers without points last; ties by title."""
    return sorted((p.title for p in papers), key=lambda title: (-scores.get(title, 0.0), title))


def ndcg(titles: Sequence[str], grades: Grades, depth: int) -> float:
    def gain(found: Sequence[float]) -> float:
        return sum((2**grade - 1) / math.log2(n + 1) for n, grade in enumerate(found[:depth], 1))

    ideal = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(title, 0.0) for title in titles]) / ideal


def average_precision(titles: Sequence[str], grades: Grades) -> float:
    """Over papers of any grade."""
    found = [n for n, title in enumerate(titles, 1) if grades.get(title)]
    return sum(hits / n for hits, n in enumerate(found, 1)) / len(grades)


def evaluate(
    papers: Sequence[Paper],
    judged: Mapping[str, tuple[list[str], Grades]],
    ranker: Callable[[list[str]], Scores],
) -> dict[str, tuple[float, float, float]]:
    results = {}
    for name, (keywords, grades) in judged.items():
        titles = order(papers, ranker(keywords))
        results[name] = (
            ndcg(titles, grades, 10),
            ndcg(titles, grades, 20),
            average_precision(titles, grades),
        )
    return results


# What --choose chooses from: every constant that weighs something, and values around the one in the code.
GRID: dict[tuple[ModuleType, str], tuple[float, ...]] = {
    (corpus_constants, "TITLE_WEIGHT"): (2.0, 3.0, 4.0),
    (corpus_constants, "LAST_WEIGHT"): (0.2, 0.3, 0.5),
    (corpus_constants, "LENGTH"): (0.5, 0.75, 0.9),
    (score_constants, "SATURATION"): (2.0, 3.0, 4.0),
    (score_constants, "LOOSE"): (0.4, 0.6, 0.8),
    (score_constants, "NEXT"): (0.3, 0.5, 0.7),
    (score_constants, "EXAMPLES"): (5, 8, 12),
    (score_constants, "RELATED"): (2.0, 3.0, 4.0),
    (score_constants, "UNRELATED"): (0.1, 0.2, 0.3),
    (score_constants, "PASSING"): (0.1, 0.25, 0.4),
    (score_constants, "TRUST"): (2.0, 4.0, 8.0),
}
FITS, SETTINGS = 10, 30  # settings of what is fitted, and of the rest with each


def choose(papers: Sequence[Paper], judged: Mapping[str, tuple[list[str], Grades]]) -> Figures:
    """Choose the constants for each profile on the others; nDCG@10 of that, and of all the settings tried."""
    chance = random.Random(0)
    before = {place: getattr(*place) for place in GRID}
    found: list[dict[str, float]] = []
    drawn: list[dict[str, float]] = []

    def draw(*modules: ModuleType) -> None:
        for (module, name), values in GRID.items():
            if module in modules:
                setattr(module, name, chance.choice(values))

    for _ in range(FITS):
        draw(corpus_constants)
        corpus = rank.fit(papers)
        for _ in range(SETTINGS):
            draw(score_constants)
            results = evaluate(papers, judged, ranking(corpus, papers))
            found.append({name: values[0] for name, values in results.items()})
            drawn.append({name: getattr(module, name) for module, name in GRID})
    for place, value in before.items():
        setattr(*place, value)
    chosen = [
        max(found, key=lambda each: mean(each[other] for other in judged if other != name))[name]
        for name in judged
    ]
    means = [mean(each.values()) for each in found]
    best = sorted(range(len(found)), key=lambda number: -means[number])[: len(found) // 10]
    print("constants of the best tenth of the settings, on average:")
    for _, name in GRID:
        print(f"  {name:37}{mean(drawn[number][name] for number in best):9.2f}")
    return {
        "nDCG@10, chosen on the other profiles": mean(chosen),
        "median of all settings": median(means),
        "worst": min(means),
        "best": max(means),
    }


def main() -> None:
    folder = shared()
    if folder is None:
        print("DIGEST_SHARED_DATA names no folder: nothing to measure", file=sys.stderr)
        return
    papers = seed_papers()
    judged = profiles(folder)
    rankers = {
        "digest, seeds in the store": ours(papers, []),
        "digest, and 69 days more": ours(papers, replay_papers(folder)),
        "SQLite FTS5": fts5(papers),
        "rank-bm25, stemmed": bm25(papers),
        "bm25s, stemmed": bm25_sparse(papers),
        "tantivy": tantivy_index(papers),
        "counting keywords": substrings(papers),
    }
    figures: dict[str, Figures] = {}
    print(f"{'':30}{'nDCG@10':>9}{'nDCG@20':>9}{'MAP':>9}")
    for name, ranker in rankers.items():
        found = evaluate(papers, judged, ranker)
        means = [mean(each[column] for each in found.values()) for column in range(3)]
        print(f"{name:30}" + "".join(f"{value:9.3f}" for value in means))
        figures[name] = {"nDCG@10": means[0], "nDCG@20": means[1], "MAP": means[2]}
        if "seeds" in name:
            for profile, values in found.items():
                print(f"  {profile:28}" + "".join(f"{value:9.3f}" for value in values))
    if "--choose" in sys.argv[1:]:
        figures["choose"] = choose(papers, judged)
        print(f"constants chosen anew, out of {FITS * SETTINGS} settings")
        for name, value in figures["choose"].items():
            print(f"  {name:37}{value:9.3f}")
    print(json.dumps({n: {k: round(v, 4) for k, v in f.items()} for n, f in figures.items()}))


if __name__ == "__main__":
    main()
