"""Events, which a store of before tells none of."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make their table; in a store that has slots, its first event says that the beginning lacks."""
    events = op.create_table(
        "events",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=True),
        sa.Column("other", sa.LargeBinary(length=20), nullable=True),
        sa.Column("details", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM slots")):
        restored = {"number": time.time_ns() // 1_000, "kind": "store_restored", "slot": 0, "details": "{}"}
        op.bulk_insert(events, [restored])
