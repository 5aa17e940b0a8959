"""A collection as a bag (BagIt, RFC 8493): its sound, metadata and transcripts, with the sha256 of every file.

``ingest`` makes the same collection of it again. In ``data``::

    audio/<file>                           the recording as it came, and beside it what came with it
    audio/<file>.vtt, .json, .chapters.json
    transcripts/<recogniser>/<file>.json   what a recogniser wrote, by passage
    metadata.csv, collection.json
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath

from speechsearch.domain.captions import GIVEN, Caption, Given, as_captions
from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.safe_text import cell, safe_name
from speechsearch.domain.values import Passage, Recording, Word
from speechsearch.domain.visitors import shown_name
from speechsearch.library.library import Library
from speechsearch.store import CollectionSummary
from speechsearch.store.records import TranscriptOf

CHUNK_BYTES = 1 << 20
COLUMNS = ("file", "title", "speaker", "date", "language", "licence", "source", "collection")
MARKS = frozenset("<>&{")
DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


@dataclass(slots=True)
class Sums:
    """The sha256 of the files that have been written, by their path in the bag, and their bytes."""

    digests: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0

    def counted(self, path: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a file and keep their sum."""
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            self.size_bytes += len(chunk)
            yield chunk
        self.digests[path] = digest.hexdigest()

    def manifest(self) -> str:
        """Return the lines of a manifest.

        >>> print(Sums({"data/50%.mp3": "ab"}).manifest(), end="")
        ab  data/50%25.mp3
        """
        return "".join(f"{digest}  {path.replace('%', '%25')}\n" for path, digest in sorted(self.digests.items()))


def bag_files(library: Library, collection: str) -> Generator[tuple[str, Iterator[bytes]], None, None]:
    """Yield the path and the content of every file of a collection's bag, the manifests last.

    The contents must be read to their ends, in this order.

    Raises:
        NotFoundError: the collection is gone, or the audio of a recording is, while its content is read.
    """
    summary = next((one for one in library.store.collections.summaries() if one.name == collection), None)
    if summary is None:
        raise NotFoundError("The collection is gone.", "It was deleted or renamed just now.")
    payload, tags = Sums(), Sums()
    rows: list[dict[str, str]] = []
    used: set[str] = set()
    for recording in library.store.recordings.find(collection):
        media = PurePath(library.store.recordings.media_name(recording.recording_id))
        name = free_name(file_name_of(recording, media), used)
        rows.append(metadata_row(recording, f"audio/{name}"))
        yield _counted(payload, f"data/audio/{name}", _content(library, recording))
        for path, text in _texts(library, recording, name):
            yield _counted(payload, f"data/{path}", [text.encode()])
    yield _counted(payload, "data/metadata.csv", [metadata_csv(rows).encode()])
    yield _counted(payload, "data/collection.json", [_json(_about(summary)).encode()])
    yield _counted(tags, "bagit.txt", [DECLARATION.encode()])
    yield _counted(tags, "bag-info.txt", _late(lambda: _info(summary, payload)))
    yield _counted(tags, "manifest-sha256.txt", _late(payload.manifest))
    yield "tagmanifest-sha256.txt", _late(tags.manifest)


