"""How good is the ranking? nDCG@10, nDCG@20 and MAP on graded judgements, beside other rankers.

The judgements lie outside the repository: DIGEST_SHARED_DATA names their folder (see the protocol in its
relevance/README.md). Every paper of the seeds is ranked for a profile's keywords as one interest.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean

import Stemmer
from rank_bm25 import BM25Okapi

from bench import SEEDS
from digest import identity, rank
from digest.model import Interest, Paper
from digest.rank.text import STOP_WORDS
from digest.sources import read_dump

Grades = Mapping[str, float]
Scores = Mapping[str, float]  # title → points; papers without points are left out


def shared() -> Path | None:
    """Find the folder of shared data; None where there is none."""
    folder = os.environ.get("DIGEST_SHARED_DATA")
    return Path(folder) if folder and Path(folder).is_dir() else None


def profiles(folder: Path) -> dict[str, tuple[list[str], Grades]]:
    judged = json.loads((folder / "relevance" / "judgements.json").read_text())
    return {name: (each["keywords"], each["grades"]) for name, each in judged.items()}


def seed_papers() -> list[Paper]:
    seen = [s.paper for file in SEEDS for s in read_dump(file, "seeds").sightings]
    return list(identity.diff(seen, {}).papers.values())


def replay_papers(folder: Path) -> list[Paper]:
    seen = [
        s.paper
        for file in sorted((folder / "replay").iterdir())
        for s in read_dump(file, "r").sightings
    ]
    return list(identity.diff(seen, {}).papers.values())


def ours(papers: Sequence[Paper], store: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    corpus = rank.fit([*papers, *store])

    def scores(keywords: list[str]) -> Scores:
        ranked = rank.rank(corpus, [Interest(name="profile", keywords=tuple(keywords))], papers)
        return {each.paper.title: each.points for each in ranked}

    return scores


def bm25(papers: Sequence[Paper]) -> Callable[[list[str]], Scores]:
    """`rank_bm25`'s BM25Okapi with its defaults, over stems without function words."""
    stemmer = Stemmer.Stemmer("english")

    def terms(text: str) -> list[str]:
        words = re.findall(r"[a-z0-9]+", text.lower())
        return list(stemmer.stemWords([word for word in words if word not in STOP_WORDS]))

    index = BM25Okapi([terms(f"{paper.title} {paper.abstract}") for paper in papers])

    def scores(keywords: list[str]) -> Scores:
        found = index.get_scores(terms(" ".join(keywords)))
        return {paper.title: score for paper, score in zip(papers, found, strict=True) if score > 0}

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
        "rank-bm25, stemmed": bm25(papers),
        "counting keywords": substrings(papers),
    }
    figures = {}
    print(f"{'':30}{'nDCG@10':>9}{'nDCG@20':>9}{'MAP':>9}")
    for name, ranker in rankers.items():
        found = evaluate(papers, judged, ranker)
        means = [mean(each[column] for each in found.values()) for column in range(3)]
        print(f"{name:30}" + "".join(f"{value:9.3f}" for value in means))
        figures[name] = {"nDCG@10": means[0], "nDCG@20": means[1], "MAP": means[2]}
        if "seeds" in name:
            for profile, values in found.items():
                print(f"  {profile:28}" + "".join(f"{value:9.3f}" for value in values))
    print(json.dumps({n: {k: round(v, 4) for k, v in f.items()} for n, f in figures.items()}))


if __name__ == "__main__":
    main()
