"""Files as they are indexed for an evaluation: up to 120 s whole, longer ones cut, and joined for the error rates."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import DecodeError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import NAMESPACE, SAMPLE_RATE_HZ, Audio, Query
from speechsearch.evaluation import CollectionQuery, EvaluationCollection, SpokenPassage, evaluate
from speechsearch.evaluation.encoding import EncodedCollection, Piece, encode_collection, pieces_of_file
from speechsearch.evaluation.metrics import word_error_rate
from speechsearch.evaluation.within import no_sound
from speechsearch.library.makers import Makers
from speechsearch.models.baseline import Baseline
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engines import retrievers
from tests.tiny.fakes import FakeLoader, word_of

ENGINES = ("hybrid", "asr", "text")
JOINED = ("s001", "s002", "s003", "s004", "s005", "s006")
PAUSE = Audio(np.zeros(SAMPLE_RATE_HZ, np.float32))


def sample(name: str) -> Path:
    return SAMPLES / "audio" / f"{name}.opus"


def written(path: Path, *sounds: Audio) -> SpokenPassage:
    audio.write_flac(path, sounds)
    return SpokenPassage(path.stem, path)


def pieces(file: SpokenPassage) -> list[Piece]:
    return list(pieces_of_file(file.passage_id, file.audio))


def words(file: SpokenPassage) -> list[str]:
    """The words that fake models hear in a file's passages, in order of time."""
    return [word_of(piece.sound) for piece in pieces(file)]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> EncodedCollection:
    """Six samples in one file of some 175 s, one in a file of its own; each passage is asked for."""
    sounds = [sound for name in JOINED for sound in (audio.load(sample(name), Limits(), 60.0), PAUSE)]
    assert sum(sound.duration_s for sound in sounds) > 150
    long = written(tmp_path_factory.mktemp("long") / "long.flac", *sounds)
    files = SpokenPassage("s007", sample("s007")), SpokenPassage("long", long.audio)
    asked = [(f"{file.passage_id} {place}", word, file) for file in files for place, word in enumerate(words(file))]
    collection = EvaluationCollection(
        "joined",
        tuple(replace(file, text=" ".join(words(file))) for file in files),
        tuple(CollectionQuery(name, word) for name, word, _ in asked),
        {name: {file.passage_id: 1} for name, _, file in asked},
    )
    models = FakeLoader()
    baseline = Baseline(models.recognizer("first"), TranscriptEncoder(models.text, "first"))
    return encode_collection(collection, Makers(models.speech, (baseline,)), models.text)


def test_a_long_file_is_several_passages_and_a_short_one_is_one(encoded: EncodedCollection) -> None:
    files = list(encoded.names.values())
    assert files[0] == "s007" and files.count("long") == len(files) - 1 >= 6
    assert sorted(encoded.index.ids()) == sorted(encoded.names)
    assert encoded.names[str(uuid.uuid5(NAMESPACE, "s007"))] == "s007"


def test_a_long_file_is_found_by_its_best_passage(encoded: EncodedCollection) -> None:
    available = encoded.engines(read_calibrations())
    engines = {name: available[name] for name in ENGINES}
    reports = evaluate(
        encoded.collection, retrievers(engines), load_sound=no_sound, facts=encoded.facts(engines),
        passage_names=encoded.names,
    )  # fmt: skip
    first = {report.engine: report.figures["recall@1"].mean for report in reports}
    assert first["hybrid"] == first["asr"] == 1.0
    assert [report.figures["mrr@10"].mean >= 0.5 for report in reports] == [True] * 3  # there are but two files
    for engine in ("hybrid", "asr"):  # and it is the passage with the word that finds the file
        retriever = engines[engine].retriever
        found = [retriever.retrieve(Query(one.text), 1).passages[0].passage_id for one in encoded.collection.queries]
        assert found == list(encoded.names)


def test_what_was_heard_in_a_long_file_is_joined_in_order_of_time(encoded: EncodedCollection) -> None:
    facts = encoded.facts(encoded.engines(read_calibrations()))
    transcripts, phonemes = facts["asr"].transcripts, facts["hybrid"].phonemes
    assert list(transcripts) == list(phonemes) == ["s007", "long"]
    texts = {passage.passage_id: passage.text for passage in encoded.collection.passages}
    for name, text in texts.items():
        assert transcripts[name] == " ".join(f"{word} fake-first-1" for word in text.split())
        assert len(phonemes[name]) == len(text.split())  # one of each passage
    joined = word_error_rate([texts["long"]], [transcripts["long"]])
    assert joined is not None and 0.0 < joined < 0.3  # only the recogniser's name is too much


def test_a_file_of_two_minutes_is_whole_and_one_a_little_longer_is_not(tmp_path: Path) -> None:
    spoken = audio.load(sample("s001"), Limits(), 60.0)
    rest = Audio(np.zeros(120 * SAMPLE_RATE_HZ - len(spoken.samples), np.float32))
    (whole,) = pieces(written(tmp_path / "whole.flac", spoken, rest))
    assert whole.sound.duration_s == 120 and whole.file_id == "whole"
    parts = pieces(written(tmp_path / "longer.flac", spoken, rest, Audio(np.zeros(1, np.float32))))
    assert {part.file_id for part in parts} == {"longer"} and all(part.sound.duration_s <= 30 for part in parts)
    assert 20 < sum(part.sound.duration_s for part in parts) <= spoken.duration_s + 1


def test_a_long_file_without_speech_has_no_passage_and_a_broken_one_is_an_error(tmp_path: Path) -> None:
    assert pieces(written(tmp_path / "silent.flac", *[PAUSE] * 130)) == []
    (tmp_path / "broken.flac").write_bytes(b"fLaC")
    with pytest.raises(DecodeError, match=r"broken\.flac"):
        pieces(SpokenPassage("broken", tmp_path / "broken.flac"))
