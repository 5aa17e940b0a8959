"""Add what is heard in passages, the queue of jobs, and the visitors' judgements."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def belongs_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "tracks",
        text("passage_id"),
        sa.Column("symbols", sa.LargeBinary(), nullable=False),
        sa.Column("starts_s", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("passage_id", name="pk_tracks"),
        belongs_to("tracks", "passage_id", "passages.passage_id"),
    )
    op.create_table(
        "jobs",
        *map(text, ("job_id", "visitor_id", "kind", "collection", "task", "state", "message")),
        *map(text, ("created_at", "updated_at")),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_visitor_id", "jobs", ["visitor_id"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "job_files",
        *map(text, ("job_id", "name", "state")),
        whole("passages"),
        sa.Column("duration_s", sa.Float(53), nullable=False),
        text("message"),
        sa.PrimaryKeyConstraint("job_id", "name", name="pk_job_files"),
        belongs_to("job_files", "job_id", "jobs.job_id"),
    )
    op.create_table(
        "feedback",
        *map(text, ("visitor_id", "question", "passage_id")),
        whole("relevance"),
        text("engine"),
        whole("rank"),
        text("created_at"),
        sa.PrimaryKeyConstraint("visitor_id", "question", "passage_id", name="pk_feedback"),
        belongs_to("feedback", "passage_id", "passages.passage_id"),
    )
    op.create_index("ix_feedback_passage_id", "feedback", ["passage_id"])
