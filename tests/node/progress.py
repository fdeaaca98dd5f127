"""A slot brought through its life in the store, as the lifecycle would."""

from ledger.merkle import root
from matching.orders import Side
from node.api.services import Services
from node.store.records import (
    CertificateMoveRecord,
    CertifiedSlot,
    ConsumptionRecord,
    IssuanceRecord,
    MatchRecord,
    TradeRecord,
)
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, confirmed, intent, order

PRICE = 150_000
TRADED_WH = 600


def settle(services: Services, slot: int = SLOT) -> tuple[bytes, bytes]:
    """Alice sells 600 of 1,000 Wh to Bob; returns the hashes of offer and bid."""
    offer = order(ALICE, side=Side.OFFER, price=100_000, quantity_wh=1_000, slot=slot)
    bid = order(BOB, price=200_000, quantity_wh=TRADED_WH, slot=slot)
    for signed in (offer, bid):
        services.intake.place(signed.order, signed.signature)
    store = services.store
    book = store.close_slot(slot)
    store.record_committed(slot, root([record.signed.hash for record in book]), len(book))
    store.record_clearing(
        slot,
        price=PRICE,
        fills={offer.hash: TRADED_WH, bid.hash: TRADED_WH},
        rejected={},
        trades=[TradeRecord(slot, 0, offer.hash, bid.hash, TRADED_WH, PRICE)],
        bought_wh=TRADED_WH,
    )
    confirm(services, "settle", 12, slot)
    store.record_settled(slot)
    return offer.hash, bid.hash


def certify(services: Services, slot: int = SLOT) -> None:
    """Alice's 1,000 Wh of generation: 600 matched with Bob's load, 100 moved to him, 300 stay hers."""
    services.store.record_delivered(slot)
    confirm(services, "certify", 14, slot)
    services.store.record_certified(
        slot,
        CertifiedSlot(
            issuances=(IssuanceRecord(slot, SOLAR, 1_000, 1_000),),
            consumptions=(ConsumptionRecord(slot, LOAD, TRADED_WH),),
            moves=(CertificateMoveRecord(slot, 0, SOLAR, BOB.address, 100),),
            matches=(MatchRecord(slot, 0, SOLAR, LOAD, TRADED_WH),),
        ),
    )


def confirm(services: Services, step: str, block: int, slot: int = SLOT) -> None:
    services.store.record_intent(intent(slot, step))
    services.store.note_intent(confirmed(intent(slot, step), block))
