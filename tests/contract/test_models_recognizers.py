"""One suite over every recogniser of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from speechsearch.domain.captions import GIVEN
from speechsearch.domain.errors import CapabilityError
from speechsearch.domain.values import Audio
from speechsearch.models.base import Recognizer
from speechsearch.models.load import ModelLoader
from speechsearch.models.whisper_cards import WHISPER
from tests.tiny.cards import FAMILIES, names, tiny_loader

NAMES = names("recognizer")
ONE_OF_WHISPER = "whisper-tiny.en"
NOT_HERE = {card.name for card in WHISPER} - {ONE_OF_WHISPER} | {GIVEN}
"""The same code with other weights, slow or from the hub alone; tests/unit/test_models_whisper.py has base.

And the one that hears nothing; tests/pipeline/test_given_transcripts.py has it.
"""
ADAPTING = {"pocketsphinx"}
"""Its running mean of the spectrum goes from passage to passage, so it repeats itself only from the same start."""
RANDOM = {family.CARD.name for family in FAMILIES}


@pytest.fixture(params=[name for name in NAMES if name not in NOT_HERE])
def recognizer(request: pytest.FixtureRequest, loader: ModelLoader) -> Recognizer:
    return loader.recognizer(request.param)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("recognizer")] == NAMES


def test_words_have_times_in_order_and_some_are_right(recognizer: Recognizer, speech: list[Audio]) -> None:
    found = recognizer.transcribe(speech)
    assert len(found) == len(speech)
    for transcript, sound in zip(found, speech, strict=True):
        assert transcript.recognizer == recognizer.name
        assert transcript.text == " ".join(word.text for word in transcript.words)
        assert [word.start_s for word in transcript.words] == sorted(word.start_s for word in transcript.words)
        assert all(0 <= word.start_s < word.end_s <= sound.duration_s + 0.5 for word in transcript.words)
    assert recognizer.name in RANDOM or {"octopus", "blood"} & set(found[2].text.lower().split())


def test_a_passage_alone_gives_what_it_gives_beside_others_in_any_order(
    recognizer: Recognizer, loader: ModelLoader, speech: list[Audio]
) -> None:
    loader.release_idle(0)
    together = recognizer.transcribe(speech)
    loader.release_idle(0)  # nothing may be remembered
    assert [recognizer.transcribe([sound])[0] for sound in speech] == together
    loader.release_idle(0)
    assert recognizer.name in ADAPTING or recognizer.transcribe(speech[::-1]) == together[::-1]


def test_nothing_says_nothing_and_silence_next_to_nothing(recognizer: Recognizer, nothing: list[Audio]) -> None:
    empty, shortest, silent = recognizer.transcribe(nothing)
    assert empty.text == "" and empty.words == ()
    # A statistical recogniser may hear a word in silence; passages are cut to speech before.
    assert len(shortest.words) <= 1 and len(silent.words) <= 1
    assert recognizer.transcribe([]) == []


def test_a_language_that_it_does_not_know_is_refused(recognizer: Recognizer, speech: list[Audio]) -> None:
    assert recognizer.transcribe(speech[:1], "en-GB")[0].recognizer == recognizer.name
    with pytest.raises(CapabilityError, match="does not know the language 'tlh'"):
        recognizer.transcribe(speech[:1], "tlh")


def test_two_threads_get_what_one_gets(recognizer: Recognizer, loader: ModelLoader, speech: list[Audio]) -> None:
    some = [speech[1], speech[3]]
    expected = recognizer.transcribe(some)
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
