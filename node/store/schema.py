"""The store's tables.

Nothing here is peculiar to one database. Accounts, hashes and signatures are bytes. All integers fit a signed
64-bit column, except those declared `Uint64`.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    TypeDecorator,
)

from ledger.intents import IntentStatus
from node.store.records import OrderStatus, SlotState, Technology

SCHEMA_VERSION = "4"


class Uint64(TypeDecorator[int]):
    """An integer from 0 to 2**64 - 1, kept as eight bytes, big-endian.

    SQL's integers end at 2**63 - 1. Bytes in this order compare as the numbers do.
    """

    impl = LargeBinary(8)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> bytes | None:
        """The number as stored."""
        return None if value is None else value.to_bytes(8, "big")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> int | None:
        """The number as it was."""
        return None if value is None else int.from_bytes(value, "big")


metadata = MetaData()


def _required(name: str, kind: Any, *details: Any) -> Column[Any]:
    return Column(name, kind, *details, nullable=False)


def _word(kind: type[StrEnum]) -> Enum:
    """A column of an enumeration's values, as text."""
    return Enum(
        kind, native_enum=False, length=16, values_callable=lambda members: [each.value for each in members]
    )


facts = Table("facts", metadata, Column("key", String(64), primary_key=True), _required("value", String))

slots = Table(
    "slots",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    _required("state", _word(SlotState)),
    Column("book_root", LargeBinary(32)),
    Column("book_size", Integer),
    Column("price", BigInteger),
    Column("bought_wh", BigInteger),
    Index("slots_by_state", "state", "slot"),
)

orders = Table(
    "orders",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    _required("account", LargeBinary(20)),
    _required("market", LargeBinary(32)),
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("side", Integer),
    _required("price", BigInteger),
    _required("quantity_wh", BigInteger),
    _required("certificates", Integer),
    _required("epoch", BigInteger),
    _required("expires_at", BigInteger),
    _required("salt", Uint64),
    _required("signature", LargeBinary(65)),
    _required("index", Integer),
    _required("received_at", BigInteger),
    Column("receipt_signature", LargeBinary(65)),
    _required("posted", Boolean),
    _required("status", _word(OrderStatus)),
    _required("fill_wh", BigInteger, CheckConstraint("fill_wh >= 0 AND fill_wh <= quantity_wh")),
    _required("amount_nano", BigInteger),
    Column("reason", String),
    Column("cancellation_signature", LargeBinary(65)),
    Column("wishes", String),
    Index("orders_by_arrival", "slot", "index", unique=True),
    Index("orders_by_account", "account", "slot", "index"),
    Index("orders_by_status", "status", "account"),
)

trades = Table(
    "trades",
    metadata,
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("number", Integer),
    _required("seller_order", LargeBinary(32), ForeignKey("orders.hash")),
    _required("buyer_order", LargeBinary(32), ForeignKey("orders.hash")),
    _required("quantity_wh", BigInteger, CheckConstraint("quantity_wh > 0")),
    _required("price", BigInteger),
    PrimaryKeyConstraint("slot", "number"),
)

members = Table(
    "members", metadata, Column("account", LargeBinary(20), primary_key=True), _required("name", String)
)

devices = Table(
    "devices",
    metadata,
    Column("device", Uint64, primary_key=True),
    _required("account", LargeBinary(20), ForeignKey("members.account")),
    _required("technology", _word(Technology)),
    _required("nameplate_w", BigInteger),
    _required("meter_key", LargeBinary(32)),
    _required("first_slot", BigInteger),
    _required("name", String),
)

readings = Table(
    "readings",
    metadata,
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("slot", BigInteger),
    _required("energy_wh", BigInteger),
    _required("register_wh", Uint64),
    _required("sequence", Uint64),
    _required("signature", LargeBinary(64)),
    _required("received_at", BigInteger),
    PrimaryKeyConstraint("device", "slot"),
    Index("readings_by_slot", "slot", "device"),
)

issuances = Table(
    "issuances",
    metadata,
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("amount_wh", BigInteger, CheckConstraint("amount_wh > 0")),
    PrimaryKeyConstraint("slot", "device"),
)

certificate_moves = Table(
    "certificate_moves",
    metadata,
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("number", Integer),
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("account", LargeBinary(20)),
    _required("amount_wh", BigInteger, CheckConstraint("amount_wh > 0")),
    _required("retired", Boolean),
    PrimaryKeyConstraint("slot", "number"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("slot", BigInteger, ForeignKey("slots.slot"), primary_key=True, autoincrement=False),
    _required("price", BigInteger),
    _required("digest", LargeBinary(32)),
)

approvals = Table(
    "approvals",
    metadata,
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("validator", LargeBinary(20)),
    _required("digest", LargeBinary(32)),
    _required("signature", LargeBinary(65)),
    PrimaryKeyConstraint("slot", "validator"),
)

# Onboarding steps belong to slot 0, which no market trades, so an intent's slot need not be in `slots`.
intents = Table(
    "intents",
    metadata,
    _required("slot", BigInteger),
    _required("step", String(64)),
    _required("attempt", Integer),
    _required("sender", LargeBinary(20)),
    _required("nonce", BigInteger),
    _required("calldata_hash", LargeBinary(32)),
    Column("raw_transaction", LargeBinary),
    _required("transaction_hash", LargeBinary(32)),
    _required("status", _word(IntentStatus)),
    _required("is_final", Boolean),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    Column("gas_used", BigInteger),
    Column("reason", String),
    PrimaryKeyConstraint("slot", "step", "attempt"),
    Index("intents_by_finality", "is_final"),
)

# What members signed and the node sends for them. Whether it is mined is asked of the chain, never of this table.
sent_transactions = Table(
    "sent_transactions",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    _required("sender", LargeBinary(20)),
    _required("nonce", BigInteger),
    _required("to", LargeBinary(20)),
    _required("raw", LargeBinary),
    _required("received_at", BigInteger),
    Index("sent_by_sender", "sender", "nonce"),
)
