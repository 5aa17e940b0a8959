"""Language models that hear: what a speech encoder makes of a sound goes into a frozen language model as vectors.

Source: Ma et al., 2024, SLAM-ASR (arXiv 2402.08846): a projector of two linear layers between a frozen speech encoder
and a frozen language model is all that is trained.
Differs: the encoder's frames are not pooled by a fixed number, but to one vector a word piece, where the shipped
encoder's own adapter hears it end: about four a second in place of ten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Audio
from speechsearch.models.base import Message
from speechsearch.models.causal_lm import CausalNetwork, open_files
from speechsearch.models.conversation import check_length, prompt_of
from speechsearch.models.load import Located
from speechsearch.models.mini.encoder import MiniSpeechEncoder
from speechsearch.models.mini.packed import unpacked
from speechsearch.models.speech_language_cards import CONFIG, WEIGHTS, language_files


def load(located: Located) -> ProjectedSpeechModel:
    """Return the model of a projector's files, over the speech encoder that its card needs and a language model.

    Raises:
        ModelUnavailableError: they do not fit each other, or the encoder is not the one that it was trained for.
    """
    card, (encoder,) = located.card, located.needed.values()
    try:
        config = json.loads(located.files[CONFIG].read_text(encoding="utf-8"))
        if not isinstance(encoder, MiniSpeechEncoder) or encoder.fingerprint != config["speech_encoder"]["fingerprint"]:
            raise ValueError(f"it was trained for the speech encoder {config['speech_encoder']['fingerprint']}")
        opened = open_files(card.name, language_model_paths(located), located.device, located.bits)
        projector = Projector(encoder.model.text_encoder.dim, int(config["hidden"]), width_of(opened))
        projector.load_state_dict(unpacked(load_file(located.files[WEIGHTS])))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailableError(
            f"The speech language model '{card.name}' cannot be loaded: {error}.",
            "Train it again with `python -m speechsearch.training.train_understand`.",
        ) from error
    projector.to(located.device.torch_device)
    return ProjectedSpeechModel(card.name, card.fingerprint, encoder, projector, opened)


def language_model_paths(located: Located) -> dict[str, Path]:
    """Return where the language model's files lie, its weights first."""
    return {file.name: located.files[file.name] for file in language_files(located.card)}


def width_of(opened: CausalNetwork) -> int:
    """Return how many numbers stand for a token that a language model reads."""
    return int(opened.network.get_input_embeddings().weight.shape[1])


class Projector(nn.Module):
    """Two linear layers from a speech encoder's vectors to those that a language model reads."""

    def __init__(self, dim: int, hidden: int, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(dim, hidden)
        self.outputs = nn.Linear(hidden, width)

    def forward(self, heard: Tensor) -> Tensor:
        """Return what the language model reads, (vectors, width) float32, of what was heard, (vectors, dim)."""
        found: Tensor = self.outputs(nn.functional.gelu(self.inputs(heard)))
        return found


def around(tokenizer: object, instruction: str) -> tuple[list[int], list[int]]:
    """Return the tokens of a conversation before and after what is heard: the instruction, then whose turn it is.

    Raises:
        ModelUnavailableError: the language model has no template of conversations.
    """
    one, other = (prompt_of(tokenizer, [Message("user", text)]) for text in ("a", "b"))
    size = common_end(one, other)
    whole = prompt_of(tokenizer, [Message("user", f"{instruction}\n")])
    return whole[: len(whole) - size], whole[len(whole) - size :]


def common_end(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many of the last tokens two texts have in common.

    >>> common_end([1, 2, 7, 8], [1, 3, 7, 8]), common_end([1], [2])
    (2, 0)
    """
    size = 0
    while size < min(len(one), len(other)) and one[-1 - size] == other[-1 - size]:
        size += 1
    return size


class ProjectedSpeechModel:
    """Hears through a projector and answers token by token, the likeliest one each time."""

    def __init__(
        self, name: str, fingerprint: str, encoder: MiniSpeechEncoder, projector: Projector, opened: CausalNetwork
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self.encoder, self.opened = encoder, opened
        self.projector = projector.train(False).requires_grad_(False)

    def features_shape(self, sound: Audio) -> tuple[int, int]:
        """Return how many vectors the language model is given of a sound, and how many numbers each has."""
        (heard,) = self.encoder.model.hear([sound])
        return len(heard.tokens), self.projector.outputs.out_features

    def understand(self, sounds: Sequence[Audio], instruction: str, max_tokens: int) -> list[str]:
        """Return what is answered about each sound, in order; the text is empty where nothing is heard.

        Raises:
            ModelUnavailableError: the sound or the instruction is longer than what the language model reads.
        """
        return [
            self.answer(one.tokens, instruction, max_tokens) if len(one.tokens) else ""
            for one in self.encoder.model.hear(sounds)
        ]

    @torch.inference_mode()
    def answer(self, heard: Tensor, instruction: str, max_tokens: int) -> str:
        """Return what is answered about one sound, of which (vectors, dim) was heard."""
        network, tokenizer = self.opened.network, self.opened.tokenizer
        before, after = around(tokenizer, instruction)
        check_length(self.name, len(before) + len(heard) + len(after) + max_tokens, self.opened.longest)
        embed = network.get_input_embeddings()
        device = embed.weight.device
        read = self.projector(heard.to(self.projector.inputs.weight.device)).to(device, embed.weight.dtype)
        parts = (embed(torch.tensor(before, device=device)), read, embed(torch.tensor(after, device=device)))
        new, cache, tokens = torch.cat(parts)[None], None, list[int]()
        while len(tokens) < max_tokens:
            found = network(inputs_embeds=new, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token, cache = int(found.logits[0, -1].argmax()), found.past_key_values
            if token in self.opened.ends:
                break
            tokens.append(token)
            new = embed(torch.tensor([[token]], device=device))
        return str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()
