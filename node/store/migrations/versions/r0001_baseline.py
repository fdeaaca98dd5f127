"""The store as it was when its changes began to be kept: schema 4."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "anchored_days",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "facts",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "intents",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("calldata_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw_transaction", sa.LargeBinary(), nullable=True),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("slot", "step", "attempt"),
    )
    op.create_index("intents_by_finality", "intents", ["is_final"], unique=False)
    op.create_table(
        "members",
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "private_texts",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "sent_transactions",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("to", sa.LargeBinary(length=20), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("sent_by_sender", "sent_transactions", ["sender", "nonce"], unique=False)
    op.create_table(
        "slots",
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("book_root", sa.LargeBinary(length=32), nullable=True),
        sa.Column("book_size", sa.Integer(), nullable=True),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("bought_wh", sa.BigInteger(), nullable=True),
        sa.Column("awaited_from", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("slot"),
    )
    op.create_index("slots_by_state", "slots", ["state", "slot"], unique=False)
    op.create_table(
        "statements",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("jws", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("statements_by_number", "statements", ["number"], unique=True)
    op.create_table(
        "approvals",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("validator", sa.LargeBinary(length=20), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=65), nullable=False),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.PrimaryKeyConstraint("slot", "validator"),
    )
    op.create_table(
        "devices",
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("nameplate_w", sa.BigInteger(), nullable=False),
        sa.Column("slot_length_s", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("technology", sa.Integer(), nullable=False),
        sa.Column("fuel", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Integer(), nullable=False),
        sa.Column("longitude", sa.Integer(), nullable=False),
        sa.Column("commissioned_day", sa.Integer(), nullable=False),
        sa.Column("support", sa.Integer(), nullable=False),
        sa.Column("storage", sa.LargeBinary(8), nullable=False),
        sa.Column("efficiency_ppm", sa.Integer(), nullable=False),
        sa.Column("metering_point", sa.String(), nullable=False),
        sa.Column("register", sa.String(), nullable=True),
        sa.Column("first_slot", sa.BigInteger(), nullable=False),
        sa.Column("closed_day", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["members.account"],
        ),
        sa.PrimaryKeyConstraint("device"),
    )
    op.create_table(
        "orders",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("market", sa.LargeBinary(length=32), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("quantity_wh", sa.BigInteger(), nullable=False),
        sa.Column("certificates", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(8), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=65), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("receipt_signature", sa.LargeBinary(length=65), nullable=True),
        sa.Column("posted", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("fill_wh", sa.BigInteger(), nullable=False),
        sa.Column("amount_nano", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("cancellation_signature", sa.LargeBinary(length=65), nullable=True),
        sa.Column("wishes", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.CheckConstraint("fill_wh >= 0 AND fill_wh <= quantity_wh"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("orders_by_account", "orders", ["account", "slot", "index"], unique=False)
    op.create_index("orders_by_arrival", "orders", ["slot", "index"], unique=True)
    op.create_index("orders_by_status", "orders", ["status", "account"], unique=False)
    op.create_table(
        "proposals",
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.PrimaryKeyConstraint("slot"),
    )
    op.create_table(
        "certificate_moves",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("amount_wh", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.CheckConstraint("amount_wh > 0"),
        sa.PrimaryKeyConstraint("slot", "number"),
    )
    op.create_table(
        "consumptions",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("amount_wh", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.CheckConstraint("amount_wh > 0"),
        sa.PrimaryKeyConstraint("slot", "device"),
    )
    op.create_table(
        "issuances",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("amount_wh", sa.BigInteger(), nullable=False),
        sa.Column("certified_wh", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.CheckConstraint("amount_wh > 0"),
        sa.CheckConstraint("certified_wh >= 0 AND certified_wh <= amount_wh"),
        sa.PrimaryKeyConstraint("slot", "device"),
    )
    op.create_table(
        "matches",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("consumption", sa.LargeBinary(8), nullable=False),
        sa.Column("amount_wh", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumption"],
            ["devices.device"],
        ),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.CheckConstraint("amount_wh > 0"),
        sa.PrimaryKeyConstraint("slot", "number"),
    )
    op.create_table(
        "meter_keys",
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("from_slot", sa.BigInteger(), nullable=False),
        sa.Column("algorithm", sa.Integer(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.PrimaryKeyConstraint("device", "from_slot"),
    )
    op.create_table(
        "ocmf_journal",
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=True),
        sa.Column("covered_slot", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.PrimaryKeyConstraint("device", "number"),
    )
    op.create_table(
        "open_corrections",
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_revision", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.PrimaryKeyConstraint("device", "slot"),
    )
    op.create_table(
        "readings",
        sa.Column("device", sa.LargeBinary(8), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("statements", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.device"],
        ),
        sa.PrimaryKeyConstraint("device", "slot", "revision"),
    )
    op.create_index("readings_by_slot", "readings", ["slot", "device", "revision"], unique=False)
    op.create_table(
        "trades",
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seller_order", sa.LargeBinary(length=32), nullable=False),
        sa.Column("buyer_order", sa.LargeBinary(length=32), nullable=False),
        sa.Column("quantity_wh", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["buyer_order"],
            ["orders.hash"],
        ),
        sa.ForeignKeyConstraint(
            ["seller_order"],
            ["orders.hash"],
        ),
        sa.ForeignKeyConstraint(
            ["slot"],
            ["slots.slot"],
        ),
        sa.CheckConstraint("quantity_wh > 0"),
        sa.PrimaryKeyConstraint("slot", "number"),
    )
