"""From a file to its codes, computed once: kept on disk by what the file holds and what made them."""

from __future__ import annotations

import logging
import os
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechsearch import audio
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.values import SAMPLE_RATE_HZ
from speechsearch.models.base import AudioTokens
from speechsearch.models.load import ModelLoader

log = logging.getLogger(__name__)

AT_ONCE_S = 60.0
"""A file is tokenised in stretches of this length, each for itself: whole frames of all tokenizers known."""


@dataclass(frozen=True, slots=True)
class FileTokens:
    """A file's codes. ``spent_s``: what computing them took, also where that was before; ``was_kept``: it was."""

    tokens: AudioTokens
    duration_s: float
    spent_s: float
    was_kept: bool


class Tokens:
    """Turns files into codes, in bounded memory."""

    def __init__(self, loader: ModelLoader, limits: Limits, kept: Path) -> None:
        """``kept``: the folder in which codes are kept."""
        self._loader, self._limits, self._kept = loader, limits, kept

    def of(
        self, path: Path, content: str, model: str, *, name: str = "", progress: ProgressCallback | None = None
    ) -> FileTokens:
        """Return the codes of a file, those kept if it was done before.

        Args:
            path: the file.
            content: its sha256.
            model: the audio tokenizer, by its name in the catalog.
            name: how messages call the file.
            progress: is told how many seconds are done; it may raise to halt the work.

        Raises:
            NotFoundError: there is no such tokenizer.
            MissingDependencyError, ModelUnavailableError: it cannot be loaded.
            DecodeError, TooLongError, TooLargeError: the file is no sound that may be read.
        """
        tokenizer = self._loader.audio_tokenizer(model)
        place = self._kept / f"{content}-{tokenizer.fingerprint}.npz"
        known, name = read_kept(place), name or path.name
        if known is not None:
            if progress:
                progress(Progress("tokenize", name, known.duration_s, known.duration_s))
            return known
        total_s = audio.probe(path, self._limits, name).duration_s if progress else 0.0
        tokenizer.tokenize([])  # loads it; that is not the time that codes take
        began_s, samples, parts = time.monotonic(), 0, list[AudioTokens]()
        for sound in audio.stream(path, self._limits, AT_ONCE_S, name):
            parts += tokenizer.tokenize([sound])
            samples += len(sound.samples)
            if progress:
                progress(Progress("tokenize", name, samples / SAMPLE_RATE_HZ, total_s))
        codes = np.concatenate([one.codes for one in parts], axis=1)
        tokens = AudioTokens(codes, parts[0].codebook_size, parts[0].frame_hz)
        made = FileTokens(tokens, samples / SAMPLE_RATE_HZ, time.monotonic() - began_s, was_kept=False)
        keep(place, made)
        return made


def read_kept(place: Path) -> FileTokens | None:
    """Return what was kept; None where nothing was, or what is there is damaged."""
    if not place.is_file():
        return None
    try:
        with place.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            tokens = AudioTokens(file["codes"].astype(np.int16), int(file["codebook_size"]), float(file["frame_hz"]))
            return FileTokens(tokens, float(file["duration_s"]), float(file["spent_s"]), was_kept=True)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is computed anew, since it cannot be read: %s", place, error)
        return None


def keep(place: Path, made: FileTokens) -> None:
    """Write codes so that a crash leaves nothing or all of them."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}.unfinished")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            codes=made.tokens.codes,
            codebook_size=made.tokens.codebook_size,
            frame_hz=made.tokens.frame_hz,
            duration_s=made.duration_s,
            spent_s=made.spent_s,
        )
    part.replace(place)
