"""Answers with what is right in them, to learn how likely such are: copies, the same words, what sounds alike.

Of what is asked about half is there. Passages, windows and questions are of speakers and pieces that no model was
trained on; copies need no training, so there also those of the training are looked through.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechsearch.audio.constellation import constellation
from speechsearch.audio.degrade import Degradation
from speechsearch.audio.landmarks import LandmarkIndex, shared
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, FloatMatrix
from speechsearch.library.fourth_pass import embedded, windows
from speechsearch.models.base import SoundEmbedder, SpeechEncoder
from speechsearch.retrieval.likeness import alike, beyond_chance
from speechsearch.retrieval.likeness_curves import signals
from speechsearch.service.copies import find_at_speeds
from speechsearch.service.duplicates import overlap_s
from speechsearch.text.spoken import spoken_words
from speechsearch.text.words import content_words
from speechsearch.training.similar_recordings import KINDS, Recording, read_mono, recordings
from speechsearch.training.similar_views import Change, changed, drawn_change
from speechsearch.training.speech_corpus import human_parts
from speechsearch.training.voices import reserved_voices, speak

Samples = NDArray[np.float32]
DEEPEST = 10
"""So many hits of each answer are cases."""
COPY_LENGTHS_S, SOUND_S = (3.0, 5.0, 10.0, 15.0), 10.0
WHOLES = (4, 8, 16)
"""Of so many recordings in a row are the long ones made that are compared with each other."""
APART, COPIED = 10, 5
"""So many pairs of each length have nothing in common, and so many are a recording and its copy."""
COPIES = (Degradation(mp3_kbps=32), Degradation(noise="pink", noise_ratio_db=10.0), Degradation(opus_kbps=12))
WORDS_S, FEWEST_WORDS = (2.0, 20.0), 3
SYNTHESISERS = ("espeak", "flite")
AT_ONCE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Hits of answers: ``signals`` (n, SIGNALS); ``is_right`` (n,) bool; ``groups`` (n,) int, what was asked."""

    signals: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    groups: NDArray[np.int64]


class Answers:
    """Collects cases, answer by answer."""

    def __init__(self) -> None:
        self._signals, self._right, self._groups = list[NDArray[np.float64]](), list[bool](), list[int]()

    def add(self, scores: Sequence[float], is_right: Sequence[bool], group: int) -> None:
        """Take the best DEEPEST hits of an answer, the best first."""
        if scores:
            self._signals.append(signals(scores[:DEEPEST]))
            self._right += is_right[:DEEPEST]
            self._groups += [group] * len(scores[:DEEPEST])

    def cases(self) -> Cases:
        """Return them all."""
        return Cases(np.concatenate(self._signals), np.array(self._right), np.array(self._groups))


def stretch(samples: Samples, length_s: float, rng: random.Random) -> Samples:
    """Return a stretch from anywhere in a sound, all of it where it is shorter."""
    size = round(length_s * SAMPLE_RATE_HZ)
    begin = rng.randint(0, max(0, len(samples) - size))
    return samples[begin : begin + size]


def worse(samples: Samples, one: Recording, voices: Sequence[Audio], rng: random.Random) -> Audio:
    """Return a sound changed by chance, every fourth not at all."""
    change = Change() if rng.random() < 0.25 else drawn_change(rng, one.kind)
    return Audio(changed(samples, change, voices, rng.randrange(10**6)))


def held_out(data: Path, music: Path) -> list[Recording]:
    """Return the recordings of speech and music that nothing was trained on."""
    return [one for kind in KINDS for one in recordings(data, music, kind, is_held_out=True)]


def voices_of(kept: Sequence[Recording]) -> list[Audio]:
    """Return some speech to make babble of."""
    return [Audio(one.samples()) for one in [one for one in kept if one.kind == "speech"][-8:]]


def of_copies(data: Path, music: Path, questions: int, others: int) -> Cases:
    """Return cases of the sense "recording": stretches made worse, and long recordings compared with each other.

    ``others``: so many recordings of the training are there, too.
    """
    rng, kept = random.Random(1), held_out(data, music)
    trained_on = [one for kind in KINDS for one in recordings(data, music, kind, is_held_out=False)]
    kept = rng.sample(kept, len(kept)) + rng.sample(trained_on, min(others, len(trained_on)))
    voices, answers = voices_of(kept), Answers()
    index = LandmarkIndex(
        {one.name: constellation(Audio(one.samples())) for number, one in enumerate(kept) if number % 2}
    )
    for number in rng.choices(range(len(kept)), k=questions):
        one = kept[number]
        asked = worse(stretch(one.samples(), rng.choice(COPY_LENGTHS_S), rng), one, voices, rng)
        found, _ = find_at_speeds(lambda pairs: index.find(pairs, DEEPEST), asked)
        scores = [beyond_chance(hit.moments, asked.duration_s) for hit in found]
        answers.add(scores, [hit.name == one.name for hit in found], number)
    for group, (long, short, is_copy) in enumerate(wholes(kept, rng), len(kept)):
        longer, shorter = sorted((constellation(long), constellation(short)), key=lambda one: -one.length)
        placed = shared(longer, shorter)
        if placed is not None:
            answers.add([beyond_chance(placed.moments, overlap_s(longer, shorter, placed))], [is_copy], group)
    return answers.cases()


