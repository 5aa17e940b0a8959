"""Word pieces as terms: typed and heard ones meet, stop words are left out, chances are counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader
from speechsearch.models.mini.pieces import AVERAGE_PIECES, LEAST_CHANCE, PieceTerms, term_of


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader(catalog(), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def terms(loader: ModelLoader) -> PieceTerms:
    return PieceTerms(loader.model("text encoder", "all-MiniLM-L6-v2").tokenizer)


def heard(terms: PieceTerms, *tokens: dict[str, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft tokens, each with its pieces and their chances."""
    chances = torch.tensor([list(token.values()) for token in tokens])
    pieces = torch.tensor([[terms.tokenizer.token_to_id(piece) for piece in token] for token in tokens])
    return chances, pieces


def test_typed_words_meet_what_was_heard(terms: PieceTerms) -> None:
    passage = terms.of_passage(*heard(terms, {"the": 0.9, "a": 0.1}, {"bridges": 0.6, "ridge": 0.4}))
    query = terms.of_words(["who", "built", "the", "bridge"])
    assert set(query.indices.tolist()) == {term_of("built"), term_of("bridge")}
    assert set(passage.indices.tolist()) == {term_of("bridge"), term_of("ridge")}
    assert set(passage.indices.tolist()) & set(query.indices.tolist()) == {term_of("bridge")}


def test_a_long_word_is_its_pieces(terms: PieceTerms) -> None:
    pieces = terms.tokenizer.encode("amankwah", add_special_tokens=False).tokens
    assert len(pieces) > 1
    assert set(terms.of_words(["amankwah"]).indices.tolist()) == {term_of(piece) for piece in pieces}


def test_chances_are_added_and_small_ones_left_out(terms: PieceTerms) -> None:
    less = LEAST_CHANCE / 2
    chances, pieces = heard(terms, {"bridge": 0.75, "ridge": less}, {"bridges": 0.5, "river": 0.25})
    found = dict(zip(*(array.tolist() for array in terms.expected(chances, pieces)), strict=True))
    assert found == {term_of("bridge"): 1.25, term_of("river"): 0.25}


def test_a_passage_of_average_length_weighs_one_mention_as_one(terms: PieceTerms) -> None:
    chances, pieces = heard(terms, {"bridge": 1.0})
    assert terms.of_passage(chances, pieces).values[0] > 1  # shorter than AVERAGE_PIECES
    many = chances.repeat(AVERAGE_PIECES, 1), pieces.repeat(AVERAGE_PIECES, 1)
    assert terms.of_passage(*many).values[0] == pytest.approx(60 * 2.2 / (60 + 1.2))


def test_silence_has_no_terms(terms: PieceTerms) -> None:
    nothing = torch.zeros(0, 50), torch.zeros(0, 50, dtype=torch.long)
    assert len(terms.of_passage(*nothing).indices) == len(terms.of_speech(*nothing).indices) == 0
    assert len(terms.stop_chances(*nothing)) == 0
    assert len(terms.of_words(["who", "is"]).indices) == 0


def test_stop_words_are_known_by_their_chance(terms: PieceTerms) -> None:
    found = terms.stop_chances(*heard(terms, {"the": 0.5, "a": 0.25}, {"bridge": 0.75, "the": 0.25}))
    assert found.tolist() == [0.75, 0.25]


def test_the_shipped_vocabulary_has_terms_of_its_own(loader: ModelLoader) -> None:
    encoder = loader.model("speech encoder", "mini")
    known = encoder.piece_terms.term_of_id[encoder.model.adapter.vocabulary.numpy()]
    assert np.count_nonzero(known == 0) < 200  # stop words
    assert len(np.unique(known)) > 15_000
