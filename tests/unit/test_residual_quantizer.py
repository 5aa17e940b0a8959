"""The quantizers in closed form: what codes mean, how codebooks start and move, what passes gradients."""

from __future__ import annotations

import torch

from speechsearch.models.residual_quantizer import ResidualVectorQuantizer, used_share


def grid(decay: float = 0.5) -> ResidualVectorQuantizer:
    """Two quantizers of two codes over a line: tens, then ones."""
    quantizer = ResidualVectorQuantizer(2, 2, 1, decay, least_count=0.01)
    quantizer.codebooks.copy_(torch.tensor([[[0.0], [10.0]], [[1.0], [2.0]]]))
    quantizer.counts.fill_(2.0)
    quantizer.is_started.fill_(True)
    return quantizer


def test_each_code_is_of_what_the_codes_before_leave_over() -> None:
    vectors = torch.tensor([[1.1], [11.9], [2.0]])
    codes = grid().codes_of(vectors)
    assert codes.tolist() == [[0, 0], [1, 1], [0, 1]]
    assert grid().vectors_of(codes).flatten().tolist() == [1.0, 12.0, 2.0]
    assert grid().vectors_of(codes[:, :1]).flatten().tolist() == [0.0, 10.0, 0.0]


def test_a_codebook_moves_to_the_mean_of_what_has_its_code() -> None:
    quantizer = grid(decay=0.5).train()
    vectors = torch.tensor([[1.0], [3.0]])
    quantizer.move(vectors, quantizer.codes_of(vectors))
    # code 0 of the first level: counts 2 * .5 + 2 * .5 = 2, place (0 * 1 + .5 * (1 + 3)) / 2 = 1
    assert quantizer.codebooks[0].flatten().tolist() == [1.0, 10.0]
    assert quantizer.counts[0].tolist() == [2.0, 1.0]
    # the second level sees what was left when the codes were chosen: 1 and 3
    torch.testing.assert_close(quantizer.codebooks[1].flatten(), torch.tensor([1.0, (2.0 * 1.0 + 0.5 * 3.0) / 1.5]))


def test_gradients_pass_as_if_nothing_had_been_quantised_and_commitment_pulls() -> None:
    quantizer = grid().eval()
    vectors = torch.tensor([[1.25]], requires_grad=True)
    quantised, codes, commitment = quantizer(vectors, used=2)
    assert quantised.item() == 1.0 and codes.tolist() == [[0, 0]] and commitment.item() == 0.25**2
    quantised.sum().backward()
    assert vectors.grad is not None and vectors.grad.tolist() == [[1.0]]


def test_a_code_that_nobody_uses_gets_a_new_place_where_vectors_are() -> None:
    torch.manual_seed(1)
    quantizer = ResidualVectorQuantizer(1, 2, 1, decay=0.5, least_count=0.5)
    quantizer.codebooks.copy_(torch.tensor([[[0.0], [1000.0]]]))
    quantizer.counts.copy_(torch.tensor([[4.0, 0.6]]))
    vectors = torch.tensor([[0.0], [4.0], [0.5], [4.5]])
    quantizer.move(vectors, quantizer.codes_of(vectors))
    assert float(quantizer.codebooks[0, 1]) in vectors.flatten().tolist()


def test_k_means_finds_groups_and_the_next_level_what_is_left() -> None:
    torch.manual_seed(2)
    quantizer = ResidualVectorQuantizer(2, 2, 1)
    quantizer.train()
    vectors = torch.tensor([[-10.0], [-8.0], [8.0], [10.0]]).repeat(8, 1)
    quantizer.start(vectors)
    assert sorted(quantizer.codebooks[0].flatten().tolist()) == [-9.0, 9.0]
    assert sorted(quantizer.codebooks[1].flatten().tolist()) == [-1.0, 1.0]
    assert torch.equal(quantizer.vectors_of(quantizer.codes_of(vectors)), vectors)


def test_short_vectors_among_long_ones_do_not_get_nearly_all_one_code() -> None:
    torch.manual_seed(1)
    vectors = torch.randn(400, 200)
    vectors[::10] *= 0.01
    quantizer = ResidualVectorQuantizer(1, 16, 200)
    quantizer.start(vectors)
    used, perplexity = used_share(quantizer.codes_of(vectors)[:, 0], 16)
    assert used == 1.0 and perplexity > 10
