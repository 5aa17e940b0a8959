"""One suite over every text encoder of the catalogue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speechsearch.models.base import TextEncoder
from speechsearch.models.load import ModelLoader
from tests.tiny.cards import names, tiny_loader

NAMES = names("text encoder")
TEXTS = ["The bridge over the river was opened in 1885.", "octopus", "Why is the blood of an octopus blue?", "a b c d"]
TOLERANCE = 1e-5
"""Float32 on a CPU: how far a vector may move when other texts stand beside it."""


@pytest.fixture(params=NAMES)
def encoder(request: pytest.FixtureRequest, loader: ModelLoader) -> TextEncoder:
    return loader.text_encoder(request.param)


def test_every_card_is_here(loader: ModelLoader) -> None:
    assert [card.name for card in loader.catalog.of("text encoder")] == NAMES


def test_vectors_have_unit_length_and_the_cards_width(encoder: TextEncoder) -> None:
    for vectors in (encoder.encode_queries(TEXTS), encoder.encode_passages(TEXTS)):
        assert vectors.shape == (len(TEXTS), encoder.dim) and vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_same_text_gives_the_same_vector(encoder: TextEncoder) -> None:
    np.testing.assert_array_equal(encoder.encode_queries(TEXTS), encoder.encode_queries(TEXTS))


def test_a_text_alone_gives_what_it_gives_beside_others_in_any_order(encoder: TextEncoder) -> None:
    together = encoder.encode_passages(TEXTS)
    alone = np.concatenate([encoder.encode_passages([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=TOLERANCE)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS[::-1]), together[::-1], atol=TOLERANCE)
    assert np.linalg.norm(together[0] - together[1]) > 0.1


def test_many_texts_empty_ones_and_long_ones(encoder: TextEncoder) -> None:
    assert encoder.encode_queries([]).shape == encoder.encode_passages([]).shape == (0, encoder.dim)
    odd = ["", " ", "word " * 5_000, "\u202eדוגמה \x00 🔎"]
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_queries(odd), axis=1), 1, atol=1e-5)
    many = encoder.encode_passages([f"{TEXTS[0]} {number}" for number in range(70)])
    assert many.shape == (70, encoder.dim) and np.isfinite(many).all()


def test_prompts_stand_before_questions_and_passages(encoder: TextEncoder, loader: ModelLoader) -> None:
    (card,) = (card for card in loader.catalog.of("text encoder") if card.fingerprint == encoder.fingerprint)
    difference = np.abs(encoder.encode_queries(TEXTS) - encoder.encode_passages(TEXTS)).max()
    assert (difference > 1e-3) == (card.query_prompt != card.passage_prompt)


def test_two_threads_get_what_one_gets(encoder: TextEncoder) -> None:
    expected = encoder.encode_queries(TEXTS)
    with ThreadPoolExecutor(2) as threads:
        for found in threads.map(encoder.encode_queries, [TEXTS] * 6):
            np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_width_and_fingerprint_are_known_without_loading(name: str, tiny_folder: Path, loader: ModelLoader) -> None:
    fresh = tiny_loader(tiny_folder)
    encoder = fresh.text_encoder(name)
    assert encoder.fingerprint.startswith(f"{name}-") and encoder.dim > 0
    assert fresh.release_idle(0) == []
    model = loader.model("text encoder", name)
    assert (model.fingerprint, model.dim) == (encoder.fingerprint, encoder.dim)
