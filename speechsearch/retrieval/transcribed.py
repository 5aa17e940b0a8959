"""The baseline's way with a spoken query: write it down first."""

from __future__ import annotations

import time
from dataclasses import replace

from speechsearch.domain.errors import EmptyQueryError
from speechsearch.domain.values import Query
from speechsearch.models.base import Recognizer
from speechsearch.retrieval.retriever import Ranking, Retriever


class TranscribedRetriever:
    """Passes typed queries on and transcribes spoken ones before; the time counts as encoding."""

    def __init__(self, inner: Retriever, recognizer: Recognizer) -> None:
        self.inner, self.recognizer = inner, recognizer
        self.name = inner.name

    def retrieve(self, query: Query, limit: int) -> Ranking:
        """Return at most ``limit`` passages, best first.

        Raises:
            EmptyQueryError: the recogniser understood nothing.
        """
        if query.audio is None:
            return self.inner.retrieve(query, limit)
        started = time.perf_counter()
        text = self.recognizer.transcribe([query.audio])[0].text
        if not text.strip():
            raise EmptyQueryError("The recogniser understood nothing of the spoken question.", "Record it again.")
        spent_ms = (time.perf_counter() - started) * 1000
        ranking = self.inner.retrieve(replace(query, text=text, audio=None), limit)
        return replace(ranking, encode_ms=ranking.encode_ms + spent_ms)
