"""What is taken out: a collection as a folder or a ZIP that ``ingest`` takes in again, the subtitles of a recording."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from speechsearch.domain.captions import GIVEN, Caption, CaptionFormat, as_captions, captions_of
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.segments import Segment
from speechsearch.domain.speakers import RecordedSpeakers
from speechsearch.domain.spoken_by import with_speakers
from speechsearch.domain.visitors import LOCAL, Visitor, shown_name
from speechsearch.library.bags import bag_files
from speechsearch.library.library import Library
from speechsearch.service.browse import Browse
from speechsearch.service.people import Speakers
from speechsearch.service.turn_formats import as_rttm


class Export:
    """Gives what a visitor sees as files."""

    def __init__(self, library: Library, browse: Browse, speakers: Speakers) -> None:
        self._library, self._browse, self._speakers = library, browse, speakers

    def to_folder(self, collection: str, folder: Path, visitor: Visitor = LOCAL) -> int:
        """Write a collection's bag into a new folder and return its number of files; half of it is never left.

        Raises:
            NotFoundError: there is no such collection, or the audio of a recording is gone.
            InputError: the folder is there already, or cannot be written.
        """
        key = self._browse.resolve(collection, visitor)
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        if folder.exists() or unfinished.exists():
            raise InputError(f"'{folder if folder.exists() else unfinished}' is there already.", "Name a new folder.")
        number = 0
        try:
            for path, chunks in bag_files(self._library, key):
                target = unfinished / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as stream:
                    stream.writelines(chunks)
                number += 1
            unfinished.rename(folder)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise InputError(f"'{folder}' cannot be written: {error.strerror or error}.", "Name another.") from error
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return number

    def to_zip(self, collection: str, file: Path, visitor: Visitor = LOCAL) -> int:
        """Write a collection's bag into a new ZIP and return its bytes; half of it is never left.

        Raises:
            NotFoundError: there is no such collection, or the audio of a recording is gone.
            InputError: the file is there already, or cannot be written.
        """
        _, chunks = self.zip_of(collection, visitor)
        unfinished = file.with_name(f"{file.name}.unfinished")
        if file.exists():
            raise InputError(f"'{file}' is there already.", "Name a new file.")
        try:
            with unfinished.open("wb") as stream:
                stream.writelines(chunks)
            unfinished.rename(file)
        except OSError as error:
            raise InputError(f"'{file}' cannot be written: {error.strerror or error}.", "Name another.") from error
        finally:
            unfinished.unlink(missing_ok=True)
        return file.stat().st_size

    def zip_of(self, collection: str, visitor: Visitor = LOCAL) -> tuple[str, Iterator[bytes]]:
        """Return the name of a collection and its bag as the bytes of a ZIP, made while they are read.

        Raises:
            NotFoundError: there is no such collection; while it is read: the audio of a recording is gone.
        """
        key = self._browse.resolve(collection, visitor)
        return shown_name(key), self._zipped(key)

    def _zipped(self, key: str) -> Iterator[bytes]:
        from zipstream import ZipStream

        packed = ZipStream()  # sound is packed already
        with closing(bag_files(self._library, key)) as files:
            for path, chunks in files:
                packed.add(chunks, path)
                yield from packed.all_files()
        yield from packed.finalize()

    def has_subtitles(self, recording_id: str, visitor: Visitor = LOCAL) -> bool:
        """Say whether there is anything to make subtitles of. Raises NotFoundError."""
        is_written = any(said for _, said in self._browse.transcribed(recording_id, visitor))
        return is_written or self._library.store.given.has_captions(recording_id)

    def rttm(self, recording_id: str, visitor: Visitor = LOCAL) -> str:
        """Return who speaks when in a recording, as NIST's rich transcription time marks.

        Raises:
            NotFoundError: there is no such recording, or it was not heard yet who speaks in it.
        """
        recording = self._browse.recording(recording_id, visitor)
        found = self._speakers.of_recording(recording_id, visitor)
        if not found.is_heard:
            hint = "The third pass hears it: speechsearch ingest --wait."
            raise NotFoundError("It was not heard yet who speaks in this recording.", hint)
        names = {one.number: one.speaker.label for one in found.voices}
        return as_rttm(found.turns, recording.file_name or recording.title, names)

    def subtitles(
        self,
        recording_id: str,
        kind: CaptionFormat,
        recognizer: str = "",
        visitor: Visitor = LOCAL,
        *,
        names_speakers: bool = False,
    ) -> str:
        """Return the subtitles of a recording, as a recogniser wrote them or as they came with it.

        Without a name, those of the first recogniser of the settings that has written something of it.
        ``names_speakers``: says before the words who speaks, where that changes and is known.

        Raises:
            NotFoundError: there is no such recording, or no transcript of it.
        """
        self._browse.recording(recording_id, visitor)
        store, heard = self._library.store, RecordedSpeakers()
        if names_speakers:
            heard = self._speakers.of_recording(recording_id, visitor)
        given = store.given.of(recording_id)
        names = [recognizer] if recognizer else [one.name for one in self._library.makers.baselines]
        for name in names:
            said = store.transcripts.of(recording_id, name)
            captions: list[Caption] = []
            for passage in store.passages.of(recording_id):
                if passage.passage_id in said:
                    captions += captions_of(passage.span, said[passage.passage_id])
            if captions:
                return as_captions(with_names(given.captions if name == GIVEN else captions, heard), kind)
        if given.captions and (not recognizer or recognizer == GIVEN):
            return as_captions(with_names(given.captions, heard), kind)
        raise NotFoundError(
            "There is no transcript of this recording yet.", "The second pass makes it: speechsearch ingest --wait."
        )


def with_names(captions: Sequence[Caption], heard: RecordedSpeakers) -> list[Caption]:
    """Return captions, each with the name of who speaks before the first of what he says in a row.

    >>> from speechsearch.domain.speakers import RecordedVoice, Turn
    >>> from speechsearch.domain.values import Span, Speaker
    >>> heard = RecordedSpeakers(True, (RecordedVoice(1, Speaker("a", 3, "Ann"), 4.0),), (Turn(Span(0, 4), 1),))
    >>> [one.text for one in with_names([Caption(Span(0, 2), "Who?"), Caption(Span(2, 4), "I.")], heard)]
    ['Ann: Who?', 'I.']
    """
    names = {one.number: one.speaker.label for one in heard.voices}
    said = with_speakers([Segment(one.span, one.text, one.words) for one in captions], heard.turns, names)
    found, last = [], ""
    for one in said:
        is_new = one.speaker not in ("", last)
        found.append(Caption(one.span, f"{one.speaker}: {one.text}" if is_new else one.text, one.words))
        last = one.speaker
    return found
