"""The stretches of sound that a recogniser hears at once, and transcripts of what it wrote of them."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript, Word

LONGEST_S = 30.0
LONGEST_PIECE_S, CUT_WITHIN_S, CUT_FRAME_S = 27.0, 1.5, 0.1
"""A longer passage is cut into equal pieces, each cut moved to the quietest tenth of a second near it."""
SHORTEST_S = 0.1
"""Nothing can be said in less."""
SILENT = 1e-4
"""No sample of a silent window is larger (-80 dB of full scale): decoders make words up for it."""
TICK_S = 0.02
"""No word is shorter."""
OPENING = "\"'“‘«([{¿¡$€£¥#@"
"""Signs with which a word may begin; others stay with the word before, also after a space."""
LOOPING = 2.4
"""A text that zlib makes so many times smaller repeats itself (Whisper's own threshold)."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A piece of a passage that is heard at once: ``samples`` (n,) float32, at most 30 s, from ``start_s`` on."""

    place: int
    start_s: float
    samples: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What was written of a window; ``words`` has times from the passage's start, and none where the model gives none.

    ``log_probability``: the mean of the ``tokens`` that were written; None where the model does not say.
    """

    window: Window
    text: str = ""
    words: Sequence[Word] = ()
    language: str = ""
    log_probability: float | None = None
    tokens: int = 0


def windows_of(place: int, samples: NDArray[np.float32]) -> list[Window]:
    """Return the windows in which a passage is heard: one up to 30 s, else equal ones, cut where it is quietest.

    >>> [window.duration_s for window in windows_of(0, np.ones(40 * SAMPLE_RATE_HZ, np.float32))]
    [18.5, 21.5]
    """
    rate_hz = SAMPLE_RATE_HZ
    duration_s = len(samples) / rate_hz
    if duration_s < SHORTEST_S:
        return []
    count = 1 if duration_s <= LONGEST_S else math.ceil(duration_s / LONGEST_PIECE_S)
    cuts_s = [0.0, *(quietest_s(samples, duration_s * number / count) for number in range(1, count)), duration_s]
    return [
        Window(place, start_s, samples[round(start_s * rate_hz) : round(end_s * rate_hz)])
        for start_s, end_s in pairwise(cuts_s)
    ]


def audible_windows(sounds: Sequence[Audio]) -> list[Window]:
    """Return the windows of all passages, the long ones first, without those in which there is nothing to hear.

    >>> [one.place for one in audible_windows([Audio(np.full(n, n / 1e4, np.float32)) for n in (0, 2000, 4000)])]
    [2, 1]
    """
    found = [window for place, sound in enumerate(sounds) for window in windows_of(place, sound.samples)]
    audible = [window for window in found if float(np.abs(window.samples).max()) > SILENT]
    return sorted(audible, key=lambda window: -len(window.samples))


def quietest_s(samples: NDArray[np.float32], near_s: float) -> float:
    """Return where to cut a sound: the start of the quietest tenth of a second within 1.5 s of a time.

    >>> sound = np.ones(4 * SAMPLE_RATE_HZ, np.float32)
    >>> sound[3 * SAMPLE_RATE_HZ :] = 0
    >>> quietest_s(sound, 2.0)
    3.0
    """
    step = round(CUT_FRAME_S * SAMPLE_RATE_HZ)
    first = round((near_s - CUT_WITHIN_S) / CUT_FRAME_S)
    frames = samples[first * step :][: round(2 * CUT_WITHIN_S / CUT_FRAME_S) * step].reshape(-1, step)
    return round((first + int((frames**2).mean(1).argmin())) * CUT_FRAME_S, 1)


def transcribe_windows(
    sounds: Sequence[Audio], recognizer: str, batch_windows: int, hear: Callable[[Sequence[Window]], Sequence[Written]]
) -> list[Transcript]:
    """Return one transcript a passage, in order; ``hear`` writes down so many windows of one length at once.

    Where several may be heard at once, each gets silence up to its next whole second, so that windows of one length are
    found, and each gives the same text in whatever company.
    """
    written: list[Written] = []
    windows = audible_windows(sounds)
    groups = [windows] if batch_windows == 1 else by_length(windows)
    for group in groups:
        for start in range(0, len(group), batch_windows):
            batch = group[start : start + batch_windows]
            heard = batch if batch_windows == 1 else [_in_whole_seconds(window) for window in batch]
            written += [_inside(window, one) for window, one in zip(batch, hear(heard), strict=True)]
    return transcripts_of(written, len(sounds), recognizer)


def by_length(windows: Sequence[Window]) -> list[list[Window]]:
    """Return windows in groups of one length in whole seconds, the long ones first.

    >>> windows = [Window(0, 0.0, np.zeros(n, np.float32)) for n in (8_000, 40_000, 12_000)]
    >>> [[len(one.samples) for one in group] for group in by_length(windows)]
    [[40000], [8000, 12000]]
    """
    groups: dict[int, list[Window]] = {}
    for window in windows:
        groups.setdefault(math.ceil(window.duration_s), []).append(window)
    return [groups[length] for length in sorted(groups, reverse=True)]


def _in_whole_seconds(window: Window) -> Window:
    silence = math.ceil(window.duration_s) * SAMPLE_RATE_HZ - len(window.samples)
    return replace(window, samples=np.pad(window.samples, (0, silence)))


def _inside(window: Window, written: Written) -> Written:
    """Return what was written with the window itself, and no word that ends after it."""
    end_s = math.floor((window.start_s + window.duration_s) * 100) / 100
    words = [
        word if word.end_s <= end_s else Word(word.text, min(word.start_s, end_s - TICK_S), end_s)
        for word in written.words
    ]
    return replace(written, window=window, words=words)


def begins_word(text: str) -> bool:
    """Return whether a piece of text after a space is the first one of a word.

    >>> [begins_word(one) for one in ("you", "$5", "(", ",", "?")]
    [True, True, True, False, False]
    """
    return text[0].isalnum() or text[0] in OPENING


def is_loop(text: str) -> bool:
    """Return whether a text repeats itself as nobody does.

    >>> is_loop(" and then" * 40), is_loop(" Why is octopus blood blue?")
    (True, False)
    """
    data = text.encode()
    return len(data) > LOOPING * len(zlib.compress(data))


def transcripts_of(written: Sequence[Written], count: int, recognizer: str) -> list[Transcript]:
    """Return one transcript a passage, ``count`` of them, of what was written of their windows.

    A passage's language is the one of most of its sound; its confidence the mean probability of all its tokens.

    >>> window = Window(1, 0.0, np.zeros(SAMPLE_RATE_HZ, np.float32))
    >>> [transcripts_of([Written(window, "Hi", (), "en", -0.5, 2)], 2, "a")[place].confidence for place in (0, 1)]
    [None, 0.607]
    """
    of_place: list[list[Written]] = [[] for _ in range(count)]
    for one in sorted(written, key=lambda one: one.window.start_s):
        of_place[one.window.place].append(one)
    return [_transcript(found, recognizer) for found in of_place]


def _transcript(written: Sequence[Written], recognizer: str) -> Transcript:
    languages: Counter[str] = Counter()
    for one in written:
        languages[one.language] += len(one.window.samples)
    language = languages.most_common(1)[0][0] if languages else ""
    known = [(one.log_probability, one.tokens) for one in written if one.log_probability is not None and one.tokens]
    tokens = sum(count for _, count in known)
    confidence = round(math.exp(sum(mean * count for mean, count in known) / tokens), 3) if tokens else None
    text = " ".join(one.text for one in written if one.text)
    return Transcript(text, recognizer, tuple(word for one in written for word in one.words), language, confidence)
