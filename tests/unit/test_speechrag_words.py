"""What is said in which frame: words found by their phonemes, their pieces, and the embeddings of these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechsearch.domain.values import Audio, PhonemeTrack
from speechsearch.models.catalog import Catalog
from speechsearch.models.load import ModelLoader
from speechsearch.training.forced_alignment import symbol_places, word_spans
from speechsearch.training.speechrag_pairs import Kept
from speechsearch.training.speechrag_words import NO_PIECE, Said, frame_pieces
from tests.tiny import texts


def test_words_are_found_where_they_are_said() -> None:
    best = [0, 5, 5, 0, 7, 0, 9, 9, 0]
    symbols = np.array([[one, 0 if one else 1] for one in best], np.uint8)
    losses = np.array([[0, 120]] * len(best), np.uint8)
    track = PhonemeTrack(symbols, losses, (np.arange(len(best)) * 0.04).astype(np.float32))
    assert symbol_places(track, [5, 7, 9]).tolist() == [1, 4, 6]
    np.testing.assert_allclose(word_spans(track, [(5, 7), (9,)]), [[0.04, 0.24], [0.24, 0.49]], atol=1e-6)
    with pytest.raises(ValueError, match="cannot lie in 9 frames"):
        symbol_places(track, [5] * 10)
    with pytest.raises(ValueError, match="a word without a sound"):
        word_spans(track, [(5,), ()])


def test_pieces_stand_where_their_words_are_said() -> None:
    tokenizer = texts.byte_level()
    said, ends = frame_pieces("ab", np.array([[0.08, 0.4]], np.float32), 6, 0.08, tokenizer)
    first, second = tokenizer.encode("ab").ids
    assert said.tolist() == [NO_PIECE, first, first, second, second, NO_PIECE]
    assert ends.tolist() == [NO_PIECE, NO_PIECE, first, NO_PIECE, second, NO_PIECE]


def test_the_embeddings_said_are_those_of_the_pieces_and_of_a_comma_in_pauses(tmp_path: Path) -> None:
    texts.MISTRAL.save(tmp_path / "tiny")
    loader = ModelLoader(
        Catalog([texts.card_of_folder("tiny", tmp_path / "tiny")]), tmp_path, device="cpu", dtype="float32"
    )
    text_encoder = loader.model("text encoder", "tiny")
    said = Said({"a": np.array([[0.08, 0.16]], np.float32)}, text_encoder, 0.08)
    found = said.embeddings(Kept("a", "yes", lambda: Audio(np.zeros(1, np.float32))), 3)
    ids = [text_encoder.tokenizer.encode(one, add_special_tokens=False).ids for one in (",", "yes")]
    assert torch.equal(found[0], said.words[ids[0][-1]]) and torch.equal(found[0], found[2])
    assert torch.equal(found[1], said.words[ids[1][-1]])
