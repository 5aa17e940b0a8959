"""The composition root and the use cases: what the page, the routes and the command line ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from speechsearch import audio
from speechsearch.catalog import ENGINES, EngineInfo, engine
from speechsearch.contents import Contents, Storage, contents_of, storage_of
from speechsearch.datatypes import Audio, Comparison, Filters, Hit, Passage, Query, Recording, Results, Transcript
from speechsearch.encoders.mini import MiniPassageEncoder
from speechsearch.encoders.transcript import TranscriptEncoder
from speechsearch.engines import SPECS, Sample, build_engines, build_recognizer, learnt_fusion
from speechsearch.errors import (
    ConfigurationError,
    DuplicateError,
    EmptyQueryError,
    FingerprintMismatchError,
    InputError,
    NotAllowedError,
    NotFoundError,
    TooLongError,
    TooManyError,
)
from speechsearch.evidence import NOTHING, explain
from speechsearch.index import VectorIndex, open_index
from speechsearch.library import Deleted, IndexOutcome, Library
from speechsearch.lock import DataFolderLock
from speechsearch.maps import PassageMap, PassageMaps
from speechsearch.mini.model import MiniModel
from speechsearch.progress import ProgressCallback
from speechsearch.retrieval.base import Ranking, Retriever
from speechsearch.retrieval.fusion import likelihood
from speechsearch.settings import LimitSettings, Settings, is_on_space
from speechsearch.store import CollectionSummary, Judgement, Repository
from speechsearch.visitors import LOCAL, Visitor, owner_of, private, shown_name
from speechsearch.waveform import outline

LONGEST_QUERY = 2_000
LONGEST_NAME = 80
MOST_HITS = 200
MOST_JUDGEMENTS = 10_000


class Service:
    """One open data folder with its models, index and database. Use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        lock: DataFolderLock,
        library: Library,
        engines: Mapping[str, Retriever],
        model: MiniModel,
    ) -> None:
        self.settings, self.library, self.model = settings, library, model
        self._lock, self._engines, self._maps = lock, engines, PassageMaps(library)

    @classmethod
    def open(
        cls,
        settings: Settings,
        purpose: Literal["use", "check", "rebuild"] = "use",
        model: MiniModel | None = None,
    ) -> Service:
        """Open the data folder and load the models; to use it, finish also what a killed process left.

        To check it, nothing is changed; to rebuild it, the index is opened empty. ``model``: one loaded already.

        Raises:
            DataFolderInUseError: another process works on it.
            FingerprintMismatchError: the index was made with other models (only when it is to be used).
        """
        if settings.engines.encoder != "mini":
            raise ConfigurationError(
                f"There is no speech encoder '{settings.engines.encoder}'.",
                "Set SPEECHSEARCH_ENGINES__ENCODER to mini.",
            )
        data_dir = settings.data_dir.expanduser().resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        if settings.engines.threads:
            import torch

            torch.set_num_threads(settings.engines.threads)
        lock = DataFolderLock(data_dir)
        opened: list[Repository | VectorIndex] = []
        try:
            store = Repository(settings.store.url.get_secret_value() or f"sqlite:///{data_dir / 'speechsearch.db'}")
            opened.append(store)
            index = open_index(
                SPECS,
                path=data_dir / "index",
                url=settings.index.url,
                api_key=settings.index.api_key.get_secret_value(),
                name=settings.index.name,
                is_new=purpose == "rebuild",
            )
            opened.append(index)
            model = model or MiniModel()
            recognizer = build_recognizer(settings.engines.recognizer, model)
            library = Library(
                data_dir,
                store,
                index,
                MiniPassageEncoder(model),
                recognizer,
                TranscriptEncoder(model.text_encoder),
                settings.segmentation,
                settings.limits,
            )
            if purpose == "use":
                check_fingerprint(library)
                library.recover()
            engines = build_engines(model, recognizer, index, Sample(library), learnt_fusion())
            return cls(settings, lock, library, engines, model)
        except BaseException:
            for resource in reversed(opened):
                resource.close()
            lock.release()
            raise

    def close(self) -> None:
        """Write everything and let go of the data folder."""
        self.library.index.close()
        self.library.store.close()
        self._lock.release()

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def limits(self) -> LimitSettings:
        """What a recording may be."""
        return self.settings.limits

    @property
    def fingerprint(self) -> str:
        """A text that changes when the same file would be indexed differently."""
        return self.library.fingerprint

    def engines(self) -> list[EngineInfo]:
        """Return the engines that a query can be put to."""
        return [row for row in ENGINES if row.name in self._engines]

    def retrievers(self) -> Mapping[str, Retriever]:
        """Return the engines themselves, by name, for evaluation."""
        return self._engines

    def search(self, query: Query, engine_name: str = "hybrid", visitor: Visitor = LOCAL) -> Results:
        """Return one engine's answer from the collections that the visitor sees.

        Raises:
            EmptyQueryError: there is nothing to look for.
            NotFoundError: there is no such engine or collection.
        """
        started = time.perf_counter()
        engine(engine_name)
        if query.audio is None and not query.text.strip():
            raise EmptyQueryError("The question is empty.", "Type some words or record a question.")
        if len(query.text) > LONGEST_QUERY:
            raise EmptyQueryError(
                f"The question has {len(query.text)} characters; {LONGEST_QUERY} are allowed.",
                "Ask for one thing at a time.",
            )
        if not 1 <= query.top_k <= MOST_HITS:
            raise EmptyQueryError(f"{query.top_k} answers were asked for; 1 to {MOST_HITS} are possible.")
        filters = self._allowed(query.filters, visitor)
        if filters is None:
            return Results(engine_name, (), False, 0.0, 0.0)
        ranking = self._engines[engine_name].retrieve(replace(query, filters=filters), query.top_k)
        results = self._results(engine_name, ranking, "" if query.audio is not None else query.text)
        return replace(results, total_ms=(time.perf_counter() - started) * 1000)

    def compare(self, query: Query, left: str = "hybrid", right: str = "asr", visitor: Visitor = LOCAL) -> Comparison:
        """Return two engines' answers to the same query, one after the other so that neither slows the other."""
        return Comparison(self.search(query, left, visitor), self.search(query, right, visitor))

    def _allowed(self, filters: Filters, visitor: Visitor) -> Filters | None:
        """Return filters that the index understands and that leave out what the visitor must not see; None: nothing.

        Raises:
            NotFoundError: a collection is named that there is not, or not for the visitor.
        """
        names = self.library.store.collection_names()
        seen = [name for name in names if visitor.sees(name)]
        if filters.collections:
            filters = replace(filters, collections=tuple(self.resolve(name, visitor) for name in filters.collections))
        elif len(seen) < len(names):
            if not seen:
                return None
            filters = replace(filters, collections=tuple(seen))
        if filters.date_from or filters.date_to:
            dated = self.library.store.recording_ids_between(filters.date_from, filters.date_to)
            wanted = [one for one in dated if not filters.recording_ids or one in filters.recording_ids]
            if not wanted:
                return None
            filters = replace(filters, recording_ids=tuple(wanted), date_from="", date_to="")
        return filters

    def resolve(self, collection: str, visitor: Visitor = LOCAL) -> str:
        """Return the name in the store of a collection as the visitor names it: his own before everybody's.

        Raises:
            NotFoundError: there is none of that name, or not for the visitor.
        """
        names = self.library.store.collection_names()
        for name in (private(collection, visitor.visitor_id), collection):
            if name in names and visitor.sees(name):
                return name
        raise NotFoundError(f"There is no collection {collection!r:.200}.", "Its name is spelt as in the list.")

    @property
    def uploads(self) -> Literal["shared", "private", "off"]:
        """Who finds what visitors add."""
        chosen = self.settings.server.uploads
        if chosen == "auto":
            return "private" if is_on_space() else "shared"
        return chosen

    def target(self, collection: str, visitor: Visitor = LOCAL) -> str:
        """Return the name in the store of the collection that a visitor's recordings go to.

        Raises:
            NotAllowedError: the visitor may not add any.
            InputError: the name cannot be used.
        """
        if not visitor.may_add:
            raise NotAllowedError(
                "Recordings cannot be added here.", "Log in, or run speechsearch on your own computer."
            )
        name = checked_collection_name(collection)
        if visitor.sees_all or (visitor.is_owner and self.uploads == "shared"):
            return name
        return private(name, visitor.visitor_id)

    def _results(self, engine_name: str, ranking: Ranking, text: str) -> Results:
        """Return a ranking with all that is known of its passages; ``text``: the question, empty if it was spoken."""
        store = self.library.store
        ids = [one.passage_id for one in ranking.passages]
        passages, recordings, transcripts = store.passages(ids), store.recordings_of(ids), store.transcripts(ids)
        by_sound = [one.passage_id for one in ranking.passages if any(c.channel == "phonetic" for c in one.channels)]
        tracks = store.tracks(by_sound if text else [])
        evidence = explain(text, self.model.lexicon.pronounce, tracks, transcripts)
        known = [one for one in ranking.passages if one.passage_id in recordings]  # one may be deleted meanwhile
        hits = tuple(
            Hit(
                rank,
                one.score,
                passages[one.passage_id],
                recordings[one.passage_id],
                one.channels,
                is_confident=one.score >= ranking.confidence_threshold,
                transcript=transcripts.get(one.passage_id, ""),
                likelihood=likelihood(one.score, *ranking.calibration),
                heard=evidence.get(one.passage_id, NOTHING).heard,
                marked=evidence.get(one.passage_id, NOTHING).marked,
            )
            for rank, one in enumerate(known, 1)
        )
        has_confident_hit = any(hit.is_confident for hit in hits)
        return Results(engine_name, hits, has_confident_hit, ranking.encode_ms, ranking.search_ms)

    def judge(
        self,
        question: str,
        passage_id: str,
        relevance: int | None,
        engine_name: str = "hybrid",
        rank: int = 0,
        visitor: Visitor = LOCAL,
    ) -> None:
        """Keep a visitor's judgement whether a passage answers a question (1) or not (0), or forget it (None).

        Raises:
            NotFoundError: there is no such engine, or no such passage for the visitor.
            InputError: the question cannot be kept.
            TooManyError: the visitor has judged very often.
        """
        engine(engine_name)
        self.passage(passage_id, visitor)
        question, store = " ".join(question.split()), self.library.store
        if relevance is None:
            store.clear_judgement(visitor.visitor_id, question, passage_id)
            return
        if store.count_judgements(visitor.visitor_id) >= MOST_JUDGEMENTS:
            raise TooManyError(f"You have given {MOST_JUDGEMENTS:,} judgements.", "Withdraw some.")
        store.set_judgement(Judgement(visitor.visitor_id, question, passage_id, relevance, engine_name, rank))

    def judgements(
        self, question: str | None = None, visitor: Visitor = LOCAL, of_everybody: bool = False
    ) -> list[Judgement]:
        """Return the visitor's judgements (on one question), or everybody's on passages that the visitor sees.

        Raises:
            NotAllowedError: everybody's are only for owners, and where nobody logs in, for who is at the machine.
        """
        if of_everybody and not (visitor.sees_all or (visitor.is_owner and self.settings.auth.users)):
            raise NotAllowedError("Only an owner sees what others judged.", "Log in.")
        asked = None if question is None else " ".join(question.split())
        found = self.library.store.judgements(None if of_everybody else visitor.visitor_id, asked)
        recordings = self.library.store.recordings_of([one.passage_id for one in found])
        return [
            one for one in found if one.passage_id in recordings and visitor.sees(recordings[one.passage_id].collection)
        ]

    def collections(self, visitor: Visitor = LOCAL) -> list[CollectionSummary]:
        """Return the collections that the visitor sees and how much is in each."""
        return [one for one in self.library.store.collections() if visitor.sees(one.name)]

    def facets(self, visitor: Visitor = LOCAL) -> dict[str, list[str]]:
        """Return what a search can be narrowed to: collections, speakers, languages and dates, sorted."""
        seen = [one for one in self.library.store.collection_names() if visitor.sees(one)]
        store = self.library.store
        return {
            "collections": [shown_name(one) for one in seen],
            "speakers": store.values_of("speaker", seen),
            "languages": store.values_of("language", seen),
            "dates": store.values_of("date", seen),
        }

    def recordings(self, collection: str | None = None, visitor: Visitor = LOCAL) -> list[Recording]:
        """Return the recordings of a collection, or all that the visitor sees. Raises NotFoundError."""
        if collection is not None:
            return self.library.store.recordings(self.resolve(collection, visitor))
        return [one for one in self.library.store.recordings() if visitor.sees(one.collection)]

    def recording(self, recording_id: str, visitor: Visitor = LOCAL) -> Recording:
        """Return one recording. Raises NotFoundError, also when the visitor must not see it."""
        recording = self.library.store.recording(recording_id)
        if not visitor.sees(recording.collection):
            raise NotFoundError(f"There is no recording {recording_id!r:.80}.")
        return recording

    def passages_of(self, recording_id: str, visitor: Visitor = LOCAL) -> list[Passage]:
        """Return a recording's passages in order of time. Raises NotFoundError."""
        self.recording(recording_id, visitor)
        return self.library.store.passages_of(recording_id)

    def passage(self, passage_id: str, visitor: Visitor = LOCAL) -> Passage:
        """Return one passage. Raises NotFoundError."""
        passage = self.library.store.passages([passage_id]).get(passage_id)
        if passage is None:
            raise NotFoundError("There is no such passage.", "It may have been deleted.")
        self.recording(passage.recording_id, visitor)
        return passage

    def media(self, recording_id: str, visitor: Visitor = LOCAL) -> Path:
        """Return where a recording's own file lies. Raises NotFoundError, also when it is gone."""
        self.recording(recording_id, visitor)
        media = self.library.media_dir / self.library.store.media_name(recording_id)
        if not media.exists():
            raise NotFoundError("The audio of this recording is gone.", "Run: python -m speechsearch doctor")
        return media

    def clip(self, passage_id: str, visitor: Visitor = LOCAL) -> bytes:
        """Return a passage as WAV, 16 kHz mono 16 bit, as loud as every other.

        Raises:
            NotFoundError: there is no such passage, or its audio is gone.
        """
        passage = self.passage(passage_id, visitor)
        sound = audio.read_span(self.media(passage.recording_id, visitor), passage.span)
        return audio.to_wav(Audio(audio.levelled(sound.samples)))

    def transcribed(self, recording_id: str, visitor: Visitor = LOCAL) -> list[tuple[Passage, Transcript | None]]:
        """Return a recording's passages in order of time, each with its transcript. Raises NotFoundError."""
        self.recording(recording_id, visitor)
        return [(one.passage, one.transcript) for one in self.library.store.stored(recording_id)]

    def playable(self, recording_id: str, visitor: Visitor = LOCAL) -> tuple[Path, str]:
        """Return a file with a recording's sound that browsers play, and its media type. Raises NotFoundError."""
        return self.library.derived.playable(recording_id, self.media(recording_id, visitor))

    def outline(self, recording_id: str, points: int, visitor: Visitor = LOCAL) -> list[int]:
        """Return the outline of a recording's waveform in so many points, 0 to 255. Raises NotFoundError."""
        return outline(self.library.derived.peaks(recording_id, self.media(recording_id, visitor)), points)

    def query_audio(self, source: Path | bytes) -> Audio:
        """Return a spoken question. Raises DecodeError, TooLongError."""
        return audio.load(source, self.limits, self.limits.query_audio_s)

    def transcribe(self, path: Path) -> list[tuple[Passage, str]]:
        """Return a file's passages and what the recogniser makes of each; nothing is kept."""
        found = list(audio.passages(path, self.settings.segmentation, self.limits))
        texts = self.library.recognizer.transcribe([sound for _, sound in found])
        return [(Passage("", "", span), said.text) for (span, _), said in zip(found, texts, strict=True)]

    def index_recording(
        self, path: Path, recording: Recording, on_passages: Callable[[int, float], None] | None = None
    ) -> IndexOutcome:
        """Make a recording searchable; see ``Library.index_recording``. Raises TooLongError for more than a quota."""
        self.check_quota(recording.collection, recording)
        return self.library.index_recording(path, recording, on_passages)

    def check_quota(self, collection: str, added: Recording | None = None) -> None:
        """Refuse more speech than one visitor's own collections may hold; everybody's may hold any amount.

        Raises:
            TooLongError: they are full, or would be with one more recording.
        """
        owner, most_s = owner_of(collection), self.limits.visitor_duration_s
        if not owner:
            return
        held_s = sum(
            one.duration_s
            for one in self.library.store.recordings()
            if owner_of(one.collection) == owner and (added is None or one.recording_id != added.recording_id)
        )
        if held_s + (added.duration_s if added else 0.0) > most_s:
            raise TooLongError(
                f"Your own collections may hold {most_s / 60:.0f} minutes; {held_s / 60:.0f} are used.",
                "Delete some recordings first, or run speechsearch on your own computer.",
            )

    def mark_failed(self, recording_id: str, file_name: str, collection: str, message: str) -> None:
        """Write a failure to the journal, unless the recording is already searchable."""
        before = self.library.store.journal(recording_id)
        if before is None or before.state == "failed":
            self.library.store.mark(recording_id, "failed", message, file_name, collection)

    def create_collection(
        self, name: str, description: str = "", licence: str = "", source: str = "", visitor: Visitor = LOCAL
    ) -> str:
        """Make an empty collection and return its name in the store.

        Raises:
            NotAllowedError: the visitor may not add any.
            DuplicateError: the visitor has, or sees, one of that name.
            InputError: text that cannot be kept.
        """
        key = self.target(name, visitor)
        self._check_free(key, visitor)
        self.library.store.add_collection(key, description, licence, source)
        return key

    def change_collection(
        self, name: str, changes: Mapping[str, Any], new_name: str = "", visitor: Visitor = LOCAL
    ) -> str:
        """Overwrite description, licence and source as far as given, and the name; return the name in the store.

        Raises:
            NotFoundError, NotAllowedError: there is none of that name that the visitor may change.
            DuplicateError: there is one of the new name.
            InputError: text that cannot be kept.
        """
        key = self.resolve(name, visitor)
        self.check_change(key, visitor)
        new_key = key
        if new_name and new_name != shown_name(key):
            owner, new_key = owner_of(key), checked_collection_name(new_name)
            new_key = private(new_key, owner) if owner else new_key
        if new_key != key:
            self._check_free(new_key, visitor)
            self.library.rename_collection(key, new_key)
        (before,) = [one for one in self.library.store.collections() if one.name == new_key]
        changed = replace(before, **changes)
        self.library.store.describe_collection(new_key, changed.description, changed.licence, changed.source)
        return new_key

    def _check_free(self, key: str, visitor: Visitor) -> None:
        """Refuse a name that is taken, or that would hide one of everybody's. Raises DuplicateError."""
        names = [one for one in self.library.store.collection_names() if owner_of(one) in ("", visitor.visitor_id)]
        if key in names or shown_name(key) in map(shown_name, names):
            raise DuplicateError(f"There is a collection '{shown_name(key)}' already.", "Choose another name.")

    def change_recording(self, recording_id: str, changes: Mapping[str, Any], visitor: Visitor = LOCAL) -> Recording:
        """Overwrite title, speaker, date, language, licence and source as far as given; return the recording.

        Raises:
            NotFoundError, NotAllowedError: there is none that the visitor may change.
            InputError: text that cannot be kept.
        """
        recording = self.recording(recording_id, visitor)
        self.check_change(recording.collection, visitor)
        changed = replace(recording, **changes)
        if not changed.title.strip():
            raise InputError("The title is empty.", "A recording needs one, so that it can be told from others.")
        if changed != recording:
            self.library.describe_recording(changed)
        return changed

    def contents(self, name: str, words: str = "", page: int = 1, visitor: Visitor = LOCAL) -> Contents:
        """Return what is in a collection; see ``contents_of``. Raises NotFoundError."""
        return contents_of(self.library, self.resolve(name, visitor), words, page)

    def storage(self) -> Storage:
        """Return how much room the data folder takes."""
        return storage_of(self.settings.data_dir.expanduser().resolve())

    def map_of(self, name: str, visitor: Visitor = LOCAL) -> PassageMap:
        """Return the map of a collection's passages. Raises NotFoundError."""
        return self._maps.of(self.resolve(name, visitor))

    def delete_recording(self, recording_id: str, visitor: Visitor = LOCAL) -> Deleted:
        """Remove a recording's audio, vectors and transcripts. Raises NotFoundError, NotAllowedError."""
        self.check_change(self.recording(recording_id, visitor).collection, visitor)
        return self.library.delete_recording(recording_id)

    def delete_collection(self, name: str, visitor: Visitor = LOCAL) -> Deleted:
        """Remove a collection with all its recordings. Raises NotFoundError, NotAllowedError."""
        key = self.resolve(name, visitor)
        self.check_change(key, visitor)
        return self.library.delete_collection(key)

    def check_change(self, collection: str, visitor: Visitor) -> None:
        """Refuse a visitor who may not change a collection (by its name in the store). Raises NotAllowedError."""
        if not visitor.may_change(collection):
            raise NotAllowedError(
                f"The collection '{shown_name(collection)}' cannot be changed by visitors.", "Its owner must log in."
            )

    def rebuild(self, progress: ProgressCallback | None = None) -> int:
        """Make the index anew, remember its models, and return its number of passages."""
        self.library.store.set_setting("models", "an interrupted rebuild")
        passages = self.library.rebuild(progress)
        self.library.store.set_setting("models", self.library.model_fingerprint)
        return passages

    def differences(self) -> list[str]:
        """Return what does not agree between database, index and audio files, one sentence each."""
        return self.library.differences()

    def leftovers(self, visitor: Visitor = LOCAL) -> list[str]:
        """Return the differences as far as a visitor may read them: file names of others are not for everybody."""
        found = self.differences()
        if visitor.is_owner or not found:
            return found
        return ["Database, index and audio files do not agree everywhere; the owner can see where."]

    def example_questions(self, count: int = 6) -> list[str]:
        """Return questions that the sample collection answers, when it is there."""
        if "samples" not in {one.name for one in self.collections()}:
            return []
        return list(EXAMPLES[:count])


