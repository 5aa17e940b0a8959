"""Batches of what is heard and what was said: states of the frozen part of the speech encoder, vectors of the texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.values import Audio
from speechsearch.models.base import SoftTextEncoder
from speechsearch.models.frames import FrameEncoder
from speechsearch.training.kept_arrays import KeptArrays, content_key
from speechsearch.training.speechrag_config import DataGroup, SourceGroup
from speechsearch.training.speechrag_data import Example, examples_of, within

HEARD_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """Of an example the key of its states, its text, and what reads its sound."""

    key: str
    text: str
    load: Callable[[], Audio]


class Batch(NamedTuple):
    """The states of each sound before the trained layers, (frames, width), and the texts' unit vectors, (sounds, dim).

    ``rows``: the examples themselves, where they are kept.
    """

    states: list[Tensor]
    vectors: Tensor
    rows: Sequence[Kept] = ()


class Pairs(Protocol):
    """Gives batches by their number, the same batch for the same number."""

    def batch(self, number: int, size: int) -> Batch:
        """Return a batch; numbers come in ascending order."""


class Targets:
    """The text encoder's vectors of texts, kept on disk by content."""

    def __init__(self, text_encoder: SoftTextEncoder, folder: Path) -> None:
        self._encoder = text_encoder
        name = content_key(text_encoder.fingerprint)
        self._kept = KeptArrays(folder / f"texts-{name}", text_encoder.dim, np.float32)

    def of(self, texts: Sequence[str]) -> Tensor:
        """Return one unit vector a text, (texts, dim) float32; each text is encoded once."""
        keys = [content_key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if new:
            for key, vector in zip(new, self._encoder.encode_passages(list(new.values())), strict=True):
                self._kept.add(key, vector[None])
        return torch.from_numpy(np.concatenate([self._kept.get(key) for key in keys]))


class KeptPairs:
    """Pairs whose states are kept on disk: batches are drawn at random, no example twice in one."""

    def __init__(self, rows: Sequence[Kept], states: KeptArrays, targets: Targets, seed: int) -> None:
        self.rows, self.states, self.targets, self._seed = rows, states, targets, seed

    def batch(self, number: int, size: int) -> Batch:
        """Return a batch, drawn by its number alone."""
        rng = np.random.default_rng([self._seed, number])
        return self.of(rng.choice(len(self.rows), min(size, len(self.rows)), replace=False).tolist())

    def of(self, places: Sequence[int]) -> Batch:
        """Return the pairs at some places."""
        chosen = [self.rows[place] for place in places]
        states = [torch.from_numpy(self.states.get(one.key).astype(np.float32)) for one in chosen]
        return Batch(states, self.targets.of([one.text for one in chosen]), chosen)


def kept_pairs(
    sources: Iterable[SourceGroup],
    data: DataGroup,
    encoder: FrameEncoder,
    top: int,
    targets: Targets,
    folder: Path,
    seed: int,
    say: Callable[[str], None],
) -> KeptPairs:
    """Return all pairs of sources; what was not heard before is heard now and kept in a folder.

    Raises:
        NotFoundError, InputError: a source cannot be used.
        ConfigurationError: there is nothing in them.
    """
    name = f"states-{content_key(encoder.fingerprint)}-{top}"
    states = KeptArrays(folder / name, encoder.width, np.float16)
    rows: list[Kept] = []
    found = (pair for source in sources for pair in within(examples_of(source), data, source.hours))
    while some := list(islice(found, HEARD_AT_ONCE)):
        keys = [content_key(sound.samples) for _, sound in some]
        new = {key: sound.samples for key, (_, sound) in zip(keys, some, strict=True) if key not in states}
        if new:
            for key, heard in zip(new, encoder.below(list(new.values()), top), strict=True):
                states.add(key, heard.float().cpu().numpy())
        rows += [Kept(key, one.text, one.load) for key, (one, _) in zip(keys, some, strict=True)]
        if new and len(rows) % (HEARD_AT_ONCE * 25) == 0:
            say(f"{len(rows)} sounds heard")
    if not rows:
        raise ConfigurationError("There is nothing to train on: no sound of a fitting length with a text.")
    return KeptPairs(rows, states, targets, seed)


class LivePairs:
    """Pairs that are heard as they come, in the order of their sources, without end: for what is too large to keep."""

    def __init__(
        self, sources: Sequence[SourceGroup], data: DataGroup, encoder: FrameEncoder, top: int, targets: Targets
    ) -> None:
        self._sources, self._data, self._encoder, self._top = sources, data, encoder, top
        self._targets, self._next, self._examples = targets, 0, self._endless()

    def batch(self, number: int, size: int) -> Batch:
        """Return the batch of a number; those before it that nobody asked for are gone past."""
        while self._next <= number:
            some = [next(self._examples) for _ in range(size)]
            self._next += 1
        sounds = [sound.samples for _, sound in some]
        return Batch(self._encoder.below(sounds, self._top), self._targets.of([one.text for one, _ in some]))

    def _endless(self) -> Iterator[tuple[Example, Audio]]:
        for source in cycle(self._sources):
            yield from within(examples_of(source), self._data, source.hours)
