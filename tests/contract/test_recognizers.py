"""One suite over every recogniser of the catalog, on a real sample."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.retrieval.engines import build_recognizer
from tests.conftest import SAMPLES


@pytest.fixture(scope="module", params=["mini", "pocketsphinx"])
def recognizer(request: pytest.FixtureRequest, model):
    return build_recognizer(request.param, model)


def test_words_have_times_in_order_and_some_are_right(recognizer) -> None:
    samples, rate_hz = soundfile.read(SAMPLES / "audio" / "s015.opus", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ
    (found,) = recognizer.transcribe([Audio(samples[: 12 * SAMPLE_RATE_HZ])])
    assert found.recognizer == recognizer.name
    assert found.text == " ".join(word.text for word in found.words)
    assert [word.start_s for word in found.words] == sorted(word.start_s for word in found.words)
    assert all(0 <= word.start_s < word.end_s <= 12.5 for word in found.words)
    assert {"octopus", "blood"} & set(found.text.lower().split())


def test_nothing_says_nothing_and_silence_next_to_nothing(recognizer) -> None:
    silence, nothing = Audio(np.zeros(SAMPLE_RATE_HZ, np.float32)), Audio(np.zeros(0, np.float32))
    silent, empty = recognizer.transcribe([silence, nothing])
    assert empty.text == ""
    assert len(silent.words) <= 1  # a statistical recogniser may hear a word in it; passages are cut to speech before
    assert recognizer.transcribe([]) == []


def test_the_fingerprint_names_the_recogniser(recognizer) -> None:
    assert recognizer.fingerprint.startswith(f"{recognizer.name}-")
