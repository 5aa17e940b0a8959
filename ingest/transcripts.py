"""Read transcripts and chapters that come with recordings: SubRip, WebVTT, and the JSON of recognisers and podcasts.

Captions are read here and not by a library for subtitles, because those that there are take a WebVTT's notes and styles
for text. Whatever cannot be used of a file is left out and said; the recording is taken in all the same.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.bags import not_as_exported
from ingest.sources import LONGEST_NAME, Beside, clean
from speechsearch.domain.captions import Caption, Chapter, Given, WrittenPassage
from speechsearch.domain.errors import InputError
from speechsearch.domain.safe_text import decoded
from speechsearch.domain.values import Span, Transcript, Word

LARGEST_BYTES = 16_000_000
"""Six hours of speech with the times of all words have about 10 MB."""
MOST_CAPTIONS, MOST_CHAPTERS = 100_000, 1_000
LONGEST_CAPTION, LONGEST_WORD = 5_000, 200
ABOUT = {"description": 2_000, "licence": LONGEST_NAME, "source": LONGEST_NAME}
"""What is said of a collection -> its most characters."""
HINT = "Transcripts are SubRip (.srt), WebVTT (.vtt) or JSON with segments of start, end and text."

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}", re.ASCII)
TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")
INLINE_TIME = re.compile(r"<\d{1,4}:\d{2}[:.]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What was read of the files beside a recording, and what could not be (``problems``), in sentences.

    ``about``: description, licence and source of the collection that the recording was exported from.
    """

    given: Given = field(default_factory=Given)
    written: tuple[tuple[str, tuple[WrittenPassage, ...]], ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read_enclosed(files: Sequence[Beside], duration_s: float) -> Enclosed:
    """Return what the files beside a recording say of it; of several transcripts, the first that can be read.

    ``duration_s``: of the recording; what is said to be after its end is left out.
    """
    given, written, about, problems = Given(), [], {}, []
    for file in files:
        try:
            content, problem = _read(file)
            problems += problem
            if file.kind == "chapters":
                given = Given(given.name, given.captions, chapters_of(content, duration_s))
            elif file.kind == "written":
                written.append((file.recognizer, written_passages(_json(content), file.recognizer)))
            elif file.kind == "collection":
                about = about_collection(_json(content))
            elif not given.captions:
                given = Given(file.name, captions_in(content, duration_s), given.chapters)
        except InputError as error:
            problems.append(f"'{file.name}' beside it was left out: {error.message}")
    return Enclosed(given, tuple(written), about, tuple(problems))


def _read(file: Beside) -> tuple[str, list[str]]:
    """Return the text of a file, and that it is another than was exported where that is so."""
    try:
        with file.path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InputError(f"It cannot be read: {error.strerror or error}.") from error
    if len(content) > LARGEST_BYTES:
        raise InputError(f"It has more than {LARGEST_BYTES:,} bytes.")
    digest = hashlib.sha256(content).hexdigest() if file.sha256 else ""
    problems = [f"'{file.name}' beside it {not_as_exported(digest, file.sha256)} It was used."]
    return decoded(content), problems if digest != file.sha256 else []


def captions_in(text: str, duration_s: float) -> tuple[Caption, ...]:
    """Return the captions of a transcript, by time.

    Raises:
        InputError: it has none that can be used.
    """
    found = list(_segments(_json(text))) if text.lstrip()[:1] in ("{", "[") else list(_timed_blocks(text))
    if not found:
        raise InputError("It has no captions with times.", HINT)
    used = [one for one in found[:MOST_CAPTIONS] if one.span.start_s < duration_s]
    if not used:
        raise InputError("Its times are all after the end of the recording.", HINT)
    return tuple(sorted(used, key=lambda one: one.span))


def _timed_blocks(text: str) -> Iterator[Caption]:
    """Yield the captions of SubRip or WebVTT; blocks without times (notes, styles) are none."""
    is_rolling = INLINE_TIME.search(text) is not None
    before = ""
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        at = next((number for number, line in enumerate(lines[:3]) if "-->" in line), None)
        times = None if at is None else TIMES.match(lines[at])
        if at is None or times is None:
            continue
        said = [clean(html.unescape(TAG.sub("", line)), LONGEST_CAPTION) for line in lines[at + 1 :]]
        said = [line for line in said if line]
        last = said[-1] if said else before
        if is_rolling and said[:1] == [before]:
            said = said[1:]  # captions that roll up show the line before once more
        before = last
        if caption := _caption(_seconds(times.groups()[:4]), _seconds(times.groups()[4:]), " ".join(said)):
            yield caption


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _caption(start_s: float, end_s: float, text: str, words: tuple[Word, ...] = ()) -> Caption | None:
    """Return a caption; None where its text is empty or its times cannot be."""
    text = clean(text, LONGEST_CAPTION)
    is_sound = math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s
    return Caption(Span(start_s, end_s), text, words) if text and is_sound else None


def _segments(document: Any) -> Iterator[Caption]:
    """Yield the captions of JSON, as Whisper's relatives and podcasts write it."""
    segments = document.get("segments") if isinstance(document, Mapping) else document
    for one in segments if isinstance(segments, list) else ():
        if not isinstance(one, Mapping):
            continue
        words = _words(one.get("words"))
        text = str(_first(one, "text", "body") or "")
        if caption := _caption(_number(one, "start", "startTime"), _number(one, "end", "endTime"), text, words):
            yield caption


def _words(value: Any) -> tuple[Word, ...]:
    """Return the words of a segment that have times, or none where one of them has not."""
    words = []
    for one in value if isinstance(value, list) else ():
        text = clean(str(_first(one, "word", "text") or ""), LONGEST_WORD) if isinstance(one, Mapping) else ""
        start_s, end_s = (_number(one, "start"), _number(one, "end")) if text else (math.nan, math.nan)
        if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s <= end_s):
            return ()
        words.append(Word(text, start_s, end_s))
    return tuple(words)


