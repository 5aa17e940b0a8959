"""Keep what was said about a recording when it was taken in, to tell corrections of a table from changes made here."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("described", sa.Text(), nullable=False, server_default=""))
