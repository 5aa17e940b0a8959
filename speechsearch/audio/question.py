"""A spoken question: only what is said of it counts, however long one waits before, after or within."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechsearch.audio.untrusted import load
from speechsearch.audio.voice_activity import speech_spans
from speechsearch.domain.errors import SilentError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

MARGIN_S = 0.2
"""Kept before and after speech, so that a longer pause within becomes twice that."""


def question(source: Path | bytes, limits: Limits) -> Audio:
    """Return what is said in a spoken question.

    Raises:
        DecodeError: it is not readable sound.
        TooLongError: it is longer than ``limits.query_audio_s``.
        SilentError: nothing is said in it.
    """
    name = source.name if isinstance(source, Path) else "The question"
    return said(load(source, limits, limits.query_audio_s, name))


def said(sound: Audio) -> Audio:
    """Return the speech of a sound, with short pauses within and around it, whether they were there or not.

    Raises:
        SilentError: there is no speech.
    """
    samples = np.pad(sound.samples, round(MARGIN_S * SAMPLE_RATE_HZ))
    wanted = np.zeros(len(samples), bool)
    for span in speech_spans([Audio(samples)]):
        start, end = (round(time_s * SAMPLE_RATE_HZ) for time_s in (span.start_s - MARGIN_S, span.end_s + MARGIN_S))
        wanted[max(0, start) : end] = True
    if not wanted.any():
        raise SilentError("Nothing is said in the question.", "Speak closer to the microphone, or type it.")
    return Audio(samples[wanted])
