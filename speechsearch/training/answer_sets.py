"""Questions put to recordings, with and without the one that answers: for fitting and for measuring answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from speechsearch.answers.extract import Extract, seconds
from speechsearch.domain.values import Filters, Hit, Query, Transcript, Word
from speechsearch.service.ask import READ_FOR_A_FACT
from speechsearch.service.open import Service
from speechsearch.text.sentences import sentences
from speechsearch.training.reader_data import Section
from speechsearch.training.spoken_questions import SpokenQuestion, times_of

PASSAGE_WORDS = 70
"""About half a minute of speech."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a section, as a passage of a recording is one, and where it begins there."""

    section: Section
    start: int
    text: str


def parts_of(section: Section) -> list[Part]:
    """Return a section in stretches of whole sentences of about PASSAGE_WORDS.

    >>> story = Section("a", "1", "val", ("One two three. " * 30).strip())
    >>> [(one.start, len(one.text.split())) for one in parts_of(story)]
    [(0, 72), (360, 18)]
    """
    found, start, words = [], 0, 0
    for begin, end in sentences(section.text):
        start = begin if not words else start
        words += len(section.text[begin:end].split())
        if words >= PASSAGE_WORDS:
            found.append(Part(section, start, section.text[start:end]))
            words = 0
    if words:
        found.append(Part(section, start, section.text[start:]))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A question, whether the recordings that were asked answer it, and what a search finds there, best first.

    ``times_s``: when the answer is said in the recording that answers, one or more stretches.
    """

    asked: SpokenQuestion
    is_answerable: bool
    read: tuple[tuple[Hit, Transcript], ...]
    recording_id: str
    times_s: tuple[tuple[float, float], ...]

    def is_right(self, hit: Hit, transcript: Transcript, found: Extract) -> bool:
        """Say whether an extract of a passage is said where the answer is said."""
        passage = hit.passage
        if not self.is_answerable or passage.recording_id != self.recording_id:
            return False
        begin_s, end_s = seconds(transcript.text, transcript.words, found.span, passage.span.duration_s)
        begin_s, end_s = begin_s + passage.span.start_s, end_s + passage.span.start_s
        return any(start_s < end_s and stop_s > begin_s for start_s, stop_s in self.times_s)


class SpokenSet:
    """The recordings of a folder that ``spoken_questions`` wrote, taken in by a service, and what is said in them."""

    def __init__(self, service: Service, collection: str) -> None:
        self._service = service
        recordings = service.browse.recordings(collection)
        self.ids: Mapping[str, str] = {Path(one.file_name).stem: one.recording_id for one in recordings}
        self.words = cache(self._words)

    def _words(self, name: str) -> list[Word]:
        """Return the words of a recording as its recogniser wrote them, with times from its start."""
        found = []
        for passage, transcript in self._service.browse.transcribed(self.ids[name]):
            start_s = passage.span.start_s
            for word in transcript.words if transcript else ():
                found.append(replace(word, start_s=start_s + word.start_s, end_s=start_s + word.end_s))
        return found

    def times_s(self, asked: SpokenQuestion) -> tuple[tuple[float, float], ...]:
        """Return when a question's answer is said, one or more stretches; none where nothing like it was heard."""
        words = self.words(asked.recording)
        found = (times_of(asked.text, words, span) for span in asked.spans)
        return tuple(one for one in found if one is not None)

    def query(self, asked: SpokenQuestion, is_answerable: bool) -> Query:
        """Return a question put to the recordings that it is about, or to these without the one that answers."""
        among = asked.among or tuple(self.ids)
        names = [one for one in among if is_answerable or one != asked.recording]
        is_all = len(names) == len(self.ids)
        filters = Filters() if is_all else Filters(recording_ids=tuple(self.ids[one] for one in names))
        return Query(asked.question, filters=filters)

    def cases(self, questions: Sequence[SpokenQuestion]) -> Iterator[Case]:
        """Yield two cases a question, with its recording and without: what is read for its answer."""
        said = cache(lambda recording_id: dict(self._said(recording_id)))
        for one in questions:
            times_s = self.times_s(one)
            for is_answerable in (True, False):
                wanted = replace(self.query(one, is_answerable), top_k=READ_FOR_A_FACT)
                read = []
                for hit in self._service.search.find(wanted).hits:
                    transcript = said(hit.passage.recording_id).get(hit.passage.passage_id)
                    if transcript is not None and transcript.text.strip():
                        read.append((hit, transcript))
                yield Case(one, is_answerable, tuple(read), self.ids[one.recording], times_s)

    def _said(self, recording_id: str) -> Iterator[tuple[str, Transcript]]:
        for passage, transcript in self._service.browse.transcribed(recording_id):
            if transcript is not None:
                yield passage.passage_id, transcript
