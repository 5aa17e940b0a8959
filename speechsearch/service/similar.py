"""More like this: the same recording, the same words, or what sounds alike; of a passage, a recording or a sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from speechsearch import audio
from speechsearch.audio.landmarks import Placed, asked_pairs
from speechsearch.domain.alike import Sense, SimilarHit, SimilarResults
from speechsearch.domain.errors import CapabilityError, InputError, NotFoundError, SilentError
from speechsearch.domain.speakers import voice_key
from speechsearch.domain.values import Audio, Filters, FloatMatrix, Passage, Recording, Span
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.library.fourth_pass import is_silent
from speechsearch.library.library import Library
from speechsearch.retrieval.likeness import copy_likelihood
from speechsearch.retrieval.likeness_curves import Curves
from speechsearch.service.browse import Browse
from speechsearch.service.copies import Copies
from speechsearch.service.same_words import Said, SameWords
from speechsearch.service.search import Search
from speechsearch.service.sounds_alike import SoundsAlike

SHORTEST_S = 1.0
WORTH_ASKING_S = 10.0
"""A shorter passage is looked for with what is around it."""
MOST_HITS = 100
LEAST_LIKELY = 0.05
"""A recording in which less agrees is none of those that were found."""
Heard = Callable[[], Audio]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is asked: a sound, a whole recording, or a passage of one; ``sound`` reads it when it is needed.

    ``span``: where ``sound`` lies in the recording.
    """

    duration_s: float
    sound: Heard
    recording_id: str = ""
    passage: Passage | None = None
    span: Span | None = None


