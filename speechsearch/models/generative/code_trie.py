"""Which codes may follow which, so that what is written is always the address of a passage.

Source: De Cao et al., 2021, autoregressive entity retrieval (arXiv 2010.00904), section 3.2: beam search over a trie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

Codes = tuple[int, ...]


class CodeTrie:
    """The codes of some passages, all equally long and each of one passage.

    >>> trie = CodeTrie({"a": (1, 5), "b": (1, 6), "c": (2, 5)})
    >>> trie.allowed(()), trie.allowed((1,)), trie.allowed((3,))
    ((1, 2), (5, 6), ())
    >>> trie.passage((2, 5)), trie.passage((2, 6))
    ('c', None)
    """

    def __init__(self, codes: Mapping[str, Codes]) -> None:
        following: dict[Codes, set[int]] = {}
        self._passages: dict[Codes, str] = {}
        for passage_id, whole in codes.items():
            if whole in self._passages:
                raise ValueError(f"{passage_id} and {self._passages[whole]} have the same codes {whole}")
            self._passages[whole] = passage_id
            for place, code in enumerate(whole):
                following.setdefault(whole[:place], set()).add(code)
        self._allowed = {prefix: tuple(sorted(codes)) for prefix, codes in following.items()}

    def __len__(self) -> int:
        """Return of how many passages it knows the codes."""
        return len(self._passages)

    def allowed(self, prefix: Codes) -> tuple[int, ...]:
        """Return the codes that may come next, ascending; none after a whole address or what is none."""
        return self._allowed.get(prefix, ())

    def passage(self, codes: Codes) -> str | None:
        """Return the passage of these codes; None where there is none."""
        return self._passages.get(codes)


class TrieLogitsProcessor(LogitsProcessor):
    """Leaves only the scores of codes that may come next."""

    def __init__(self, trie: CodeTrie) -> None:
        self.trie = trie

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores (rows, tokens) that are -inf where a token may not follow ``input_ids`` (rows, so far)."""
        kept = torch.full_like(scores, -torch.inf)
        for row, prefix in enumerate(input_ids.tolist()):
            allowed = list(self.trie.allowed(tuple(prefix)))
            kept[row, allowed] = scores[row, allowed]
        return kept


def tokens_of(codes: Mapping[str, Sequence[int]], sizes: Sequence[int]) -> dict[str, Codes]:
    """Return passage id -> tokens: the codes of every level have numbers of their own.

    >>> tokens_of({"a": [0, 3, 1]}, [4, 4, 2])
    {'a': (0, 7, 9)}
    """
    firsts = [sum(sizes[:level]) for level in range(len(sizes))]
    return {name: tuple(first + code for first, code in zip(firsts, one, strict=True)) for name, one in codes.items()}
