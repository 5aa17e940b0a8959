"""One suite over every speech encoder of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import CapabilityError, EmptyQueryError
from speechsearch.domain.values import Audio, Query, Vector
from speechsearch.models.base import EncodedPassage, SpeechEncoder
from speechsearch.models.load import ModelLoader
from tests.tiny.cards import names, tiny_loader

NAMES = names("speech encoder")
TOLERANCE = 1e-3
"""Float32 on a CPU: how far a number of a vector may move when other passages stand beside it. A sparse term whose
chance lies at a threshold may come or go, so of sparse vectors the cosine is compared."""


@pytest.fixture(scope="module", params=NAMES)
def encoder(request: pytest.FixtureRequest, loader: ModelLoader) -> SpeechEncoder:
    """One encoder after the other, so that none is loaded anew for each test."""
    return loader.speech_encoder(request.param)


@pytest.fixture(scope="module")
def together(encoder: SpeechEncoder, speech: list[Audio]) -> list[EncodedPassage]:
    """What it makes of the sounds."""
    return encoder.encode_passages(speech)


def assert_same(found: Vector, expected: Vector) -> None:
    assert type(found) is type(expected)
    if isinstance(found, np.ndarray):
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)
        return
    left, right = (dict(zip(one.indices.tolist(), one.values.tolist(), strict=True)) for one in (found, expected))
    product = sum(left[term] * right.get(term, 0.0) for term in left)
    lengths = np.linalg.norm(found.values) * np.linalg.norm(expected.values)
    assert product == pytest.approx(lengths, rel=TOLERANCE)


def assert_all_same(found: Sequence[EncodedPassage], expected: Sequence[EncodedPassage]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert list(one.vectors) == list(other.vectors)
        for name in one.vectors:
            assert_same(one.vectors[name], other.vectors[name])
        assert (one.track is None) == (other.track is None)
        if one.track is not None and other.track is not None:
            np.testing.assert_array_equal(one.track.symbols, other.track.symbols)


def assert_fits(vector: Vector, encoder: SpeechEncoder, name: str) -> None:
    (channel,) = (channel for channel in encoder.channels if channel.name == name)
    if channel.kind == "dense":
        assert isinstance(vector, np.ndarray) and vector.shape == (channel.dim,) and vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4) or not vector.any()
        return
    assert not isinstance(vector, np.ndarray) and vector.indices.dtype == np.uint32
    assert vector.values.dtype == np.float32 and vector.values.shape == vector.indices.shape
    assert (np.diff(vector.indices.astype(np.int64)) > 0).all() and (vector.values > 0).all()


def is_nothing(vector: Vector) -> bool:
    return not vector.any() if isinstance(vector, np.ndarray) else not len(vector.indices)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("speech encoder")] == NAMES


def test_every_passage_has_a_vector_of_every_channel(
    encoder: SpeechEncoder, together: list[EncodedPassage], speech: list[Audio]
) -> None:
    assert len(together) == len(speech)
    for passage, sound in zip(together, speech, strict=True):
        assert list(passage.vectors) == [channel.name for channel in encoder.channels]
        for name, vector in passage.vectors.items():
            assert_fits(vector, encoder, name)
            assert not is_nothing(vector)
        if passage.track is not None:
            assert passage.track.symbols.dtype == np.uint8 and passage.track.starts_s.dtype == np.float32
            assert len(passage.track.symbols) == len(passage.track.starts_s) > 0
            assert (np.diff(passage.track.starts_s) > 0).all()
            assert passage.track.starts_s[0] >= 0 and passage.track.starts_s[-1] <= sound.duration_s


def test_a_passage_alone_gives_what_it_gives_beside_others_in_any_order(
    encoder: SpeechEncoder, together: list[EncodedPassage], loader: ModelLoader, speech: list[Audio]
) -> None:
    loader.release_idle(0)  # nothing may be remembered
    alone = [encoder.encode_passages([sound])[0] for sound in speech]
    assert_all_same(alone, together)
    loader.release_idle(0)
    assert_all_same(encoder.encode_passages(speech[::-1]), together[::-1])


def test_nothing_is_heard_in_nothing(
    encoder: SpeechEncoder, together: list[EncodedPassage], nothing: list[Audio], speech: list[Audio]
) -> None:
    assert encoder.encode_passages([]) == []
    passages = encoder.encode_passages([*nothing, speech[0]])
    for passage in passages:
        for name, vector in passage.vectors.items():
            assert_fits(vector, encoder, name)
            assert np.isfinite(vector if isinstance(vector, np.ndarray) else vector.values).all()
    assert all(is_nothing(vector) for vector in passages[0].vectors.values())
    assert_all_same(passages[3:], together[:1])


def test_words_and_speech_are_asked_in_every_channel(encoder: SpeechEncoder, speech: list[Audio]) -> None:
    for query in (Query("Why is octopus blood blue?"), Query(audio=speech[1])):
        for channel in encoder.channels:
            vector = encoder.encode_query(query, channel.name)
            assert_fits(vector, encoder, channel.name)
            assert not is_nothing(vector)
            assert_same(encoder.encode_query(query, channel.name), vector)


def test_an_empty_question_is_refused(encoder: SpeechEncoder, nothing: list[Audio]) -> None:
    for query in (Query(""), Query("  \n"), Query(audio=nothing[0])):
        for channel in encoder.channels:
            with pytest.raises(EmptyQueryError, match="question"):
                encoder.encode_query(query, channel.name)


def test_a_channel_that_there_is_not_is_refused(encoder: SpeechEncoder) -> None:
    with pytest.raises(CapabilityError, match="no channel 'elsewhere'"):
        encoder.encode_query(Query("bridge"), "elsewhere")


def test_words_are_pronounced_where_phonemes_are_heard(
    encoder: SpeechEncoder, together: list[EncodedPassage], speech: list[Audio]
) -> None:
    words = encoder.pronounce(Query("the bridge"))
    assert bool(words) == (together[0].track is not None)
    assert [word.text for word in words] in ([], ["the", "bridge"])
    assert all(symbol > 0 for word in words for one in word.pronunciations for symbol in one)
    spoken = encoder.pronounce(Query(audio=speech[2]))
    assert bool(spoken) == bool(words) and all(len(word.pronunciations) == 1 for word in spoken)


def test_two_threads_get_what_one_gets(
    encoder: SpeechEncoder, together: list[EncodedPassage], loader: ModelLoader, speech: list[Audio]
) -> None:
    loader.release_idle(0)
    with ThreadPoolExecutor(2) as threads:
        forwards = threads.submit(encoder.encode_passages, speech)
        backwards = threads.submit(encoder.encode_passages, speech[::-1])
    assert_all_same(forwards.result(), together)
    assert_all_same(backwards.result(), together[::-1])


@pytest.mark.parametrize("name", NAMES)
def test_channels_and_fingerprint_are_known_without_loading(name: str, tiny_folder: Path, loader: ModelLoader) -> None:
    fresh = tiny_loader(tiny_folder)
    encoder = fresh.speech_encoder(name)
    assert encoder.fingerprint.startswith(f"{name}-") and encoder.channels
    assert fresh.release_idle(0) == []
    model = loader.model("speech encoder", name)
    assert (model.fingerprint, model.channels) == (encoder.fingerprint, encoder.channels)
