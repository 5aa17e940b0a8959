"""The whole way from sound to who speaks when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal

import numpy as np

from speechsearch.audio.resample import to_mono
from speechsearch.diarization.channels import hold_different_voices, looked_at, pairs, speech_of_channels
from speechsearch.diarization.clustering import centroids_of, cluster
from speechsearch.diarization.turns import numbered, spans_in, voices_over_time
from speechsearch.diarization.windows import Encode, hear
from speechsearch.domain.errors import InputError
from speechsearch.domain.speakers import Diarization, Turn
from speechsearch.domain.values import Audio

Mode = Literal["auto", "channel", "cluster"]


def diarize(
    sound: Audio | Iterable[Audio | Sequence[Audio]],
    encode: Encode,
    *,
    speakers: int | None = None,
    mode: Mode = "auto",
) -> Diarization:
    """Return who speaks when; nothing where nobody speaks. Memory does not grow with the length of the sound.

    Args:
        sound: a sound, or consecutive blocks of one: as ``audio.stream`` gives them, or ``audio.stream_channels``.
        encode: a speaker encoder.
        speakers: how many there are; found where None.
        mode: "channel" takes each of two channels for a voice, "cluster" tells voices apart by how they sound, "auto"
            chooses: the channels where both have speech of their own.

    Raises:
        InputError: the number of speakers is none, or the sound has no two channels to tell voices apart by.
    """
    if speakers is not None and speakers < 1:
        raise InputError(f"There cannot be {speakers} speakers.", "Give 1 or more, or let them be counted.")
    blocks = channels_of(sound)
    first = next(blocks, None)
    if first is None:
        return Diarization((), ())
    blocks = chain([first], blocks)
    if len(first) == 2 and mode != "cluster" and speakers in (None, 2):
        stereo = pairs(blocks)
        beginning, stereo = looked_at(stereo)
        if mode == "channel" or hold_different_voices(beginning):
            return by_channel(stereo, encode)
        blocks = stereo
    elif mode == "channel":
        raise InputError(
            f"Voices cannot be told apart by {len(first)} channel for {speakers or 'any number of'} speakers.",
            "Choose the mode cluster or auto.",
        )
    return by_sound(map(mono, blocks), encode, speakers)


def channels_of(sound: Audio | Iterable[Audio | Sequence[Audio]]) -> Iterator[Sequence[Audio]]:
    """Yield blocks as the sounds of their channels."""
    for block in [sound] if isinstance(sound, Audio) else sound:
        yield (block,) if isinstance(block, Audio) else block


def mono(channels: Sequence[Audio]) -> Audio:
    """Return the mean of channels."""
    if len(channels) == 1:
        return channels[0]
    return Audio(to_mono(np.stack([one.samples for one in channels], axis=1)))


def by_channel(blocks: Iterable[tuple[Audio, Audio]], encode: Encode) -> Diarization:
    """Return who speaks when in a call with a person on each channel."""
    turns: list[Turn] = []
    vectors = []
    for voice, (spans, examples) in enumerate(speech_of_channels(blocks, encode), start=1):
        turns += [Turn(span, voice) for span in spans]
        vectors.append(centroids_of(examples, np.zeros(len(examples), np.intp)))
    return numbered(turns, np.concatenate(vectors))


def by_sound(blocks: Iterable[Audio], encode: Encode, speakers: int | None) -> Diarization:
    """Return who speaks when, by how voices sound."""
    heard = hear(blocks, encode)
    if not len(heard.vectors):
        return Diarization((), ())
    labels = cluster(heard.vectors, speakers)
    centroids = centroids_of(heard.vectors, labels)
    speech_s = sum(span.duration_s for span in heard.speech)
    turns = [
        Turn(span, voice + 1)
        for begin_s, end_s, voice in voices_over_time(heard.vectors @ centroids.T, speech_s)
        for span in spans_in(heard.speech, begin_s, end_s)
    ]
    return numbered(turns, centroids)
