"""Transcripts that are kept on disk: a recogniser is asked once for every sound, however often a run is started anew.

A transcript is found by the content of the sound and the recogniser, so a set that is built anew costs only the
passages that changed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from speechsearch.domain.values import Audio, Transcript
from speechsearch.models.base import Recognizer


class KeptTranscripts:
    """Stands for a recogniser, whose transcripts it keeps in a folder; passages and spoken questions alike."""

    def __init__(self, inner: Recognizer, folder: Path) -> None:
        self.inner, self.folder = inner, folder
        self.name, self.fingerprint = inner.name, inner.fingerprint
        self._made, self._seconds = 0, 0.0

    def file(self, sound: Audio, language: str | None = None) -> Path:
        """Return where the transcript of a sound is kept."""
        maker = self.fingerprint if language is None else f"{self.fingerprint} {language}"
        digest = hashlib.sha256(f"{maker}\n".encode() + sound.samples.tobytes())
        return self.folder / f"{digest.hexdigest()[:32]}.txt"

    def transcribe(self, sounds: Sequence[Audio], language: str | None = None) -> list[Transcript]:
        """Return one transcript a sound, in order, without times; the recogniser writes down what is missing.

        Raises:
            CapabilityError: the recogniser does not know the language.
        """
        files = [self.file(sound, language) for sound in sounds]
        missing = {file: sound for file, sound in zip(files, sounds, strict=True) if not file.is_file()}
        if missing:
            started = time.perf_counter()
            made = self.inner.transcribe(list(missing.values()), language)
            self._made, self._seconds = self._made + len(made), self._seconds + time.perf_counter() - started
            for file, transcript in zip(missing, made, strict=True):
                keep(file, transcript.text)
        return [Transcript(file.read_text(encoding="utf-8"), self.name) for file in files]

    def news(self) -> str:
        """Return what the recogniser wrote down since this was asked last; empty when that is nothing."""
        said = f"{self.name}: {self._made} in {self._seconds:.0f} s" if self._made else ""
        self._made, self._seconds = 0, 0.0
        return said


def keep(file: Path, text: str) -> None:
    """Write a transcript into a file, which is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
