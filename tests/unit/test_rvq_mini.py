"""The small audio tokenizer with random weights: what its codes are of, and that a patch knows nothing of others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechsearch.domain.values import Audio
from speechsearch.models.rvq_mini import CODEBOOK_SIZE, FRAME_HZ, PATCH_SAMPLES, QUANTIZERS, RvqNetwork, RvqTokenizer

SOUND = np.random.default_rng(3).normal(0, 0.1, 12 * PATCH_SAMPLES).astype(np.float32)


@pytest.fixture(scope="module")
def tokenizer() -> RvqTokenizer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = RvqNetwork()
        network.quantizer.codebooks.normal_(0, 0.1)
    return RvqTokenizer("rvq-test", network)


def test_every_frame_has_a_code_of_each_quantizer(tokenizer: RvqTokenizer) -> None:
    (tokens,) = tokenizer.tokenize([Audio(SOUND)])
    assert tokens.codes.shape == (QUANTIZERS, 12) and tokens.codes.dtype == np.int16
    assert tokens.codes.min() >= 0 and tokens.codes.max() < tokens.codebook_size == CODEBOOK_SIZE
    assert tokens.frame_hz == FRAME_HZ == 12.5
    assert len(np.unique(tokens.codes)) > QUANTIZERS


def test_a_cut_that_begins_with_a_patch_has_the_codes_of_the_recording(tokenizer: RvqTokenizer) -> None:
    whole, cut = tokenizer.tokenize([Audio(SOUND), Audio(SOUND[4 * PATCH_SAMPLES : 9 * PATCH_SAMPLES])])
    np.testing.assert_array_equal(cut.codes, whole.codes[:, 4:9])


@pytest.mark.parametrize("samples", [0, 1, PATCH_SAMPLES - 1])
def test_the_shortest_sound_has_a_frame(tokenizer: RvqTokenizer, samples: int) -> None:
    (tokens,) = tokenizer.tokenize([Audio(SOUND[:samples])])
    assert tokens.codes.shape == (QUANTIZERS, 1)