EXAMPLES = (
    "What did Wojciechowski say about the ferry and the bridge?",
    "Why is octopus blood blue?",
    "How did a generous pilgrim ruin another country's money?",
    "What did Rejewski do after the war?",
    "Which animal saved a worker's life by refusing to move?",
    "Where did people see a red sun in the summer of 1783?",
    "How did a mix-up with footwear start a family?",
    "Why does Doctor Nkechi Umeadi want other lamps?",
)
"""Questions that the sample collection answers: names, facts and paraphrases."""


def checked_collection_name(name: str) -> str:
    """Return a name for a collection without spaces around it.

    Raises:
        InputError: it cannot be used.

    >>> checked_collection_name("  my   notes ")
    'my notes'
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or name.startswith("@"):
        raise InputError(
            f"A collection cannot be named {name!r:.200}.", f"1 to {LONGEST_NAME} characters, not beginning with @."
        )
    return name


def check_fingerprint(library: Library) -> None:
    """Refuse an index that other models made; remember these for an empty one.

    Raises:
        FingerprintMismatchError: the hint names the command that makes the index anew.
    """
    before = library.store.setting("models")
    if before and before != library.model_fingerprint and library.store.count_passages():
        raise FingerprintMismatchError(
            f"The index was made with other models ({before}) than these ({library.model_fingerprint}).",
            "Run: python -m speechsearch rebuild",
        )
    library.store.set_setting("models", library.model_fingerprint)
