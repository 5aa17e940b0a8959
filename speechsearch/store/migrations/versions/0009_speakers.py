"""Add who speaks: turns and voices of recordings, the speakers whose voices they are, and who speaks in passages."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VOICE = ("recording_id", "number")


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def seconds(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(53), nullable=False)


def whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def belongs_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "speakers",
        text("speaker_id"),
        text("owner"),
        whole("number"),
        text("name"),
        text("created_at"),
        sa.PrimaryKeyConstraint("speaker_id", name="pk_speakers"),
    )
    op.create_index("ix_speakers_owner", "speakers", ["owner"])
    op.create_table(
        "diarizations",
        text("recording_id"),
        text("fingerprint"),
        sa.PrimaryKeyConstraint("recording_id", name="pk_diarizations"),
        belongs_to("diarizations", "recording_id", "recordings.recording_id"),
    )
    op.create_table(
        "voices",
        text("recording_id"),
        whole("number"),
        text("speaker_id"),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        seconds("speech_s"),
        text("fingerprint"),
        text("joined_by"),
        sa.PrimaryKeyConstraint(*VOICE, name="pk_voices"),
        belongs_to("voices", "recording_id", "diarizations.recording_id"),
        belongs_to("voices", "speaker_id", "speakers.speaker_id"),
    )
    op.create_index("ix_voices_speaker_id", "voices", ["speaker_id"])
    op.create_table(
        "turns",
        text("recording_id"),
        seconds("start_s"),
        whole("voice"),
        seconds("end_s"),
        sa.Column("is_overlap", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", "start_s", "voice", name="pk_turns"),
        belongs_to("turns", "recording_id", "diarizations.recording_id"),
    )
    op.create_table(
        "voice_refusals",
        text("recording_id"),
        whole("number"),
        text("speaker_id"),
        sa.PrimaryKeyConstraint(*VOICE, "speaker_id", name="pk_voice_refusals"),
        sa.ForeignKeyConstraint(
            VOICE, ["voices.recording_id", "voices.number"], name="fk_voice_refusals_recording_id", ondelete="CASCADE"
        ),
        belongs_to("voice_refusals", "speaker_id", "speakers.speaker_id"),
    )
    op.create_index("ix_voice_refusals_speaker_id", "voice_refusals", ["speaker_id"])
    op.create_table(
        "passage_voices",
        text("passage_id"),
        whole("number"),
        seconds("speech_s"),
        sa.PrimaryKeyConstraint("passage_id", "number", name="pk_passage_voices"),
        belongs_to("passage_voices", "passage_id", "passages.passage_id"),
    )