def _first(values: Mapping[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _number(values: Mapping[str, Any], *names: str) -> float:
    found = _first(values, *names)
    try:
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else math.nan
    except OverflowError:  # a whole number with more digits than a float has
        return math.nan


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"It is no JSON: {clean(error)}.", HINT) from error


def chapters_of(text: str, duration_s: float) -> tuple[Chapter, ...]:
    """Return the chapters of a podcast's JSON, by time.

    Raises:
        InputError: it is no such file.

    >>> chapters_of('{"version": "1.2.0", "chapters": [{"startTime": 4, "title": "Bees"}, {"startTime": 99}]}', 60.0)
    (Chapter(start_s=4.0, title='Bees'),)
    """
    document = _json(text)
    chapters = document.get("chapters") if isinstance(document, Mapping) else None
    if not isinstance(chapters, list):
        raise InputError("It has no list of chapters.")
    found = []
    for one in chapters[:MOST_CHAPTERS]:
        start_s = _number(one, "startTime") if isinstance(one, Mapping) else math.nan
        title = clean(str(one.get("title") or ""), LONGEST_NAME) if isinstance(one, Mapping) else ""
        if title and 0 <= start_s < duration_s:
            found.append(Chapter(start_s, title))
    return tuple(sorted(found, key=lambda one: one.start_s))


def about_collection(document: Any) -> dict[str, str]:
    r"""Return what an exported collection says about itself.

    Raises:
        InputError: it is no such file.

    >>> about_collection({"name": "talks", "description": "On\nbees", "licence": "CC0", "source": ""})
    {'description': 'On\nbees', 'licence': 'CC0', 'source': ''}
    """
    if not isinstance(document, Mapping):
        raise InputError("It does not describe a collection.")
    said = {name: str(document.get(name) or "")[:most].splitlines() for name, most in ABOUT.items()}
    return {name: "\n".join(clean(line, ABOUT[name]) for line in lines) for name, lines in said.items()}


def written_passages(document: Any, recognizer: str) -> tuple[WrittenPassage, ...]:
    """Return what a recogniser wrote of each passage, from an exported collection.

    Raises:
        InputError: it is no such file.
    """
    is_known = isinstance(document, Mapping) and isinstance(document.get("segments"), list)
    if not is_known or document.get("recognizer") != recognizer:
        raise InputError(f"It is no transcript by {recognizer} of an exported collection.")
    found = []
    for one in document["segments"][:MOST_CAPTIONS]:
        if not isinstance(one, Mapping):
            continue
        start_s, end_s = _number(one, "start"), _number(one, "end")
        if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
            continue
        words = tuple(
            Word(word.text, round(word.start_s - start_s, 6), round(word.end_s - start_s, 6))
            for word in _words(one.get("words"))
        )
        text, fingerprint = str(one.get("text") or "")[: 8 * LONGEST_CAPTION], clean(one.get("fingerprint", ""))
        found.append(WrittenPassage(Span(start_s, end_s), fingerprint, Transcript(text, recognizer, words)))
    return tuple(found)
