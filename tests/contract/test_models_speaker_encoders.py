"""One suite over every speaker encoder of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.base import SpeakerEncoder
from speechsearch.models.built_in import WESPEAKER_RESNET34
from speechsearch.models.load import ModelLoader
from tests.tiny.cards import names, tiny_loader

NAMES = names("speaker encoder")
NOT_HERE = {WESPEAKER_RESNET34.name}
"""From the hub alone; the tiny one runs the same code."""
TOLERANCE = 1e-5
"""Float32 on a CPU: how far a vector may move when other sounds are beside it."""


@pytest.fixture(params=[name for name in NAMES if name not in NOT_HERE])
def encoder(request: pytest.FixtureRequest, loader: ModelLoader) -> SpeakerEncoder:
    return loader.speaker_encoder(request.param)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("speaker encoder")] == NAMES


def test_vectors_have_unit_length_and_the_cards_width(encoder: SpeakerEncoder, speech: list[Audio]) -> None:
    vectors = encoder.encode(speech)
    assert vectors.shape == (len(speech), encoder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(speech), vectors)


def test_a_sound_alone_gives_what_it_gives_beside_others_in_any_order(
    encoder: SpeakerEncoder, speech: list[Audio]
) -> None:
    together = encoder.encode(speech)
    alone = np.concatenate([encoder.encode([sound]) for sound in speech])
    np.testing.assert_allclose(alone, together, atol=TOLERANCE)
    np.testing.assert_allclose(encoder.encode(speech[::-1]), together[::-1], atol=TOLERANCE)
    assert np.linalg.norm(together[0] - together[1]) > 0.01


def test_no_sound_is_too_short_too_long_or_too_quiet(
    encoder: SpeakerEncoder, nothing: list[Audio], speech: list[Audio]
) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)
    long = Audio(np.tile(speech[0].samples, 30))
    assert long.duration_s > 60
    vectors = encoder.encode([*nothing, long, Audio(speech[0].samples * 1e-4), Audio(speech[0].samples * 20)])
    assert np.isfinite(vectors).all()


def test_two_threads_get_what_one_gets(encoder: SpeakerEncoder, speech: list[Audio]) -> None:
    expected = encoder.encode(speech)
    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(encoder.encode, [speech] * 4):
            np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_width_and_fingerprint_are_known_without_loading(name: str, tiny_folder: Path) -> None:
    fresh = tiny_loader(tiny_folder)
    encoder = fresh.speaker_encoder(name)
    assert encoder.fingerprint.startswith(f"{name}-") and encoder.dim > 0
    assert fresh.release_idle(0) == []


def test_how_quiet_a_voice_is_does_not_count(loader: ModelLoader, speech: list[Audio]) -> None:
    quiet = [Audio(speech[0].samples * np.float32(gain)) for gain in (0.02, 0.002)]
    one, other = loader.speaker_encoder("ge2e").encode(quiet)
    assert one @ other > 0.999


def test_silence_has_a_vector_too(loader: ModelLoader) -> None:
    (vector,) = loader.speaker_encoder("ge2e").encode([Audio(np.zeros(SAMPLE_RATE_HZ, np.float32))])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
