"""A trained model that writes the addresses of a collection's passages, as ``training/train_generative.py`` made it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from speechsearch.domain.errors import EmptyQueryError, ModelUnavailableError
from speechsearch.domain.values import Query, ScoredPassage
from speechsearch.models.generative.beam import beam_search
from speechsearch.models.generative.code_trie import Codes, CodeTrie, TrieLogitsProcessor, tokens_of
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative.unity import UnityConfig, UnityModel
from speechsearch.models.generative_cards import MANIFEST, WEIGHTS, Learnt, learnt_of
from speechsearch.models.load import Located

BEAMS, MOST_BEAMS = 20, 100


def load(located: Located) -> UnityGenerator:
    """Return the model of a folder that was trained for a collection.

    Raises:
        ModelUnavailableError: its files do not fit each other, or it was trained with another speech encoder.
    """
    (encoder,) = located.needed.values()
    files = located.files
    learnt = learnt_of(files[MANIFEST].parent)
    if encoder.fingerprint != learnt.encoder_fingerprint:
        raise ModelUnavailableError(
            f"'{located.card.name}' was trained with the speech encoder {learnt.encoder_fingerprint}, and there is "
            f"{encoder.fingerprint}.",
            f"Run: {learnt.command}",
        )
    try:
        network = network_of(learnt, files[WEIGHTS])
    except (OSError, SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise ModelUnavailableError(
            f"The generative model '{located.card.name}' cannot be loaded: {error}.", f"Run: {learnt.command}"
        ) from error
    network.to(located.device.torch_device)
    return UnityGenerator(network, Listener(encoder, network.config.hears), learnt.addresses)


def network_of(learnt: Learnt, weights: Path) -> UnityModel:
    """Return the network of a model that was trained, with the sizes that it names.

    Raises:
        OSError, SafetensorError, RuntimeError, TypeError, ValueError: its files do not fit each other.
    """
    network = UnityModel(UnityConfig(**learnt.config))
    network.load_state_dict(load_file(weights))
    return network


class UnityGenerator:
    """Writes the addresses of the passages that answer a question."""

    def __init__(self, network: UnityModel, listener: Listener, addresses: dict[str, Codes]) -> None:
        """``addresses``: passage id -> codes, one for each of the network's ``code_sizes``; ``trie`` has them all."""
        self.network = network.train(False).requires_grad_(False)
        self.listener = listener
        self.tokens = tokens_of(addresses, network.config.code_sizes)
        self.trie = CodeTrie(self.tokens)

    def generate(self, query: Query, limit: int, passage_ids: Collection[str]) -> list[ScoredPassage]:
        """Return at most ``limit`` of some passages, the likeliest first, with the log-probability of the address.

        Raises:
            EmptyQueryError: nothing is heard in the question, or nothing typed.
        """
        states = self.listener.of_texts([query.text]) if query.audio is None else self.listener.of_sounds([query.audio])
        if not len(states[0]):
            raise EmptyQueryError("There is nothing in the question.", "Type some words or record a question.")
        beams = min(max(limit, BEAMS), MOST_BEAMS)
        (found,) = self.written(states, [query.audio is not None], beams, self.trie_of(passage_ids))
        return [ScoredPassage(name, score) for name, score in found if name is not None][:limit]

    def trie_of(self, passage_ids: Collection[str]) -> CodeTrie:
        """Return the trie of those passages of some that were learnt."""
        wanted = {name: self.tokens[name] for name in passage_ids if name in self.tokens}
        return self.trie if len(wanted) == len(self.tokens) else CodeTrie(wanted)

    def written(
        self, states: Sequence[Tensor], are_sound: Sequence[bool], beams: int, trie: CodeTrie | None
    ) -> list[list[tuple[str | None, float]]]:
        """Return what beam search writes for each question, best first: passage id and log-probability.

        ``states``: (states, dim) of each. Without a trie anything may be written; what is no address is None.
        """
        device = self.network.kinds.weight.device
        with torch.inference_mode():
            memory = self.network.remember([one.to(device) for one in states], are_sound)
        keep = TrieLogitsProcessor(trie) if trie is not None else None
        tokens, scores = beam_search(
            lambda so_far: self.network.next_scores(so_far, memory),
            len(states),
            len(self.network.config.code_sizes),
            beams if trie is None else min(beams, len(trie)),
            keep,
        )
        known = trie or self.trie
        return [
            [
                (known.passage(tuple(codes)), score)
                for codes, score in zip(some, ones, strict=True)
                if score > -torch.inf
            ]
            for some, ones in zip(tokens.tolist(), scores.tolist(), strict=True)
        ]
