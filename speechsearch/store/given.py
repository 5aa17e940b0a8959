"""What came with recordings besides their sound: transcripts with times, and chapters."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from speechsearch.domain.captions import GIVEN, Caption, Chapter, Given
from speechsearch.domain.errors import InputError, StoreError
from speechsearch.domain.values import Span, Word
from speechsearch.store.database import Database, rows_of, upsert
from speechsearch.store.journal import mark_stored
from speechsearch.store.rows import checked_text
from speechsearch.store.tables import EncodingRow, GivenRow, JournalRow, PassageRow, TranscriptRow, VectorRow

NOTHING = Given()
OF_GIVEN = f"%@{GIVEN}"
"""The channels that are made of given transcripts."""
HAS_CAPTIONS = GivenRow.name != ""
"""The name of a transcript's file is there if and only if the transcript is, and is read without its megabytes."""


class GivenTexts:
    """The given transcripts and chapters of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, recording_id: str) -> Given:
        """Return what came with a recording; nothing of an unknown one.

        Raises:
            StoreError: the row is damaged.
        """
        statement = sa.select(GivenRow.__table__).where(GivenRow.recording_id == recording_id)
        with self._database.reading() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return NOTHING
        try:
            captions = tuple(
                Caption(Span(start_s, end_s), str(text), tuple(Word(str(w), float(s), float(e)) for w, s, e in words))
                for start_s, end_s, text, words in json.loads(row.captions)
            )
        except (ValueError, TypeError):
            raise _damaged(recording_id) from None
        return Given(row.name, captions, _chapters(recording_id, row.chapters))

    def chapters(self, recording_id: str) -> tuple[Chapter, ...]:
        """Return the chapters that came with a recording, without reading its transcript.

        Raises:
            StoreError: the row is damaged.
        """
        statement = sa.select(GivenRow.chapters).where(GivenRow.recording_id == recording_id)
        with self._database.reading() as connection:
            return _chapters(recording_id, connection.scalar(statement) or "[]")

    def has_captions(self, recording_id: str) -> bool:
        """Say whether a transcript came with a recording, without reading it."""
        statement = sa.select(GivenRow.recording_id).where(HAS_CAPTIONS, GivenRow.recording_id == recording_id)
        with self._database.reading() as connection:
            return connection.scalar(statement) is not None

    def with_captions(self, recording_ids: Sequence[str] | None = None) -> set[str]:
        """Return the ids of the recordings (of some) that a transcript came with."""
        statement = sa.select(GivenRow.recording_id).where(HAS_CAPTIONS)
        with self._database.reading() as connection:
            return {row.recording_id for row in rows_of(connection, statement, GivenRow.recording_id, recording_ids)}

    def save(self, recording_id: str, given: Given) -> None:
        """Write what came with a recording, and mark it "stored".

        What was made of another transcript of it, passages' texts and vectors, is deleted.

        Raises:
            InputError: text that cannot be kept, or a transcript without its file's name; nothing is written.
        """
        if given.captions and not given.name:
            raise InputError("The transcript's file has no name.", "Say where it is from.")
        captions = [
            [one.span.start_s, one.span.end_s, checked_text(one.text, "caption"), _words(one)] for one in given.captions
        ]
        chapters = [[one.start_s, checked_text(one.title, "chapter's title")] for one in given.chapters]
        row = {
            "recording_id": recording_id,
            "name": checked_text(given.name, "transcript's file name") if captions else "",
            "captions": json.dumps(captions, ensure_ascii=False),
            "chapters": json.dumps(chapters, ensure_ascii=False),
        }
        passages = sa.select(PassageRow.passage_id).where(PassageRow.recording_id == recording_id)
        stale = (
            sa.delete(TranscriptRow).where(TranscriptRow.recognizer == GIVEN, TranscriptRow.passage_id.in_(passages)),
            sa.delete(VectorRow).where(VectorRow.name.like(OF_GIVEN), VectorRow.passage_id.in_(passages)),
            sa.delete(EncodingRow).where(EncodingRow.channel.like(OF_GIVEN), EncodingRow.recording_id == recording_id),
        )
        with self._database.writing() as connection:
            upsert(connection, GivenRow, row)
            for statement in stale:
                connection.execute(statement)
            mark_stored(connection, JournalRow.recording_id == recording_id)


def _chapters(recording_id: str, written: str) -> tuple[Chapter, ...]:
    try:
        return tuple(Chapter(float(start_s), str(title)) for start_s, title in json.loads(written))
    except (ValueError, TypeError):
        raise _damaged(recording_id) from None


def _damaged(recording_id: str) -> StoreError:
    return StoreError(f"What came with recording {recording_id} is damaged.", "Ingest it again.")


def _words(caption: Caption) -> list[list[str | float]]:
    return [[checked_text(word.text, "word"), word.start_s, word.end_s] for word in caption.words]
