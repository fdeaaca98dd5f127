"""Orders as a table that people take away."""

from matching.orders import CertificatePreference, Side
from node.api.tables import CellKind, Column, Table, text
from node.store.records import OrderRecord

ORDERS: Table[OrderRecord] = Table(
    "orders",
    (
        text("hash", lambda record: f"0x{record.signed.hash.hex()}"),
        text("account", lambda record: f"0x{record.signed.order.account.hex()}"),
        Column("slot_unix_s", lambda record: record.signed.order.slot),
        Column("index", lambda record: record.index),
        text("side", lambda record: Side(record.signed.order.side).name.lower()),
        Column("price_nano_per_wh", lambda record: record.signed.order.price),
        Column("quantity_wh", lambda record: record.signed.order.quantity_wh),
        text(
            "certificates",
            lambda record: CertificatePreference(record.signed.order.certificates).name.lower(),
        ),
        Column("epoch", lambda record: record.signed.order.epoch),
        Column("expires_at_unix_s", lambda record: record.signed.order.expires_at),
        Column("salt", lambda record: record.signed.order.salt, CellKind.NAME),
        Column("posted", lambda record: record.posted, CellKind.FLAG),
        Column("received_at_unix_s", lambda record: record.received_at),
        text("status", lambda record: record.status.value),
        Column("fill_wh", lambda record: record.fill_wh),
        # Where one price holds for all, the slot has it.
        Column("amount_nano", lambda record: record.amount_nano or None),
        text("reason", lambda record: record.reason),
    ),
)
