"""Recipe: learn how likely an extract answers, and from which chance on it is given as an answer.

``python -m speechsearch.training.fit_answers DATA`` asks questions of FairytaleQA's validation part and of the ninth
tenth of the SQuAD pairs, each with and without the section that answers, and writes assets/reader/calibration.json.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from speechsearch.answers.extract import extract
from speechsearch.answers.refuse import FEATURES, SHIPPED, features
from speechsearch.models.base import Reader
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader
from speechsearch.retrieval.calibration import logistic
from speechsearch.training.answer_sets import Case, cases, pairs, tales
from speechsearch.training.fit_calibration import brier, calibration_error, cross_validated, fit
from speechsearch.training.reader_data import PAIRS_TRAINED_SHARE, PAIRS_TUNED_SHARE

MOST_WRONGLY_REFUSED = 0.1


def search_chances(found: list[Case]) -> NDArray[np.float64]:
    """Return the chance that a passage has the answer by what the search says, (n,); cross-validated.

    It stands for the calibrated likelihood of a search engine's hits.
    """
    rows = [(1.0, similarity, np.log(rank)) for case in found for rank, similarity in enumerate(case.similarities, 1)]
    is_there = np.array([one for case in found for one in case.has_answer])
    numbers = np.repeat(np.arange(len(found)), [len(case.parts) for case in found])
    return cross_validated(np.array(rows), is_there, numbers // 2)


def read_cases(reader: Reader, found: list[Case]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return of every passage read: its features (n, FEATURES), whether its answer stands there, and its case.

    An answer counts as right where the span overlaps one of the places of the answer.
    """
    rows, rights, numbers = [], [], []
    chances = iter(search_chances(found).tolist())
    for number, case in enumerate(found):
        seen = reader.read(case.asked.question, [part.text for part in case.parts])
        for part, read, chance in zip(case.parts, seen, islice(chances, len(case.parts)), strict=True):
            one = extract(case.asked.question, part.text, read)
            if one is None:
                continue
            begin, end = part.start + one.span[0], part.start + one.span[1]
            is_there = part.section is case.asked.section and case.is_answerable
            rows.append(features(one, chance))
            rights.append(is_there and any(start < end and stop > begin for start, stop in case.asked.spans))
            numbers.append(number)
    return np.array(rows), np.array(rights), np.array(numbers)


def threshold_of(best: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """Return the highest threshold that refuses at most MOST_WRONGLY_REFUSED of the questions answered rightly.

    >>> threshold_of(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, True, True, False]))
    0.72
    """
    return round(float(np.quantile(best[is_right], MOST_WRONGLY_REFUSED)), 4)


def main(data: Path, reader: str = "mini-reader", count: int = 150, out: Path = SHIPPED) -> None:
    """Fit on so many questions of each set, each with and without an answer."""
    loader = ModelLoader(catalog(), device="cpu")
    model = loader.reader(reader)
    encoder = loader.text_encoder("all-MiniLM-L6-v2")
    found = list(cases(*tales(data, "val", count), encoder))
    found += cases(*pairs(data, PAIRS_TRAINED_SHARE, PAIRS_TUNED_SHARE, count), encoder)
    rows, rights, numbers = read_cases(model, found)
    chances = cross_validated(rows, rights, numbers // 2)  # a question with and without its section is one
    coefficients = fit(rows, rights)
    answerable = np.array([case.is_answerable for case in found])
    best = np.zeros(len(found))
    is_right = np.zeros(len(found), bool)
    for number in range(len(found)):
        at = np.flatnonzero(numbers == number)
        first = at[chances[at].argmax()]
        best[number], is_right[number] = chances[first], rights[first]
    threshold = threshold_of(best, is_right)
    refused = best < threshold
    print(
        f"{len(rows)} passages of {len(found)} cases, {rights.mean():.1%} right; Brier {brier(chances, rights):.4f}, "
        f"calibration error {calibration_error(chances, rights):.4f}; the likeliest is right for "
        f"{is_right[answerable].mean():.1%} of the answerable; threshold {threshold}: refuses "
        f"{refused[~answerable].mean():.1%} of the unanswerable, {refused[answerable].mean():.1%} of the answerable, "
        f"{refused[answerable & is_right].mean():.1%} of those answered rightly"
    )
    written = {
        "models": {"reader": model.fingerprint},
        "threshold": threshold,
        "chance": dict(zip(FEATURES, np.round(coefficients, 4).tolist(), strict=True)),
        "fitted": {"questions": 2 * count, "sets": "FairytaleQA validation, SQuAD pairs", "passages": len(rows)},
    }
    assert np.isfinite(logistic(rows, coefficients)).all()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
