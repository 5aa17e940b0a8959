"""Questions about spoken texts: what is written of them, how they are put to a library, with an answer and without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from speechsearch.answers.extract import Extract
from speechsearch.domain.values import Word
from speechsearch.models.base import ReadPassage
from speechsearch.service.open import Service
from speechsearch.training.answer_sets import SpokenSet
from speechsearch.training.fit_answers import read_cases
from speechsearch.training.reader_data import QUESTIONS, SECTIONS
from speechsearch.training.spoken_questions import AUDIO, SpokenQuestion, main, read_questions, times_of
from tests.tiny.fakes import FakeLoader
from tests.unit.test_training_reader import write_data

HEARD = [Word(text, place, place + 0.5) for place, text in enumerate("The very was hold by the see.".split())]


class FirstWord:
    """Holds the first word of every passage for the answer."""

    fingerprint = "first-word-1"

    def read(self, question: str, passages: list[str]) -> list[ReadPassage]:
        """Return odds of the first word of each."""
        places = [np.array([[0, len(text.split()[0])]], np.int32) for text in passages]
        return [ReadPassage(one, np.ones(1, np.float32), np.ones(1, np.float32)) for one in places]


@pytest.mark.parametrize(
    ("span", "wanted_s"),
    [
        ((0, 3), (0.0, 0.5)),
        ((4, 9), (1.0, 1.5)),  # misheard: the time between what stands beside it
        ((14, 17), (3.0, 3.5)),
        ((4, 24), (1.0, 5.5)),
        ((25, 29), (6.0, 6.5)),  # misheard at the end
    ],
)
def test_times_are_those_of_the_words_whatever_was_misheard(
    span: tuple[int, int], wanted_s: tuple[float, float]
) -> None:
    assert times_of("The ferry was old by the sea.", HEARD, span) == wanted_s


def test_what_was_not_heard_at_all_has_no_time() -> None:
    assert times_of("Nobody came.", HEARD, (0, 6)) is None and times_of("The ferry", [], (0, 3)) is None


def test_a_question_is_put_to_its_recordings_with_and_without_the_one_that_answers(
    fake_settings, models: FakeLoader
) -> None:
    with Service.open(fake_settings, loader=models) as service:
        collection = service.browse.recordings()[0].collection
        spoken = SpokenSet(service, collection)
        name, other = sorted(spoken.ids)[:2]
        words = spoken.words(name)
        text = " ".join(word.text for word in words)
        asked = SpokenQuestion(
            words[0].text, name, (name, other), text, ((0, len(words[0].text)),), words[0].text, False
        )
        with_it, without = spoken.cases([asked])
        rows, rights, numbers = read_cases(FirstWord(), [with_it, without])
    assert with_it.times_s == ((words[0].start_s, words[0].end_s),)
    assert {hit.passage.recording_id for hit, _ in with_it.read} <= {spoken.ids[name], spoken.ids[other]}
    assert {hit.passage.recording_id for hit, _ in without.read} == {spoken.ids[other]}
    hit, transcript = next(pair for pair in with_it.read if pair[0].passage.recording_id == spoken.ids[name])
    span = Extract((0, len(transcript.text)), (0, len(transcript.text)), 0.0, 0.0, 0.0)
    assert with_it.is_right(hit, transcript, span) == (hit.passage.span.start_s < words[0].end_s)
    assert not any(without.is_right(*pair, span) for pair in without.read)
    assert (
        len(rows) == len(rights) == len(numbers) and rights[numbers == 0].sum() == 1 and not rights[numbers == 1].any()
    )


@pytest.mark.skipif(
    shutil.which("flite") is None or shutil.which("espeak-ng") is None, reason="flite or espeak-ng is not installed"
)
def test_texts_are_spoken_and_their_questions_written(tmp_path: Path, capsys) -> None:
    data = write_data(tmp_path / "data")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("speechsearch.training.spoken_questions.STORIES", 1)
        changed.setattr("speechsearch.training.spoken_questions.SECTIONS_EACH", 2)
        main(data, tmp_path / "out", tiny=True)
    assert "val: 4 recordings" in capsys.readouterr().out
    asked = read_questions(tmp_path / "out")
    assert {one.recording for one in asked} <= {path.stem for path in (tmp_path / "out" / AUDIO).iterdir()}
    (hair, *_) = [one for one in asked if one.answer == "golden"]
    assert hair.among == ("0-00", "0-01") and {hair.text[slice(*span)] for span in hair.spans} == {"golden"}
    assert all(one.among == () and one.is_sentence for one in asked if one.recording.startswith("1-"))
    assert json.loads((tmp_path / "out" / "questions.jsonl").read_text(encoding="utf-8").splitlines()[0])["question"]
    assert (data / SECTIONS).exists() and (data / QUESTIONS).exists()
