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
from node.store.records import OrderStatus, SlotState

SCHEMA_VERSION = "4"
"""Stores of another one are not converted."""

REVISION = "0002"
"""The last of the changes in `migrations`, which this page and they have to agree on."""


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
    Column("awaited_from", BigInteger),
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

# As on chain, and what the chain has only hashes of. Keys come in a table of their own, as they change.
devices = Table(
    "devices",
    metadata,
    Column("device", Uint64, primary_key=True),
    _required("account", LargeBinary(20), ForeignKey("members.account")),
    _required("area", Integer),
    _required("kind", Integer),
    _required("nameplate_w", BigInteger),
    _required("slot_length_s", Integer),
    _required("standing", Boolean),
    _required("technology", Integer),
    _required("fuel", Integer),
    _required("latitude", Integer),
    _required("longitude", Integer),
    _required("commissioned_day", Integer),
    _required("support", Integer),
    _required("storage", Uint64),
    _required("efficiency_ppm", Integer),
    _required("metering_point", String),
    Column("register", String),
    _required("first_slot", BigInteger),
    Column("closed_day", Integer),
    _required("name", String),
)

meter_keys = Table(
    "meter_keys",
    metadata,
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("from_slot", BigInteger),
    Column("algorithm", Integer),
    Column("public_key", LargeBinary),
    PrimaryKeyConstraint("device", "from_slot"),
)

# Revision 0 is what the slot was delivered with; corrections come after it, and nothing is ever changed.
readings = Table(
    "readings",
    metadata,
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("slot", BigInteger),
    _required("revision", Integer),
    _required("energy_wh", BigInteger),
    _required("quality", Integer),
    _required("basis", String),
    _required("statements", LargeBinary),
    _required("received_at", BigInteger),
    PrimaryKeyConstraint("device", "slot", "revision"),
    Index("readings_by_slot", "slot", "device", "revision"),
)

# What OCMF meters sent, and the slots that were substituted meanwhile, in the order in which both came.
ocmf_journal = Table(
    "ocmf_journal",
    metadata,
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("number", Integer),
    Column("source", LargeBinary),
    Column("covered_slot", BigInteger),
    PrimaryKeyConstraint("device", "number"),
)

issuances = Table(
    "issuances",
    metadata,
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("amount_wh", BigInteger, CheckConstraint("amount_wh > 0")),
    _required("certified_wh", BigInteger, CheckConstraint("certified_wh >= 0 AND certified_wh <= amount_wh")),
    PrimaryKeyConstraint("slot", "device"),
)

consumptions = Table(
    "consumptions",
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
    PrimaryKeyConstraint("slot", "number"),
)

matches = Table(
    "matches",
    metadata,
    _required("slot", BigInteger, ForeignKey("slots.slot")),
    _required("number", Integer),
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("consumption", Uint64, ForeignKey("devices.device")),
    _required("amount_wh", BigInteger, CheckConstraint("amount_wh > 0")),
    PrimaryKeyConstraint("slot", "number"),
)

# Slots whose certificates do not follow the latest correction yet.
open_corrections = Table(
    "open_corrections",
    metadata,
    _required("device", Uint64, ForeignKey("devices.device")),
    _required("slot", BigInteger),
    Column("withdrawn_revision", Integer),
    PrimaryKeyConstraint("device", "slot"),
)

# UTC days whose evidence is anchored on chain as it was when this was written down; a correction takes it back.
anchored_days = Table("anchored_days", metadata, Column("day", Integer, primary_key=True, autoincrement=False))

# Of retirements: the chain has only the salted hash.
private_texts = Table(
    "private_texts",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    _required("account", LargeBinary(20)),
    _required("text", String),
    _required("salt", LargeBinary(32)),
)

statements = Table(
    "statements",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    _required("number", Integer),
    _required("jws", String),
    _required("made_at", BigInteger),
    Index("statements_by_number", "number", unique=True),
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

# What happened, in the order in which it was committed; see `node.store.telling`.
events = Table(
    "events",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _required("kind", String(32)),
    _required("slot", BigInteger),
    Column("account", LargeBinary(20)),
    Column("other", LargeBinary(20)),
    _required("details", String),
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
