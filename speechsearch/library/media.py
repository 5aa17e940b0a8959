"""Files made from a recording's sound: the peaks of its waveform, a copy that browsers can play.

They may be removed at any time and are made again when they are asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch import audio
from speechsearch.audio.peaks import peaks_of
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.limits import Limits

PEAKS, COPY = ".peaks", ".flac"


class DerivedFiles:
    """A folder with the files made from each recording."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self._limits = folder, limits
        folder.mkdir(parents=True, exist_ok=True)
        self._making = threading.Lock()

    def peaks(self, recording_id: str, media: Path) -> NDArray[np.uint8]:
        """Return the peaks of a recording's waveform, (steps,) uint8. Raises DecodeError, NotFoundError."""
        path = self._made(
            recording_id + PEAKS, media, lambda target: write_peaks(target, peaks_of(audio.stream(media, self._limits)))
        )
        return np.fromfile(path, np.uint8)

    def keep_peaks(self, recording_id: str, peaks: NDArray[np.uint8]) -> None:
        """Keep peaks that were found while the recording was decoded for something else."""
        with self._making:
            self._make(recording_id + PEAKS, lambda target: write_peaks(target, peaks))

    def playable(self, recording_id: str, media: Path) -> tuple[Path, str]:
        """Return a file with a recording's sound that browsers play, and its media type.

        That is the recording itself or, where browsers do not know its format or jump in it to the wrong second, a
        copy. Raises DecodeError, NotFoundError.
        """
        if kind := audio.media_type(media):
            return media, kind
        make = lambda target: audio.write_flac(target, audio.stream(media, self._limits))  # noqa: E731
        return self._made(recording_id + COPY, media, make), "audio/flac"

    def remove(self, recording_id: str) -> None:
        """Remove what was made from a recording; call it when the recording itself is gone."""
        for suffix in (PEAKS, COPY):
            (self.folder / (recording_id + suffix)).unlink(missing_ok=True)

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


def write_peaks(target: Path, peaks: NDArray[np.uint8]) -> None:
    """Write peaks to a file, one byte each."""
    target.write_bytes(peaks.tobytes())
