"""The same words: passages near each other in the space of the speech adapter, whoever says them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from speechsearch.domain.errors import CapabilityError, NotFoundError, SilentError
from speechsearch.domain.values import SAMPLE_RATE_HZ, Audio, Filters, Passage, Vector
from speechsearch.library.library import Library, is_nothing
from speechsearch.retrieval.likeness import shared_words
from speechsearch.service.sounds_alike import even

MOST_PASSAGES = 8
"""So many passages of a whole recording are looked for, evenly taken."""
LONGEST_S = 20.0
"""A longer sound is looked for in pieces of this length."""


@dataclass(frozen=True, slots=True)
class Said:
    """A passage in which much the same is said: the cosine, the words that both transcripts have, its transcript."""

    passage: Passage
    score: float
    shared: tuple[str, ...] = ()
    transcript: str | None = None


class SameWords:
    """Finds passages by what is said in others."""

    def __init__(self, library: Library) -> None:
        self._library = library
        dense = (one.name for one in library.makers.speech_encoder.channels if one.kind == "dense")
        self._channel = next(dense, "")

    @property
    def is_possible(self) -> bool:
        """Whether the speech encoder gives vectors of meaning."""
        return bool(self._channel)

    def find(
        self, recording_id: str, passage: Passage | None, sound: Callable[[], Audio], limit: int, filters: Filters
    ) -> list[Said]:
        """Return the passages that say most nearly the same, the best first.

        Args:
            recording_id: what is asked is of this recording, and others are looked for; empty: ``sound`` is asked.
            passage: of the recording; then only it is left out. None: all of the recording.
            sound: gives what is asked.
            limit: how many.
            filters: as the index understands them.

        Raises:
            CapabilityError: the speech encoder gives no vectors of meaning.
            NotFoundError: what is asked is not encoded yet.
            SilentError: nothing is said in the sound.
        """
        if not self._channel:
            raise CapabilityError("The speech encoder gives no vectors of meaning to compare.", "Choose another one.")
        asked = self._kept(recording_id, passage) if recording_id else self._heard(sound())
        index, best = self._library.index, dict[str, tuple[float, str]]()
        # What is asked is most like itself, and a recording like the rest of it.
        own = len(self._library.store.passages.of(recording_id)) if recording_id and passage is None else len(asked)
        for asked_id, vector in asked:
            for one in index.search(self._channel, vector, limit + own, filters):
                if one.score > best.get(one.passage_id, (-1.0, ""))[0]:
                    best[one.passage_id] = (one.score, asked_id)
        passages = self._library.store.passages.get(list(best))
        left_out = {asked_id for asked_id, _ in asked}
        found = [
            one
            for one in passages.values()
            if one.passage_id not in left_out and (passage is not None or one.recording_id != recording_id)
        ]
        found.sort(key=lambda one: (-best[one.passage_id][0], one.passage_id))
        return self._with_words([(one, *best[one.passage_id]) for one in found[:limit]])

    def _kept(self, recording_id: str, passage: Passage | None) -> list[tuple[str, Vector]]:
        """Return the vectors of a passage or of some of a recording's, by passage id. Raises NotFoundError."""
        store = self._library.store
        wanted = even([one.passage_id for one in store.passages.of(recording_id)], MOST_PASSAGES)
        wanted = [passage.passage_id] if passage else wanted
        vectors = store.passages.vectors(self._channel, wanted)
        is_current = self._channel in self._library.current_channels(recording_id)
        found = [(name, one) for name, one in vectors.items() if is_current and not is_nothing(one)]
        if not found:
            raise NotFoundError("It is not known yet what is said here.", "Ask again later.")
        return found

    def _heard(self, sound: Audio) -> list[tuple[str, Vector]]:
        """Return the vectors of a sound's pieces. Raises SilentError."""
        size = round(LONGEST_S * SAMPLE_RATE_HZ)
        parts = np.split(sound.samples, range(size, len(sound.samples), size))
        pieces = even([Audio(one) for one in parts], MOST_PASSAGES)
        made = [one.vectors[self._channel] for one in self._library.encode(pieces)]
        found = [("", one) for one in made if not is_nothing(one)]
        if not found:
            raise SilentError("No words are heard in the sound.", "Look for the same recording, or what sounds alike.")
        return found

    def _with_words(self, found: list[tuple[Passage, float, str]]) -> list[Said]:
        """Return passages with their transcripts, and the words that they share with those that were asked."""
        baselines = self._library.makers.baselines
        texts: dict[str, str] = {}
        if baselines:
            ids = [passage.passage_id for passage, _, _ in found] + [asked_id for _, _, asked_id in found if asked_id]
            texts = self._library.store.transcripts.texts(list(dict.fromkeys(ids)), baselines[0].name)
        return [
            Said(one, score, shared_words(texts.get(asked_id, ""), said or ""), said)
            for one, score, asked_id in found
            for said in [texts.get(one.passage_id)]
        ]
