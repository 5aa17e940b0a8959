"""From a file to its transcript, piece by piece, by any recogniser; nothing is kept, and no data folder is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from speechsearch import audio
from speechsearch.domain.errors import CapabilityError, ModelUnavailableError, SilentError
from speechsearch.domain.limits import Limits, Segmentation
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.domain.segments import Segment, segment_of
from speechsearch.domain.values import Audio, Transcript
from speechsearch.library.batches import ahead, batches
from speechsearch.models.base import Translator
from speechsearch.models.load import ModelLoader

BATCH_S = 60.0
"""So much sound is written down at once: enough windows for a batch, and soon something to read."""
NO_MEMORY = ("out of memory", "bad_alloc", "can't allocate memory", "failed to allocate memory")
"""What PyTorch, CTranslate2 and ONNX Runtime say where there is too little."""

Write = Callable[[Sequence[Audio]], list[Transcript]]


class Transcriber:
    """Writes down files of any length in bounded memory: cut at pauses, so that no window overlaps another."""

    def __init__(self, loader: ModelLoader, segmentation: Segmentation, limits: Limits) -> None:
        """``segmentation``: how long the windows are; a file is cut at its pauses whatever the method."""
        self._loader, self._limits = loader, limits
        self._segmentation = segmentation.model_copy(update={"method": "pauses"})

    def duration_s(self, path: Path, name: str = "") -> float:
        """Return the length of a file in seconds. Raises DecodeError, TooLongError, TooLargeError."""
        return audio.probe(path, self._limits, name).duration_s

    def segments(
        self,
        path: Path,
        *,
        model: str,
        language: str | None = None,
        hotwords: Sequence[str] = (),
        to_english: bool = False,
        progress: ProgressCallback | None = None,
        name: str = "",
        after_s: float = 0.0,
    ) -> Iterator[Segment]:
        """Return the pieces of a file's transcript, each as soon as it is written; none where nobody speaks.

        The model is loaded, and asked whether it can do all this, before this function returns.

        Args:
            path: the file.
            model: the recogniser, by its name in the catalog.
            language: what is spoken, as ISO 639 writes it; None: what the model detects.
            hotwords: names and terms that may be said.
            to_english: what is said in another language is written in English.
            progress: is told how many seconds are done; it may raise to halt the work.
            name: how messages call the file.
            after_s: what ends up to here was written down before, and is left out.

        Raises:
            NotFoundError: there is no such recogniser.
            MissingDependencyError, ModelUnavailableError: it cannot be loaded, or the memory is too small for it.
            CapabilityError: it does not know the language, takes no hotwords, or does not translate.
            DecodeError, TooLongError, TooLargeError: the file is no sound that may be read; while it is read.
        """
        write = self._writer(model, language, hotwords, to_english)
        write([])
        return self._written(path, write, progress, name, after_s)

    def _writer(self, model: str, language: str | None, hotwords: Sequence[str], to_english: bool) -> Write:
        """Return the function that writes down sounds, or says what the recogniser cannot do."""
        recognizer = self._loader.recognizer(model)

        def write(sounds: Sequence[Audio]) -> list[Transcript]:
            try:
                if to_english:
                    return cast(Translator, recognizer).translate(sounds, language)
                return recognizer.transcribe(sounds, language, hotwords)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                raise ModelUnavailableError(
                    f"There is too little memory for the recognizer '{model}'.",
                    "Choose a smaller model, or another device.",
                ) from error

        if to_english and hotwords:
            raise CapabilityError("Hotwords do not go together with translation.", "Leave one of them out.")
        return write

    def _written(
        self, path: Path, write: Write, progress: ProgressCallback | None, name: str, after_s: float
    ) -> Iterator[Segment]:
        """Yield the segments of a file."""
        total_s = self.duration_s(path, name) if progress else 0.0
        began_s = time.monotonic()

        def tell(done_s: float) -> None:
            if progress:
                rate = max(0.0, done_s - after_s) / max(1e-9, time.monotonic() - began_s)
                left_s = max(0.0, total_s - done_s) / rate if rate else None
                progress(Progress("transcribe", name or path.name, done_s, total_s, rate, left_s))

        tell(0.0)
        found = audio.passages(path, self._segmentation, self._limits, name=name)
        try:
            with closing(ahead(found)) as passages:
                new = (one for one in passages if one[0].end_s > after_s)
                for batch in batches(new, BATCH_S, lambda one: one[1].duration_s):
                    said = write([sound for _, sound in batch])
                    for (span, _), transcript in zip(batch, said, strict=True):
                        if transcript.text.strip():
                            yield segment_of(span, transcript)
                    tell(batch[-1][0].end_s)
        except SilentError:
            pass  # nobody speaks: an empty transcript
        tell(total_s)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether a model failed because there is too little memory.

    >>> is_out_of_memory(RuntimeError("CUDA failed with error out of memory")), is_out_of_memory(RuntimeError("shape"))
    (True, False)
    """
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY)
