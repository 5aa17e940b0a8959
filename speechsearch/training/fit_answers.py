"""Recipe: learn how likely an extract answers, and from which chance on it is given as an answer.

``python -m speechsearch.training.fit_answers SPOKEN FOLDER`` asks the questions of SPOKEN, which ``spoken_questions``
wrote of what the reader was not trained on, to FOLDER, the data folder that its sound was taken into; each with and
without the recording that answers. Writes assets/reader/calibration.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from speechsearch.answers.extract import extract
from speechsearch.answers.refuse import FEATURES, SHIPPED, features
from speechsearch.models.base import Reader
from speechsearch.retrieval.calibration import logistic
from speechsearch.service.open import Service, new_loader
from speechsearch.service.settings import Settings
from speechsearch.training.answer_sets import Case, SpokenSet
from speechsearch.training.fit_calibration import brier, calibration_error, cross_validated, fit
from speechsearch.training.spoken_questions import read_questions

MOST_WRONGLY_REFUSED = 0.2
"""Of the questions that have an answer; the aim is half of it, at which too much is answered that has none."""


def read_cases(
    reader: Reader, found: Sequence[Case]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return of every passage read: its features (n, FEATURES), whether its answer stands there, and its case.

    An answer counts as right where the span is said while the answer is.
    """
    rows, rights, numbers = [], [], []
    for number, case in enumerate(found):
        seen = reader.read(case.asked.question, [transcript.text for _, transcript in case.read])
        for (hit, transcript), read in zip(case.read, seen, strict=True):
            one = extract(case.asked.question, transcript.text, read)
            if one is not None:
                rows.append(features(one, hit.likelihood))
                rights.append(case.is_right(hit, transcript, one))
                numbers.append(number)
    return np.array(rows), np.array(rights), np.array(numbers)


def threshold_of(best: NDArray[np.float64], is_answerable: NDArray[np.bool_]) -> float:
    """Return the highest threshold that refuses at most MOST_WRONGLY_REFUSED of the answerable questions.

    >>> threshold_of(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, True, True, False]))
    0.74
    """
    return round(float(np.quantile(best[is_answerable], MOST_WRONGLY_REFUSED)), 4)


def main(spoken: Path, folder: Path, collection: str = "spoken", out: Path = SHIPPED) -> None:
    """Fit on the questions of SPOKEN, each with and without an answer."""
    settings = Settings(data_dir=folder)
    loader = new_loader(settings)
    reader = loader.reader(settings.engines.reader)
    questions = read_questions(spoken)
    with Service.open(settings, loader=loader) as service:
        found = [case for case in SpokenSet(service, collection).cases(questions) if case.read]
        rows, rights, numbers = read_cases(reader, found)
    _, asked = np.unique([case.asked.question for case in found], return_inverse=True)
    chances = cross_validated(rows, rights, asked[numbers])  # a question with and without its recording is one
    coefficients = fit(rows, rights)
    answerable = np.array([case.is_answerable for case in found])
    best = np.zeros(len(found))
    is_right = np.zeros(len(found), bool)
    for number in range(len(found)):
        at = np.flatnonzero(numbers == number)
        first = at[chances[at].argmax()]
        best[number], is_right[number] = chances[first], rights[first]
    threshold = threshold_of(best, answerable)
    refused = best < threshold
    print(
        f"{len(rows)} passages of {len(found)} cases, {rights.mean():.1%} right; Brier {brier(chances, rights):.4f}, "
        f"calibration error {calibration_error(chances, rights):.4f}; the likeliest is right for "
        f"{is_right[answerable].mean():.1%} of the answerable; threshold {threshold}: refuses "
        f"{refused[~answerable].mean():.1%} of the unanswerable, {refused[answerable].mean():.1%} of the answerable, "
        f"{refused[answerable & is_right].mean():.1%} of those answered rightly"
    )
    written = {
        "models": {"reader": reader.fingerprint},
        "threshold": threshold,
        "chance": dict(zip(FEATURES, np.round(coefficients, 4).tolist(), strict=True)),
        "fitted": {
            "questions": len(found),
            "sets": "FairytaleQA validation and SQuAD pairs, spoken",
            "passages": len(rows),
        },
    }
    assert np.isfinite(logistic(rows, coefficients)).all()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
