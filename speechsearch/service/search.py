"""Questions and their answers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from speechsearch import audio
from speechsearch.domain.counters import SEARCH_SECONDS, SEARCHES_REFUSED, Counters
from speechsearch.domain.errors import CapabilityError, EmptyQueryError, SpeechSearchError
from speechsearch.domain.question_syntax import Question, read_question
from speechsearch.domain.values import Audio, Comparison, Coverage, Filters, Hit, Query, Results, SpokenWord
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.library.coverage import CoverageTable
from speechsearch.library.library import Library
from speechsearch.retrieval.demands import Demands, other_readings
from speechsearch.retrieval.engine_cards import EngineCard, engine_named, usual_pair
from speechsearch.retrieval.engines import Engine
from speechsearch.retrieval.evidence import NOTHING, explain
from speechsearch.retrieval.fused import draw_sample
from speechsearch.retrieval.retriever import Learner, Ranking
from speechsearch.retrieval.spotting import NAME as SPOTTING
from speechsearch.retrieval.spotting import with_sounds
from speechsearch.service.browse import Browse
from speechsearch.service.found import FoundCounts
from speechsearch.service.my_names import MyNames
from speechsearch.service.people import Speakers

LONGEST_QUERY = 2_000
MOST_HITS = 200
LOOKED_AT = 500
"""So many of the best passages are looked at where a question demands phrases, or leaves words out."""
DRAWN_FROM = 20_000
"""The background is drawn from so many passages at most: to read all ids of an archive would take seconds."""
AT_ONCE = max(2, os.cpu_count() or 1)
"""So many typed questions are answered at once, the others wait: more would only fight for Python's lock."""
NOTHING_THERE = Coverage(0, 0, 0.0, 0.0)


