"""Keep transcripts of several recognisers, and what made the vectors of each channel.

Version 2 of the program had one recogniser a library and one fingerprint for all, "format:encoder:recogniser:cut"; its
text encoder was always the same. What it made stays valid.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TRANSCRIPT_ENCODER = "all-MiniLM-L6-v2-53aa51172d142c89:words-1"
OLD_NAMES = {"asr_dense": "meaning", "asr_words": "words"}


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def belongs_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    op.add_column("recordings", sa.Column("wants_transcripts", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("jobs", sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("job_files", sa.Column("recording_id", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_job_files_recording_id", "job_files", ["recording_id"])
    op.create_table(
        "encodings",
        *map(text, ("recording_id", "channel", "fingerprint")),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", "channel", name="pk_encodings"),
        belongs_to("encodings", "recording_id", "recordings.recording_id"),
    )
    op.create_table(
        "transcripts_by_recognizer",
        *map(text, ("passage_id", "recognizer", "fingerprint", "text", "words")),
        sa.PrimaryKeyConstraint("passage_id", "recognizer", name="pk_transcripts_by_recognizer"),
        belongs_to("transcripts_by_recognizer", "passage_id", "passages.passage_id"),
    )
    connection = op.get_bind()
    entries = connection.execute(sa.text("SELECT recording_id, fingerprint FROM journal")).all()
    for recording_id, fingerprint in entries:
        parts = fingerprint.split(":")
        if len(parts) == 4:
            take_over(connection, recording_id, *parts)
    op.drop_table("transcripts")
    op.rename_table("transcripts_by_recognizer", "transcripts")
    if connection.dialect.name == "postgresql":
        for kind in ("pk", "fk"):
            tail = "_passage_id" if kind == "fk" else ""
            old, new = f"{kind}_transcripts_by_recognizer{tail}", f"{kind}_transcripts{tail}"
            op.execute(f"ALTER TABLE transcripts RENAME CONSTRAINT {old} TO {new}")


def take_over(connection: sa.Connection, recording_id: str, form: str, encoder: str, recognizer: str, cut: str) -> None:
    """Write down, for a recording of version 2, what made what it has; its vectors get their new names."""
    mine = {"recording_id": recording_id}
    ids = "(SELECT passage_id FROM passages WHERE recording_id = :recording_id)"
    name = connection.scalar(sa.text(f"SELECT MIN(recognizer) FROM transcripts WHERE passage_id IN {ids}"), mine)
    maker = f"{recognizer}+{TRANSCRIPT_ENCODER}"
    for old, short in OLD_NAMES.items():
        renamed = {"old": old, "new": f"{short}@{name}", **mine}
        connection.execute(
            sa.text(f"UPDATE vectors SET name = :new WHERE name = :old AND passage_id IN {ids}"), renamed
        )
    connection.execute(
        sa.text(
            "INSERT INTO transcripts_by_recognizer (passage_id, recognizer, fingerprint, text, words) "
            f"SELECT passage_id, recognizer, :fingerprint, text, words FROM transcripts WHERE passage_id IN {ids}"
        ),
        {"fingerprint": recognizer, **mine},
    )
    counted = sa.text(f"SELECT name, COUNT(*) FROM vectors WHERE passage_id IN {ids} GROUP BY name")
    for channel, passages in connection.execute(counted, mine).all():
        row = {
            "channel": channel,
            "fingerprint": maker if "@" in channel else encoder,
            "passages": passages,
        }
        connection.execute(
            sa.text(
                "INSERT INTO encodings (recording_id, channel, fingerprint, passages) "
                "VALUES (:recording_id, :channel, :fingerprint, :passages)"
            ),
            {**row, **mine},
        )
    connection.execute(
        sa.text("UPDATE journal SET fingerprint = :fingerprint WHERE recording_id = :recording_id"),
        {"fingerprint": f"{form}:{cut}", **mine},
    )
