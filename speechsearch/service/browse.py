"""What a visitor may see: collections, recordings, passages and their sound."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np

from speechsearch import audio
from speechsearch.audio.peaks import outline
from speechsearch.domain.captions import Chapter
from speechsearch.domain.errors import InputError, NotFoundError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio, Channel, FloatMatrix, Passage, Recording, Span, Transcript
from speechsearch.domain.visitors import LOCAL, Visitor, private, shown_name
from speechsearch.library.contents import Contents, Storage, contents_of, media_sizes, storage_of
from speechsearch.library.library import Library
from speechsearch.library.maps import PassageMap, PassageMaps
from speechsearch.library.rebuild import differences
from speechsearch.service.found import FoundCounts
from speechsearch.service.settings import Settings, is_on_space
from speechsearch.store import CollectionSummary

SHORTEST_ID = 6
"""So many characters of an id may stand for it."""


class Browse:
    """Shows what there is, and leaves out what the visitor must not see."""

    def __init__(self, settings: Settings, library: Library, found: FoundCounts) -> None:
        self.settings, self._library, self._found = settings, library, found
        self._maps = PassageMaps(library)

    @property
    def limits(self) -> Limits:
        """What a recording may be."""
        return self.settings.limits

    @property
    def uploads(self) -> Literal["shared", "private", "off"]:
        """Who finds what visitors add."""
        chosen = self.settings.server.uploads
        if chosen == "auto":
            return "private" if is_on_space() else "shared"
        return chosen

    def resolve(self, collection: str, visitor: Visitor = LOCAL) -> str:
        """Return the name in the store of a collection as the visitor names it: his own before everybody's.

        Raises:
            NotFoundError: there is none of that name, or not for the visitor.
        """
        names = self._library.store.collections.names()
        for name in (private(collection, visitor.visitor_id), collection):
            if name in names and visitor.sees(name):
                return name
        raise NotFoundError(f"There is no collection {collection!r:.200}.", "Its name is spelt as in the list.")

    def collections(self, visitor: Visitor = LOCAL) -> list[CollectionSummary]:
        """Return the collections that the visitor sees and how much is in each."""
        return [one for one in self._library.store.collections.summaries() if visitor.sees(one.name)]

    def has_passages(self, visitor: Visitor = LOCAL) -> bool:
        """Say whether there is anything that the visitor can search."""
        return self._library.store.passages.are_in(self._seen(visitor))

    def facets(self, visitor: Visitor = LOCAL) -> dict[str, list[str]]:
        """Return what a search can be narrowed to: collections, ``speakers``, languages and dates, sorted."""
        seen, store = self._seen(visitor), self._library.store
        return {
            "collections": [shown_name(one) for one in seen],
            "speakers": list(self.speakers(visitor)),
            "languages": store.recordings.values_of("language", seen),
            "dates": store.recordings.values_of("date", seen),
        }

    def speakers(self, visitor: Visitor = LOCAL) -> dict[str, int]:
        """Return who can be chosen -> in how many recordings, as is heard or, where that are more, as metadata say.

        First those whom somebody or the metadata named, then those who are only known by voice.
        """
        seen, store = self._seen(visitor), self._library.store
        counts, heard = Counter(store.recordings.counts_of_speakers(seen)), store.voices.speakers(seen)
        named, unnamed = Counter[str](), Counter[str]()
        for one in heard:
            (named if one.name else unnamed)[one.label] += one.recordings
        return {**dict(sorted((counts | named).items())), **unnamed}

    def recordings(self, collection: str | None = None, visitor: Visitor = LOCAL) -> list[Recording]:
        """Return the recordings of a collection, or all that the visitor sees. Raises NotFoundError."""
        if collection is not None:
            return self._library.store.recordings.find(self.resolve(collection, visitor))
        return [one for one in self._library.store.recordings.find() if visitor.sees(one.collection)]

    def newest(self, limit: int, visitor: Visitor = LOCAL) -> list[str]:
        """Return the ids of the recordings that were added last, of those that the visitor sees, the last first."""
        return self._library.store.recordings.newest(self._seen(visitor), limit)

    def most_found(self, limit: int, visitor: Visitor = LOCAL) -> dict[str, int]:
        """Return recording id -> how often it was a likely answer, of those the visitor sees found most, in order."""
        self._found.write()
        return self._library.store.recordings.most_found(self._seen(visitor), limit)

    def recording(self, recording_id: str, visitor: Visitor = LOCAL) -> Recording:
        """Return one recording. Raises NotFoundError, also when the visitor must not see it."""
        recording = self._library.store.recordings.get(recording_id)
        if not visitor.sees(recording.collection):
            raise NotFoundError(f"There is no recording {recording_id!r:.80}.")
        return recording

    def recording_named(self, name: str, visitor: Visitor = LOCAL) -> Recording:
        """Return the recording with an id, or the only one whose id begins so, or whose file or title is called so.

        Raises:
            NotFoundError: there is none.
            InputError: there are several.
        """
        seen = self.recordings(None, visitor)
        ways = (
            [one for one in seen if one.recording_id == name],
            [one for one in seen if len(name) >= SHORTEST_ID and one.recording_id.startswith(name.lower())],
            [one for one in seen if name in (one.file_name, one.title)],
        )
        found = next((way for way in ways if way), [])
        if not found:
            raise NotFoundError(f"There is no recording {name!r:.80}.", "See: speechsearch show")
        if len(found) > 1:
            listed = ", ".join(one.recording_id[:12] for one in found[:5])
            raise InputError(f"{len(found)} recordings are called {name!r:.80}.", f"Name one by its id: {listed}.")
        return found[0]

    def passages_of(self, recording_id: str, visitor: Visitor = LOCAL) -> list[Passage]:
        """Return a recording's passages in order of time. Raises NotFoundError."""
        self.recording(recording_id, visitor)
        return self._library.store.passages.of(recording_id)

    def passage(self, passage_id: str, visitor: Visitor = LOCAL) -> Passage:
        """Return one passage. Raises NotFoundError."""
        passage = self._library.store.passages.get([passage_id]).get(passage_id)
        if passage is None:
            raise NotFoundError("There is no such passage.", "It may have been deleted.")
        self.recording(passage.recording_id, visitor)
        return passage

    def media(self, recording_id: str, visitor: Visitor = LOCAL) -> tuple[Recording, Path]:
        """Return a recording and where its own file lies. Raises NotFoundError, also when it is gone."""
        recording, media_name = self._library.store.recordings.with_media(recording_id)
        if not visitor.sees(recording.collection):
            raise NotFoundError(f"There is no recording {recording_id!r:.80}.")
        return recording, self._library.files.path(media_name)

    def media_bytes(self, recording_id: str, visitor: Visitor = LOCAL) -> int:
        """Return how large a recording's own file is, 0 when it is gone. Raises NotFoundError."""
        recording = self.recording(recording_id, visitor)
        return media_sizes(self._library, recording.collection).get(recording_id, 0)

    def channels(self) -> tuple[Channel, ...]:
        """Return the vectors that a passage can have, by the present models."""
        return self._library.makers.channels

    def dense_vectors(self, channel: str, collection: str | None = None, visitor: Visitor = LOCAL) -> FloatMatrix:
        """Return the vectors that the present models gave passages in a dense channel, (passages with one, dim).

        Raises:
            NotFoundError: there is no such channel, or no such collection.
        """
        dense = {one.name: one for one in self.channels() if one.kind == "dense"}
        if channel not in dense:
            hint = f"There are: {', '.join(dense) or 'none'}."
            raise NotFoundError(f"There are no dense vectors called {channel!r:.80}.", hint)
        store, maker = self._library.store, self._library.makers.made_by[channel]
        recordings = [one.recording_id for one in self.recordings(collection, visitor)]
        made = [
            one.recording_id
            for one in store.passages.encodings(recordings)
            if one.channel == channel and one.fingerprint == maker
        ]
        ids = [passage.passage_id for one in made for passage in store.passages.of(one)]
        found = list(store.passages.vectors(channel, ids).values())
        return np.array(found, np.float32).reshape(len(found), dense[channel].dim)

    def window_vectors(self, collection: str | None = None, visitor: Visitor = LOCAL) -> FloatMatrix:
        """Return what the windows of recordings sound like, but silent ones, (windows, dim); none without an embedder.

        Raises:
            NotFoundError: there is no such collection.
        """
        ids = [one.recording_id for one in self.recordings(collection, visitor)]
        made_by = self._library.makers.embedded_by
        found = [one.vectors for one in self._library.store.sounds.windows(ids, made_by).values()] if made_by else []
        rows = np.concatenate(found) if found else np.zeros((0, 1), np.float32)
        return rows[np.any(rows, axis=1)]

    def clip(self, passage_id: str, visitor: Visitor = LOCAL, context_s: float = 0.0) -> bytes:
        """Return a passage as WAV, 16 kHz mono 16 bit, as loud as every other, with so much before and after it.

        Raises:
            NotFoundError: there is no such passage, or its audio is gone.
        """
        return audio.to_wav(Audio(audio.levelled(self.sound(passage_id, visitor, context_s).samples)))

    def sound(self, passage_id: str, visitor: Visitor = LOCAL, context_s: float = 0.0) -> Audio:
        """Return the sound of a passage as it is, and of what is around it. Raises NotFoundError, DecodeError."""
        passage = self._library.store.passages.get([passage_id]).get(passage_id)
        if passage is None:
            raise NotFoundError("There is no such passage.", "It may have been deleted.")
        recording, media = self.media(passage.recording_id, visitor)
        span, last_s = passage.span, max(recording.duration_s, passage.span.end_s)
        wider = Span(max(0.0, span.start_s - context_s), min(span.end_s + context_s, last_s))
        return self._library.derived.sound(recording, media, wider)

    def excerpt(self, recording_id: str, span: Span, visitor: Visitor = LOCAL) -> bytes:
        """Return a stretch of a recording as WAV, as ``clip`` does. Raises NotFoundError, DecodeError."""
        sound = self._library.derived.sound(*self.media(recording_id, visitor), span)
        return audio.to_wav(Audio(audio.levelled(sound.samples)))

    def transcribed(self, recording_id: str, visitor: Visitor = LOCAL) -> list[tuple[Passage, Transcript | None]]:
        """Return a recording's passages in order of time, each with its transcript. Raises NotFoundError.

        It is that of the first recogniser of the settings that has written something of it.
        """
        self.recording(recording_id, visitor)
        store = self._library.store
        found = (store.transcripts.of(recording_id, one.name) for one in self._library.makers.baselines)
        said = next(filter(None, found), {})
        return [(one, said.get(one.passage_id)) for one in store.passages.of(recording_id)]

    def chapters(self, recording_id: str, visitor: Visitor = LOCAL) -> tuple[Chapter, ...]:
        """Return the chapters that came with a recording. Raises NotFoundError."""
        self.recording(recording_id, visitor)
        return self._library.store.given.chapters(recording_id)

    def playable(self, recording_id: str, visitor: Visitor = LOCAL) -> tuple[Recording, Path, str]:
        """Return a recording, a file with its sound that browsers play, and its media type. Raises NotFoundError."""
        recording, media = self.media(recording_id, visitor)
        return recording, *self._library.derived.playable(recording, media)

    def outline(self, recording_id: str, points: int, visitor: Visitor = LOCAL) -> tuple[Recording, list[int]]:
        """Return a recording and the outline of its waveform in so many points, 0 to 255. Raises NotFoundError."""
        recording, media = self.media(recording_id, visitor)
        return recording, outline(self._library.derived.peaks(recording, media), points)

    def contents(self, name: str, words: str = "", page: int = 1, visitor: Visitor = LOCAL) -> Contents:
        """Return what is in a collection; see ``contents_of``. Raises NotFoundError."""
        return contents_of(self._library, self.resolve(name, visitor), words, page)

    def map_of(self, name: str, visitor: Visitor = LOCAL) -> PassageMap:
        """Return the map of a collection's passages. Raises NotFoundError."""
        return self._maps.of(self.resolve(name, visitor))

    def differences(self) -> list[str]:
        """Return what does not agree between database, index and audio files, one sentence each."""
        return differences(self._library)

    def leftovers(self, visitor: Visitor = LOCAL) -> list[str]:
        """Return the differences as far as a visitor may read them: file names of others are not for everybody."""
        found = self.differences()
        if visitor.is_owner or not found:
            return found
        return ["Database, index and audio files do not agree everywhere; the owner can see where."]

    def _seen(self, visitor: Visitor) -> list[str]:
        return [one for one in self._library.store.collections.names() if visitor.sees(one)]

    def storage(self) -> Storage:
        """Return how much room the data folder takes."""
        return storage_of(self.settings.data_dir.expanduser().resolve())

    def example_questions(self, count: int = 6) -> list[str]:
        """Return questions that the sample collection answers, when it is there."""
        if SAMPLES not in self._library.store.collections.names():
            return []
        return list(EXAMPLES[:count])


SAMPLES = "samples"
"""The name of the sample collection."""
EXAMPLES = (
    "What did Wojciechowski say about the ferry and the bridge?",
    "Why is octopus blood blue?",
    "How can you hear very old songs without wearing them out?",
    "Why does Doctor Nkechi Umeadi want other lamps?",
    "What did a bird do without ever pausing for food or a drink?",
    "Where did people see a red sun in the summer of 1783?",
    "Who was told that her correct result about the sun could not be true?",
)
"""Questions that the sample collection answers: names, facts and paraphrases."""
