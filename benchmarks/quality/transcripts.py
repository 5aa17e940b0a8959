"""Transcripts by PocketSphinx, made by several processes and kept on disk: it takes about as long as all the rest.

A transcript is found by the content of the sound and the recogniser, so a set that is built anew costs only the
passages that changed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from speechsearch.domain.values import Audio
from speechsearch.models.base import Recognizer
from speechsearch.models.catalog import catalog
from speechsearch.models.load import ModelLoader

NAME = "pocketsphinx"


@cache
def recognizer() -> Recognizer:
    """Return the recogniser; it loads once a process."""
    return ModelLoader(catalog()).recognizer(NAME)


def transcript_file(folder: Path, sound: Audio) -> Path:
    """Return where the transcript of a sound is kept."""
    digest = hashlib.sha256(f"{recognizer().fingerprint}\n".encode() + sound.samples.tobytes())
    return folder / f"{digest.hexdigest()[:32]}.txt"


def write_down(sound: Audio, file: Path) -> None:
    """Transcribe a sound into a file, which is there whole or not at all."""
    (transcript,) = recognizer().transcribe([sound])
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(transcript.text, encoding="utf-8")
    part.replace(file)


def transcripts(sounds: Sequence[Audio], folder: Path, workers: int) -> list[str]:
    """Return the transcript of every sound, in order; those that are not kept yet are made by ``workers`` processes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [transcript_file(folder, sound) for sound in sounds]
    missing = [(sound, file) for sound, file in zip(sounds, files, strict=True) if not file.is_file()]
    if missing:
        # Started afresh, not forked: the parent may hold the threads of torch.
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for _ in pool.map(write_down, *zip(*missing, strict=True)):
                pass
    return [file.read_text(encoding="utf-8") for file in files]
