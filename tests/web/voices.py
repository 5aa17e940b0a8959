"""A service that has heard who speaks, as the third pass leaves it, with voices that are made up."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np

from speechsearch.domain.speakers import Turn
from speechsearch.domain.values import Recording, Span
from speechsearch.domain.visitors import owner_of
from speechsearch.store import StoredPassage, StoredVoice
from speechsearch.store.records import Cut, Heard

DIM = 8


def hear(service: Any, recording: Recording, turns: tuple[Turn, ...], *speakers: str) -> tuple[str, ...]:
    """Write who speaks in a recording, voice 1 the first speaker; return the speakers' ids, new for empty ones."""
    ids = tuple(one or str(uuid.uuid4()) for one in speakers)
    voices = []
    for number, speaker_id in enumerate(ids, 1):
        speech_s = sum(one.span.duration_s for one in turns if one.voice == number)
        vector = np.eye(DIM, dtype=np.float32)[int(uuid.UUID(speaker_id)) % DIM]
        voices.append(StoredVoice(recording.recording_id, number, speaker_id, vector, speech_s, "made up"))
    store = service.library.store
    kept = [StoredPassage(one, {}) for one in store.passages.of(recording.recording_id)]
    owner, heard = owner_of(recording.collection), Heard(service.library.makers.heard_by, turns, voices)
    store.voices.save(recording.recording_id, owner, heard, Cut(kept))
    store.journal.mark(recording.recording_id, "done")
    return ids


def in_turns(duration_s: float, voices: int, turn_s: float = 6.0) -> tuple[Turn, ...]:
    """Return turns of some voices, one after the other, as many as there is room for."""
    return tuple(
        Turn(Span(place * turn_s, (place + 1) * turn_s), place % voices + 1)
        for place in range(int(duration_s // turn_s))
    )
