"""Who speaks when, as a script says it: stands where the library calls ``diarize``; nothing is listened to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from speechsearch.domain.speakers import Diarization, Turn, Voice
from speechsearch.domain.values import Audio, FloatMatrix, Span

DIM = 16
Script = Sequence[tuple[float, str]]
"""Who speaks from which second on, until the next one does; the last entry says when it ends."""


def sounding(*people: str) -> FloatMatrix:
    """The unit vector of somebody's voice; of several, a voice between theirs, nearest to who is named most often."""
    vector = np.zeros(DIM, np.float32)
    for one in people:
        vector[ord(one[0]) % DIM] += 1.0
    return vector / np.float32(np.linalg.norm(vector))


def acted(script: Script) -> Diarization:
    """The diarization of a script."""
    people = list(dict.fromkeys(person for _, person in script[:-1]))
    turns = tuple(
        Turn(Span(start_s, end_s), people.index(person) + 1) for (start_s, person), (end_s, _) in pairwise(script)
    )
    speech_s = [
        sum(one.span.duration_s for one in turns if one.voice == number) for number in range(1, len(people) + 1)
    ]
    voices = (
        Voice(number, sounding(*person.split("+")), spoken_s)
        for number, (person, spoken_s) in enumerate(zip(people, speech_s, strict=True), 1)
    )
    return Diarization(turns, tuple(voices))


def acting(scripts: Mapping[int, Script]) -> Callable[..., Diarization]:
    """What ``diarize`` gives of recordings that are so many seconds long."""

    def diarize(sound: Iterable[Sequence[Audio]], encode: object) -> Diarization:
        return acted(scripts[round(sum(block[0].duration_s for block in sound))])

    return diarize
