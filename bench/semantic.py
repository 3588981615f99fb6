"""Would static embeddings improve the ranking? nDCG@10 on the judgements, alone and fused with our points.

    python -m bench.semantic MODEL...

Each MODEL is a folder or a name that `model2vec` can load (it is no dependency: pip install model2vec). The
weight of the fusion, and how it is made, are chosen for each profile on the other eight.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.papers import seed_papers, shared
from bench.ranking import Grades, Scores, ndcg, order, ours, profiles
from digest.model import Paper

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)  # of the embeddings; ours is 1
RANKS = 60  # reciprocal rank fusion's k

Vector = npt.NDArray[np.float64]


def embedded(model: Any, texts: Sequence[str]) -> Vector:
    found: Vector = np.asarray(model.encode(list(texts)), dtype=np.float64)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return found


def cosines(model: Any, papers: Sequence[Paper]) -> Callable[[list[str]], dict[str, Vector]]:
    """Compare keywords with titles and whole texts: with their mean, and with the nearest keyword."""
    titles = embedded(model, [p.title for p in papers])
    texts = embedded(model, [f"{p.title}. {p.abstract}" for p in papers])

    def compared(keywords: list[str]) -> dict[str, Vector]:
        each = embedded(model, keywords)
        together = embedded(model, [", ".join(keywords)])[0]
        return {
            "mean": texts @ together,
            "mean, title too": (texts + titles) @ together / 2,
            "nearest": (texts @ each.T).max(axis=1),
            "nearest, title too": ((texts + titles) @ each.T).max(axis=1) / 2,
        }

    return compared


def scaled(values: Vector) -> Vector:
    """Put the best at 1 and the middle at 0."""
    middle = np.median(values)
    return (values - middle) / max(float(values.max() - middle), 1e-9)


def ranks(values: Vector) -> Vector:
    place = np.argsort(np.argsort(-values, kind="stable"), kind="stable")
    return 1 / (RANKS + 1 + place)


def fused(points: Vector, cosine: Vector) -> dict[str, Vector]:
    found = {f"sum, {w}": scaled(points) + w * scaled(cosine) for w in WEIGHTS}
    return found | {f"ranks, {w}": ranks(points) + w * ranks(cosine) for w in WEIGHTS}


def settings(
    papers: Sequence[Paper], judged: Mapping[str, tuple[list[str], Grades]], model: Any
) -> dict[str, dict[str, float]]:
    """nDCG@10 of every setting: by its name, then by profile."""
    lexical, compared = ours(papers, []), cosines(model, papers)
    found: dict[str, dict[str, float]] = {}
    for name, (keywords, grades) in judged.items():
        points = lexical(keywords)
        row = np.array([points.get(p.title, 0.0) for p in papers])
        for how, cosine in compared(keywords).items():
            tried = fused(row, cosine) | {"alone": cosine}
            for fusion, values in tried.items():
                scores: Scores = {p.title: float(v) for p, v in zip(papers, values, strict=True)}
                titles = order(papers, scores)
                found.setdefault(f"{fusion}, {how}", {})[name] = ndcg(titles, grades, 10)
    return found


def main() -> None:
    folder = shared()
    if folder is None or not sys.argv[1:]:
        print("needs DIGEST_SHARED_DATA and the name of a model", file=sys.stderr)
        return
    from model2vec import StaticModel

    papers, judged = seed_papers(), profiles(folder)
    figures = {}
    for path in sys.argv[1:]:
        found = settings(papers, judged, StaticModel.from_pretrained(path))
        means = {setting: mean(by.values()) for setting, by in found.items()}
        alone = {setting: value for setting, value in means.items() if "alone" in setting}
        fusions = [setting for setting in found if setting not in alone]
        chosen = {
            name: max(fusions, key=lambda s: mean(v for n, v in found[s].items() if n != name))
            for name in judged
        }
        best = max(fusions, key=lambda setting: means[setting])
        row = {
            "ours": means["sum, 0.0, mean"],
            "embeddings alone, best": max(alone.values()),
            "fused, chosen on the other profiles": mean(found[s][n] for n, s in chosen.items()),
            "fused, best of all settings seen": means[best],
        }
        print(f"{path}\n  best: {best}")
        for name, value in row.items():
            print(f"  {name:38}{value:9.3f}")
        figures[path] = {name: round(value, 4) for name, value in row.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
