"""What is heard or typed in, the address of a passage out: two decoders, of which the second sees encoder and first.

Source: Inaguma et al., 2022, UnitY (arXiv 2212.08055), for two decoders one after the other; dodofk/SpeechGR
(S2GSR-UnitY) for semantic tokens first and the residual codes of a document second.
Differs: the frozen encoder is that of the shipped model; the first decoder writes k-means units of what was heard, not
text; the second attends to the encoder's states and the first decoder's beside each other, in one attention; while it
is trained, some units are wrong, as some of those are that the first will write: without that it trusts them too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechsearch.models.generative.document_codes import padded
from speechsearch.models.mini.acoustic import positions

Hears = Literal["pieces", "frames"]
Bridge = Literal["fused", "aside", "none"]
IGNORED = -100


@dataclass(frozen=True, slots=True)
class UnityConfig:
    """Sizes, and what is read.

    Args:
        hears: of sound: "pieces", the text encoder's states of the word pieces that may have been said, so that sound
            and typed questions are alike; or "frames", the speech encoder's own states, 25 a second.
        sound_dim, text_dim: how wide the states of sound and of typed questions are.
        code_sizes: how many codes each level of an address has.
        units: how many semantic units there are; ``most_units``: so many are written at most.
        bridge: what the second decoder sees of the first: its states ("fused"); nothing, but both are trained
            ("aside"); there is no first decoder ("none").
        stride: of sound, so many states become one.
        most_wrong: while training, a share from 0 up to this of each example's units is replaced by random ones.
    """

    hears: Hears
    sound_dim: int
    text_dim: int
    code_sizes: tuple[int, ...]
    units: int = 128
    most_units: int = 32
    bridge: Bridge = "fused"
    stride: int = 1
    width: int = 192
    heads: int = 4
    semantic_layers: int = 1
    retrieval_layers: int = 2
    dropout: float = 0.1
    most_wrong: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What the second decoder attends to: ``states`` (rows, places, width), and which places are the rows' own."""

    states: Tensor
    is_inside: Tensor

    def repeated(self, times: int) -> Memory:
        """Return every row so many times, one after the other."""
        return Memory(self.states.repeat_interleave(times, 0), self.is_inside.repeat_interleave(times, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What is read, (states, dim) float32; whether it was heard; the units and the tokens that are to be written."""

    states: Tensor
    is_sound: bool
    units: tuple[int, ...]
    tokens: tuple[int, ...]


class Intake(nn.Module):
    """States -> as many vectors of the decoders' width, or one for every ``stride``: normalised, folded, placed."""

    def __init__(self, dim: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.norm = nn.LayerNorm(dim)
        self.fold = nn.Conv1d(dim, width, 2 * stride + 1, stride, padding=stride)

    def forward(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Return (ceil(states / stride), width) of each row (states, dim); a row alone gives what it gives in a batch.

        The convolution sees zeros behind a row's end, as behind the longest.
        """
        filled, _ = padded([self.norm(row) for row in rows])
        folded = F.gelu(self.fold(filled.transpose(1, 2))).transpose(1, 2)
        placed = folded + positions(folded.shape[1], folded.shape[2], folded.device)
        return [one[: -(-len(row) // self.stride)] for one, row in zip(placed, rows, strict=True)]


class Decoder(nn.Module):
    """Writes tokens one after the other while it attends to a memory; ``start`` stands before the first."""

    def __init__(self, vocabulary: int, config: UnityConfig, layers: int) -> None:
        super().__init__()
        width = config.width
        self.start = vocabulary
        self.embed = nn.Embedding(vocabulary + 1, width)
        layer = nn.TransformerDecoderLayer(
            width, config.heads, 4 * width, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, layers, nn.LayerNorm(width))
        self.head = nn.Linear(width, vocabulary)

    def states(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Return the states after the start and each of the tokens, (rows, 1 + so far, width)."""
        before = F.pad(tokens, (1, 0), value=self.start)
        x = self.embed(before) + positions(before.shape[1], self.embed.embedding_dim, before.device)
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        found: Tensor = self.layers(x, memory.states, tgt_mask=ahead, memory_key_padding_mask=~memory.is_inside)
        return found


class UnityModel(nn.Module):
    """Reads states of a frozen encoder and writes semantic units, then the tokens of an address."""

    def __init__(self, config: UnityConfig) -> None:
        super().__init__()
        self.config = config
        self.intakes = nn.ModuleDict({"text": Intake(config.text_dim, config.width, 1)})
        if config.hears == "frames":
            self.intakes["sound"] = Intake(config.sound_dim, config.width, config.stride)
        self.kinds = nn.Embedding(2, config.width)
        self.end = config.units
        self.semantic = Decoder(config.units + 1, config, config.semantic_layers) if config.bridge != "none" else None
        self.retrieval = Decoder(sum(config.code_sizes), config, config.retrieval_layers)

    def read(self, rows: Sequence[Tensor], are_sound: Sequence[bool]) -> Memory:
        """Return what the first decoder attends to, of states (states, dim) each that were heard or typed."""
        names = ["sound" if is_sound and "sound" in self.intakes else "text" for is_sound in are_sound]
        found: dict[int, Tensor] = {}
        for name in sorted(set(names)):
            places = [place for place, one in enumerate(names) if one == name]
            found.update(zip(places, self.intakes[name]([rows[place] for place in places]), strict=True))
        return Memory(*padded([found[place] for place in range(len(rows))]))

    def fused(self, memory: Memory, units: Tensor, is_inside: Tensor) -> tuple[Memory, Tensor]:
        """Return what the second decoder attends to, and the first one's logits (rows, 1 + units, units and end).

        ``units`` (rows, units): what the first has written; ``is_inside`` (rows, 1 + units): which of its states are a
        row's own, that of its start among them.
        """
        assert self.semantic is not None
        states = self.semantic.states(units, memory)
        logits = self.semantic.head(states)
        if self.config.bridge == "aside":
            return memory, logits
        kinds = self.kinds.weight
        both = torch.cat([memory.states + kinds[0], states + kinds[1]], dim=1)
        return Memory(both, torch.cat([memory.is_inside, is_inside], dim=1)), logits

    def losses(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy of semantic units, with their end, and of the tokens of addresses."""
        memory = self.read([one.states for one in examples], [one.is_sound for one in examples])
        of_units = memory.states.new_zeros(())
        if self.semantic is not None:
            rows = [torch.tensor((*one.units, self.end), device=memory.states.device) for one in examples]
            wanted = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=IGNORED)
            units = self.some_wrong(wanted[:, :-1].clamp(min=0)) if self.training else wanted[:, :-1].clamp(min=0)
            memory, logits = self.fused(memory, units, wanted != IGNORED)
            of_units = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
        tokens = torch.tensor([one.tokens for one in examples], device=memory.states.device)
        logits = self.retrieval.head(self.retrieval.states(tokens[:, :-1], memory))
        return of_units, F.cross_entropy(logits.flatten(0, 1), tokens.flatten())

    def some_wrong(self, units: Tensor) -> Tensor:
        """Return units (rows, units) of which some are replaced by random ones, of each row another share."""
        share = torch.rand(len(units), 1, device=units.device) * self.config.most_wrong
        is_wrong = torch.rand(units.shape, device=units.device) < share
        return torch.where(is_wrong, torch.randint_like(units, self.config.units), units)

    @torch.inference_mode()
    def remember(self, rows: Sequence[Tensor], are_sound: Sequence[bool]) -> Memory:
        """Return what the second decoder attends to, after the first has written the likeliest units of each row."""
        memory = self.read(rows, are_sound)
        if self.semantic is None or self.config.bridge == "aside":
            return memory
        units = torch.zeros(len(rows), 0, dtype=torch.long, device=memory.states.device)
        is_inside = torch.ones(len(rows), 1, dtype=torch.bool, device=units.device)
        for _ in range(self.config.most_units):
            last = self.semantic.states(units, memory)[:, -1]
            chosen = self.semantic.head(last).argmax(-1)
            still = is_inside[:, -1] & (chosen != self.end)
            if not still.any():
                break
            units = torch.cat([units, chosen[:, None]], dim=1)
            is_inside = torch.cat([is_inside, still[:, None]], dim=1)
        return self.fused(memory, units, is_inside)[0]

    def next_scores(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Return the log-probabilities of the token after some, (rows, tokens), for ``beam.beam_search``.

        ``tokens`` (rows * beams, so far) of a memory with ``rows``.
        """
        memory = memory.repeated(len(tokens) // len(memory.states))
        last = self.retrieval.states(tokens.to(memory.states.device), memory)[:, -1]
        return F.log_softmax(self.retrieval.head(last), dim=-1)
