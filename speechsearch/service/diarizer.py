"""Who speaks when in any file; nothing is kept, and no data folder is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from speechsearch import audio
from speechsearch.diarization import Mode, diarize
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.speakers import Diarization
from speechsearch.domain.values import Audio
from speechsearch.models.load import ModelLoader

ENCODER = "ge2e"


class Diarizer:
    """Tells the voices of files of any length apart, in bounded memory."""

    def __init__(self, loader: ModelLoader, limits: Limits, encoder: str = ENCODER) -> None:
        """``encoder``: the speaker encoder, by its name in the catalog."""
        self._loader, self._limits, self._encoder = loader, limits, encoder

    def diarize(
        self,
        path: Path,
        *,
        speakers: int | None = None,
        mode: Mode = "auto",
        progress: ProgressCallback | None = None,
        name: str = "",
    ) -> Diarization:
        """Return who speaks when; nothing where nobody speaks.

        Args:
            path: the file.
            speakers: how many there are; found where None.
            mode: how voices are told apart, as ``diarization.diarize`` takes it.
            progress: is told how many seconds have been read; it may raise to halt the work.
            name: how messages call the file.

        Raises:
            InputError: there are not so many speakers, or not the channels that the mode wants.
            MissingDependencyError, ModelUnavailableError: the speaker encoder cannot be loaded.
            DecodeError, TooLongError, TooLargeError: the file is no sound that may be read.
        """
        sound = self._blocks(path, progress, name)
        return diarize(sound, self._loader.speaker_encoder(self._encoder).encode, speakers=speakers, mode=mode)

    def _blocks(self, path: Path, progress: ProgressCallback | None, name: str) -> Iterator[Sequence[Audio]]:
        done_s = 0.0
        for block in audio.stream_channels(path, self._limits, name=name):
            if progress:
                progress(Progress("diarize", name or path.name, done_s, 0.0))
            yield block
            done_s += block[0].duration_s