def wholes(kept: Sequence[Recording], rng: random.Random) -> Iterator[tuple[Audio, Audio, bool]]:
    """Yield pairs of recordings of one to five minutes, and whether they are a recording and its copy."""

    def long(start: int, count: int) -> Audio:
        return Audio(np.concatenate([one.samples() for one in kept[start : start + count]]))

    half = len(kept) // 2
    for count in WHOLES:
        if count >= half:
            return
        for number in range(APART + COPIED):
            one = long(rng.randrange(half - count), count)
            if number < APART:
                yield one, long(half + rng.randrange(half - count), count), False
            else:
                copy = Change(COPIES[number % len(COPIES)])
                yield one, Audio(changed(one.samples, copy, (), number)), True


def of_words(data: Path, encoder: SpeechEncoder, questions: int) -> Cases:
    """Return cases of the sense "words": held-out passages, asked by others who read the same.

    Those are voices of synthesisers that are reserved for evaluation, and held-out people where several read one text.
    """
    rows = [
        (path, " ".join(spoken_words(text)))
        for part, _, its in human_parts(data)
        for path, text, _ in its
        if part == "evaluation" and len(content_words(text)) >= FEWEST_WORDS
    ]
    shortest_s, longest_s = WORDS_S
    said = [(Audio(read_mono(path)), text) for path, text in rows]
    said = [one for one in said if shortest_s <= one[0].duration_s <= longest_s]
    texts = np.array([text for _, text in said])
    number_of = {text: number for number, text in enumerate(dict.fromkeys(texts.tolist()))}
    groups = np.array([number_of[text] for text in texts.tolist()])
    kept = vectors_of(encoder, [sound for sound, _ in said])
    is_there, rng, answers = groups % 2 == 1, random.Random(1), Answers()
    voices = itertools.cycle(one for one in reserved_voices() if one.synthesiser in SYNTHESISERS)
    spoken = rng.sample(range(len(said)), min(questions, len(said)))
    sounds = [
        Audio(speak(str(texts[place]), next(voices), is_evaluation=True).astype(np.float32) / np.float32(32768))
        for place in spoken
    ]
    is_shared = np.bincount(groups)[groups] > 1
    shared_places = np.flatnonzero(is_shared).tolist()
    asked = [*zip(spoken, vectors_of(encoder, sounds), strict=True), *((one, kept[one]) for one in shared_places)]
    for number, (place, vector) in enumerate(asked):
        is_allowed = is_there.copy()
        if number >= len(spoken):
            is_allowed[place] = False
        cosines = np.where(is_allowed, kept @ vector, -np.inf)
        best = np.argsort(-cosines, kind="stable")[:DEEPEST]
        answers.add(cosines[best].tolist(), (groups[best] == groups[place]).tolist(), int(groups[place]))
    return answers.cases()


def vectors_of(encoder: SpeechEncoder, sounds: Sequence[Audio]) -> FloatMatrix:
    """Return what the encoder's dense channel makes of sounds, (sounds, dim)."""
    channel = next(one.name for one in encoder.channels if one.kind == "dense")
    found = [
        one.vectors[channel]
        for start in range(0, len(sounds), AT_ONCE)
        for one in encoder.encode_passages(sounds[start : start + AT_ONCE])
    ]
    return np.array(found, np.float32)


def of_sounds(data: Path, music: Path, embedder: SoundEmbedder) -> Cases:
    """Return cases of the sense "sound": right is another stretch of the recording, or another playing of the piece.

    The first half of a recording is there, and 10 s of the second are asked, made worse. Music is asked again without
    the recording itself.
    """
    rng, kept, answers = random.Random(1), held_out(data, music), Answers()
    voices = voices_of(kept)
    number_of = {piece: number for number, piece in enumerate(dict.fromkeys(one.piece for one in kept))}
    pieces = np.array([number_of[one.piece] for one in kept])
    there = np.flatnonzero(pieces % 2 == 1)
    parts, asked = dict[int, FloatMatrix](), list[FloatMatrix]()
    for number, one in enumerate(kept):
        samples = one.samples()
        half = len(samples) // 2
        if pieces[number] % 2:
            parts[number] = embedded(embedder, windows(iter([Audio(samples[:half])]), embedder.window_s))
        question = worse(stretch(samples[half:], SOUND_S, rng), one, voices, rng)
        asked.append(embedded(embedder, iter([question])))
    table = np.concatenate([parts[number] for number in there.tolist()])
    starts = np.cumsum([0, *(len(parts[number]) for number in there.tolist())])[:-1].astype(np.intp)
    for number, one in enumerate(kept):
        for without_itself in (False, True) if one.kind == "music" else (False,):
            scores = alike(asked[number], table, starts).scores
            if without_itself:
                scores = np.where(there == number, -np.inf, scores).astype(np.float32)
            best = np.argsort(-scores, kind="stable")[:DEEPEST]
            right = pieces[there[best]] == pieces[number]
            answers.add(scores[best].tolist(), right.tolist(), int(pieces[number]))
    return answers.cases()
