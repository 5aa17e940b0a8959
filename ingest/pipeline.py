"""Take in recordings one after another; what fails becomes a result and a journal row, and the rest goes on."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from ingest.bags import HINT, content_hash, not_as_exported
from ingest.meter import Meter
from ingest.sources import LONGEST_NAME, Found, Rejected, Source, clean
from ingest.transcripts import Enclosed, read_enclosed
from speechsearch import audio
from speechsearch.domain.captions import Given, WrittenPassage
from speechsearch.domain.dates import kept_date, read_date
from speechsearch.domain.errors import InputError, SpeechSearchError
from speechsearch.domain.limits import Limits
from speechsearch.domain.progress import ProgressCallback
from speechsearch.domain.values import Recording
from speechsearch.domain.visitors import owner_of

log = logging.getLogger(__name__)

State = Literal["indexed", "updated", "unchanged", "duplicate", "failed", "warning", "skipped"]
MOST_DATES = 100
"""So many dates that cannot be read for sure are told of one by one, each of which is kept in the database."""


DATE_KEPT = "It is kept as it was written; filters by date go by what is certain of it."


class Outcome(Protocol):
    """What became of a recording."""

    @property
    def state(self) -> Literal["indexed", "updated", "unchanged", "duplicate", "skipped"]: ...  # noqa: D102
    @property
    def passages(self) -> int: ...  # noqa: D102
    @property
    def duration_s(self) -> float: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102


class Indexer(Protocol):
    """The part of ``speechsearch.service.manage.Manage`` that ingest needs."""

    @property
    def limits(self) -> Limits:
        """What a recording may be."""

    def take_in(
        self,
        path: Path,
        recording: Recording,
        on_passages: Callable[[int, float], None] | None = None,
        wants_transcripts: bool = True,
        described: Mapping[str, str] = ...,
    ) -> Outcome:
        """Make a recording searchable, or take over what is said anew; safe to call again and to be killed in.

        ``described``: the fields of the recording that somebody said.
        """

    def keep_given(self, recording_id: str, given: Given) -> bool:
        """Keep the transcript and chapters that came with a recording; return whether anything is new."""

    def keep_written(self, recording_id: str, recognizer: str, written: Sequence[WrittenPassage]) -> int:
        """Keep what a recogniser wrote of a recording elsewhere; return of how many passages."""

    def describe_collection(self, collection: str, about: Mapping[str, str]) -> None:
        """Say of a collection what its export says, where nothing is said yet."""

    def mark_failed(self, recording_id: str, file_name: str, collection: str, message: str) -> None:
        """Write a failure to the journal."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one source; ``message`` says why when it is not simply searchable now.

    ``code``: that of the error, where one of ours is why.
    """

    name: str
    state: State
    recording_id: str = ""
    passages: int = 0
    duration_s: float = 0.0
    message: str = ""
    code: str = ""


def run(
    indexer: Indexer,
    sources: Iterable[Found],
    *,
    collection: str,
    progress: ProgressCallback | None = None,
    target: Callable[[str], str] = str,
    wants_transcripts: bool = True,
) -> Generator[FileResult, None, None]:
    """Yield one result a source, in order, as each is done; the next one starts when the result is taken.

    A source whose metadata names a collection goes to the one that ``target`` makes of the name (it may refuse it),
    every other into ``collection``. Both are names in the store. The end of a source is reported after its result has
    been taken, so that nothing is lost when ``progress`` raises. ``wants_transcripts``: whether the second pass writes
    them down.
    """
    meter = Meter(sources, progress)
    first_names: dict[str, str] = {}
    unread_dates = 0
    iterator = iter(sources)
    try:
        while True:
            try:
                found = next(iterator)
            except StopIteration:
                break
            except Exception as error:
                yield FileResult("sources", "failed", message=explain(error, "The list of sources broke off"))
                break
            if isinstance(found, Rejected):
                if found.state == "failed":
                    meter.pass_over()
                yield FileResult(found.name, found.state, message=str(found.error))
            else:
                meter.start_file(found)
                result = _take_in(indexer, found, collection, target, first_names, meter, wants_transcripts)
                meter.finish_file(result.duration_s if result.state == "indexed" else 0.0)
                yield result
                meter.report_files(result.name, result.state)
                problem = read_date(found.description.date).problem
                if problem and result.state in ("indexed", "updated", "unchanged"):
                    unread_dates += 1
                    if unread_dates <= MOST_DATES:
                        yield FileResult(f"{found.name}, date", "warning", message=f"The date {problem} {DATE_KEPT}")
        if unread_dates > MOST_DATES:
            yield FileResult("dates", "warning", message=f"And {unread_dates - MOST_DATES:,} more dates like these.")
    finally:
        if close := getattr(iterator, "close", None):
            close()


def recording_id_of(source: Source, collection: str) -> str:
    """Return the id of a recording: the hash of its content, with its owner's name in it when it is not everybody's.

    So two visitors who add the same file neither hinder nor learn of each other.

    Raises:
        InputError: it is not the file that a manifest names.
    """
    found, owner = content_hash(source.path), owner_of(collection)
    if source.sha256 and found != source.sha256:
        raise InputError(f"'{source.file_name}' {not_as_exported(found, source.sha256)}", HINT)
    return hashlib.sha256(f"{owner}/{found}".encode()).hexdigest() if owner else found


def explain(error: Exception, what: str) -> str:
    """Return the text for the user; an error that is not ours is logged with its traceback, and without a name."""
    if isinstance(error, SpeechSearchError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{what}: the disk is full. Make room and add it again."
    log.error("A source could not be taken in.", exc_info=error)
    # That of the disk would name where things lie.
    reason = error.strerror if isinstance(error, OSError) and error.strerror else clean(error, LONGEST_NAME)
    return f"{what}: {type(error).__name__}: {reason} (the log has more)."


def _take_in(
    indexer: Indexer,
    source: Source,
    collection: str,
    target: Callable[[str], str],
    first_names: dict[str, str],
    meter: Meter,
    wants_transcripts: bool,
) -> FileResult:
    """Index one source and return its result, whatever happens."""
    recording_id = ""
    try:
        if source.description.collection:
            collection = target(source.description.collection)
        recording_id = recording_id_of(source, collection)
        if recording_id in first_names:
            message = f"Same sound as '{first_names[recording_id]}' in this run."
            return FileResult(source.name, "duplicate", recording_id, message=message)
        info = audio.probe(source.path, indexer.limits, source.file_name)
        recording = _recording(source, recording_id, collection, info.duration_s)
        outcome = indexer.take_in(
            source.path, recording, meter.passages_of(info.duration_s), wants_transcripts, _described(source)
        )
        said = _keep_beside(indexer, source, recording, outcome) if source.beside else ""
    except Exception as error:
        # The name on the disk tells the visitor nothing.
        message = explain(error, f"'{source.name}' could not be taken in").replace(source.path.name, source.file_name)
        if recording_id:
            indexer.mark_failed(recording_id, source.file_name, collection, message)
        code = error.code if isinstance(error, SpeechSearchError) else ""
        return FileResult(source.name, "failed", recording_id, message=message, code=code)
    first_names[recording_id] = source.name
    message = " ".join(filter(None, (outcome.message, said)))
    return FileResult(source.name, outcome.state, recording_id, outcome.passages, outcome.duration_s, message)


def _keep_beside(indexer: Indexer, source: Source, recording: Recording, outcome: Outcome) -> str:
    """Keep what came beside a recording, and return what is to be said of it."""
    if outcome.state == "duplicate":
        return ""  # it is another collection's
    found = read_enclosed(source.beside, recording.duration_s)
    is_new = indexer.keep_given(recording.recording_id, found.given)
    said = kept_said(found, is_new)
    for name, passages in found.written:
        try:
            if indexer.keep_written(recording.recording_id, name, passages):
                said.append(f"Transcript by {name} taken over.")
        except InputError as error:  # the recording is there all the same
            said.append(f"The transcript by {name} beside it was left out: {error.message}")
    if found.about:
        indexer.describe_collection(recording.collection, found.about)
    return " ".join((*said, *found.problems))


def kept_said(found: Enclosed, is_new: bool) -> list[str]:
    """Return what was taken over from beside a recording, in sentences.

    >>> from speechsearch.domain.captions import Chapter
    >>> kept_said(Enclosed(Given("talk.srt", (), (Chapter(0.0, "Bees"),))), True)
    ['1 chapter taken over.']
    """
    given = found.given
    captions, chapters = len(given.captions), len(given.chapters)
    said = [f"Transcript '{given.name}' taken over: {captions} caption{'s' * (captions != 1)}."] if captions else []
    said += [f"{chapters} chapter{'s' * (chapters != 1)} taken over."] if chapters else []
    return said if is_new else []


def _described(source: Source) -> dict[str, str]:
    """Return what is said about a recording, by field; its collection is where it goes."""
    about = source.description
    said = {**asdict(about), "date": kept_date(about.date)}
    return {name: value for name, value in said.items() if value and name != "collection"}


def _recording(source: Source, recording_id: str, collection: str, duration_s: float) -> Recording:
    said = {"title": title_of(source.file_name), **_described(source)}
    return Recording(recording_id, collection, duration_s=duration_s, file_name=source.file_name, **said)


def title_of(file_name: str) -> str:
    """Return a title for a recording of which only the file's name is known.

    >>> title_of("2019-03_the_bridge.final.mp3")
    '2019-03 the bridge.final'
    """
    return clean(file_name.rpartition(".")[0].replace("_", " ") or file_name, LONGEST_NAME) or "Untitled"
