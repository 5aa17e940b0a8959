"""Speech with phoneme labels on disk: one raw PCM file and one JSON line an utterance, read through a memory map."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Utterance:
    """Where an utterance lies in its shard, what is said and who says it."""

    offset: int
    samples: int
    symbols: list[int]
    text: str
    voice: str


class ShardWriter:
    """Appends utterances to ``<path>.pcm`` and ``<path>.jsonl``."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.pcm = open(path.with_suffix(".pcm"), "wb")
        self.rows = open(path.with_suffix(".jsonl"), "w", encoding="utf-8")
        self.offset = 0

    def add(self, samples: NDArray[np.int16], symbols: list[int], text: str, voice: str) -> None:
        """Write one utterance."""
        row = Utterance(self.offset, len(samples), symbols, text, voice)
        self.pcm.write(samples.tobytes())
        self.rows.write(json.dumps(asdict(row)) + "\n")
        self.offset += len(samples)

    def close(self) -> None:
        """Flush both files."""
        self.pcm.close()
        self.rows.close()


class Shard:
    """The utterances of one shard; sound is read when asked for."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.pcm = np.memmap(path.with_suffix(".pcm"), dtype=np.int16, mode="r")
        with open(path.with_suffix(".jsonl"), encoding="utf-8") as lines:
            self.utterances = [Utterance(**json.loads(line)) for line in lines]

    def sound(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return an utterance's samples, (samples,) float32 in [-1, 1]."""
        piece = self.pcm[utterance.offset : utterance.offset + utterance.samples]
        return piece.astype(np.float32) / 32768.0
