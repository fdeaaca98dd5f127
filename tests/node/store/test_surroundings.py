"""What new orders are checked against: the same as if it were looked up order by order."""

from matching.orders import Side
from matching.tariff import Tariff
from node.cover import order_cover
from node.store import Store
from tests.node.parts import ALICE, BOB, SLOT, order
from tests.node.taken import cancel, take

TARIFFS = [
    (0, Tariff(220_000, 90_000, 20_000)),
    (SLOT + 900, Tariff(260_000, 90_000, 30_000)),
    (SLOT + 1_800, Tariff(150_000, 0, 0)),
]
BY_SLOT = {SLOT + 900 * number: tariff for number, (_, tariff) in enumerate(TARIFFS)}


def test_cover_is_summed_up_as_each_orders_adds_up_under_every_tariff(store: Store) -> None:
    for key in (ALICE, BOB):
        for number in range(18):
            slot, side, price = SLOT + 900 * (number % 3), Side(number % 2), 50_000 * (number % 6)
            placed = order(key, slot=slot, side=side, price=price, quantity_wh=10 + number, salt=number)
            take(store, placed)
    cancel(store, store.orders(account=BOB.address)[0].signed.hash)
    found = store.surroundings(hashes=[], slots=[], accounts=[ALICE.address, BOB.address], tariffs=TARIFFS)
    assert found.order_cover_nano == {
        key.address: sum(
            order_cover(each.signed.order, BY_SLOT[each.signed.order.slot])
            for each in store.open_cover_orders(key.address)
        )
        for key in (ALICE, BOB)
    }
    of_one = store.surroundings(hashes=[], slots=[], accounts=[ALICE.address], tariffs=TARIFFS[:1])
    orders = store.open_cover_orders(ALICE.address)
    assert of_one.order_cover_nano == {
        ALICE.address: sum(order_cover(each.signed.order, TARIFFS[0][1]) for each in orders)
    }


def test_slots_are_counted_with_their_cancelled_orders_and_unknown_ones_are_left_out(store: Store) -> None:
    placed = [order(key, salt=salt) for salt in range(2) for key in (ALICE, BOB)]
    for each in placed:
        take(store, each)
    take(store, order(slot=SLOT + 900))
    cancel(store, placed[0].hash)
    store.ensure_slot(SLOT + 1_800)
    found = store.surroundings(
        hashes=[placed[1].hash, b"\0" * 32],
        slots=[SLOT, SLOT + 900, SLOT + 1_800, SLOT + 2_700],
        accounts=[ALICE.address],
        tariffs=TARIFFS,
    )
    assert found.known == {placed[1].hash: store.order(placed[1].hash)}
    assert found.sizes == {SLOT: 4, SLOT + 900: 1}
    assert found.counts == {(SLOT, ALICE.address): 2, (SLOT + 900, ALICE.address): 1}
    assert found.positions == []
