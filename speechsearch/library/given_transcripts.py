"""Transcripts that come with recordings, brought to the passages: those of people, and those written elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from speechsearch.domain.captions import GIVEN, Caption, Given, WrittenPassage
from speechsearch.domain.values import Passage, Transcript, Word, passage_id
from speechsearch.library.library import Library


def keep_given(library: Library, recording_id: str, given: Given) -> bool:
    """Keep what came with a recording, a transcript or chapters in place of earlier ones; return whether that is new.

    The second pass makes the transcript searchable, where the settings name the recogniser "given".

    Raises:
        InputError: text that cannot be kept.
    """
    with library.writing:
        before = library.store.given.of(recording_id)
        texts = given if given.captions else before
        given = Given(texts.name, texts.captions, given.chapters or before.chapters)
        if given == before:
            return False
        library.store.given.save(recording_id, given)
        library.finish([recording_id])
        library.transcripts_version += 1
        return True


def keep_written(library: Library, recording_id: str, recognizer: str, written: Sequence[WrittenPassage]) -> int:
    """Keep what a recogniser wrote of a recording elsewhere, of the passages that are cut here in the same way.

    It counts as that recogniser's where the fingerprint is that of the present one; a transcript that is here stays.

    Returns:
        How many passages' transcripts were kept.

    Raises:
        InputError: text that cannot be kept.
    """
    store = library.store
    with library.writing:
        known = store.transcripts.of(recording_id, recognizer)
        there = {one.passage_id for one in store.passages.of(recording_id)} - known.keys()
        kept: dict[str, dict[str, Transcript]] = {}
        for one in written:
            if (found := passage_id(recording_id, one.span)) in there:
                kept.setdefault(one.fingerprint, {})[found] = one.transcript
        for fingerprint, transcripts in kept.items():
            store.transcripts.save(recording_id, transcripts, fingerprint, [], {})
        if kept:
            library.finish([recording_id])
            library.transcripts_version += 1
        return sum(map(len, kept.values()))


def transcripts_of(given: Given, passages: Sequence[Passage]) -> Mapping[str, Transcript]:
    """Return passage id -> what a given transcript has of it; every word goes to the passage nearest to its middle.

    Words have times only where the transcript has them. Without a transcript there is nothing.
    """
    if not given.captions or not passages:
        return {}
    ordered = sorted(passages, key=lambda one: one.span)
    starts_s = [one.span.start_s for one in ordered]
    said: dict[str, list[tuple[Word, bool]]] = {one.passage_id: [] for one in ordered}
    for caption in sorted(given.captions, key=lambda one: one.span):
        for word in words_in(caption):
            middle_s = (word.start_s + word.end_s) / 2
            at = max(0, bisect_right(starts_s, middle_s) - 1)
            if at + 1 < len(ordered) and starts_s[at + 1] - middle_s < middle_s - ordered[at].span.end_s:
                at += 1  # in a pause, nearer to what comes
            said[ordered[at].passage_id].append((word, bool(caption.words)))
    found = {}
    for one in ordered:
        words, length_s = said[one.passage_id], one.span.duration_s
        timed = tuple(
            Word(
                word.text,
                min(max(0.0, word.start_s - one.span.start_s), length_s),
                min(max(0.0, word.end_s - one.span.start_s), length_s),
            )
            for word, has_time in words
            if has_time
        )
        text = " ".join(word.text for word, _ in words)
        found[one.passage_id] = Transcript(text, GIVEN, timed if len(timed) == len(words) else ())
    return found


def words_in(caption: Caption) -> Iterator[Word]:
    """Yield the words of a caption; where it has no times of them, each takes its share of the characters.

    >>> from speechsearch.domain.values import Span
    >>> [(word.text, word.start_s) for word in words_in(Caption(Span(0.0, 7.0), "who built"))]
    [('who', 0.0), ('built', 2.8)]
    """
    if caption.words:
        yield from caption.words
        return
    words = caption.text.split()
    characters = sum(len(word) + 1 for word in words)
    start_s, done = caption.span.start_s, 0
    for word in words:
        begin, done = done, done + len(word) + 1
        share_s = caption.span.duration_s / characters
        yield Word(word, start_s + begin * share_s, start_s + done * share_s)
