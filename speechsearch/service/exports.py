"""What is taken out: a collection as a folder or a ZIP that ``ingest`` takes in again, the subtitles of a recording."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from speechsearch.domain.captions import GIVEN, Caption, CaptionFormat, as_captions
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.speakers import RecordedSpeakers
from speechsearch.domain.visitors import LOCAL, Visitor, shown_name
from speechsearch.domain.who_said import spoken_captions, with_speakers
from speechsearch.library.bags import bag_files
from speechsearch.library.library import Library
from speechsearch.service.browse import Browse
from speechsearch.service.people import Speakers


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

    def subtitles(
        self,
        recording_id: str,
        kind: CaptionFormat,
        recognizer: str = "",
        visitor: Visitor = LOCAL,
        *,
        has_speakers: bool = False,
    ) -> str:
        """Return the subtitles of a recording, as a recogniser wrote them or as they came with it.

        Without a name, those of the first recogniser of the settings that has written something of it.
        ``has_speakers``: they say who speaks, where it was heard.

        Raises:
            NotFoundError: there is no such recording, or no transcript of it.
        """
        self._browse.recording(recording_id, visitor)
        store = self._library.store
        given = store.given.of(recording_id)
        heard = self._speakers.of_recording(recording_id, visitor) if has_speakers else RecordedSpeakers()
        names = [recognizer] if recognizer else [one.name for one in self._library.makers.baselines]
        for name in names:
            said = store.transcripts.of(recording_id, name)
            captions: list[Caption] = []
            for passage in store.passages.of(recording_id):
                if passage.passage_id in said:
                    captions += spoken_captions(passage.span, said[passage.passage_id], heard)
            if captions:
                return as_captions(with_speakers(given.captions, heard) if name == GIVEN else captions, kind)
        if given.captions and (not recognizer or recognizer == GIVEN):
            return as_captions(with_speakers(given.captions, heard), kind)
        raise NotFoundError(
            "There is no transcript of this recording yet.", "The second pass makes it: speechsearch ingest --wait."
        )
