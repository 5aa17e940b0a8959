"""A recording's passages replaced by those of another cut.

Passages that are the same keep all they have. What people said of a passage that is gone goes to the new one that has
most of it, and who speaks in the passages is counted anew from the turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from speechsearch.domain.errors import InputError
from speechsearch.domain.speakers import Turn, TurnTable, voices_in
from speechsearch.domain.values import Passage, Span
from speechsearch.store.database import delete_rows, rows_of
from speechsearch.store.passages import write_encoded
from speechsearch.store.records import StoredPassage
from speechsearch.store.rows import passage_of, passage_row
from speechsearch.store.tables import (
    FeedbackRow,
    NameVerdictRow,
    PassageRow,
    PassageVoiceRow,
    TurnRow,
)


def checked_rows(recording_id: str, passages: Sequence[StoredPassage]) -> dict[str, dict[str, Any]]:
    """Return passage id -> row of a recording's passages. Raises InputError: they cannot be kept."""
    rows = {one["passage_id"]: one for one in (passage_row(p.passage, recording_id) for p in passages)}
    if len(rows) < len(passages):
        raise InputError(f"The passages of recording {recording_id} are not all different.")
    return rows


def write_cut(
    connection: sa.Connection, recording_id: str, passages: Sequence[StoredPassage], made_by: Mapping[str, str]
) -> list[str]:
    """Write all passages that a recording now consists of, and return the ids of those that no longer exist.

    Raises:
        InputError: something that cannot be kept.
    """
    rows = checked_rows(recording_id, passages)
    statement = sa.select(PassageRow.__table__).where(PassageRow.recording_id == recording_id)
    old = {row.passage_id: passage_of(row) for row in connection.execute(statement)}
    gone = sorted(old.keys() - rows.keys())
    if added := [one for passage_id, one in rows.items() if passage_id not in old]:
        connection.execute(sa.insert(PassageRow), added)
    follow(connection, [old[one] for one in gone], [one.passage for one in passages])
    delete_rows(connection, PassageRow.passage_id, gone)
    write_encoded(connection, recording_id, passages, made_by)
    count_voices(connection, recording_id, [one.passage for one in passages])
    return gone


def follow(connection: sa.Connection, gone: Sequence[Passage], there: Sequence[Passage]) -> None:
    """Give what people said of passages that are gone to those that have most of them; a later word stays."""
    goals = {one.passage_id: goal.passage_id for one in gone if (goal := nearest(one.span, there)) is not None}
    for table, keys in ((FeedbackRow, ("visitor_id", "question")), (NameVerdictRow, ("written",))):
        said = rows_of(connection, sa.select(table.__table__), table.passage_id, list(goals))
        for row in sorted(said, key=lambda row: row.created_at):
            values = {**row._mapping, "passage_id": goals[row.passage_id]}
            ours = sa.and_(*(getattr(table, name) == values[name] for name in (*keys, "passage_id")))
            known = connection.scalar(sa.select(table.created_at).where(ours))
            if known is None or known <= row.created_at:
                connection.execute(sa.delete(table).where(ours))
                connection.execute(sa.insert(table).values(values))


def nearest(span: Span, passages: Sequence[Passage]) -> Passage | None:
    """Return the passage that has most of a span, the first of equal ones; None where none has any of it.

    >>> one, two = (Passage(name, "r", span) for name, span in (("one", Span(0, 4)), ("two", Span(4, 9))))
    >>> nearest(Span(3, 6), [one, two]).passage_id, nearest(Span(9, 10), [one, two])
    ('two', None)
    """
    shared = [span.shared_s(one.span) for one in passages]
    best = max(range(len(shared)), key=shared.__getitem__, default=None)
    return passages[best] if best is not None and shared[best] > 0 else None


def turns_of(connection: sa.Connection, recording_id: str) -> list[Turn]:
    """Return the turns of a recording in order of time."""
    statement = sa.select(TurnRow.__table__).where(TurnRow.recording_id == recording_id)
    found = connection.execute(statement.order_by(TurnRow.start_s, TurnRow.voice))
    return [Turn(Span(row.start_s, row.end_s), row.voice, bool(row.is_overlap)) for row in found]


def count_voices(connection: sa.Connection, recording_id: str, passages: Sequence[Passage]) -> None:
    """Write who speaks in a recording's passages, and for how long, by its turns."""
    turns = TurnTable(turns_of(connection, recording_id))
    of_recording = sa.select(PassageRow.passage_id).where(PassageRow.recording_id == recording_id)
    connection.execute(sa.delete(PassageVoiceRow).where(PassageVoiceRow.passage_id.in_(of_recording)))
    rows = [
        {"passage_id": one.passage_id, "number": number, "speech_s": speech_s}
        for one in passages
        for number, speech_s in voices_in(one.span, turns.within(one.span)).items()
    ]
    if rows:
        connection.execute(sa.insert(PassageVoiceRow), rows)
