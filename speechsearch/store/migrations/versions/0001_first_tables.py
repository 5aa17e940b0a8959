"""Make the first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(53), nullable=False)


def belongs_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "collections",
        *map(text, ("name", "description", "licence", "source")),
        sa.PrimaryKeyConstraint("name", name="pk_collections"),
    )
    op.create_table(
        "recordings",
        *map(text, ("recording_id", "collection", "title")),
        number("duration_s"),
        *map(text, ("file_name", "speaker", "date", "language", "licence", "source", "media_name")),
        sa.PrimaryKeyConstraint("recording_id", name="pk_recordings"),
        belongs_to("recordings", "collection", "collections.name"),
    )
    op.create_index("ix_recordings_collection", "recordings", ["collection"])
    op.create_table(
        "passages",
        *map(text, ("passage_id", "recording_id")),
        *map(number, ("start_s", "end_s")),
        sa.PrimaryKeyConstraint("passage_id", name="pk_passages"),
        belongs_to("passages", "recording_id", "recordings.recording_id"),
    )
    op.create_index("ix_passages_recording_id", "passages", ["recording_id"])
    op.create_table(
        "vectors",
        *map(text, ("passage_id", "name")),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("passage_id", "name", name="pk_vectors"),
        belongs_to("vectors", "passage_id", "passages.passage_id"),
    )
    op.create_table(
        "transcripts",
        *map(text, ("passage_id", "text", "recognizer", "words")),
        sa.PrimaryKeyConstraint("passage_id", name="pk_transcripts"),
        belongs_to("transcripts", "passage_id", "passages.passage_id"),
    )
    op.create_table(
        "journal",
        *map(text, ("recording_id", "file_name", "collection", "state", "fingerprint", "message", "updated_at")),
        sa.PrimaryKeyConstraint("recording_id", name="pk_journal"),
    )
    op.create_index("ix_journal_collection", "journal", ["collection"])
    op.create_index("ix_journal_state", "journal", ["state"])
    op.create_table("settings", *map(text, ("key", "value")), sa.PrimaryKeyConstraint("key", name="pk_settings"))
