"""Files made from a recording's sound: the peaks of its waveform, a copy where its own file cannot be jumped in.

They may be removed at any time and are made again when they are asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch import audio
from speechsearch.audio.peaks import peaks_of
from speechsearch.audio.untrusted import read_span
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio, Recording, Span

PEAKS, COPY = ".peaks", ".flac"
TOKENS = "tokens"
"""The folder, in that of the data, with the codes of files: <sha256 of the file>-<what made them>."""


class DerivedFiles:
    """A folder with the files made from each recording; ``tokens``: that of the codes of files, by content."""

    def __init__(self, folder: Path, tokens: Path, limits: Limits) -> None:
        self.folder, self._tokens, self._limits = folder, tokens, limits
        folder.mkdir(parents=True, exist_ok=True)
        self._making = threading.Lock()

    def peaks(self, recording: Recording, media: Path) -> NDArray[np.uint8]:
        """Return the peaks of a recording's waveform, (steps,) uint8. Raises DecodeError, NotFoundError."""
        make = lambda target: write_peaks(target, peaks_of(self._stream(recording, media)))  # noqa: E731
        return np.fromfile(self._made(recording.recording_id + PEAKS, media, make), np.uint8)

    def keep_peaks(self, recording_id: str, peaks: NDArray[np.uint8]) -> None:
        """Keep peaks that were found while the recording was decoded for something else."""
        with self._making:
            self._make(recording_id + PEAKS, lambda target: write_peaks(target, peaks))

    def playable(self, recording: Recording, media: Path) -> tuple[Path, str]:
        """Return a file with a recording's sound that browsers play as we heard it, and its media type.

        That is the recording itself or, where browsers do not know its format, or where its own tables do not lead them
        to the right second, a copy. Raises DecodeError, NotFoundError.
        """
        copy = self.folder / (recording.recording_id + COPY)
        if not copy.exists() and (kind := _media_type(media, recording.duration_s)):
            return media, kind
        make = lambda target: audio.write_flac(target, self._stream(recording, media))  # noqa: E731
        return self._made(copy.name, media, make), "audio/flac"

    def sound(self, recording: Recording, media: Path, span: Span) -> Audio:
        """Return a stretch of a recording, from the very file that is played. Raises DecodeError, NotFoundError."""
        path, _ = self.playable(recording, media)
        return _read_span(path, span, recording.file_name)

    def _stream(self, recording: Recording, media: Path) -> Iterator[Audio]:
        return audio.stream(media, self._limits, name=recording.file_name)

    def remove(self, recording_id: str) -> None:
        """Remove what was made from a recording; call it when the recording itself is gone."""
        _read_span.cache_clear()
        for suffix in (PEAKS, COPY):
            (self.folder / (recording_id + suffix)).unlink(missing_ok=True)
        for codes in self._tokens.glob(f"{recording_id}-*"):
            codes.unlink(missing_ok=True)

    def _made(self, name: str, media: Path, make: Callable[[Path], None]) -> Path:
        """Return a file of the folder, made first if need be; one at a time, since each takes a whole core."""
        target = self.folder / name
        if target.exists():
            return target
        with self._making:
            if not target.exists():
                self._make(name, make)
            if not media.exists():  # deleted meanwhile, perhaps before this file was there
                target.unlink()
                raise NotFoundError("The audio of this recording is gone.")
        return target

    def _make(self, name: str, make: Callable[[Path], None]) -> None:
        unfinished = self.folder / f"{name}.unfinished"
        try:
            make(unfinished)
            unfinished.replace(self.folder / name)
        finally:
            unfinished.unlink(missing_ok=True)


_READING = threading.BoundedSemaphore(2)


@lru_cache(maxsize=64)
def _read_span(path: Path, span: Span, name: str) -> Audio:
    """Return a stretch of a file, kept for a while: a player asks for one clip several times, part by part."""
    with _READING:
        return read_span(path, span, name)


@lru_cache(maxsize=4096)
def _media_type(media: Path, duration_s: float) -> str:
    """Return the media type of a file of the library, which is named after its content and never changes."""
    return audio.media_type(media, duration_s)


def write_peaks(target: Path, peaks: NDArray[np.uint8]) -> None:
    """Write peaks to a file, one byte each."""
    target.write_bytes(peaks.tobytes())
