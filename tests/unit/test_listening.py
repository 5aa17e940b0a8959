"""Transcripts of sound that still comes in: what is certain never changes, and long speech is cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from speechsearch.audio.utterances import Edge, Utterances
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Transcript, Word
from speechsearch.service.agreement import Agreement
from speechsearch.service.listening import LONG_S, LONGEST_S, Final, LiveTranscript, Partial


class Scripted:
    """Hears a word a second, numbered by what is said (the samples' level); the last two may be misheard."""

    name = fingerprint = "scripted"

    def __init__(self, seed: int | None = None, has_times: bool = True) -> None:
        self.chance = np.random.default_rng(seed) if seed is not None else None
        self.has_times = has_times
        self.longest_s = 0.0

    def transcribe(self, sounds: Sequence[Audio], language=None, hotwords=()) -> list[Transcript]:
        (sound,) = sounds
        self.longest_s = max(self.longest_s, sound.duration_s)
        words = []
        edges = np.flatnonzero(np.diff(sound.samples)) + 1
        for start, end in zip([0, *edges], [*edges, len(sound.samples)], strict=True):
            number = round(float(sound.samples[start]) * 1000)
            if number and end - start >= 1600:
                words.append(Word(f"w{number}", start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ))
        if self.chance is not None:
            tail = [Word(self.chance.choice(["uh", one.text]), one.start_s, one.end_s) for one in words[-2:]]
            words = [*words[:-2], *tail]
        return [Transcript(" ".join(one.text for one in words), self.name, tuple(words) if self.has_times else ())]


def script(seconds: int, pauses: Sequence[int] = ()) -> np.ndarray:
    """A sound whose level counts the seconds; silent in the pauses."""
    levels = [0.0 if second in pauses else (second + 1) / 1000 for second in range(seconds)]
    return np.repeat(np.float32(levels), SAMPLE_RATE_HZ)


@pytest.fixture(autouse=True)
def speaks_where_it_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """No voice is needed to say where speech is."""

    class Detector:
        def hear(self, samples: np.ndarray) -> np.ndarray:
            return (np.abs(samples[: len(samples) // 512 * 512].reshape(-1, 512)).max(1) > 0).astype(np.float32)

    init = Utterances.__init__
    monkeypatch.setattr(Utterances, "__init__", lambda self: (init(self), setattr(self, "_detector", Detector()))[0])


def heard(live: LiveTranscript, sound: np.ndarray, step: int = 8192) -> list[Edge | Partial | Final]:
    parts = [list(live.hear(sound[start : start + step])) for start in range(0, len(sound), step)]
    return [*(one for part in parts for one in part), *live.finish()]


def test_segments_end_at_pauses_and_times_count_from_the_start() -> None:
    found = heard(LiveTranscript(Scripted()), script(9, pauses=(3, 4)))
    finals = [one.segment for one in found if isinstance(one, Final)]
    assert [one.text for one in finals] == ["w1 w2 w3", "w6 w7 w8 w9"]
    assert finals[1].words[0].start_s == pytest.approx(5.0, abs=0.1)
    assert [one.kind for one in found if isinstance(one, Edge)] == ["began", "ended", "began", "ended"]
    assert [one.number for one in found if isinstance(one, Final)] == [0, 1]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("has_times", [True, False])
def test_what_is_certain_never_changes(seed: int, has_times: bool) -> None:
    """Whatever the recogniser makes of the last words."""
    found = heard(LiveTranscript(Scripted(seed, has_times)), script(40, pauses=(8, 9)))
    for number in {one.number for one in found if isinstance(one, Final)}:
        stable = ""
        for one in found:
            if isinstance(one, Partial) and one.number == number:
                assert one.stable.startswith(stable)
                stable = one.stable
            if isinstance(one, Final) and one.number == number:
                assert one.segment.text.startswith(stable)


def test_long_speech_becomes_final_on_the_way_and_guesses_stay_short() -> None:
    recognizer = Scripted()
    found = heard(LiveTranscript(recognizer), script(60))
    finals = [one.segment for one in found if isinstance(one, Final)]
    assert " ".join(one.text for one in finals) == " ".join(f"w{number}" for number in range(1, 61))
    assert len(finals) >= 4 and recognizer.longest_s <= LONG_S + 2
    assert all(before.span.end_s <= after.span.start_s for before, after in pairwise(finals))


def test_speech_on_which_no_two_guesses_agree_is_cut_too() -> None:
    class Unsure(Scripted):
        guesses = 0

        def transcribe(self, sounds, language=None, hotwords=()):
            self.guesses += 1
            (said,) = super().transcribe(sounds)
            text = " ".join(f"{word}x{self.guesses}" for word in said.text.split())
            return [Transcript(text, self.name)]

    recognizer = Unsure()
    found = heard(LiveTranscript(recognizer), script(60))
    assert recognizer.longest_s <= LONGEST_S + 2 and [one for one in found if isinstance(one, Final)]


def test_nothing_is_kept_of_silence() -> None:
    live = LiveTranscript(Scripted())
    assert heard(live, script(30, pauses=range(30))) == []
    assert len(live._samples) < SAMPLE_RATE_HZ and live.heard_s == pytest.approx(30.0)


def test_a_word_that_moved_a_little_is_not_said_twice() -> None:
    agreement = Agreement()
    for shift_s in (0.0, 0.05, 0.2):
        agreement.guess([Word("old", 0.0, 1.0 + shift_s), Word("ferry.", 1.0 + shift_s, 2.0 + shift_s)])
    assert [one.text for one in agreement.certain] == ["old", "ferry."]
    assert [one.text for one in agreement.finish([Word("Ferry", 1.4, 2.5), Word("left", 2.5, 3.0)])][-1] == "left"
