"""One suite over every recogniser of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript
from speechsearch.models.base import Recognizer
from speechsearch.models.load import ModelLoader
from speechsearch.models.onnx_asr_cards import ONNX_ASR
from speechsearch.models.transformers_cards import QWEN3_ASR
from speechsearch.models.whisper_cards import WHISPER
from tests.tiny.cards import RECOGNIZERS, names, tiny_loader

NAMES = names("recognizer")
ONE_OF_WHISPER = "whisper-tiny.en"
NOT_HERE = {card.name for card in (*WHISPER, *ONNX_ASR, *QWEN3_ASR)} - {ONE_OF_WHISPER} | {GIVEN}
"""The same code with other weights, slow or from the hub alone; tests/unit/test_models_whisper.py has base.

And the one that hears nothing; tests/pipeline/test_given_transcripts.py has it.
"""
ADAPTING = {"pocketsphinx"}
"""Its running mean of the spectrum goes from passage to passage, so it repeats itself only from the same start."""
RANDOM = {family.CARD.name for family in RECOGNIZERS}
WITHOUT_TIMES = {"tiny-whisper-hub", "tiny-moonshine", "tiny-qwen3-asr", "tiny-canary-onnx"}
"""Decoders that look at the whole sound for every word."""
SILENT_ON = {"tiny-parakeet-tdt", "tiny-canary-onnx"}
"""Their random weights write next to nothing."""


@pytest.fixture(scope="module", params=[name for name in NAMES if name not in NOT_HERE])
def recognizer(request: pytest.FixtureRequest, loader: ModelLoader) -> Recognizer:
    """One recogniser after the other, so that none is loaded anew for each test."""
    return loader.recognizer(request.param)


@pytest.fixture(scope="module")
def together(recognizer: Recognizer, loader: ModelLoader, speech: list[Audio]) -> list[Transcript]:
    """What it writes of the sounds when it was just loaded."""
    loader.release_idle(0)
    return recognizer.transcribe(speech)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("recognizer")] == NAMES


def check(transcript: Transcript, sound: Audio, recognizer: Recognizer) -> None:
    """What holds of every transcript: words in order, inside the sound; a probability; a language that the card has."""
    assert transcript.recognizer == recognizer.name
    assert transcript.text == " ".join(transcript.text.split())
    if recognizer.name in WITHOUT_TIMES:
        assert transcript.words == ()
    else:
        assert transcript.text == " ".join(word.text for word in transcript.words)
    assert [word.start_s for word in transcript.words] == sorted(word.start_s for word in transcript.words)
    assert all(0 <= word.start_s < word.end_s <= sound.duration_s + 0.5 for word in transcript.words)
    assert transcript.confidence is None or 0 < transcript.confidence <= 1
    assert transcript.language == "" or len(transcript.language) == 2


def test_words_have_times_in_order_and_some_are_right(
    recognizer: Recognizer, together: list[Transcript], speech: list[Audio]
) -> None:
    assert len(together) == len(speech)
    for transcript, sound in zip(together, speech, strict=True):
        check(transcript, sound, recognizer)
    assert any(one.text for one in together) or recognizer.name in SILENT_ON
    if recognizer.name not in RANDOM:
        assert {"octopus", "blood"} & set(together[2].text.lower().split())
        assert together[2].language == "en"


def test_a_passage_of_40_s_is_written_to_its_end(recognizer: Recognizer, speech: list[Audio]) -> None:
    if recognizer.name == "pocketsphinx":
        pytest.skip("it hears a passage as one, and takes half a minute for this")
    whole = speech[2].samples
    sound = Audio(np.tile(whole, 9)[: 40 * SAMPLE_RATE_HZ])
    (found,) = recognizer.transcribe([sound], "en")
    check(found, sound, recognizer)
    assert not found.words or recognizer.name in SILENT_ON or found.words[-1].end_s > 30


def test_a_passage_alone_gives_what_it_gives_beside_others_in_any_order(
    recognizer: Recognizer, together: list[Transcript], loader: ModelLoader, speech: list[Audio]
) -> None:
    loader.release_idle(0)  # nothing may be remembered
    assert [recognizer.transcribe([sound])[0] for sound in speech] == together
    loader.release_idle(0)
    assert recognizer.name in ADAPTING or recognizer.transcribe(speech[::-1]) == together[::-1]


def test_nothing_says_nothing_and_silence_next_to_nothing(recognizer: Recognizer, nothing: list[Audio]) -> None:
    empty, shortest, silent = recognizer.transcribe(nothing)
    assert empty.text == "" and empty.words == () and empty.confidence is None
    assert recognizer.transcribe([Audio(np.full(80, 0.1, np.float32))])[0].text == ""  # 5 ms
    # A statistical recogniser may hear a word in silence; passages are cut to speech before.
    assert len(shortest.words) <= 1 and len(silent.words) <= 1
    assert recognizer.transcribe([]) == []


def test_a_language_that_it_does_not_know_is_refused(recognizer: Recognizer, speech: list[Audio]) -> None:
    assert recognizer.transcribe(speech[:1], "en-GB")[0].recognizer == recognizer.name
    with pytest.raises(CapabilityError, match="does not know the language 'tlh'"):
        recognizer.transcribe(speech[:1], "tlh")


def test_hotwords_are_taken_or_refused(recognizer: Recognizer, loader: ModelLoader, speech: list[Audio]) -> None:
    if loader.catalog.get("recognizer", recognizer.name).takes_hotwords:
        check(recognizer.transcribe(speech[:1], "en", ["Octopus", " "])[0], speech[0], recognizer)
    else:
        with pytest.raises(CapabilityError, match=f"'{recognizer.name}' takes no hotwords"):
            recognizer.transcribe(speech[:1], "en", ["Octopus"])


def test_two_threads_get_what_one_gets(
    recognizer: Recognizer, together: list[Transcript], loader: ModelLoader, speech: list[Audio]
) -> None:
    some, expected = [speech[1], speech[3]], [together[1], together[3]]
    loader.release_idle(0)
    with ThreadPoolExecutor(2) as threads:
        forwards = threads.submit(recognizer.transcribe, some)
        backwards = threads.submit(recognizer.transcribe, some[::-1])
    if recognizer.name in ADAPTING:
        assert [len(found) for found in (forwards.result(), backwards.result())] == [2, 2]
    else:
        assert (forwards.result(), backwards.result()) == (expected, expected[::-1])


@pytest.mark.parametrize("name", NAMES)
def test_name_and_fingerprint_are_known_without_loading(name: str, tiny_folder: Path, loader: ModelLoader) -> None:
    fresh = tiny_loader(tiny_folder)
    recognizer = fresh.recognizer(name)
    assert recognizer.name == name and recognizer.fingerprint.startswith(f"{name}-")
    assert fresh.release_idle(0) == []
    if name not in NOT_HERE:
        model = loader.model("recognizer", name)
        assert (model.name, model.fingerprint) == (recognizer.name, recognizer.fingerprint)
