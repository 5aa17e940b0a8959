"""Transcripts as files: plain text, JSON as Whisper's own program writes it, subtitles, and a table. Pure functions.

JSON and subtitles, laid beside a recording under its name, are taken in by ``ingest`` as its transcript.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

from speechsearch.domain.captions import Caption, as_captions, captions_of
from speechsearch.domain.errors import InputError
from speechsearch.domain.safe_text import cell, one_line
from speechsearch.domain.segments import Segment
from speechsearch.domain.values import Span, Transcript

TranscriptFormat = Literal["txt", "json", "srt", "vtt", "tsv"]
FORMATS: tuple[TranscriptFormat, ...] = get_args(TranscriptFormat)
Format = TypeVar("Format", bound=str)


def as_transcript(segments: Sequence[Segment], kind: TranscriptFormat, about: Mapping[str, Any]) -> str:
    """Return a transcript as a file; ``about`` is what a JSON document says besides the segments."""
    writers: dict[TranscriptFormat, Callable[[], str]] = {
        "txt": lambda: "".join(f"{line}\n" for line in as_lines(segments)),
        "json": lambda: as_json(segments, about),
        "srt": lambda: as_captions(captions(segments), "srt"),
        "vtt": lambda: as_captions(captions(segments), "vtt"),
        "tsv": lambda: as_table(segments),
    }
    return writers[kind]()


def as_lines(segments: Iterable[Segment]) -> Iterator[str]:
    """Yield a line a segment; who speaks stands before it where that is known.

    >>> list(as_lines([Segment(Span(0, 1), "Who?"), Segment(Span(1, 2), "I.", speaker="Ann")]))
    ['Who?', 'Ann: I.']
    """
    for one in segments:
        text = one_line(one.text)
        yield f"{one_line(one.speaker)}: {text}" if one.speaker else text


def as_json(segments: Sequence[Segment], about: Mapping[str, Any]) -> str:
    """Return a JSON document: ``about``, the whole text, and the segments with their words; times are in seconds."""
    document = {**about, "text": " ".join(one_line(one.text) for one in segments), "segments": []}
    for number, one in enumerate(segments):
        words = [
            {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3)} for word in one.words
        ]
        document["segments"].append(
            {
                "id": number,
                "start": round(one.span.start_s, 3),
                "end": round(one.span.end_s, 3),
                "text": one.text,
                **({"speaker": one.speaker} if one.speaker else {}),
                **({"language": one.language} if one.language else {}),
                **({"confidence": round(one.confidence, 4)} if one.confidence is not None else {}),
                **({"words": words} if words else {}),
            }
        )
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def captions(segments: Iterable[Segment]) -> Iterator[Caption]:
    """Yield captions of a length that can be read, by the times of the words; of a segment without them, one.

    >>> [one.text for one in captions([Segment(Span(0, 1), "I.", speaker="Ann")])]
    ['Ann: I.']
    """
    for one in segments:
        # The words of a segment have the recording's times already.
        span = Span(0.0, one.span.end_s) if one.words else one.span
        for caption in captions_of(span, Transcript(one.text, "", one.words)):
            text = f"{one_line(one.speaker)}: {caption.text}" if one.speaker else caption.text
            yield Caption(caption.span, text, caption.words)


def as_table(segments: Sequence[Segment]) -> str:
    r"""Return a table as Whisper's own program writes it: start and end in milliseconds, and the text; tabs between.

    Where somebody listened for who speaks, there is a column for it too.

    >>> as_table([Segment(Span(0.5, 1.25), "=Who?")])
    "start\tend\ttext\n500\t1250\t'=Who?\n"
    """
    has_speakers = any(one.speaker for one in segments)
    rows = [["start", "end", *(["speaker"] if has_speakers else []), "text"]]
    for one in segments:
        times = [str(round(1000 * one.span.start_s)), str(round(1000 * one.span.end_s))]
        who = [cell(one_line(one.speaker))] if has_speakers else []
        rows.append([*times, *who, cell(one_line(one.text))])
    return "".join("\t".join(row) + "\n" for row in rows)


def formats_in(text: str) -> list[TranscriptFormat]:
    """Return the formats of transcripts that a text names. Raises InputError: none, or one that there is not."""
    return named_in(text, FORMATS, "transcripts")


def named_in(text: str, known: Sequence[Format], what: str) -> list[Format]:
    """Return the formats that a text names, with commas between, each once; ``what``: of which they are.

    >>> named_in("srt, txt,srt", FORMATS, "transcripts")
    ['srt', 'txt']

    Raises:
        InputError: it names none, or one that there is not.
    """
    names = list(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(f"{(unknown or [text])[0]!r:.40} is no format of {what}.", f"Choose from: {', '.join(known)}.")
    return [one for name in names for one in known if one == name]
