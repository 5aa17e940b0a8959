"""Addresses of passages in closed form: pooling, codes by k-means and by a residual VAE, what tells twins apart."""

from __future__ import annotations

import pytest
import torch

from speechsearch.domain.errors import InputError
from speechsearch.models.generative.document_codes import (
    AttentiveStatisticsPooling,
    DocumentRQVAE,
    padded,
    weighted_statistics,
)
from speechsearch.training.generative_codes import addresses_of, sound_codes, sound_vectors, vector_codes
from tests.tiny.generative import DIM, noise


class TestPooling:
    def test_equal_scores_give_mean_and_deviation(self) -> None:
        pooling = AttentiveStatisticsPooling(1)
        for one in pooling.parameters():
            torch.nn.init.zeros_(one)
        states, is_inside = padded([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [5.0], [8.0]])])
        states[0, 2] = 1000.0  # behind the end
        found = pooling(states, is_inside)
        torch.testing.assert_close(found, torch.tensor([[2.0, 1.0], [6.0, 2.0**0.5]]))

    def test_weights_are_the_softmax_of_the_scores(self) -> None:
        pooling = AttentiveStatisticsPooling(DIM)
        states = noise(5)
        weights = pooling.scores(states).softmax(0)
        expected = weighted_statistics(states[None], weights[None])
        torch.testing.assert_close(pooling(states[None], torch.ones(1, 5, dtype=torch.bool)), expected)


class TestCodes:
    def test_a_passage_alone_has_the_vector_that_it_has_in_a_batch(self) -> None:
        torch.manual_seed(1)
        vae = DocumentRQVAE(DIM, 2, 4, width=8, code_dim=4).eval()
        passages = [noise(size, size) for size in (3, 9, 1, 5)]
        together = vae.vectors(passages)
        alone = torch.cat([vae.vectors([one]) for one in passages])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)

    def test_training_makes_codes_that_explain_more(self) -> None:
        kinds = [noise(1, kind) * 2 for kind in range(4)]
        passages = [kinds[number % 4] + 0.1 * noise(8, 50 + number) for number in range(32)]
        vae = sound_codes(passages, levels=2, size=4, steps=60, seed=1)
        codes = vae.quantizer.codes_of(sound_vectors(vae, passages))
        first = [tuple(codes[[place for place in range(32) if place % 4 == kind], 0].tolist()) for kind in range(4)]
        assert all(len(set(one)) == 1 for one in first) and len({one[0] for one in first}) == 4
        with torch.no_grad():
            made, wanted, _ = vae(passages)
        assert float((made - wanted).square().mean()) < 0.6 * float(wanted.square().mean())

    def test_codes_of_vectors_start_by_k_means(self) -> None:
        vectors = torch.tensor([[-10.0], [-8.0], [8.0], [10.0]]).repeat(4, 1)
        quantizer = vector_codes(vectors, 2, 2, seed=2)
        assert torch.equal(quantizer.vectors_of(quantizer.codes_of(vectors)), vectors)

    def test_too_many_passages_of_the_same_codes_are_refused(self) -> None:
        codes = torch.zeros(3, 2, dtype=torch.long)
        assert sorted(addresses_of("abc", codes, 3).values()) == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]
        with pytest.raises(InputError, match="More than 2 passages have the same codes"):
            addresses_of("abc", codes, 2)
