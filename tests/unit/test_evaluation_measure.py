"""``measure`` over a folder, with models that count: long files, several recognisers, engines that there are not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.evaluation.encoding import pieces_of_file
from speechsearch.evaluation.measure import measure
from speechsearch.library.makers import Makers
from speechsearch.models.baseline import Baseline
from speechsearch.models.transcripts import TranscriptEncoder
from tests.tiny.fakes import FakeLoader, FakeRecognizer, word_of

PAUSE = np.zeros(SAMPLE_RATE_HZ, np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of a file of more than 150 s and a short one; each passage of the long one is asked for."""
    folder = tmp_path_factory.mktemp("collection")
    sounds = {name: audio.load(SAMPLES / "audio" / f"{name}.opus", Limits(), 60.0).samples for name in SPOKEN}
    (folder / "short.wav").write_bytes(audio.to_wav(Audio(sounds["s007"])))
    long = np.concatenate([part for name in SPOKEN[1:] for part in (sounds[name], PAUSE)])
    assert len(long) > 150 * SAMPLE_RATE_HZ
    (folder / "long.wav").write_bytes(audio.to_wav(Audio(long)))
    words = {name: [word_of(one.sound) for one in pieces_of_file(name, folder / f"{name}.wav")] for name in FILES}
    assert len(words["short"]) == 1 and len(words["long"]) > 5
    corpus = [{"_id": name, "audio": f"{name}.wav", "text": " ".join(words[name])} for name in FILES]
    asked = [(f"{name}{number}", word, name) for name in FILES for number, word in enumerate(words[name])]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (folder / "queries.jsonl").write_text("\n".join(json.dumps({"_id": one, "text": text}) for one, text, _ in asked))
    (folder / "qrels").mkdir()
    rows = ["query-id\tcorpus-id\tscore", *(f"{one}\t{name}\t1" for one, _, name in asked)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(rows))
    return folder


FILES = ("short", "long")
SPOKEN = ("s007", "s001", "s002", "s003", "s004", "s005", "s006")


@pytest.fixture
def models() -> FakeLoader:
    return FakeLoader(recognizers=(FakeRecognizer("first"), FakeRecognizer("second")))


def makers(models: FakeLoader) -> Makers:
    baselines = (Baseline(one, TranscriptEncoder(models.text, one.name)) for one in models.recognizers)
    return Makers(models.speech, tuple(baselines))


def test_a_long_file_counts_by_its_best_passage_in_every_engine(folder: Path, models: FakeLoader) -> None:
    names = ("hybrid", "adapter", "asr", "asr-second", "text-bm25")
    report = measure(folder, names, makers(models), models.text, command="measure it")
    asked = len((folder / "queries.jsonl").read_text().splitlines())
    assert (report.passages, report.queries, report.command) == (2, asked, "measure it")
    assert [one.engine for one in report.engines] == list(names)
    for one in report.engines:
        assert one.queries == asked
        if one.engine != "text-bm25":
            assert one.figures["recall@1"].mean == 1.0, one.engine
    by_name = {one.engine: one for one in report.engines}
    assert by_name["text-bm25"].figures["recall@5"].mean == 1.0  # all that is said stands in one passage
    assert report.baseline == "asr" and by_name["asr"].against_baseline == {}
    assert by_name["asr-second"].against_baseline["recall@5"].difference == 0.0
    # What was said is right in every passage; the recogniser's own name after it is too much.
    assert 0.0 < by_name["asr"].word_error_rate == by_name["asr-second"].word_error_rate < 0.3
    counted, once = models.counted(), asked + 1  # the first passage is given once more, to warm up
    assert (counted["sound"], counted["first"], counted["second"]) == (once, once, once)


def test_only_what_the_engines_search_is_made(folder: Path, models: FakeLoader) -> None:
    measure(folder, ("text",), makers(models), models.text)
    assert models.counted().keys() == {"text"}
    measure(folder, ("adapter",), makers(models), models.text)
    assert models.counted().keys() == {"sound"}


@pytest.mark.parametrize(
    ("recognizers", "name", "choices"),
    [
        (2, "oracle", "all, all-second, hybrid, adapter, asr, asr-second, text, text-bm25, text-hybrid"),
        (1, "asr-second", "all, hybrid, adapter, asr, text, text-bm25, text-hybrid"),
        (0, "asr", "hybrid, adapter, text, text-bm25, text-hybrid"),
        (2, "phonetic", "all, all-second, hybrid, adapter, asr, asr-second, text, text-bm25, text-hybrid"),
    ],
    ids=["unknown", "of another recogniser", "no recogniser", "an encoder without that channel"],
)
def test_an_engine_that_there_is_not_is_refused_before_anything_is_made(
    folder: Path, models: FakeLoader, recognizers: int, name: str, choices: str
) -> None:
    models.recognizers = models.recognizers[:recognizers]
    with pytest.raises(NotFoundError, match=f"no engine '{name}'") as caught:
        measure(folder, ("hybrid", name), makers(models), models.text)
    assert caught.value.hint == f"Choose one of: {choices}."
    assert models.counted() == {}
