"""The composition root and the use cases: what the page, the routes and the command line ask for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from speechsearch import audio
from speechsearch.domain.errors import (
    ConfigurationError,
    EmptyQueryError,
    FingerprintMismatchError,
    NotAllowedError,
    TooManyError,
)
from speechsearch.domain.folder_lock import DataFolderLock
from speechsearch.domain.values import Audio, Comparison, Filters, Hit, Passage, Query, Results
from speechsearch.domain.visitors import LOCAL, Visitor
from speechsearch.index import VectorIndex, open_index
from speechsearch.library.library import Library
from speechsearch.models.catalog import ENGINES, EngineInfo, engine
from speechsearch.models.mini.encoder import MiniPassageEncoder
from speechsearch.models.mini.network import MiniModel
from speechsearch.models.transcripts import TranscriptEncoder
from speechsearch.retrieval.engines import SPECS, Sample, build_engines, build_recognizer, learnt_fusion
from speechsearch.retrieval.evidence import NOTHING, explain
from speechsearch.retrieval.fusion import likelihood
from speechsearch.retrieval.retriever import Ranking, Retriever
from speechsearch.service.manage import Keeping
from speechsearch.service.settings import Settings
from speechsearch.store import Judgement, Repository

LONGEST_QUERY = 2_000
MOST_HITS = 200
MOST_JUDGEMENTS = 10_000


class Service(Keeping):
    """One open data folder with its models, index and database. Use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        lock: DataFolderLock,
        library: Library,
        engines: Mapping[str, Retriever],
        model: MiniModel,
    ) -> None:
        super().__init__(settings, library)
        self.model = model
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

    def query_audio(self, source: Path | bytes) -> Audio:
        """Return a spoken question. Raises DecodeError, TooLongError."""
        return audio.load(source, self.limits, self.limits.query_audio_s)

    def transcribe(self, path: Path) -> list[tuple[Passage, str]]:
        """Return a file's passages and what the recogniser makes of each; nothing is kept."""
        found = list(audio.passages(path, self.settings.segmentation, self.limits))
        texts = self.library.recognizer.transcribe([sound for _, sound in found])
        return [(Passage("", "", span), said.text) for (span, _), said in zip(found, texts, strict=True)]

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
