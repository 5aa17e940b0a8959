"""Make a conversation of several people out of the samples: what they read, in turns.

For tests and pictures of the page, where who speaks is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechsearch import audio
from speechsearch.audio import to_wav
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio

READERS = ("s001", "s003")
PAUSE_S, LONGEST_S = 0.6, 600.0


def conversation(readers: Sequence[str] = READERS, turns: int = 3, turn_s: float = 7.0) -> bytes:
    """Return as WAV what the readers of some samples say, one after the other, so many turns each.

    Args:
        readers: names of samples, like s001.
        turns: how often each speaks.
        turn_s: how long each turn is.
    """
    sounds = [audio.load(SAMPLES / "audio" / f"{name}.opus", Limits(), LONGEST_S).samples for name in readers]
    pause, length = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32), int(turn_s * SAMPLE_RATE_HZ)
    parts = []
    for turn in range(turns):
        for sound in sounds:
            parts += [sound[turn * length : (turn + 1) * length], pause]
    return to_wav(Audio(np.concatenate(parts)))


def write(path: Path, readers: Sequence[str] = READERS, turns: int = 3) -> Path:
    """Write a conversation and return its path."""
    path.write_bytes(conversation(readers, turns))
    return path
