"""Whose voice is it: voices of recordings compared with what is known of the speakers. Pure.

A speaker's profile is the mean of the voices that are his now, so that a voice taken away is unlearnt at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from speechsearch.domain.speakers import Turn, TurnTable, Voice
from speechsearch.domain.values import FloatMatrix
from speechsearch.store.records import StoredVoice

SHORTEST_SEED_S = 5.0
"""A voice with less speech may join a speaker, but nobody is matched with it."""
MOST_SHARED = 0.5
"""A voice is one of an earlier hearing if they share more than this of the speech of the longer one."""


def profile(voices: Sequence[StoredVoice], is_named: bool = False) -> FloatMatrix | None:
    """Return a speaker's profile, (dim,) float32 of unit length: his voices' mean, weighted by their speech.

    Once a speaker is named, and somebody said of voices that they are his, only those count; None where no voice has
    enough speech.

    >>> ann = [StoredVoice("a", 1, "ann", np.array([1, 0], np.float32), 30.0, "e"),
    ...        StoredVoice("b", 1, "ann", np.array([0, 1], np.float32), 40.0, "e", "person")]
    >>> profile(ann).round(1).tolist(), profile(ann, is_named=True).tolist()
    ([0.6000000238418579, 0.800000011920929], [0.0, 1.0])
    """
    long = [one for one in voices if one.speech_s >= SHORTEST_SEED_S]
    confirmed = [one for one in long if one.joined_by != "sound"]
    chosen = confirmed if is_named and confirmed else long
    if not chosen:
        return None
    mean = np.sum([one.speech_s * one.vector for one in chosen], axis=0)
    length = float(np.linalg.norm(mean))
    return (mean / length).astype(np.float32) if length else None


def by_speaker(voices: Iterable[StoredVoice]) -> dict[str, list[StoredVoice]]:
    """Return speaker id -> voices."""
    found: dict[str, list[StoredVoice]] = defaultdict(list)
    for one in voices:
        found[one.speaker_id].append(one)
    return dict(found)


def matched(
    voices: Sequence[Voice | StoredVoice],
    known: Iterable[StoredVoice],
    named: Collection[str],
    refused: Collection[tuple[int, str]],
    threshold: float,
) -> dict[int, str]:
    """Return number of a voice -> the speaker whose it is, by how it sounds; others are left out.

    The likest pair comes first, and no speaker gets two voices of one recording.

    Args:
        voices: of one recording.
        known: the voices of others, by the same speaker encoder.
        named: the ids of the speakers who have a name.
        refused: (number, speaker id) that do not belong together.
        threshold: the least cosine.
    """
    means = {speaker: profile(theirs, speaker in named) for speaker, theirs in by_speaker(known).items()}
    profiles = {speaker: mean for speaker, mean in means.items() if mean is not None}
    if not voices or not profiles:
        return {}
    speakers = sorted(profiles)
    cosines = np.array([one.vector for one in voices]) @ np.array([profiles[one] for one in speakers]).T
    pairs = sorted(
        (-float(cosines[row, column]), voices[row].number, speakers[column])
        for row, column in np.argwhere(cosines >= threshold)
    )
    found: dict[int, str] = {}
    for _, number, speaker in pairs:
        if number not in found and speaker not in found.values() and (number, speaker) not in refused:
            found[number] = speaker
    return found


def unlearnt(
    former: Sequence[StoredVoice],
    target: Sequence[StoredVoice],
    named: Collection[str],
    refused: Collection[tuple[str, int, str]],
    threshold: float,
) -> list[StoredVoice]:
    """Return which of a speaker's voices follow one that somebody gave to another: they sound more like that one.

    Voices that somebody gave to the former, or refused the other, stay, and so does the last one.
    """
    goal = profile(target, target[0].speaker_id in named) if target else None
    if goal is None:
        return []
    taken = {one.recording_id for one in target}
    found = []
    for voice in former:
        rest = profile([one for one in former if one.key != voice.key], voice.speaker_id in named)
        if voice.joined_by != "sound" or (*voice.key, target[0].speaker_id) in refused or voice.recording_id in taken:
            continue
        cosine = float(voice.vector @ goal)
        if rest is not None and cosine >= threshold and cosine > float(voice.vector @ rest):
            found.append(voice)
            taken.add(voice.recording_id)
    return found


def same_voices(before: Sequence[Turn], now: Sequence[Turn]) -> dict[int, int]:
    """Return number of a voice now -> its number in an earlier hearing of the same recording, where it is the same one.

    >>> from speechsearch.domain.values import Span
    >>> same_voices([Turn(Span(0, 9), 1), Turn(Span(9, 20), 2)], [Turn(Span(0, 1), 1), Turn(Span(9, 19), 2)])
    {2: 2}
    """
    shared: dict[tuple[int, int], float] = defaultdict(float)
    table = TurnTable(before)
    for new in now:
        for old in table.within(new.span):
            shared[new.voice, old.voice] += old.span.shared_s(new.span)
    new_s, old_s = speech_of(now), speech_of(before)
    return {new: old for (new, old), both_s in shared.items() if both_s > MOST_SHARED * max(new_s[new], old_s[old])}


def speech_of(turns: Iterable[Turn]) -> Mapping[int, float]:
    """Return number of a voice -> seconds of its turns."""
    found: dict[int, float] = defaultdict(float)
    for one in turns:
        found[one.voice] += one.span.duration_s
    return found
