"""A publication names every release that it shows: by this alone one sees what a portal lacks or should withdraw."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; rows of before have none, and the next publication says it."""
    op.add_column("publication", sa.Column("releases", sa.JSON))