class Search:
    """Puts questions to the engines.

    Args:
        library: what is searched.
        engines: by name.
        browse: knows what a visitor sees.
        found: counts what is found.
        names: the list of names, which are heard as they are said to sound.
        speakers: knows whose voices are heard where.
        counters: count the searches and how long they take.
    """

    def __init__(
        self,
        library: Library,
        engines: Mapping[str, Engine],
        browse: Browse,
        found: FoundCounts,
        names: MyNames,
        speakers: Speakers,
        counters: Counters,
    ) -> None:
        self._library, self._browse, self._found, self._names = library, browse, found, names
        self._speakers, self._counters = speakers, counters
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self.engines = engines
        self._coverage = CoverageTable(library)

    def cards(self) -> list[EngineCard]:
        """Return the cards of the engines that can be asked."""
        return [engine.card for engine in self.engines.values()]

    def default(self) -> str:
        """Return the name of the engine that answers when nobody chose."""
        return usual_pair(list(self.engines))[0]

    def baseline(self) -> str:
        """Return the name of the engine that the others are compared with; another one where there is none."""
        return usual_pair(list(self.engines))[1]

    def find(self, query: Query, engine_name: str = "", visitor: Visitor = LOCAL) -> Results:
        """Return one engine's answer, the usual one's without a name, from the collections that the visitor sees.

        Raises:
            EmptyQueryError: there is nothing to look for.
            NotFoundError: there is no such engine or collection.
            CapabilityError: the engine cannot find phrases, and some are asked for.
        """
        results = self._find(query, engine_name, visitor)
        self._count(query, results)
        return results

    def _find(self, query: Query, engine_name: str, visitor: Visitor) -> Results:
        """Return what ``find`` does, and how long that took with the wait for a turn; what is refused is counted."""
        started = time.perf_counter()
        try:
            with nullcontext() if query.audio else self._turns:
                results = self._answered(query, engine_name, visitor)
        except SpeechSearchError as error:
            self._counters.add(SEARCHES_REFUSED, code=error.code)
            raise
        return replace(results, total_ms=(time.perf_counter() - started) * 1000)

    def _answered(self, query: Query, engine_name: str, visitor: Visitor) -> Results:
        """Return what ``find`` does, and count and time nothing."""
        engine_name = engine_name or self.default()
        engine_named(engine_name, self.cards())
        engine = self.engines[engine_name]
        if len(query.text) > LONGEST_QUERY:
            raise EmptyQueryError(
                f"The question has {len(query.text)} characters; {LONGEST_QUERY} are allowed.",
                "Ask for one thing at a time.",
            )
        if not 1 <= query.top_k <= MOST_HITS:
            raise EmptyQueryError(f"{query.top_k} answers were asked for; 1 to {MOST_HITS} are possible.")
        question = understood(query)
        filters = self.allowed(query.filters, visitor)
        if filters is None:
            nothing = Results(engine_name, (), False, 0.0, 0.0, recognizer=engine.recognizer, question=question)
            return replace(nothing, searches=engine.card.searches)
        query = replace(query, text=question.text, filters=filters, sounds=self._sounds(question.text))
        left_out = [sound for one in question.excluded for sound in self._sounds(one)]
        demands = Demands(question, self._library.makers.speech_encoder.pronounce, query.sounds, left_out)
        ranking = engine.retriever.retrieve(query, LOOKED_AT if demands.are_any else query.top_k)
        if demands.are_any:
            ranking = self._demanded(engine, ranking, demands, query.top_k)
        coverage = self._covered(engine, filters)
        return replace(
            self._results(engine, ranking, query, demands, visitor),
            question=question,
            coverage=coverage,
            searches=engine.card.searches,
            transcripts=coverage if engine.channels == engine.needed else self._coverage.of(engine.channels, filters),
        )

    def coverage(self, engine_name: str, visitor: Visitor = LOCAL) -> Coverage:
        """Return how much an engine can search of what the visitor sees. Raises NotFoundError."""
        engine_named(engine_name, self.cards())
        filters = self.allowed(Filters(), visitor)
        return NOTHING_THERE if filters is None else self._covered(self.engines[engine_name], filters)

    def _covered(self, engine: Engine, filters: Filters) -> Coverage:
        """Return how much of what filters allow an engine can search: what its channels have, or what it has learnt."""
        covered = self._coverage.of(engine.needed, filters)
        if not isinstance(engine.retriever, Learner):
            return covered
        learnt = self._library.store.passages.get(engine.retriever.learnt(filters)).values()
        return replace(covered, passages=len(learnt), duration_s=sum(one.span.duration_s for one in learnt))

    def compare(self, query: Query, left: str = "", right: str | None = None, visitor: Visitor = LOCAL) -> Comparison:
        """Return two engines' answers to the same query, one after the other so that neither slows the other."""
        both = [self._find(query, engine, visitor) for engine in (left, right or self.baseline())]
        self._count(query, *both)
        return Comparison(*both)

    def _count(self, query: Query, *answers: Results) -> None:
        """Count the searches, and the recordings that were found; these not where the visitor had chosen them."""
        for results in answers:
            for stage, spent_ms in (
                ("encode", results.encode_ms), ("index", results.search_ms), ("all", results.total_ms)
            ):  # fmt: skip
                self._counters.add(SEARCH_SECONDS, spent_ms / 1000, engine=results.engine, stage=stage)
        if not query.filters.recording_ids:
            hits = [hit for results in answers for hit in results.hits if hit.is_confident]
            self._found.note(hit.recording.recording_id for hit in hits)

    def query_audio(self, source: Path | bytes) -> Audio:
        """Return what is said in a spoken question. Raises DecodeError, TooLongError, SilentError."""
        return audio.question(source, self._library.limits)

    def allowed(self, filters: Filters, visitor: Visitor) -> Filters | None:
        """Return filters that the index understands and that leave out what the visitor must not see; None: nothing.

        Raises:
            NotFoundError: a collection is named that there is not, or not for the visitor.
        """
        names = self._library.store.collections.names()
        seen = [name for name in names if visitor.sees(name)]
        if filters.collections:
            found = tuple(self._browse.resolve(name, visitor) for name in filters.collections)
            filters = replace(filters, collections=found)
        elif len(seen) < len(names):
            if not seen:
                return None
            filters = replace(filters, collections=tuple(seen))
        if filters.speakers:
            filters = replace(filters, speakers=self._speakers.keys(filters.speakers, visitor))
        if filters.date_from or filters.date_to:
            dated = self._library.store.recordings.ids_between(filters.date_from, filters.date_to)
            wanted = [one for one in dated if not filters.recording_ids or one in filters.recording_ids]
            if not wanted:
                return None
            filters = replace(filters, recording_ids=tuple(wanted), date_from="", date_to="")
        return filters

    def _sounds(self, text: str) -> tuple[SpokenWord, ...]:
        """Return how words of a question may sound besides the usual: numbers, acronyms, listed names."""
        return (*other_readings(text, self._library.makers.speech_encoder.pronounce), *self._names.sounds(text))

    def _demanded(self, engine: Engine, ranking: Ranking, demands: Demands, limit: int) -> Ranking:
        """Return the passages of a ranking that have what is demanded, in what the engine searches.

        Raises:
            CapabilityError: it hears no single words.
        """
        started = time.perf_counter()
        store, ids = self._library.store, [one.passage_id for one in ranking.passages]
        tracks = {} if engine.card.is_over_transcripts else store.passages.tracks(ids)
        recognizers = [one.name for one in self._library.makers.baselines]
        if engine.card.is_over_transcripts:
            recognizers = [engine.recognizer]
        texts: dict[str, list[str]] = {}
        for name in recognizers if engine.card.searches != "sound" else ():
            for passage_id, text in store.transcripts.texts(ids, name).items():
                texts.setdefault(passage_id, []).append(text)
        if ids and not tracks and not texts and (demands.phrases or demands.excluded):
            raise CapabilityError(
                f"The engine '{engine.card.name}' hears no single words here, so it cannot look for phrases.",
                "Ask without quotation marks and minus signs.",
            )
        kept = set(demands.met(ids, tracks, texts))
        passages = tuple(one for one in ranking.passages if one.passage_id in kept)[:limit]
        spent_ms = (time.perf_counter() - started) * 1000
        return replace(ranking, passages=passages, search_ms=ranking.search_ms + spent_ms)

    def _results(self, engine: Engine, ranking: Ranking, query: Query, demands: Demands, visitor: Visitor) -> Results:
        """Return a ranking with all that is known of its passages."""
        store, text = self._library.store, query.text
        ids = [one.passage_id for one in ranking.passages]
        passages, recordings = store.passages.get(ids), store.recordings.of_passages(ids)
        transcripts, speakers = self._transcripts(engine, ids), store.voices.in_passages(ids)
        tracks = store.passages.tracks(self._heard(ranking) if text else [])
        words = self._library.makers.speech_encoder.pronounce(Query(text)) if tracks else []
        evidence = explain(text, with_sounds(words, query.sounds), tracks, transcripts, demands.phrases)
        # One may be deleted meanwhile, or belong to a collection that was made after the filters were.
        seen = {
            name for name, recording in recordings.items() if name in passages and visitor.sees(recording.collection)
        }
        known = [one for one in ranking.passages if one.passage_id in seen]
        learnt = engine.likelihood
        chances = dict(zip(ids, learnt.chances(ranking), strict=True)) if learnt else {}
        hits = tuple(
            Hit(
                rank,
                one.score,
                passages[one.passage_id],
                recordings[one.passage_id],
                one.channels,
                is_confident=learnt is None or chances[one.passage_id] >= learnt.threshold,
                transcript=transcripts.get(one.passage_id),
                likelihood=chances.get(one.passage_id),
                heard=evidence.get(one.passage_id, NOTHING).heard,
                marked=evidence.get(one.passage_id, NOTHING).marked,
                speakers=speakers.get(one.passage_id, ()),
            )
            for rank, one in enumerate(known, 1)
        )
        return Results(
            engine.card.name,
            hits,
            any(hit.is_confident for hit in hits),
            ranking.encode_ms,
            ranking.search_ms,
            recognizer=engine.recognizer,
            is_calibrated=learnt is not None,
        )

    def _heard(self, ranking: Ranking) -> list[str]:
        """Return the ids of the passages that were found by how the question sounds."""
        channels = self._library.makers.speech_encoder.channels
        phonetic = {SPOTTING, *(channel.title or channel.name for channel in channels if channel.is_phonetic)}
        return [one.passage_id for one in ranking.passages if any(found.channel in phonetic for found in one.channels)]

    def _transcripts(self, engine: Engine, passage_ids: list[str]) -> dict[str, str]:
        """Return passage id -> transcript: of the recogniser that the engine searches, else of the first one."""
        baselines = self._library.makers.baselines
        name = engine.recognizer or (baselines[0].name if baselines else "")
        return self._library.store.transcripts.texts(passage_ids, name) if name else {}


def understood(query: Query) -> Question:
    """Return a typed question as it is understood; an empty one where it was spoken.

    Raises:
        EmptyQueryError: there is nothing to look for.

    >>> understood(Query("-blue"))
    Traceback (most recent call last):
        ...
    speechsearch.domain.errors.EmptyQueryError: The question only says what to leave out: blue. Say also what to \
look for, for example: octopus -blue
    """
    if query.audio is not None:
        return Question()
    question = read_question(query.text)
    if question.text:
        return question
    if question.excluded:
        left_out = ", ".join(question.excluded)
        raise EmptyQueryError(
            f"The question only says what to leave out: {left_out:.200}.",
            "Say also what to look for, for example: octopus -blue",
        )
    raise EmptyQueryError("The question is empty.", "Type some words or record a question.")


class BackgroundSample:
    """The background passages of a library, drawn again after every change of its passages."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._drawn: tuple[int, list[str]] = (-1, [])
        self._lock = threading.Lock()

    def __call__(self) -> list[str]:
        """Return the passages' ids."""
        with self._lock:
            version = self._library.version
            if self._drawn[0] != version:
                self._drawn = (version, draw_sample(self._library.store.passages.first_ids(DRAWN_FROM)))
            return self._drawn[1]
