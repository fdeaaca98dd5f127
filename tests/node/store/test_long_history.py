"""A member's history in a store of two years: more slots than a database takes parameters."""

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from sqlalchemy import create_engine, insert, literal, select

from node.history import Change, ChangeKind, history_of
from node.store import Store, schema
from node.store.orders import order_columns
from node.store.records import OrderRecord, OrderStatus, SlotState
from tests.node.parts import ALICE, BOB, SLOT, confirmed, intent, order
from tests.node.small_node import TARIFF, Ledger

SLOTS = 70_000
DELIVERED = 100
PRICE = 150_000
BOUGHT_WH = 600
PAID_NANO = BOUGHT_WH * PRICE
FEE_NANO = BOUGHT_WH * (TARIFF.grid_fee - TARIFF.feed_in_price)
"""What was bought and not used went to the utility."""


class EscrowWithoutPayments:
    """The exchange of a chain on which nobody deposited or withdrew anything."""

    chain = SimpleNamespace(head=lambda: SimpleNamespace(number=2**40))

    def events(self, *_: object, **__: object) -> list[object]:
        return []


CONTRACTS: Any = SimpleNamespace(escrow=EscrowWithoutPayments())


def fill(url: str) -> None:
    """Bob bought in every slot; each is settled in the block of its own number, a few delivered in the next."""
    signed = order(BOB, price=200_000, quantity_wh=BOUGHT_WH)
    bid = OrderRecord(signed, 0, SLOT, None, status=OrderStatus.FILLED, fill_wh=BOUGHT_WH, posted=True)
    columns = order_columns(bid)
    starts = range(SLOT, SLOT + 900 * SLOTS, 900)
    slots = [{"slot": slot, "state": SlotState.SETTLED, "price": PRICE} for slot in starts]
    for row in slots[:DELIVERED]:
        row["state"] = SlotState.DELIVERED
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(schema.slots), slots)
        connection.execute(
            insert(schema.orders), [columns | {"slot": slot, "hash": slot.to_bytes(32, "big")} for slot in starts]
        )
        for block, (step, states) in enumerate((("settle", list(SlotState)), ("deliver", [SlotState.DELIVERED]))):
            record = confirmed(intent(SLOT, step))
            same = asdict(record.intent) | asdict(record)
            del same["market"], same["intent"], same["slot"], same["block_number"]
            values = [literal(value, schema.intents.c[name].type) for name, value in same.items()]
            found = select(schema.slots.c.slot, schema.slots.c.slot + block, *values)
            found = found.where(schema.slots.c.state.in_(states))
            connection.execute(insert(schema.intents).from_select(["slot", "block_number", *same], found))
    engine.dispose()


def history(store: Store, **options: Any) -> list[Change]:
    return history_of(store, CONTRACTS, Ledger(), BOB.address, **options)


def test_a_history_of_two_years_is_told_whole_and_in_part(store: Store, store_url: str) -> None:
    fill(store_url)
    whole = history(store)
    assert len(whole) == SLOTS + DELIVERED
    transaction = intent(SLOT, "settle").transaction_hash
    assert whole[0] == Change(SLOT, ChangeKind.SETTLEMENT, SLOT, 0, transaction, -PAID_NANO, -PAID_NANO)
    assert (whole[1].kind, whole[1].block, whole[1].change_nano) == (ChangeKind.DELIVERY, SLOT + 1, -FEE_NANO)
    assert whole[-1].balance_nano == -SLOTS * PAID_NANO - DELIVERED * FEE_NANO
    assert history(store, before=whole[5].place) == whole[:5]
    assert history(store, before=whole[0].place) == []
    assert history_of(store, CONTRACTS, Ledger(), ALICE.address) == []
