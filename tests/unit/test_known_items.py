"""The known-item queries of the development sets: made-up passages, and the paraphrases that are committed."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import set_folder
from benchmarks.known_items import (
    HUMAN_SETS,
    HumanPassage,
    join,
    paraphrase_queries,
    rarest,
    read_paraphrases,
    worded_queries,
)
from benchmarks.plain_text import detokenise, plain
from benchmarks.set_folder import Asker, Question, SetFolder, rotation, speaker
from speechsearch.evaluation import read_collection
from speechsearch.training.voices import RESERVED, Voice

FOX = "THE FOX WENT OUT ON A CHILLY NIGHT AND PRAYED FOR THE MOON"
PASSAGES = [
    HumanPassage("a-p000", (FOX, "HE IS A BIG BOY")),
    HumanPassage("b-p001", ("ZEBRAS SLEEP", "HE IS A BIG BOY")),
    HumanPassage("c-p002", ("SHE SAID THAT NIGHT THE MOON PRAYED OUT OF A CHILLY FOX",)),
]


def test_every_passage_that_has_a_querys_words_is_relevant() -> None:
    found = {query.query_id: query for query in worded_queries(PASSAGES, Counter())}
    assert found["said-000"].text == FOX.lower() and found["said-000"].relevant == ("a-p000",)
    assert found["said-001"].text == "he is a big boy" and found["said-001"].relevant == ("a-p000", "b-p001")
    assert found["phrase-000"].text == "on a chilly night and prayed for the"
    assert found["phrase-000"].relevant == ("a-p000",)


def test_rare_words_are_whole_words_of_every_relevant_passage() -> None:
    frequency = Counter(dict.fromkeys(["went", "night", "zebras", "sleep"], 9))
    found = {query.query_id: query for query in worded_queries(PASSAGES, frequency)}
    assert found["rare-000"].text == "chilly prayed moon"
    assert found["rare-000"].relevant == ("a-p000", "c-p002")
    assert rarest("BIG BOY", frequency) == ""  # no word of more than three letters


def test_a_paraphrase_of_no_passage_is_an_error() -> None:
    with pytest.raises(ValueError, match="do not exist: z-p009"):
        paraphrase_queries(PASSAGES, {"a-p000": "Who begs for light?", "z-p009": "What?"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("nowhere\tp\tWhat?\n", "no set 'nowhere'"),
        ("ljspeech\tp\tWhat?\nljspeech\tp\tWho?\n", "p is paraphrased twice"),
    ],
)
def test_paraphrases_that_cannot_be_used(rows: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "paraphrases.tsv"
    path.write_text("set\tpassage\tparaphrase\n" + rows, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_paraphrases(path)


def test_the_committed_paraphrases_are_questions_of_a_sentence() -> None:
    paraphrases = read_paraphrases()
    counts = {name: len(rows) for name, rows in paraphrases.items()}
    assert counts == {"ljspeech": 19, "librispeech": 35, "kathleen": 38, "nonnative": 38, "tuning": 60}
    assert set(counts) == {*HUMAN_SETS, "tuning"}
    texts = [text for rows in paraphrases.values() for text in rows.values()]
    assert len(set(texts)) == len(texts)
    assert all(4 <= len(re.findall(r"[\w'-]+", text)) <= 20 and plain(text) == text for text in texts)


def test_clips_are_joined_within_a_speaker_only() -> None:
    pieces = join([4.0, 4.0, 4.0, 9.0, 3.0], ["a", "a", "b", "b", "b"], 8.0, 15.0)
    assert pieces == [range(0, 2), range(2, 4)]  # 3 s of b are less than half a passage


def test_tokens_are_written_as_people_do() -> None:
    assert detokenise("the `` fox '' did n't run -lrb- 5 % -rrb- .") == 'the "fox" didn\'t run (5%).'


@pytest.fixture
def spoken_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def tone(text: str, voice: Voice, *, is_evaluation: bool = False) -> np.ndarray:
        assert is_evaluation == (voice.name.split("+")[-1] in RESERVED)
        return np.full(16_000, 100, np.int16)

    monkeypatch.setattr(set_folder, "speak", tone)
    folder = tmp_path / "made-up"
    writer, voice_of = SetFolder(folder, "a tone"), rotation(1)
    for i in range(12):
        writer.speak(f"p{i}", "some words", voice_of(i), is_evaluation=True)
    questions = [Question(f"q{i}", f"Why {i}?", (f"p{i}",)) for i in range(12)]
    questions += [Question("absent-q1", "Nowhere?", ()), Question("q99", "Dropped?", ("p99",))]
    writer.close(questions, 1, Asker(voice_of, 8))
    return folder


def test_some_questions_are_spoken_by_another_voice_than_their_passage(spoken_set: Path) -> None:
    collection = read_collection(spoken_set)
    spoken = [json.loads(line) for line in (spoken_set / "queries-spoken.jsonl").read_text().splitlines()]
    voices = {
        row["_id"]: row["voice"] for row in map(json.loads, (spoken_set / "corpus.jsonl").read_text().splitlines())
    }
    typed = {query.query_id: query.text for query in collection.queries}
    assert len(collection.queries) == 13 and len(spoken) == 8 and "q99" not in typed
    for row in spoken:
        (passage,) = collection.relevance[row["_id"]]
        assert speaker(row["voice"]) != speaker(voices[passage]) and row["text"] == typed[row["_id"]]
        assert (spoken_set / row["audio"]).is_file()
    summary = json.loads((spoken_set / "README.json").read_text())
    assert summary["queries_by_kind"] == {"absent": 1, "question": 12} and summary["queries_spoken"] == 8
