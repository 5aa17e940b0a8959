"""Measure how far the likelihoods can be believed, on sets that nothing was learnt from: docs/likelihood.md, a picture.

``python -m benchmarks.reliability runs/eval/squad runs/eval/kathleen ...`` asks every set's own questions, single words
of its passages, and as many questions of the other sets, which nothing answers; ten hits of every question count.
"""

from __future__ import annotations

import random
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.quality.measure import usual_models
from benchmarks.quality.recognizers import BASELINE, EVERYTHING, FROM_SOUND
from benchmarks.quality.sets import read_set
from benchmarks.quality.transcripts import KeptTranscripts
from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Query
from speechsearch.evaluation import CollectionQuery, EvaluationCollection, describe_machine
from speechsearch.evaluation.encoding import encode_collection
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import STOP_WORDS
from speechsearch.training.fit_calibration import brier, calibration_error, kind_of, reliability

ROOT = Path(__file__).parents[1]
PAGE, PICTURE = ROOT / "docs" / "likelihood.md", ROOT / "docs" / "images" / "likelihood.png"
ENGINES = (EVERYTHING, *FROM_SOUND, "asr")
DEEPEST, PASSAGES = 10, 60
MOST = 100
"""So many questions of a kind are asked in a set, so that no kind is drowned."""
SURE = 0.95
KINDS = ("said", "rare", "phrase", "paraphrase", "question")
Numbers = NDArray[np.float64]


def single_words(collection: EvaluationCollection, rng: random.Random) -> list[tuple[str, dict[str, int]]]:
    """Return a word of each passage, of more than three letters, with the passages that have it."""
    words_of = {one.passage_id: frozenset(spoken_words(one.text)) for one in collection.passages}
    found = []
    for words in words_of.values():
        word = rng.choice(sorted(word for word in words if len(word) > 3 and word not in STOP_WORDS) or ["nothing"])
        found.append((word, {name: 1 for name, these in words_of.items() if word in these}))
    return found


def asked(collection: EvaluationCollection, others: Sequence[str], seed: int) -> EvaluationCollection:
    """Return a collection with questions of all kinds, at most MOST each, and some that nothing answers."""
    rng = random.Random(seed)
    by_kind: dict[str, list[tuple[str, dict[str, int]]]] = defaultdict(list)
    for query in collection.queries:
        kind = kind_of(query.query_id)
        by_kind[kind if kind in KINDS else "name"].append(
            (query.text, dict(collection.relevance.get(query.query_id, {})))
        )
    by_kind["word"] = single_words(collection, rng)
    by_kind["absent"] = [(text, {}) for text in others]
    queries, relevance = [], {}
    for kind, questions in by_kind.items():
        for number, (text, right) in enumerate(rng.sample(questions, min(MOST, len(questions)))):
            queries.append(CollectionQuery(f"{kind}-{number:03d}", text))
            relevance[f"{kind}-{number:03d}"] = right
    return replace(collection, queries=tuple(queries), relevance=relevance)


def measured(folders: Sequence[Path]) -> dict[str, list[tuple[str, str, float, bool]]]:
    """Return of each engine (set, kind, chance, whether right) of every hit."""
    models = usual_models(without=["whisper-tiny.en", "mini", "pocketsphinx"])
    makers = models.makers([KeptTranscripts(models.recognizers[BASELINE], ROOT / "runs" / "quality" / "transcripts")])
    collections = {folder.name: read_set(folder, PASSAGES).collection for folder in folders}
    found: dict[str, list[tuple[str, str, float, bool]]] = defaultdict(list)
    for seed, (name, collection) in enumerate(collections.items()):
        others = [query.text for other, these in collections.items() if other != name for query in these.queries]
        some = asked(collection, others, seed)
        encoded = encode_collection(some, makers, models.text_encoder, has_gold=False)
        engines = encoded.engines(read_calibrations())
        for engine in ENGINES:
            likelihood = engines[engine].likelihood
            if likelihood is None:
                continue
            for query in some.queries:
                try:
                    ranking = engines[engine].retriever.retrieve(Query(query.text), DEEPEST)
                except EmptyQueryError:
                    continue  # the engine can look for nothing in it
                for passage, chance in zip(ranking.passages, likelihood.chances(ranking), strict=True):
                    is_right = encoded.names[passage.passage_id] in some.relevance[query.query_id]
                    found[engine].append((name, kind_of(query.query_id), chance, is_right))
        print(f"{time.strftime('%H:%M:%S')} {name}: {len(some.queries)} questions", flush=True)
    return found


def table(found: dict[str, list[tuple[str, str, float, bool]]]) -> list[str]:
    """Return a Markdown table: an engine a row, its errors by kind."""
    kinds = sorted({kind for hits in found.values() for _, kind, _, _ in hits})
    lines = [f"| engine | hits | Brier | all | {' | '.join(kinds)} | said {SURE:.0%} or more: right |"]
    lines.append("|:--|" + "--:|" * (len(kinds) + 4))
    for engine, hits in found.items():
        chances, is_right = arrays(hits)
        names = np.array([kind for _, kind, _, _ in hits])
        errors = [f"{calibration_error(chances[names == kind], is_right[names == kind]):.3f}" for kind in kinds]
        sure = chances >= SURE
        top = f"{is_right[sure].mean():.3f} of {sure.sum()}" if sure.any() else "-"
        cells = [f"{brier(chances, is_right):.4f}", f"{calibration_error(chances, is_right):.3f}", *errors, top]
        lines.append(f"| `{engine}` | {len(hits)} | {' | '.join(cells)} |")
    return lines


def arrays(hits: Sequence[tuple[str, str, float, bool]]) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return (chances, whether right) of hits."""
    return np.array([chance for _, _, chance, _ in hits]), np.array([right for _, _, _, right in hits])


def draw(found: dict[str, list[tuple[str, str, float, bool]]]) -> None:
    """Draw what was said against what was right."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, panel = pyplot.subplots(figsize=(5, 5))
    panel.plot([0, 1], [0, 1], color="#94a3b8", linewidth=1)
    for engine, hits in found.items():
        rows = reliability(*arrays(hits))
        panel.plot([row[1] for row in rows], [row[2] for row in rows], marker="o", markersize=3, label=engine)
    panel.set(xlabel="likelihood that was shown", ylabel="share of such hits that were right", xlim=(0, 1), ylim=(0, 1))
    panel.legend(frameon=False)
    picture.tight_layout()
    picture.savefig(PICTURE, dpi=110)


def main(folders: list[Path]) -> None:
    """Measure FOLDERS and write the page."""
    found = measured(folders)
    draw(found)
    command = shlex.join(["python", "-m", "benchmarks.reliability", *(str(folder) for folder in folders)])
    lines = [
        "# How far likelihoods can be believed",
        "",
        f"Written on {time.strftime('%Y-%m-%d')} by `{command}` on {describe_machine()}; no number is edited by hand.",
        "",
        "A likelihood is a logistic model of a hit's score, what the question is like, how far the hit is behind the",
        "first, and how much of the question is heard in it (`retrieval/calibration.py`). It was learnt on the tuning",
        "sets, in libraries of 3 to 120 passages; those below were not used. Expected calibration error: how far what",
        "was said and what was right differ, over ten equal ranges; `absent`: questions that nothing there answers;",
        f"`word`: a single word of a passage. At most {MOST} questions of a kind and set.",
        "",
        *table(found),
        "",
        "![What was said against what was right](images/likelihood.png)",
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
