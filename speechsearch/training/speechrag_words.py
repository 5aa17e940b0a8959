"""Which word piece is said in which averaged frame, and its embedding: what an adapter's output may be held to.

A forced alignment by the shipped model's phonemes says when each word of a text is said (English). One vector a passage
tells a speech encoder little of where it is wrong; an embedding a frame tells it at every frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from speechsearch.models.base import SoftTextEncoder
from speechsearch.models.load import ModelLoader
from speechsearch.text.spoken import spoken_words
from speechsearch.training.forced_alignment import word_spans
from speechsearch.training.kept_arrays import KeptArrays
from speechsearch.training.speechrag_model import SpeechRag
from speechsearch.training.speechrag_pairs import Kept, KeptPairs

NO_PIECE = -1
ALIGNER = "mini"
Spans = NDArray[np.float32]
"""When each word of a text begins and ends, (words, 2) seconds."""


class Said:
    """The word pieces that are said in each averaged frame of aligned sounds, and their input embeddings."""

    def __init__(self, spans: Mapping[str, Spans], text_encoder: SoftTextEncoder, frame_s: float) -> None:
        """``spans``: by key, see ``aligned``. ``frame_s``: how long an averaged frame lasts."""
        self.spans, self.frame_s, self.tokenizer = spans, frame_s, text_encoder.tokenizer
        self.words = text_encoder.word_embeddings.detach().cpu()
        self._pause = self.tokenizer.encode(",", add_special_tokens=False).ids[-1]

    def pieces(self, row: Kept, frames: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what is said, and what ends, in so many frames of an aligned sound; see ``frame_pieces``."""
        return frame_pieces(row.text, self.spans[row.key], frames, self.frame_s, self.tokenizer)

    def embeddings(self, row: Kept, frames: int) -> Tensor:
        """Return the embeddings of what is said in so many frames, (frames, dim); those of a comma in pauses."""
        said, _ = self.pieces(row, frames)
        return self.words[torch.from_numpy(np.where(said == NO_PIECE, self._pause, said))]


def said_in(model: SpeechRag, pairs: KeptPairs, loader: ModelLoader, folder: Path) -> Said:
    """Return what is said in the frames that a model's adapter averages; alignments are kept in a folder."""
    frame_s = model.encoder.frame_s * model.adapter.sizes.pool
    return Said(aligned(pairs, loader, folder), model.text_encoder, frame_s)


def aligned(pairs: KeptPairs, loader: ModelLoader, folder: Path) -> dict[str, Spans]:
    """Return {key: (words, 2) seconds} of the pairs whose words can be found, kept on disk."""
    encoder = loader.model("speech encoder", ALIGNER)
    kept = KeptArrays(folder / "alignments", 2, np.float32)
    found: dict[str, Spans] = {}
    for one in pairs.rows:
        if one.key not in kept:
            words = [encoder.lexicon.pronounce(word) for word in spoken_words(one.text)]
            (heard,) = encoder.encode_passages([one.load()])
            try:
                spans = word_spans(heard.track, words)
            except ValueError:
                spans = np.zeros((0, 2), np.float32)  # too little is heard for so many words: not aligned
            kept.add(one.key, spans)
        if kept.length(one.key):
            found[one.key] = np.asarray(kept.get(one.key))
    return found


def frame_pieces(
    text: str, spans: Spans, frames: int, frame_s: float, tokenizer: Tokenizer
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (said, ends), each (frames,) int64: the piece that is said in a frame, and the one that ends there.

    A word's pieces share its time evenly; NO_PIECE where none is said, or ends.
    """
    said, ends = np.full(frames, NO_PIECE, np.int64), np.full(frames, NO_PIECE, np.int64)
    for word, (start_s, end_s) in zip(spoken_words(text), spans, strict=True):
        pieces = tokenizer.encode(word, add_special_tokens=False).ids
        for number, piece in enumerate(pieces):
            first = int((start_s + (end_s - start_s) * number / len(pieces)) / frame_s)
            last = int((start_s + (end_s - start_s) * (number + 1) / len(pieces)) / frame_s)
            last = min(max(first, last - 1), frames - 1)
            said[first : last + 1] = piece
            if first < frames:
                ends[last] = piece
    return said, ends
