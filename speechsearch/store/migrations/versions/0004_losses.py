"""Keep several phonemes a frame, with how much less likely each is than the first.

What was kept before, the likeliest phoneme of each spike, stays as frames of one phoneme.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tracks", sa.Column("losses", sa.LargeBinary(), nullable=False, server_default=""))
    connection = op.get_bind()
    tracks = sa.table("tracks", sa.column("passage_id"), sa.column("symbols"), sa.column("losses"))
    for row in connection.execute(sa.select(tracks.c.passage_id, tracks.c.symbols)).all():
        ours = tracks.c.passage_id == row.passage_id
        connection.execute(sa.update(tracks).where(ours).values(losses=bytes(len(row.symbols))))
