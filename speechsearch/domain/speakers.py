"""Who speaks when: turns and voices of a recording, and the people of a library whose voices they are."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechsearch.domain.errors import InputError
from speechsearch.domain.values import Span, Speaker

LONGEST_NAME = 80
UNSEEN = ("Cc", "Cs", "Co", "Cn")
HEARD_S, HEARD_SHARE = 1.0, 0.3
"""Who speaks for so long, or for this share of a passage, is one who speaks in it."""


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A stretch in which one voice of a recording speaks; ``voice`` is its number there, the first to speak is 1.

    ``is_overlap``: another voice speaks at the same time.
    """

    span: Span
    voice: int
    is_overlap: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A voice of a recording: ``vector`` (dim,) float32 of unit length, and for how long it is heard."""

    number: int
    vector: NDArray[np.float32]
    speech_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Diarization:
    """Who speaks when in a recording: turns in the order of their starts, and the voices in that of their numbers."""

    turns: tuple[Turn, ...]
    voices: tuple[Voice, ...]


@dataclass(frozen=True, slots=True)
class RecordedVoice:
    """A voice of a recording and whose it is.

    ``is_confirmed``: somebody said so; else it was matched by how it sounds.
    """

    number: int
    speaker: Speaker
    speech_s: float
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class RecordedSpeakers:
    """Who speaks when in a recording; nothing where the third pass has not heard it yet (``is_heard``)."""

    is_heard: bool = False
    voices: tuple[RecordedVoice, ...] = ()
    turns: tuple[Turn, ...] = ()


class TurnTable:
    """Turns of a recording, of which those in a stretch of it are found without a look at all."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self.turns = sorted(turns)
        self._starts = [turn.span.start_s for turn in self.turns]
        self._longest_s = max((turn.span.duration_s for turn in self.turns), default=0.0)

    def within(self, span: Span) -> list[Turn]:
        """Return the turns that have a part of a stretch, by their starts.

        >>> table = TurnTable([Turn(Span(0, 2), 1), Turn(Span(2, 3), 2), Turn(Span(3, 9), 1)])
        >>> [turn.voice for turn in table.within(Span(2, 4))]
        [2, 1]
        """
        first = bisect_left(self._starts, span.start_s - self._longest_s)
        near = self.turns[first : bisect_left(self._starts, span.end_s)]
        return [turn for turn in near if turn.span.shared_s(span) > 0]


def voices_in(span: Span, turns: Sequence[Turn]) -> dict[int, float]:
    """Return the number of each voice that speaks in a span -> for how long, in seconds; who speaks most first.

    >>> turns = [Turn(Span(0, 6), 1), Turn(Span(6, 9), 2), Turn(Span(8.5, 9), 1, is_overlap=True)]
    >>> voices_in(Span(4, 9), turns), voices_in(Span(0, 6.9), turns), voices_in(Span(8, 9), turns)
    ({2: 3.0, 1: 2.5}, {1: 6.0}, {2: 1.0, 1: 0.5})
    """
    found: dict[int, float] = defaultdict(float)
    for turn in turns:
        both_s = span.shared_s(turn.span)
        if both_s > 0:
            found[turn.voice] += both_s
    enough_s = min(HEARD_S, HEARD_SHARE * span.duration_s)
    heard = {voice: spoken_s for voice, spoken_s in found.items() if spoken_s >= enough_s}
    return dict(sorted(heard.items(), key=lambda one: (-one[1], one[0])))


def voice_key(recording_id: str, number: int) -> str:
    """Return by which text a voice of a recording is found in the index; number 0 stands for the whole recording.

    >>> voice_key("0123456789abcdef0123", 2)
    '0123456789abcdef:2'
    """
    return f"{recording_id[:16]}:{number}"


def checked_speaker_name(name: str) -> str:
    """Return a name for a speaker without needless spaces.

    Raises:
        InputError: it cannot be used.

    >>> checked_speaker_name("  Ada   Wong ")
    'Ada Wong'
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(sign) in UNSEEN for sign in name):
        raise InputError(
            f"A speaker cannot be named {name!r:.120}.", f"A name has 1 to {LONGEST_NAME} characters that are seen."
        )
    if re.fullmatch(r"speaker \d+", name, re.IGNORECASE):
        raise InputError(f"A speaker cannot be named {name!r}.", "Speakers without a name are called so.")
    return name
