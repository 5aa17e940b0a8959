"""From a file to who speaks when in it; nothing is kept, and no data folder is needed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speechsearch import audio
from speechsearch.diarization import Mode, diarize
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.speakers import Diarization
from speechsearch.domain.values import Audio
from speechsearch.models.base import SpeakerEncoder
from speechsearch.models.load import ModelLoader

ENCODER = "ge2e"
"""The speaker encoder that comes as a package."""


class Diarizer:
    """Tells voices apart in files of any length, in bounded memory."""

    def __init__(self, loader: ModelLoader, limits: Limits, encoder: str = ENCODER) -> None:
        """``encoder``: the speaker encoder, by its name in the catalog."""
        self._loader, self._limits, self._encoder = loader, limits, encoder

    @property
    def encoder(self) -> SpeakerEncoder:
        """The speaker encoder, not loaded yet. Raises NotFoundError: there is none of this name."""
        return self._loader.speaker_encoder(self._encoder)

    def diarize(
        self,
        path: Path,
        *,
        speakers: int | None = None,
        mode: Mode = "auto",
        progress: ProgressCallback | None = None,
        name: str = "",
    ) -> Diarization:
        """Return who speaks when in a file; nothing where nobody speaks.

        Args:
            path: the file.
            speakers: how many there are; found where None.
            mode: how voices are told apart, as ``diarization.diarize`` takes it.
            progress: is told how many seconds are done; it may raise to halt the work.
            name: how messages call the file.

        Raises:
            NotFoundError: there is no such speaker encoder.
            InputError: the file has not two channels to tell voices apart by, or the number of speakers is none.
            DecodeError, TooLongError, TooLargeError: the file is no sound that may be read.
            MissingDependencyError, ModelUnavailableError: the speaker encoder cannot be loaded.
        """
        name = name or path.name
        encoder = self.encoder
        encoder.encode([])  # what cannot be loaded is told before the file is read
        blocks: Iterable[Sequence[Audio]] = audio.stream_channels(path, self._limits, name=name)
        if progress:
            blocks = counted(blocks, audio.probe(path, self._limits, name).duration_s, name, progress)
        return diarize(blocks, encoder.encode, speakers=speakers, mode=mode)


def counted(
    blocks: Iterable[Sequence[Audio]], total_s: float, name: str, progress: ProgressCallback
) -> Iterator[Sequence[Audio]]:
    """Yield the blocks, and tell how much of them is done."""
    began_s, done_s = time.monotonic(), 0.0
    for block in blocks:
        rate = done_s / max(1e-9, time.monotonic() - began_s)
        progress(Progress("diarize", name, done_s, total_s, rate, max(0.0, total_s - done_s) / rate if rate else None))
        yield block
        done_s += block[0].duration_s
    progress(Progress("diarize", name, total_s, total_s))
