"""What visitors judged: whether a passage answers a question."""

from __future__ import annotations

from dataclasses import asdict, fields

import sqlalchemy as sa

from speechsearch.domain.errors import InputError
from speechsearch.store.database import Database, upsert
from speechsearch.store.jobs import time_ago
from speechsearch.store.records import Judgement
from speechsearch.store.rows import checked_name, checked_text
from speechsearch.store.tables import FeedbackRow

LARGEST_QUESTION_BYTES = 2_000
"""A key of PostgreSQL may have 2,700 with all its columns."""
COLUMNS = tuple(getattr(FeedbackRow, one.name) for one in fields(Judgement))


class Judgements:
    """The judgements of a database: one of each visitor, question and passage. They go with the passage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, judgement: Judgement) -> None:
        """Write a judgement with the present time, over an earlier one.

        Raises:
            InputError: text that cannot be kept, or a relevance other than 0 and 1.
            StoreError: there is no such passage.
        """
        if judgement.relevance not in (0, 1):
            raise InputError(f"A passage is relevant (1) or not (0), not {judgement.relevance!r:.20}.")
        question = checked_text(judgement.question, "question")
        if not question.strip() or len(question.encode()) > LARGEST_QUESTION_BYTES:
            raise InputError(f"The question is empty or too long: {question[:40]!r}.", "Judge answers to shorter ones.")
        for name in ("visitor_id", "passage_id", "engine"):
            checked_name(getattr(judgement, name), name.replace("_", " "))
        with self._database.writing() as connection:
            upsert(connection, FeedbackRow, asdict(judgement) | {"created_at": time_ago()})

    def clear(self, visitor_id: str, question: str, passage_id: str) -> None:
        """Delete a judgement; it is no error when there is none."""
        mine = (FeedbackRow.visitor_id == visitor_id) & (FeedbackRow.question == question)
        with self._database.writing() as connection:
            connection.execute(sa.delete(FeedbackRow).where(mine, FeedbackRow.passage_id == passage_id))

    def find(self, visitor_id: str | None = None, question: str | None = None) -> list[Judgement]:
        """Return the judgements (of one visitor, on one question), the latest last."""
        statement = sa.select(*COLUMNS).order_by(FeedbackRow.created_at, FeedbackRow.question, FeedbackRow.passage_id)
        if visitor_id is not None:
            statement = statement.where(FeedbackRow.visitor_id == visitor_id)
        if question is not None:
            statement = statement.where(FeedbackRow.question == question)
        with self._database.reading() as connection:
            return [Judgement(*row) for row in connection.execute(statement)]

    def count(self, visitor_id: str) -> int:
        """Return how many judgements a visitor has given."""
        statement = sa.select(sa.func.count()).where(FeedbackRow.visitor_id == visitor_id)
        with self._database.reading() as connection:
            return connection.scalar(statement) or 0
