"""The composition root and the use cases: what the page, the routes and the command line ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from speechsearch import audio
from speechsearch.catalog import ENGINES, EngineInfo, engine
from speechsearch.datatypes import Audio, Comparison, Filters, Hit, Passage, Query, Recording, Results
from speechsearch.encoders.mini import MiniPassageEncoder
from speechsearch.encoders.transcript import TranscriptEncoder
from speechsearch.engines import SPECS, Sample, build_engines, build_recognizer, learnt_fusion
from speechsearch.errors import (
    ConfigurationError,
    EmptyQueryError,
    FingerprintMismatchError,
    InputError,
    NotAllowedError,
    NotFoundError,
)
from speechsearch.index import VectorIndex, open_index
from speechsearch.library import Deleted, IndexOutcome, Library
from speechsearch.lock import DataFolderLock
from speechsearch.mini.model import MiniModel
from speechsearch.progress import ProgressCallback
from speechsearch.retrieval.base import Ranking, Retriever
from speechsearch.settings import LimitSettings, Settings, is_on_space
from speechsearch.store import CollectionSummary, Repository
from speechsearch.visitors import LOCAL, Visitor, private, shown_name

LONGEST_QUERY = 2_000
LONGEST_NAME = 80
MOST_HITS = 200


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
        self._lock, self._engines = lock, engines

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
        return self._results(
            engine_name, self._engines[engine_name].retrieve(replace(query, filters=filters), query.top_k)
        )

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
        name = " ".join(collection.split())
        if not name or len(name) > LONGEST_NAME or name.startswith("@"):
            raise InputError(
                f"A collection cannot be named {name!r:.200}.", f"1 to {LONGEST_NAME} characters, not beginning with @."
            )
        if visitor.sees_all or (visitor.is_owner and self.uploads == "shared"):
            return name
        return private(name, visitor.visitor_id)

    def _results(self, engine_name: str, ranking: Ranking) -> Results:
        ids = [one.passage_id for one in ranking.passages]
        passages, recordings = self.library.store.passages(ids), self.library.store.recordings_of(ids)
        transcripts = self.library.store.transcripts(ids)
        known = [one for one in ranking.passages if one.passage_id in passages]  # one may be deleted meanwhile
        hits = tuple(
            Hit(
                rank,
                one.score,
                passages[one.passage_id],
                recordings[one.passage_id],
                one.channels,
                one.score >= ranking.confidence_threshold,
                transcripts.get(one.passage_id, ""),
            )
            for rank, one in enumerate(known, 1)
        )
        has_confident_hit = any(hit.is_confident for hit in hits)
        return Results(engine_name, hits, has_confident_hit, ranking.encode_ms, ranking.search_ms)

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
        """Return a passage as WAV, 16 kHz mono 16 bit.

        Raises:
            NotFoundError: there is no such passage, or its audio is gone.
        """
        passage = self.passage(passage_id, visitor)
        return audio.to_wav(audio.read_span(self.media(passage.recording_id, visitor), passage.span))

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
        """Make a recording searchable; see ``Library.index_recording``."""
        return self.library.index_recording(path, recording, on_passages)

    def mark_failed(self, recording_id: str, file_name: str, collection: str, message: str) -> None:
        """Write a failure to the journal, unless the recording is already searchable."""
        before = self.library.store.journal(recording_id)
        if before is None or before.state == "failed":
            self.library.store.mark(recording_id, "failed", message, file_name, collection)

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
