"""What comes with a recording besides its sound: a transcript with times, and chapters; and captions as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal

from speechsearch.domain.safe_text import one_line
from speechsearch.domain.values import Span, Transcript, Word

GIVEN = "given"
"""The name of the recogniser whose transcripts are not made here: they came with the recordings."""
CaptionFormat = Literal["vtt", "srt"]
LONGEST_CAPTION, LONGEST_LINE = 84, 42
"""Characters of a caption and of its lines, as broadcasters have it."""
LONGEST_CAPTION_S = 7.0


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said in a stretch of a recording; ``words``, if their times are known, from the recording's start."""

    span: Span
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a recording, as its author names it."""

    start_s: float
    title: str


@dataclass(frozen=True, slots=True)
class Given:
    """The transcript that came with a recording, the name of its file, and the chapters; each may be missing."""

    name: str = ""
    captions: tuple[Caption, ...] = ()
    chapters: tuple[Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenPassage:
    """What a recogniser made of a passage elsewhere; ``fingerprint`` is the recogniser's."""

    span: Span
    fingerprint: str
    transcript: Transcript


def caption_clock(seconds: float, point: str = ".") -> str:
    """Return a time as captions have it.

    >>> caption_clock(3661.26), caption_clock(0.5, ",")
    ('01:01:01.260', '00:00:00,500')
    """
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    return f"{hours:02}:{rest // 60_000:02}:{rest // 1000 % 60:02}{point}{rest % 1000:03}"


def as_captions(captions: Iterable[Caption], kind: CaptionFormat) -> str:
    r"""Return captions as a file: WebVTT, or SubRip.

    >>> as_captions([Caption(Span(1.0, 2.5), "Who <b> built\n\nit?")], "srt")
    '1\n00:00:01,000 --> 00:00:02,500\nWho <b> built it?\n'
    >>> as_captions([Caption(Span(1.0, 2.5), "Who <b> built it?")], "vtt")
    'WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nWho &lt;b&gt; built it?\n'
    """
    blocks = ["WEBVTT"] if kind == "vtt" else []
    point = "." if kind == "vtt" else ","
    for number, one in enumerate(captions, 1):
        times = f"{caption_clock(one.span.start_s, point)} --> {caption_clock(one.span.end_s, point)}"
        lines = [line.replace("-->", "→") for line in folded(one.text, LONGEST_LINE)]
        said = "\n".join(lines)
        text = escape(said, quote=False) if kind == "vtt" else said
        blocks.append("\n".join([*([str(number)] if kind == "srt" else []), times, text]))
    return "\n\n".join(blocks) + "\n"


def folded(text: str, longest: int) -> list[str]:
    """Return the words of a text in lines of at most so many characters; a longer word has a line of its own.

    >>> folded("one two  three", 7)
    ['one two', 'three']
    """
    lines: list[str] = []
    for word in one_line(text).split():
        if lines and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def captions_of(span: Span, transcript: Transcript) -> Iterator[Caption]:
    """Yield the captions of a passage's transcript: short ones by the times of its words, or one where there are none.

    >>> words = (Word("one", 0.0, 1.0), Word("two", 1.0, 2.0), Word("three", 9.0, 9.5))
    >>> [(one.span.start_s, one.text) for one in captions_of(Span(10.0, 20.0), Transcript("", "r", words))]
    [(10.0, 'one two'), (19.0, 'three')]
    """
    if not transcript.words:
        if transcript.text.strip():
            yield Caption(span, transcript.text)
        return
    group: list[Word] = []
    for word in transcript.words:
        characters = sum(len(one.text) + 1 for one in group) + len(word.text)
        if group and (characters > LONGEST_CAPTION or word.end_s - group[0].start_s > LONGEST_CAPTION_S):
            yield _caption(span, group)
            group = []
        group.append(word)
    yield _caption(span, group)


def _caption(span: Span, group: list[Word]) -> Caption:
    start_s = span.start_s
    words = tuple(Word(one.text, start_s + one.start_s, start_s + one.end_s) for one in group)
    said = Span(words[0].start_s, max(words[-1].end_s, words[0].start_s + 0.001))
    return Caption(said, " ".join(one.text for one in words), words)
