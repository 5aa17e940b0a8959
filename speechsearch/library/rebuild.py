"""The index made anew, and what does not agree between database, index and audio files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from speechsearch.domain.errors import NotFoundError
from speechsearch.domain.progress import Progress, ProgressCallback
from speechsearch.library.intake import Heard, encoded, save_cut
from speechsearch.library.library import Library
from speechsearch.library.second_pass import SOUND, SecondPass


def rebuild(library: Library, progress: ProgressCallback | None = None) -> int:
    """Make the index anew and return its number of passages.

    Recordings that were cut as now come from the database, others from their audio; what the present models have not
    made yet is left to the second pass. May be interrupted at any point.
    """
    passages, store = 0, library.store
    entries = [entry for entry in store.journal.entries() if entry.state in ("stored", "done")]
    with library.writing:
        library.index.delete(sorted(set(library.index.ids()) - store.passages.ids()))
    for number, entry in enumerate(entries, 1):
        with library.writing:
            try:
                recording, media_name = store.recordings.with_media(entry.recording_id)
            except NotFoundError:
                continue  # deleted meanwhile
            if entry.fingerprint != library.fingerprint:
                heard = Heard()
                stored = list(encoded(library, recording, library.files.path(media_name), heard_of=heard))
                recording = replace(recording, duration_s=heard.duration_s)
                wants_transcripts = bool(store.transcripts.wanted([entry.recording_id]))
                save_cut(library, recording, media_name, stored, wants_transcripts)
                passages += len(stored)
            else:
                points = library.points(recording)
                library.write(points)
                store.journal.mark(entry.recording_id, "done")
                passages += len(points)
        if progress:
            progress(Progress("rebuild", recording.title, number, len(entries)))
    library.version += 1
    return passages


def differences(library: Library) -> list[str]:
    """Return what does not agree between database, index and audio files, one sentence each.

    What others are in the midst of changing is none, so they are waited for.
    """
    with library.writing:
        return list(_differences(library))


def _differences(library: Library) -> Iterator[str]:
    store = library.store
    in_store, in_index = store.passages.ids(), set(library.index.ids())
    if missing := in_store - in_index:
        yield f"{len(missing)} passages of the database are not in the index."
    if extra := in_index - in_store:
        yield f"{len(extra)} passages of the index are not in the database."
    stale = {one.recording_id for one in SecondPass(library).missing() if one.maker == SOUND}
    media = store.recordings.media_names()
    bytes_of = dict(zip(media, library.files.sizes(list(media.values())), strict=True))
    for entry in store.journal.entries():
        name = f"recording {entry.recording_id[:12]} ({entry.file_name})"
        if entry.state in ("stored", "deleting"):
            yield f"{name.capitalize()} is half done: {entry.state}."
        elif entry.state == "done" and entry.recording_id in media:  # else another process has just deleted it
            if not bytes_of[entry.recording_id]:
                yield f"The audio of {name} is gone."
            if entry.fingerprint != library.fingerprint:
                yield f"{name.capitalize()} was cut with other settings."
            if entry.recording_id in stale:
                yield f"{name.capitalize()} was not encoded by the present speech encoder."
