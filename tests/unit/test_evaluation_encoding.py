"""Files as they are indexed for an evaluation: up to 120 s whole, longer ones cut, and joined for the error rates."""

from __future__ import annotations

import json
import uuid
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
from speechsearch.models.load import ModelLoader
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.retrieval.engines import retrievers

ENGINES = ("hybrid", "asr", "text")
JOINED = ("s001", "s002", "s003", "s004", "s005", "s006")
PAUSE = Audio(np.zeros(SAMPLE_RATE_HZ, np.float32))
QUESTIONS = {
    "euler": ("What did Euler prove about the bridges of Konigsberg?", "long"),
    "baker": ("Who was Kaichi Watanabe and where did he sit?", "long"),
    "fresnel": ("When was the Fresnel lens lit at Cordouan?", "s007"),
}


def sample(name: str) -> Path:
    return SAMPLES / "audio" / f"{name}.opus"


def written(path: Path, *sounds: Audio) -> SpokenPassage:
    audio.write_flac(path, sounds)
    return SpokenPassage(path.stem, path)


def pieces(file: SpokenPassage) -> list[Piece]:
    return list(pieces_of_file(file.passage_id, file.audio))


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory, loader: ModelLoader) -> EncodedCollection:
    """Six samples in one file of some 175 s, one in a file of its own."""
    lines = (SAMPLES / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    said = {row["_id"]: row["text"] for row in map(json.loads, lines)}
    sounds = [sound for name in JOINED for sound in (audio.load(sample(name), Limits(), 60.0), PAUSE)]
    assert sum(sound.duration_s for sound in sounds) > 150
    long = written(tmp_path_factory.mktemp("long") / "long.flac", *sounds)
    collection = EvaluationCollection(
        "joined",
        (
            SpokenPassage("s007", sample("s007"), said["s007"]),
            SpokenPassage("long", long.audio, " ".join(said[name] for name in JOINED)),
        ),
        tuple(CollectionQuery(name, text) for name, (text, _) in QUESTIONS.items()),
        {name: {answer: 1} for name, (_, answer) in QUESTIONS.items()},
    )
    text_encoder = loader.text_encoder("all-MiniLM-L6-v2")
    baseline = Baseline(loader.recognizer("mini"), TranscriptEncoder(text_encoder, "mini"))
    return encode_collection(collection, Makers(loader.speech_encoder("mini"), (baseline,)), text_encoder)


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
    assert first["hybrid"] == first["text"] == 1.0 and first["asr"] >= 0.6
    found = {
        name: engines["hybrid"].retriever.retrieve(Query(QUESTIONS[name][0]), 1).passages[0].passage_id
        for name in ("baker", "euler")
    }
    places = [list(encoded.names).index(found[name]) for name in ("baker", "euler")]
    assert places == sorted(places) and places[0] < places[1]  # Baker is in the first sample, Euler in the fifth


def test_what_was_heard_in_a_long_file_is_joined_in_order_of_time(encoded: EncodedCollection) -> None:
    facts = encoded.facts(encoded.engines(read_calibrations()))
    transcripts, phonemes = facts["asr"].transcripts, facts["hybrid"].phonemes
    assert list(transcripts) == list(phonemes) == ["s007", "long"]
    texts = {passage.passage_id: passage.text for passage in encoded.collection.passages}
    alone = word_error_rate([texts["s007"]], [transcripts["s007"]])
    joined = word_error_rate([texts["long"]], [transcripts["long"]])
    assert alone is not None and joined is not None and joined < max(0.5, alone + 0.1)
    heard = {name: len(found) for name, found in phonemes.items()}
    assert heard["long"] > 4 * heard["s007"]


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
