"""The whole way from sound to who speaks when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Literal

import numpy as np

from speechsearch.audio.resample import to_mono
from speechsearch.diarization.channels import hold_different_voices, looked_at, pairs, speech_of_channels
from speechsearch.diarization.clustering import centroids_of, cluster
from speechsearch.diarization.turns import numbered, spans_in, stretches
from speechsearch.diarization.windows import Encode, Heard, hear
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
    """Return who speaks when; nothing where nobody speaks. Of the sound, only minutes are kept.

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
        what = f"{speakers} speakers have not a channel each" if len(first) == 2 else "it is not stereo"
        raise InputError(f"The sound cannot be told apart by its channels: {what}.", "Choose the mode auto or cluster.")
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
    found = speech_of_channels(blocks, encode)
    turns = [Turn(span, voice) for voice, (spans, _) in enumerate(found, start=1) for span in spans]
    return numbered(turns, np.array([vector for _, vector in found], np.float32))


def by_sound(blocks: Iterable[Audio], encode: Encode, speakers: int | None) -> Diarization:
    """Return who speaks when, by how voices sound."""
    return told_apart(hear(blocks, encode), speakers)


def told_apart(heard: Heard, speakers: int | None) -> Diarization:
    """Return who speaks when, from what a speaker encoder made of a recording."""
    if not len(heard.vectors):
        return Diarization((), ())
    centroids = centroids_of(heard.vectors, cluster(heard.vectors, speakers))
    ends_s = list(accumulate(span.duration_s for span in heard.speech))
    turns = [
        Turn(span, voice + 1)
        for begin_s, end_s, voice in stretches(heard.vectors @ centroids.T, ends_s)
        for span in spans_in(heard.speech, ends_s, begin_s, end_s)
    ]
    return numbered(turns, centroids)
