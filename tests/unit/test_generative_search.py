"""What may be written, against brute force: the trie, beam search, a generator with both."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from speechsearch.models.generative.beam import beam_search
from speechsearch.models.generative.code_trie import CodeTrie, TrieLogitsProcessor
from speechsearch.models.generative.generator import UnityGenerator
from speechsearch.models.generative.unity import UnityConfig
from tests.tiny.generative import network, small_world


class TestTrie:
    def test_it_allows_what_brute_force_finds(self) -> None:
        rng = random.Random(1)
        whole = list(itertools.product(range(4), repeat=3))
        codes = {f"p{place}": one for place, one in enumerate(rng.sample(whole, 20))}
        trie = CodeTrie(codes)
        assert len(trie) == 20
        for length in range(4):
            for prefix in itertools.product(range(4), repeat=length):
                following = {one[length] for one in codes.values() if one[:length] == prefix and length < 3}
                assert set(trie.allowed(prefix)) == following
        assert {trie.passage(one) for one in whole} == {*codes, None}

    def test_two_passages_of_one_address_are_refused(self) -> None:
        with pytest.raises(ValueError, match="b and a have the same codes"):
            CodeTrie({"a": (1, 2), "b": (1, 2)})

    def test_the_processor_keeps_scores_of_what_may_follow(self) -> None:
        keep = TrieLogitsProcessor(CodeTrie({"a": (0, 2), "b": (1, 3)}))
        scores = torch.arange(8.0).view(2, 4)
        kept = keep(torch.tensor([[0], [1]]), scores)
        assert kept.isfinite().nonzero().tolist() == [[0, 2], [1, 3]] and kept[1, 3] == 7.0


class TestBeamSearch:
    LENGTH, VOCABULARY, ROWS = 3, 4, 2

    def following(self, tokens: Tensor) -> Tensor:
        """Scores that depend on the row and everything so far."""
        beams = len(tokens) // self.ROWS
        found = []
        for place, so_far in enumerate(tokens.tolist()):
            torch.manual_seed(hash((place // beams, *so_far)) % 10_000)
            found.append(torch.randn(self.VOCABULARY).log_softmax(-1))
        return torch.stack(found)

    def exhaustive(self, row: int, allowed: list[tuple[int, ...]]) -> list[tuple[float, tuple[int, ...]]]:
        found = []
        for one in allowed:
            total = 0.0
            for place, token in enumerate(one):
                tokens = torch.tensor([one[:place]] * self.ROWS).view(self.ROWS, place)
                total += float(self.following(tokens)[row, token])
            found.append((total, one))
        return sorted(found, reverse=True)

    @pytest.mark.parametrize("is_held", [False, True])
    def test_with_enough_beams_it_is_exhaustive(self, is_held: bool) -> None:
        whole = list(itertools.product(range(self.VOCABULARY), repeat=self.LENGTH))
        allowed = random.Random(3).sample(whole, 9) if is_held else whole
        keep = TrieLogitsProcessor(CodeTrie({str(one): one for one in allowed})) if is_held else None
        tokens, scores = beam_search(self.following, self.ROWS, self.LENGTH, len(whole), keep)
        for row in range(self.ROWS):
            expected = self.exhaustive(row, allowed)
            found = [(score, tuple(one)) for score, one in zip(scores[row].tolist(), tokens[row].tolist(), strict=True)
                     if score > -torch.inf]  # fmt: skip
            assert [one for _, one in found] == [one for _, one in expected]
            np.testing.assert_allclose([score for score, _ in found], [score for score, _ in expected], atol=1e-5)

    def test_one_beam_is_greedy(self) -> None:
        tokens, _ = beam_search(self.following, self.ROWS, self.LENGTH, 1)
        so_far = torch.zeros(self.ROWS, 0, dtype=torch.long)
        for _ in range(self.LENGTH):
            so_far = torch.cat([so_far, self.following(so_far).argmax(-1, keepdim=True)], dim=1)
        assert torch.equal(tokens[:, 0], so_far)


def test_a_generator_writes_only_what_is_asked_for(tmp_path: Path) -> None:
    material, addresses = small_world(6)
    config = UnityConfig("pieces", 16, 16, (8, 8, 8), 6, 4, width=16, heads=2)
    generator = UnityGenerator(network(config), None, addresses)
    states = [material.crops[0].states.float(), material.crops[4].states.float()]
    first, _ = generator.written(states, [True, True], 20, generator.trie)
    assert {name for name, _ in first} == set(addresses) and len(first) == 6
    assert [score for _, score in first] == sorted((score for _, score in first), reverse=True)
    assert generator.written(states[:1], [True], 20, generator.trie)[0][0][0] == first[0][0]
    assert {name for name, _ in generator.written(states, [True, True], 20, generator.trie_of(["p01", "no"]))[0]} == {
        "p01"
    }
    freely = generator.written(states, [True, True], 20, None)[1]
    assert len(freely) == 20 and any(name is None for name, _ in freely)
