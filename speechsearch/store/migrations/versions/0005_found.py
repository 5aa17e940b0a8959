"""Keep when a recording was added and how often it was a likely answer; of those there are, when they last changed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("added_at", sa.Text(), nullable=False, server_default=""))
    op.add_column("recordings", sa.Column("times_found", sa.Integer(), nullable=False, server_default="0"))
    recordings = sa.table("recordings", sa.column("recording_id"), sa.column("added_at"))
    journal = sa.table("journal", sa.column("recording_id"), sa.column("updated_at"))
    changed = sa.select(journal.c.updated_at).where(journal.c.recording_id == recordings.c.recording_id)
    op.get_bind().execute(sa.update(recordings).values(added_at=sa.func.coalesce(changed.scalar_subquery(), "")))