def _counted(sums: Sums, path: str, chunks: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
    return path, sums.counted(path, chunks)


def _late(text: Callable[[], str]) -> Iterator[bytes]:
    """Yield a text that is only known when it is read."""
    yield text().encode()


def _content(library: Library, recording: Recording) -> Iterator[bytes]:
    try:
        media = library.media(recording.recording_id)
    except NotFoundError as error:
        raise NotFoundError(f"The audio of '{recording.title}' is gone.", "Run: speechsearch doctor") from error
    with media.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def file_name_of(recording: Recording, media: PurePath) -> str:
    """Return a safe name for a recording's file: the one it came with as far as that can be."""
    came_as, suffix = recording.file_name or recording.title, media.suffix
    stem, own = came_as[: len(came_as) - len(suffix)], came_as[len(came_as) - len(suffix) :]
    return safe_name(stem, own) if suffix and own.lower() == suffix.lower() else safe_name(came_as, suffix)


def free_name(name: str, used: set[str]) -> str:
    """Return a path for a file whose name others may have too, and remember it.

    >>> used: set[str] = set()
    >>> [free_name(name, used) for name in ("a.mp3", "A.MP3", "b.mp3", "a.mp3")]
    ['a.mp3', '2/A.MP3', 'b.mp3', '3/a.mp3']
    """
    path, number = name, 1
    # Transcripts are found by the name without its ending, so that must be the file's own.
    while (key := PurePath(path).with_suffix("").as_posix().casefold()) in used:
        number += 1
        path = f"{number}/{name}"
    used.add(key)
    return path


def metadata_row(recording: Recording, path: str) -> dict[str, str]:
    """Return a recording's row in metadata.csv."""
    said = {name: getattr(recording, name) for name in COLUMNS[1:]} | {"collection": shown_name(recording.collection)}
    return {"file": path, **{name: cell(text) for name, text in said.items()}}


def metadata_csv(rows: Iterable[dict[str, str]]) -> str:
    """Return the table of metadata."""
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, lineterminator="\r\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()


def _texts(library: Library, recording: Recording, name: str) -> Iterator[tuple[str, str]]:
    """Yield the path and text of what was given with a recording and of what recognisers wrote."""
    given = library.store.given.of(recording.recording_id)
    stem = PurePath(name).with_suffix("").as_posix()
    if given.captions:
        yield f"audio/{stem}{given_suffix(given)}", given_text(given)
    if given.chapters:
        chapters = [{"startTime": one.start_s, "title": one.title} for one in given.chapters]
        yield f"audio/{stem}.chapters.json", _json({"version": "1.2.0", "chapters": chapters})
    passages = {one.passage_id: one for one in library.store.passages.of(recording.recording_id)}
    written: dict[str, list[TranscriptOf]] = {}
    for one in library.store.transcripts.all_of(recording.recording_id):
        written.setdefault(one.transcript.recognizer, []).append(one)
    for recognizer, found in sorted(written.items()):
        if recognizer == GIVEN:
            continue
        segments = [_segment(passages[one.passage_id], one) for one in found if one.passage_id in passages]
        yield f"transcripts/{recognizer}/{name}.json", _json({"recognizer": recognizer, "segments": segments})


def given_suffix(given: Given) -> str:
    """Return the ending of the file that a given transcript is written to.

    Only JSON has the times of words, and of marks like < it is certain that nobody takes them for tags.
    """
    if any(one.words or MARKS.intersection(one.text) for one in given.captions):
        return ".json"
    return ".srt" if given.name.lower().endswith(".srt") else ".vtt"


def given_text(given: Given) -> str:
    """Return a given transcript as a file."""
    suffix = given_suffix(given)
    if suffix != ".json":
        return as_captions(given.captions, "srt" if suffix == ".srt" else "vtt")
    return _json({"segments": [_caption(one) for one in given.captions]})


def _caption(caption: Caption) -> dict[str, object]:
    return {
        "start": caption.span.start_s,
        "end": caption.span.end_s,
        "text": caption.text,
        "words": [_word(word, 0.0) for word in caption.words],
    }


def _segment(passage: Passage, one: TranscriptOf) -> dict[str, object]:
    start_s = passage.span.start_s
    return {
        "start": start_s,
        "end": passage.span.end_s,
        "text": one.transcript.text,
        "fingerprint": one.fingerprint,
        "words": [_word(word, start_s) for word in one.transcript.words],
    }


def _word(word: Word, start_s: float) -> dict[str, object]:
    return {"word": word.text, "start": round(start_s + word.start_s, 6), "end": round(start_s + word.end_s, 6)}


def _about(summary: CollectionSummary) -> dict[str, str]:
    said = {name: getattr(summary, name) for name in ("description", "licence", "source")}
    return {"name": shown_name(summary.name), **said}


def _info(summary: CollectionSummary, payload: Sums) -> str:
    name = " ".join(shown_name(summary.name).split())
    return (
        "Bag-Software-Agent: speechsearch\n"
        f"Bagging-Date: {datetime.now(UTC).date().isoformat()}\n"
        f"External-Identifier: {name}\n"
        f"Payload-Oxum: {payload.size_bytes}.{len(payload.digests)}\n"
    )


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
