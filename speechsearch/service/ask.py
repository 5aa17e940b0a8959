"""Questions that are answered in sentences, each with the sound that says it, or honestly not.

The evidence is what a search finds. A reader looks in its transcripts for the words that answer; a passage that has no
transcript yet is written down now, only that passage, and nothing of it is kept in the library.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from speechsearch.answers.compose import Cited, compose
from speechsearch.answers.extract import Extract, extract, mention, seconds
from speechsearch.answers.follow_up import stands_alone
from speechsearch.answers.question_kind import Kind, kind_of, topic_of
from speechsearch.answers.refuse import BY_SCORE, read_refusal
from speechsearch.domain.answers import Answer, AnswerEvent, Citation, Earlier, Evidence, Quotes
from speechsearch.domain.counters import ASK_SECONDS, Counters
from speechsearch.domain.errors import (
    CapabilityError,
    DecodeError,
    EmptyQueryError,
    NotFoundError,
)
from speechsearch.domain.values import Audio, Hit, Query, Results, Transcript
from speechsearch.domain.visitors import LOCAL, Visitor, shown_name
from speechsearch.library.library import Library
from speechsearch.models.base import Reader, Recognizer
from speechsearch.service.browse import Browse
from speechsearch.service.phrasing import Phraser
from speechsearch.service.search import Search, understood

log = logging.getLogger(__name__)

READ_FOR_A_FACT = 6
READ_FOR_ALL = 40
"""Passages: for a question that wants one thing, and for one that wants all of them."""
WRITTEN_NOW = 3
"""So many passages at most are written down for one question."""
TURN_S = 2.0
"""So long a question waits until nobody else's passages are being written down; then it goes without."""
REMEMBERED = 256
ABOUT: tuple[Kind, ...] = ("count", "recordings", "speakers")
"""Questions about recordings rather than about what is said in them: searched and listed by their topic."""
NOTHING = "I found nothing in these recordings about that."
NOT_SURE = "I found nothing in these recordings that surely answers that. The nearest passages are listed."
NOT_SENT = "What you sent does not surely answer that."
NO_TEXT = (
    "The passages found have no transcript yet, and no recogniser is set that could make one "
    "(SPEECHSEARCH_ENGINES__RECOGNIZER)."
)
BUSY = (
    "The passages found have no transcript yet, and those of others who ask are being written down. "
    "Ask again in a moment."
)
UNSEARCHED = Results("", (), False, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Read:
    """A hit and what is said in it."""

    hit: Hit
    transcript: Transcript


class Ask:
    """Answers questions.

    Args:
        library: what is asked.
        search: finds the evidence.
        browse: gives the sound of passages that have no transcript.
        reader: finds what answers in transcripts.
        counters: count the answers and how long they take.
        phraser: joins quotes to sentences; without one the quotes are the answer.
    """

    def __init__(
        self,
        library: Library,
        search: Search,
        browse: Browse,
        reader: Reader,
        counters: Counters,
        phraser: Phraser | None = None,
    ) -> None:
        self._library, self._search, self._browse, self._reader = library, search, browse, reader
        self._counters, self._phraser = counters, phraser
        self._written: OrderedDict[tuple[str, str], Transcript] = OrderedDict()
        self._lock, self._writing = threading.Lock(), threading.Lock()

    def answer(
        self,
        query: Query,
        visitor: Visitor = LOCAL,
        engine: str = "",
        thread: Sequence[Earlier] = (),
        *,
        sent: Sequence[Read] = (),
        is_searched: bool = True,
    ) -> Iterator[AnswerEvent]:
        """Yield the evidence, the sentences of the answer, and the whole answer, from what the visitor sees.

        ``thread``: what was asked before; a question that follows it is rewritten to one that stands alone. ``sent``:
        what the visitor sent with the question, which is read, too; then the recordings need not be searched.

        Raises:
            EmptyQueryError: there is nothing to look for, or nothing was understood of a spoken question.
            NotFoundError: there is no such engine or collection.
            CapabilityError: the question is spoken, and no recogniser is set.
        """
        started = time.perf_counter()
        query, followed = self._alone(query, thread)
        asked = understood(query)
        question = asked.text or query.text
        kind = kind_of(question)
        wanted = replace(query, top_k=READ_FOR_A_FACT if kind == "fact" else READ_FOR_ALL)
        if kind in ABOUT and asked.text and not asked.has_demands:
            wanted = replace(wanted, text=topic_of(question) or question)
        results = self._search.find(wanted, engine, visitor) if is_searched else UNSEARCHED
        yield Evidence(question, results, followed)
        read, transcribed = self._read(results.hits, visitor)
        read = [*sent, *read]
        found = self._found(kind, question, read)
        quotes = compose(kind, found) if found else []
        first_ms = (time.perf_counter() - started) * 1000 if quotes else 0.0
        phraser = self._phraser if kind == "fact" and quotes else None
        sentences, note = quotes, ""
        if phraser is None:
            yield from quotes
        else:
            yield Quotes(tuple(quotes))
            sentences, note = yield from phraser.phrase(question, quotes)
        outcome = "answered" if sentences else "refused"
        self._counters.add(ASK_SECONDS, time.perf_counter() - started, outcome=outcome)
        yield Answer(
            question,
            results.engine,
            tuple(sentences),
            reason="" if sentences else reason(results, read, sent, self._recognizer() is not None),
            note=note,
            likelihood=found[0].citation.likelihood if found else None,
            reader=self._reader.fingerprint,
            language_model=phraser.model.name if phraser and any(one.kind == "phrased" for one in sentences) else "",
            sent_to=phraser.model.sent_to if phraser else "",
            read=len(read),
            transcribed=transcribed,
            first_ms=first_ms,
            total_ms=(time.perf_counter() - started) * 1000,
            results=results,
            asked=followed,
        )

    def whole(self, query: Query, visitor: Visitor = LOCAL, engine: str = "", thread: Sequence[Earlier] = ()) -> Answer:
        """Return the whole answer. Raises what ``answer`` does."""
        *_, last = self.answer(query, visitor, engine, thread)
        assert isinstance(last, Answer)
        return last

    def _alone(self, query: Query, thread: Sequence[Earlier]) -> tuple[Query, str]:
        """Return a query with its question in words that stand alone, and those of a follow-up as they were put."""
        said = query.text.strip() if query.audio is None else self._heard(query)
        alone = stands_alone(said, thread)
        return (replace(query, text=said), "") if alone == said else (replace(query, text=alone, audio=None), said)

    def _heard(self, query: Query) -> str:
        """Return a spoken question in words."""
        assert query.audio is not None, "only a spoken question is heard"
        recognizer = self._recognizer()
        if recognizer is None:
            raise CapabilityError("A spoken question needs a recogniser to be answered.", "Type it, or set one.")
        (said,) = recognizer.transcribe([query.audio])
        if not said.text.strip():
            raise EmptyQueryError("Nothing was understood of the spoken question.", "Say it again, or type it.")
        return said.text.strip()

    def _recognizer(self) -> Recognizer | None:
        """Return what writes passages down: the first recogniser of the settings that hears."""
        return next((one.recognizer for one in self._library.makers.baselines if not one.is_given), None)

    def _read(self, hits: Sequence[Hit], visitor: Visitor) -> tuple[list[Read], int]:
        """Return the hits that have words, in order, and how many of them were written down now."""
        ids, found = [hit.passage.passage_id for hit in hits], dict[str, Transcript]()
        for baseline in self._library.makers.baselines:
            missing = [one for one in ids if one not in found]
            found |= self._library.store.transcripts.get(missing, baseline.name)
        new = self._write([one for one in ids if one not in found], visitor)
        found |= new
        rows = [Read(hit, found[hit.passage.passage_id]) for hit in hits if hit.passage.passage_id in found]
        return [one for one in rows if one.transcript.text.strip()], len(new)

    def _write(self, passage_ids: Sequence[str], visitor: Visitor) -> dict[str, Transcript]:
        """Return passage id -> transcript of the first passages, written down now or remembered."""
        recognizer = self._recognizer()
        if recognizer is None or not passage_ids:
            return {}
        keys = [(one, recognizer.fingerprint) for one in passage_ids[:WRITTEN_NOW]]
        with self._lock:
            found = {key[0]: self._written[key] for key in keys if key in self._written}
        todo: list[tuple[str, str]] = []
        sounds: list[Audio] = []
        for key in keys:
            if key[0] not in found:
                try:
                    sounds.append(self._browse.sound(key[0], visitor))
                    todo.append(key)
                except (NotFoundError, DecodeError) as error:  # deleted meanwhile, or its file is; the others are read
                    log.warning("passage %s cannot be written down: %s", key[0], error)
        said: list[Transcript] = []
        if sounds and self._writing.acquire(timeout=TURN_S):
            try:
                said = recognizer.transcribe(sounds)
            finally:
                self._writing.release()
        todo = todo[: len(said)]
        with self._lock:
            self._written.update(zip(todo, said, strict=True))
            while len(self._written) > REMEMBERED:
                self._written.popitem(last=False)
        return found | {key[0]: one for key, one in zip(todo, said, strict=True)}

    def _found(self, kind: Kind, question: str, read: Sequence[Read]) -> list[Cited]:
        """Return what answers, likeliest first: by what a reader finds, or by what recordings are about.

        What the reader is surest of may come from any passage that was found; further answers, and recordings that are
        about something, only from those of which the engine is confident.
        """
        if not read:
            return []
        if kind in ABOUT:
            topic = topic_of(question)
            about = [one for one in read if one.hit.is_confident]
            extracts = [(one, mention(topic, one.transcript.text, heard_in(one.hit))) for one in about]
            likely = [(one, found, one.hit.likelihood) for one, found in extracts if found]
            return [cited(one, found, chance or 0.0, chance) for one, found, chance in likely]
        fitted = read_refusal(self._reader.fingerprint)
        texts = [one.transcript.text for one in read]
        cases = []
        for one, seen in zip(read, self._reader.read(question, texts), strict=True):
            found = extract(question, one.transcript.text, seen)
            refusal = fitted if fitted and one.hit.likelihood is not None else BY_SCORE
            if found is not None:
                chance = refusal.chance(found, one.hit.likelihood)
                if chance >= refusal.threshold:
                    cases.append(
                        (cited(one, found, chance, chance if refusal is fitted else None), one.hit.is_confident)
                    )
        cases.sort(key=lambda pair: -pair[0].chance)
        return [one for place, (one, is_confident) in enumerate(cases) if place == 0 or is_confident]


def reason(results: Results, read: Sequence[Read], sent: Sequence[Read], can_write: bool) -> str:
    """Return why a question has no answer; ``can_write``: what was found could have been written down.

    >>> reason(UNSEARCHED, [], [], True)
    'I found nothing in these recordings about that.'
    """
    if not results.hits:
        return NOT_SENT if sent else NOTHING
    if read:
        return NOT_SURE
    return BUSY if can_write else NO_TEXT


def heard_in(hit: Hit) -> str:
    """Return the words of the question that were heard in the sound of a passage."""
    return " ".join(word.text for word in hit.heard)


def cited(one: Read, found: Extract, chance: float, likelihood: float | None) -> Cited:
    """Return an extract of a passage with its citation, whose times are those of the recording.

    ``likelihood``: the chance, where it was measured.
    """
    hit, text, words = one.hit, one.transcript.text, one.transcript.words
    passage, recording = hit.passage, hit.recording
    begin_s, length_s = passage.span.start_s, passage.span.duration_s
    start_s, end_s = seconds(text, words, found.sentence, length_s)
    span_start_s, span_end_s = seconds(text, words, found.span, length_s)
    citation = Citation(
        0,
        recording.recording_id,
        passage.passage_id,
        round(begin_s + start_s, 3),
        round(begin_s + min(end_s, length_s), 3),
        round(begin_s + span_start_s, 3),
        round(begin_s + min(span_end_s, length_s), 3),
        text[slice(*found.sentence)],
        recording.title,
        shown_name(recording.collection),
        hit.speakers[0].label if hit.speakers else recording.speaker,
        recording.date,
        likelihood,
    )
    return Cited(found, text, citation, chance)
