"""Keep the transcripts and chapters that come with recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "given",
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("captions", sa.Text(), nullable=False),
        sa.Column("chapters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", name="pk_given"),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recordings.recording_id"], name="fk_given_recording_id", ondelete="CASCADE"
        ),
    )
