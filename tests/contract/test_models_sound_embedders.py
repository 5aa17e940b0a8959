"""One suite over every sound embedder of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio
from speechsearch.models.base import SoundEmbedder
from speechsearch.models.catalog import Catalog
from speechsearch.models.load import ModelLoader
from tests.tiny import rvq, similar
from tests.tiny.cards import names, tiny_loader

NAMES = names("sound embedder")
TOLERANCE = 1e-5
"""Float32 on a CPU: how far a vector may move when other sounds are beside it."""


@pytest.fixture(params=NAMES)
def embedder(request: pytest.FixtureRequest, loader: ModelLoader) -> SoundEmbedder:
    return loader.sound_embedder(request.param)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("sound embedder")] == NAMES


def test_vectors_have_unit_length_and_the_cards_width(embedder: SoundEmbedder, speech: list[Audio]) -> None:
    vectors = embedder.embed(speech)
    assert vectors.shape == (len(speech), embedder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(embedder.embed(speech), vectors)


def test_a_sound_alone_gives_what_it_gives_beside_others_in_any_order(
    embedder: SoundEmbedder, speech: list[Audio]
) -> None:
    together = embedder.embed(speech)
    alone = np.concatenate([embedder.embed([sound]) for sound in speech])
    np.testing.assert_allclose(alone, together, atol=TOLERANCE)
    np.testing.assert_allclose(embedder.embed(speech[::-1]), together[::-1], atol=TOLERANCE)
    assert np.linalg.norm(together[0] - together[1]) > 0.01


def test_a_long_sound_is_the_mean_of_its_windows(embedder: SoundEmbedder, speech: list[Audio]) -> None:
    size = round(embedder.window_s * SAMPLE_RATE_HZ)
    samples = np.resize(np.concatenate([sound.samples for sound in speech]), 3 * size)
    parts = embedder.embed([Audio(samples[begin : begin + size]) for begin in range(0, 3 * size, size)])
    expected = parts.mean(0) / np.linalg.norm(parts.mean(0))
    np.testing.assert_allclose(embedder.embed([Audio(samples)])[0], expected, atol=1e-4)


def test_no_sound_is_too_short_or_too_quiet(embedder: SoundEmbedder, nothing: list[Audio], speech: list[Audio]) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)
    vectors = embedder.embed([*nothing, Audio(speech[0].samples * 1e-4), Audio(speech[0].samples * 20)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_two_threads_get_what_one_gets(embedder: SoundEmbedder, speech: list[Audio]) -> None:
    expected = embedder.embed(speech)
    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(embedder.embed, [speech] * 4):
            np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_width_window_and_fingerprint_are_known_without_loading(name: str, tiny_folder: Path) -> None:
    fresh = tiny_loader(tiny_folder)
    embedder = fresh.sound_embedder(name)
    assert embedder.fingerprint.startswith(f"{name}-") and embedder.dim > 0 and embedder.window_s > 0
    assert fresh.release_idle(0) == []


def test_another_tokenizer_than_it_was_trained_for_is_refused(tmp_path: Path) -> None:
    card = similar.save(tmp_path / similar.CARD.name)
    other = replace(rvq.save(tmp_path / rvq.CARD.name), revision="other")
    fresh = ModelLoader(Catalog([card, other]), tmp_path, device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailableError, match="it was trained for the tokenizer tiny-rvq-"):
        fresh.model("sound embedder", card.name)
