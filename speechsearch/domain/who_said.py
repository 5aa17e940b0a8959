"""Who says which words: the transcript of a passage, cut where another voice goes on. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from speechsearch.domain.captions import Caption, captions_of
from speechsearch.domain.speakers import RecordedSpeakers, Turn, voices_in
from speechsearch.domain.values import Span, Transcript, Word


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is said in a row; ``voices``: the numbers of those who say it, most first, nobody where it is not known.

    There is one voice, or the words have no times and several speak in the passage.
    """

    span: Span
    voices: tuple[int, ...]
    transcript: Transcript


def spoken(span: Span, transcript: Transcript, turns: Sequence[Turn]) -> list[Spoken]:
    """Return a passage's transcript in pieces, each with who says it; one piece where its words have no times.

    A word belongs to the voice that is heard most in it; where none is, to that of the word before.

    >>> words = (Word("Hello", 0.0, 1.0), Word("Ann", 1.0, 2.0), Word("hello", 2.0, 3.0))
    >>> turns = [Turn(Span(10.0, 12.0), 1), Turn(Span(12.0, 13.0), 2)]
    >>> [(one.voices, one.transcript.text) for one in spoken(Span(10.0, 13.0), Transcript("", "r", words), turns)]
    [((1,), 'Hello Ann'), ((2,), 'hello')]
    """
    here = [one for one in turns if one.span.start_s < span.end_s and one.span.end_s > span.start_s]
    if not transcript.words or len({one.voice for one in here}) < 2:
        return [Spoken(span, tuple(voices_in(span, here)), transcript)]
    pieces: list[tuple[int, list[Word]]] = []
    for word in transcript.words:
        said = Span(span.start_s + word.start_s, max(span.start_s + word.end_s, span.start_s + word.start_s + 0.01))
        voice = next(iter(voices_in(said, here)), pieces[-1][0] if pieces else here[0].voice)
        if not pieces or pieces[-1][0] != voice:
            pieces.append((voice, []))
        pieces[-1][1].append(word)
    return [_piece(span, voice, words, transcript.recognizer) for voice, words in pieces]


def _piece(passage: Span, voice: int, words: list[Word], recognizer: str) -> Spoken:
    """Return words in a row; their times count from the piece's start."""
    start_s = words[0].start_s
    own = tuple(Word(one.text, one.start_s - start_s, one.end_s - start_s) for one in words)
    span = Span(passage.start_s + start_s, passage.start_s + max(words[-1].end_s, start_s + 0.001))
    return Spoken(span, (voice,), Transcript(" ".join(one.text for one in words), recognizer, own))


def sample(turns: Sequence[Turn], voice: int, longest_s: float) -> Span | None:
    """Return the beginning of a voice's longest turn, one without others if there is one; None where it has no turn.

    >>> sample([Turn(Span(0.0, 9.0), 1, is_overlap=True), Turn(Span(20.0, 27.0), 1)], 1, 5.0)
    Span(start_s=20.0, end_s=25.0)
    """
    own = [one for one in turns if one.voice == voice]
    if not own:
        return None
    span = max(own, key=lambda one: (not one.is_overlap, one.span.duration_s)).span
    return Span(span.start_s, min(span.end_s, span.start_s + longest_s))


def spoken_captions(span: Span, transcript: Transcript, heard: RecordedSpeakers) -> list[Caption]:
    """Return the captions of a passage's transcript, cut where another voice goes on, each with who says it."""
    return [
        replace(caption, speaker=_labels(piece.voices, heard))
        for piece in spoken(span, transcript, heard.turns)
        for caption in captions_of(piece.span, piece.transcript)
    ]


def with_speakers(captions: Sequence[Caption], heard: RecordedSpeakers) -> list[Caption]:
    """Return captions with who speaks in each.

    >>> from speechsearch.domain.speakers import RecordedVoice, Speaker
    >>> ann = RecordedVoice(1, Speaker("a", 1, "Ann"), 9.0)
    >>> heard = RecordedSpeakers(True, (ann,), (Turn(Span(0.0, 9.0), 1),))
    >>> captions = [Caption(Span(1.0, 3.0), "Hello"), Caption(Span(9.0, 12.0), "Hi")]
    >>> [one.speaker for one in with_speakers(captions, heard)]
    ['Ann', '']
    """
    return [replace(one, speaker=_labels(tuple(voices_in(one.span, heard.turns)), heard)) for one in captions]


def _labels(voices: tuple[int, ...], heard: RecordedSpeakers) -> str:
    whose = {one.number: one.speaker.label for one in heard.voices}
    return ", ".join(dict.fromkeys(whose[one] for one in voices if one in whose))