class Similar:
    """Finds what is alike, among what the visitor may see.

    Args:
        library: what is looked through.
        browse: knows what a visitor sees.
        search: knows what filters allow.
        copies, sounds: the landmarks and the windows of the library.
        curves: how likely what is alike is right.
    """

    def __init__(
        self,
        library: Library,
        browse: Browse,
        search: Search,
        copies: Copies,
        sounds: SoundsAlike,
        curves: Curves,
    ) -> None:
        self._library, self._browse, self._search, self._curves = library, browse, search, curves
        self._copies, self._sounds, self._words = copies, sounds, SameWords(library)

    def senses(self) -> tuple[Sense, ...]:
        """Return the senses in which something can be found here."""
        makers = self._library.makers
        there: dict[Sense, bool] = {
            "recording": makers.has_peaks,
            "words": self._words.is_possible,
            "sound": makers.sound_embedder is not None,
        }
        return tuple(sense for sense, is_there in there.items() if is_there)

    def sound(self, source: Path | bytes) -> Audio:
        """Return a sound that is sent to be compared.

        Raises:
            DecodeError, TooLargeError: it is not readable sound.
            TooLongError: it is longer than ``limits.sent_audio_s``.
            InputError: it is too short to tell.
            SilentError: there is nothing to hear.
        """
        limits = self._library.limits
        name = source.name if isinstance(source, Path) else "The sound"
        found = audio.load(source, limits, limits.sent_audio_s, name)
        if found.duration_s < SHORTEST_S:
            raise InputError(f"{name} is {found.duration_s:.1f} s long; at least {SHORTEST_S:g} s are needed.")
        if is_silent(found):
            raise SilentError(f"There is nothing to hear in {name}.", "Send a louder stretch of it.")
        return found

    def embed(self, sound: Audio) -> FloatMatrix:
        """Return the unit vector of a sound, (dim,) float32. Raises CapabilityError: there is no sound embedder."""
        return self._sounds.embed(sound)

    def counts(self, visitor: Visitor = LOCAL) -> tuple[int, int, int]:
        """Return of how many recordings copies are found, how many may sound alike, and how many windows these have."""
        seen = frozenset(self._seen(Filters(), visitor))
        return (len(self._copies.ready() & seen), *self._sounds.counts(seen))

    def of_sound(
        self, sound: Audio, sense: Sense, limit: int = 5, filters: Filters = Filters(), visitor: Visitor = LOCAL
    ) -> SimilarResults:
        """Return what is like a sound. Raises what ``find`` does."""
        return self.find(Asked(sound.duration_s, lambda: sound), sense, limit, filters, visitor)

    def of_track(
        self, track_id: str, sense: Sense, limit: int = 5, filters: Filters = Filters(), visitor: Visitor = LOCAL
    ) -> SimilarResults:
        """Return what is like a recording or a passage, by its id; what it is of itself is left out.

        Raises what ``find`` does; NotFoundError: there is none of this id that the visitor may see.
        """
        passage = self._library.store.passages.get([track_id]).get(track_id)
        recording = self._browse.recording(passage.recording_id if passage else track_id, visitor)
        if passage is None:
            asked = Asked(recording.duration_s, lambda: self._all_of(recording, visitor), recording.recording_id)
        else:
            span = passage.span
            around_s = max(0.0, WORTH_ASKING_S - span.duration_s) / 2
            wider = Span(max(0.0, span.start_s - around_s), min(span.end_s + around_s, recording.duration_s))
            heard = lambda: self._browse.sound(passage.passage_id, visitor, around_s)  # noqa: E731
            asked = Asked(wider.duration_s, heard, recording.recording_id, passage, wider)
        return self.find(asked, sense, limit, filters, visitor)

    def find(self, asked: Asked, sense: Sense, limit: int, filters: Filters, visitor: Visitor) -> SimilarResults:
        """Return what is alike in one sense, the best first.

        Raises:
            CapabilityError: nothing can be found in this sense here.
            InputError: so many cannot be asked for.
            NotFoundError: a collection is named that there is not, or the recording is not prepared yet.
            DecodeError: the recording's sound cannot be read.
        """
        started = time.perf_counter()
        if not 1 <= limit <= MOST_HITS:
            raise InputError(f"{limit} answers were asked for; 1 to {MOST_HITS} are possible.")
        seen = self._seen(filters, visitor)
        others = frozenset(seen) - {asked.recording_id}
        ways = {"recording": self._same_recording, "sound": self._alike}
        if sense == "words":
            ready, hits = self._same_words(asked, limit, filters, visitor, seen)
        else:
            ready, hits = ways[sense](asked, limit, seen, others)
        total_ms = (time.perf_counter() - started) * 1000
        return SimilarResults(sense, tuple(hits), asked.duration_s, ready, len(others), total_ms)

    def _seen(self, filters: Filters, visitor: Visitor) -> dict[str, Recording]:
        """Return the recordings that filters allow and the visitor may see, by id. Raises NotFoundError."""
        allowed = self._search.allowed(filters, visitor)
        if allowed is None:
            return {}
        store = self._library.store
        found = {one.recording_id: one for one in store.recordings.find() if visitor.sees(one.collection)}
        return {name: one for name, one in found.items() if allows(allowed, one)}

    def _same_recording(
        self, asked: Asked, limit: int, seen: dict[str, Recording], others: frozenset[str]
    ) -> tuple[int, list[SimilarHit]]:
        library = self._library
        if not library.makers.has_peaks:
            raise CapabilityError("Copies are not looked for here.", "Set SPEECHSEARCH_ENGINES__FINDS_COPIES to true.")
        ready = self._copies.ready()
        curve = self._curves.needed("recording", library.makers.peaks_by)

        def likelihood(found: Placed) -> float:
            return copy_likelihood(found.moments, asked.duration_s, curve)

        if asked.recording_id and asked.passage is None:
            known = library.store.sounds.constellations([asked.recording_id], library.makers.peaks_by)
            if asked.recording_id not in known:
                raise NotFoundError("This recording is not prepared yet.", "That is done in the background.")
            found, speed = self._copies.find(asked_pairs(known[asked.recording_id]), limit, others), 1.0
        else:
            found, speed = self._copies.find_sound(asked.sound(), limit, others)
        start_s = asked.span.start_s if asked.span else 0.0
        into_s = asked.passage.span.start_s - start_s if asked.passage else 0.0
        hits = []
        for rank, one in enumerate((one for one in found if likelihood(one) >= LEAST_LIKELY), 1):
            moments = one.points[:, 1]
            span = Span(float(moments.min()), float(moments.max()))
            points = one.points + np.array([start_s, 0.0], np.float32)
            sure, offset_s = likelihood(one), one.offset_s + into_s
            hits.append(
                SimilarHit(rank, seen[one.name], span, one.moments, sure, offset_s=offset_s, speed=speed, points=points)
            )
        return len(ready & others), hits

    def _alike(
        self, asked: Asked, limit: int, seen: dict[str, Recording], others: frozenset[str]
    ) -> tuple[int, list[SimilarHit]]:
        windows = self._sounds.kept(asked.recording_id, asked.span) if asked.recording_id else None
        if windows is None or not len(windows.vectors):
            windows = self._sounds.asked(asked.sound(), asked.span.start_s if asked.span else 0.0)
        ready = self._library.store.sounds.with_windows(self._library.makers.embedded_by)
        window_s, hits = self._sounds.window_s, []
        found = self._sounds.find(windows, limit, others)
        likely = self._likely("sound", self._library.makers.embedded_by, [one.score for one in found])
        for rank, (one, sure) in enumerate(zip(found, likely, strict=True), 1):
            at_s, recording = one.nearest[0].found_s, seen[one.name]
            span = Span(at_s, min(at_s + window_s, recording.duration_s))
            hits.append(SimilarHit(rank, recording, span, one.score, sure, nearest=one.nearest))
        return len(ready & others), hits

    def _likely(self, sense: Sense, made_by: str, scores: Sequence[float]) -> Sequence[float | None]:
        """Return how likely the hits of a whole answer are right; None each where that was never learnt."""
        curve = self._curves.of(sense, made_by)
        return curve.chances(scores) if curve else [None] * len(scores)

    def _same_words(
        self, asked: Asked, limit: int, filters: Filters, visitor: Visitor, seen: dict[str, Recording]
    ) -> tuple[int, list[SimilarHit]]:
        allowed = self._search.allowed(filters, visitor)
        if allowed is None:
            return 0, []
        found = self._words.find(asked.recording_id, asked.passage, asked.sound, limit, allowed)
        known = [one for one in found if one.passage.recording_id in seen]
        likely = self._likely(
            "words", self._library.makers.speech_encoder.fingerprint, [one.score for one in known[:limit]]
        )
        hits = [
            self._said(rank, one, sure, seen[one.passage.recording_id])
            for rank, (one, sure) in enumerate(zip(known, likely, strict=False), 1)
        ]
        return len(seen.keys() - {asked.recording_id}), hits

    @staticmethod
    def _said(rank: int, one: Said, sure: float | None, recording: Recording) -> SimilarHit:
        hit = SimilarHit(rank, recording, one.passage.span, one.score, sure, passage_id=one.passage.passage_id)
        return replace(hit, shared=one.shared, transcript=one.transcript)

    def _all_of(self, recording: Recording, visitor: Visitor) -> Audio:
        """Return the beginning of a recording, as much as may be sent. Raises NotFoundError, DecodeError."""
        until_s = min(recording.duration_s, self._library.limits.sent_audio_s)
        _, media = self._browse.media(recording.recording_id, visitor)
        return self._library.derived.sound(recording, media, Span(0.0, until_s))


def allows(filters: Filters, recording: Recording) -> bool:
    """Say whether filters, as the index understands them, allow a recording.

    >>> talk = Recording("r1", "talks", "On bees", 9.0, speaker="Ada", language="en")
    >>> [allows(one, talk) for one in (Filters(), Filters(speakers=("Bob", "r1:2")), Filters(languages=("de",)))]
    [True, True, False]
    """
    name, colon, _ = voice_key(recording.recording_id, 0).rpartition(":")
    return (
        recording.collection in (filters.collections or (recording.collection,))
        and recording.recording_id in (filters.recording_ids or (recording.recording_id,))
        and recording.language in (filters.languages or (recording.language,))
        and (
            not filters.speakers
            or recording.speaker in filters.speakers
            or any(one.startswith(name + colon) for one in filters.speakers)
        )
    )
