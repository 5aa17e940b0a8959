"""The sound of known stretches of a recording of the library, read once from its start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from speechsearch.audio.decode import BLOCK_S, blocks, read_span
from speechsearch.audio.passages import Recent
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio, Span


def sounds_at(path: Path, spans: Sequence[Span], limits: Limits, name: str = "") -> Iterator[Audio]:
    """Yield the sound of spans that are in order of time, each as soon as it is read; ``name``: for messages.

    Raises:
        DecodeError: the file is not readable sound.
        TooLongError, TooLargeError: it is past the limits.
    """
    if not spans:
        return
    kept_s = 2 * max(span.duration_s for span in spans) + 60.0
    recent = Recent(blocks(path, limits, limits.duration_s, BLOCK_S, name), kept_s)
    coming = iter(recent)
    for span in spans:
        while recent.end_s < span.end_s and next(coming, None) is not None:
            pass
        yield recent.part(span) or read_span(path, span, name)
