"""The whole way from sound to who speaks when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from speechsearch.diarization.clustering import centroids_of, cluster
from speechsearch.diarization.turns import frame_voices, turns_of
from speechsearch.diarization.windows import Encode, hear
from speechsearch.domain.speakers import Diarization, Turn, Voice
from speechsearch.domain.values import Audio, FloatMatrix, Span

Mode = Literal["auto", "channel", "cluster"]
LONGEST_PAUSE_S = 0.5
"""Within a turn."""


def diarize(
    sound: Audio | Iterable[Audio], encode: Encode, *, speakers: int | None = None, mode: Mode = "auto"
) -> Diarization:
    """Return who speaks when; nothing where nobody speaks. Memory does not grow with the length of the sound.

    Args:
        sound: a sound, or consecutive blocks of one, as ``audio.stream`` gives them.
        encode: a speaker encoder.
        speakers: how many there are; found where None.
        mode: "channel" takes each channel for a voice, "cluster" tells voices apart by how they sound, "auto" chooses.
    """
    heard = hear([sound] if isinstance(sound, Audio) else sound, encode)
    if not heard.windows:
        return Diarization((), ())
    labels = cluster(heard.vectors, speakers)
    centroids = centroids_of(heard.vectors, labels)
    similarity = heard.vectors @ centroids.T
    turns: list[Turn] = []
    place = 0
    for span in heard.speech:
        end = place
        while end < len(heard.windows) and heard.windows[end].end_s <= span.end_s + 1e-6:
            end += 1
        if end > place:
            turns += turns_of(span, frame_voices(span, heard.windows[place:end], similarity[place:end]))
        place = end
    return named(joined(turns), centroids)


def named(turns: Sequence[Turn], centroids: FloatMatrix) -> Diarization:
    """Return turns with voices numbered in the order in which they first speak; who never speaks is left out."""
    numbers = {voice: number for number, voice in enumerate(dict.fromkeys(turn.voice for turn in turns), start=1)}
    spoken_s = dict.fromkeys(numbers.values(), 0.0)
    for turn in turns:
        spoken_s[numbers[turn.voice]] += turn.span.duration_s
    voices = (Voice(number, centroids[voice - 1], spoken_s[number]) for voice, number in numbers.items())
    return Diarization(tuple(replace(turn, voice=numbers[turn.voice]) for turn in turns), tuple(voices))


def joined(turns: Iterable[Turn]) -> list[Turn]:
    """Return turns with those of one voice put together where only a short pause is between.

    >>> found = joined([Turn(Span(0, 1), 1), Turn(Span(1.2, 2), 1), Turn(Span(2, 3), 2)])
    >>> [(turn.span.start_s, turn.span.end_s, turn.voice) for turn in found]
    [(0, 2, 1), (2, 3, 2)]
    """
    found: list[Turn] = []
    for turn in turns:
        last = found[-1] if found else None
        if last and last.voice == turn.voice and turn.span.start_s - last.span.end_s <= LONGEST_PAUSE_S:
            found[-1] = Turn(Span(last.span.start_s, turn.span.end_s), turn.voice)
        else:
            found.append(turn)
    return found
