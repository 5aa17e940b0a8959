"""Add what recordings sound like: spectral peaks, vectors of windows, and what owners said of duplicates."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def content(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def of_recording(table: str, column: str = "recording_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["recordings.recording_id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "constellations",
        text("recording_id"),
        text("fingerprint"),
        content("frames"),
        content("bins"),
        whole("length"),
        sa.PrimaryKeyConstraint("recording_id", name="pk_constellations"),
        of_recording("constellations"),
    )
    op.create_table(
        "sound_windows",
        text("recording_id"),
        text("fingerprint"),
        content("vectors"),
        whole("dim"),
        sa.Column("hop_s", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", name="pk_sound_windows"),
        of_recording("sound_windows"),
    )
    op.create_table(
        "duplicate_verdicts",
        text("first_id"),
        text("second_id"),
        text("verdict"),
        text("created_at"),
        sa.PrimaryKeyConstraint("first_id", "second_id", name="pk_duplicate_verdicts"),
        of_recording("duplicate_verdicts", "first_id"),
        of_recording("duplicate_verdicts", "second_id"),
    )
    op.create_index("ix_duplicate_verdicts_second_id", "duplicate_verdicts", ["second_id"])
