"""Add the list of names, and in which passages people heard that they are said or not."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "names",
        sa.Column("written", sa.Text(), nullable=False),
        sa.Column("sounds_like", sa.Text(), nullable=False),
        sa.Column("phonemes", sa.LargeBinary(), nullable=False),
        sa.Column("heard_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("written", name="pk_names"),
    )
    op.create_table(
        "name_verdicts",
        sa.Column("written", sa.Text(), nullable=False),
        sa.Column("passage_id", sa.Text(), nullable=False),
        sa.Column("is_said", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("written", "passage_id", name="pk_name_verdicts"),
        sa.ForeignKeyConstraint(["written"], ["names.written"], name="fk_name_verdicts_written", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["passage_id"], ["passages.passage_id"], name="fk_name_verdicts_passage_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_name_verdicts_passage_id", "name_verdicts", ["passage_id"])
