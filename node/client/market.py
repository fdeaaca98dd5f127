"""What a client can do in a market, described once."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from ledger.eip712 import Receipt, cancellation_hash, receipt_hash, sign_order
from ledger.hexcodec import from_data, to_data
from ledger.keys import InvalidSignatureError, recover
from matching.orders import Order
from matching.readings import SignedReading
from matching.tariff import Tariff
from node.answers import (
    BalanceAnswer,
    BillAnswer,
    CancelledAnswer,
    Json,
    MarketAnswer,
    OrderAnswer,
    PlacedAnswer,
    RowAnswer,
    SignedReceipt,
    SlotAnswer,
    TradeAnswer,
)
from node.client.calls import Call, Request, operation
from node.client.described import Described, ask
from node.client.errors import ReceiptError, UnexpectedAnswerError
from node.wishes import Statement

_ROWS = 1_000
_MOST_OPEN = 100_000


class MarketOperations(Described):
    """Orders, slots, trades, balances and readings."""

    _known_terms: MarketAnswer | None = None

    @operation
    def market(self) -> Call[MarketAnswer]:
        """The market as it is now."""
        return (yield from self._market())

    @operation
    def tariff(self) -> Call[Tariff]:
        """The market's tariff."""
        return (yield from self._market()).tariff

    @operation
    def open_slot(self) -> Call[int | None]:
        """Start of the earliest slot that takes orders."""
        return (yield from self._market()).open_slot

    @operation
    def place(self, order: Order, statement: Statement | None = None) -> Call[SignedReceipt]:
        """Sign and place an order; the same order again gets the same receipt.

        With a statement of wishes, the order's salt must be the statement's.

        Raises:
            ReceiptError: the receipt does not hold.
            ValueError: the key is not the order's account's.
        """
        terms = yield from self._terms()
        signed = sign_order(terms.domain, order, self._signer())
        body = _order_body(order, signed.signature, statement)
        answer = yield from ask(Request("POST", "/v1/orders", json=body))
        receipt = self._parsed(lambda fields: SignedReceipt.parse(fields["receipt"]), answer)
        _check(terms, receipt, signed.hash, order)
        return receipt

    @operation
    def place_all(self, orders: Sequence[Order]) -> Call[list[PlacedAnswer]]:
        """Sign and place many orders, a thousand in a request; each is taken or refused on its own.

        Raises:
            ReceiptError: a receipt does not hold.
            ValueError: the key is not an order's account's.
        """
        terms = yield from self._terms()
        signed = [sign_order(terms.domain, order, self._signer()) for order in orders]
        bodies = [_order_body(each.order, each.signature, None) for each in signed]
        rows = yield from self._rows("/v1/orders", bodies)
        answers = [self._parsed(PlacedAnswer.parse, row) for row in rows]
        for each, answer in zip(signed, answers, strict=True):
            if answer.receipt is not None:
                _check(terms, answer.receipt, each.hash, each.order)
        return answers

    @operation
    def cancel_all(
        self, order_hashes: Sequence[bytes] | None = None, *, slot: int | None = None
    ) -> Call[list[CancelledAnswer]]:
        """Cancel these orders of the member's; by default all that are open, or all that are open for a slot."""
        terms, key = (yield from self._terms()), self._signer()
        if order_hashes is None:
            wanted = {"account": key.address, "slot": slot, "status": "open"}
            found = yield from self._list("/v1/orders", OrderAnswer.parse, _MOST_OPEN, **wanted)
            order_hashes = [each.hash for each in found]
        bodies = [
            {
                "order": to_data(order_hash),
                "signature": to_data(key.sign(cancellation_hash(terms.domain, key.address, order_hash))),
            }
            for order_hash in order_hashes
        ]
        rows = yield from self._rows("/v1/orders/cancellations", bodies)
        asked = zip(order_hashes, rows, strict=True)
        return [self._parsed(partial(CancelledAnswer.parse, each), row) for each, row in asked]

    @operation
    def cancel(self, order_hash: bytes) -> Call[OrderAnswer]:
        """Cancel one of the member's orders before its slot's gate closes."""
        terms, key = (yield from self._terms()), self._signer()
        signature = key.sign(cancellation_hash(terms.domain, key.address, order_hash))
        headers = {"X-Signature": to_data(signature)}
        answer = yield from ask(Request("DELETE", f"/v1/orders/{to_data(order_hash)}", headers=headers))
        return self._parsed(OrderAnswer.parse, answer)

    @operation
    def order(self, order_hash: bytes) -> Call[OrderAnswer]:
        """One order."""
        return (yield from self._read(f"/v1/orders/{to_data(order_hash)}", OrderAnswer.parse))

    @operation
    def orders(
        self, *, slot: int | None = None, account: bytes | None = None, limit: int = 100
    ) -> Call[list[OrderAnswer]]:
        """The latest orders."""
        return (yield from self._list("/v1/orders", OrderAnswer.parse, limit, slot=slot, account=account))

    @operation
    def slots(self, *, limit: int = 100) -> Call[list[SlotAnswer]]:
        """The latest slots."""
        return (yield from self._list("/v1/slots", SlotAnswer.parse, limit))

    @operation
    def slot(self, slot: int) -> Call[SlotAnswer]:
        """One slot."""
        return (yield from self._read(f"/v1/slots/{slot}", SlotAnswer.parse))

    @operation
    def book(self, slot: int) -> Call[list[bytes]]:
        """The hashes of the orders that the operator committed to for a slot, ascending."""
        return (
            yield from self._read(
                f"/v1/slots/{slot}/book", lambda fields: [from_data(each) for each in fields["orders"]]
            )
        )

    @operation
    def trades(
        self, *, slot: int | None = None, account: bytes | None = None, limit: int = 100
    ) -> Call[list[TradeAnswer]]:
        """The latest trades, of both sides if an account is given."""
        return (yield from self._list("/v1/trades", TradeAnswer.parse, limit, slot=slot, account=account))

    @operation
    def balance(self, account: bytes | None = None) -> Call[BalanceAnswer]:
        """Where an account, by default the member's, stands."""
        path = f"/v1/balances/{to_data(self.account if account is None else account)}"
        return (yield from self._read(path, BalanceAnswer.parse))

    @operation
    def bills(
        self, month: str, *, time_zone: str = "UTC", account: bytes | None = None, limit: int = 1_000
    ) -> Call[list[BillAnswer]]:
        """The bills of a month such as `2026-03`: an account's, or all members', by account."""
        filters = {"month": month, "time_zone": time_zone, "account": account}
        return (yield from self._list("/v1/bills", BillAnswer.parse, limit, **filters))

    @operation
    def submit(self, reading: SignedReading) -> Call[None]:
        """Hand in a meter reading; handing in the same reading again changes nothing."""
        yield from ask(Request("POST", "/v1/readings", json=_reading_body(reading)))

    @operation
    def submit_all(self, readings: Sequence[SignedReading]) -> Call[list[RowAnswer]]:
        """Hand in many readings in one request; each is taken or refused on its own."""
        body = [_reading_body(reading) for reading in readings]
        answer = yield from ask(Request("POST", "/v1/readings", json=body))
        return self._parsed(lambda fields: [RowAnswer.parse(row) for row in fields["rows"]], answer)

    @operation
    def deposit(self, account: bytes, amount_nano: int, reference: str, *, api_key: str) -> Call[None]:
        """Enter a payment into an account's escrow, with the operator's API key; each reference once.

        It is not repeated by itself: after a lost answer, the balance tells what came of it.
        """
        body = {"account": to_data(account), "amount": str(amount_nano), "reference": reference}
        headers = {"X-API-Key": api_key}
        yield from ask(Request("POST", "/v1/deposits", json=body, headers=headers, is_repeatable=False))

    @operation
    def advance_clock(self, now: int, *, api_key: str) -> Call[list[SlotAnswer]]:
        """Move a stepped clock on, with the operator's API key; returns the slots that moved."""
        request = Request("POST", "/v1/clock", json={"now": now}, headers={"X-API-Key": api_key})
        answer = yield from ask(request)
        return self._parsed(lambda fields: [SlotAnswer.parse(slot) for slot in fields["slots"]], answer)

    def _rows(self, path: str, bodies: Sequence[Json]) -> Call[list[Json]]:
        """What became of each row of a list, which may be longer than one request's."""
        rows: list[Json] = []
        for start in range(0, len(bodies), _ROWS):
            part = list(bodies[start : start + _ROWS])
            answer = yield from ask(Request("POST", path, json=part))
            rows += self._parsed(lambda fields: list(fields["rows"]), answer)
        if len(rows) != len(bodies):
            raise UnexpectedAnswerError(f"{self.base_url} answers {len(bodies)} rows with {len(rows)}")
        return rows

    def _market(self) -> Call[MarketAnswer]:
        return (yield from self._read("/v1/market", MarketAnswer.parse))

    def _terms(self) -> Call[MarketAnswer]:
        """What never changes of a market: its domain and its operator. The rest of this goes stale."""
        if self._known_terms is None:
            self._known_terms = yield from self._market()
        return self._known_terms


def _check(terms: MarketAnswer, signed: SignedReceipt, order_hash: bytes, order: Order) -> None:
    if (signed.order_hash, signed.market, signed.slot) != (order_hash, order.market, order.slot):
        raise ReceiptError(f"receipt of order 0x{order_hash.hex()} is for 0x{signed.order_hash.hex()}")
    receipt = Receipt(
        order_hash=order_hash,
        market=order.market,
        slot=order.slot,
        index=signed.index,
        received_at=signed.received_at,
    )
    try:
        signer = recover(receipt_hash(terms.domain, receipt), signed.signature)
    except InvalidSignatureError as error:
        raise ReceiptError(f"receipt of order 0x{order_hash.hex()}: {error}") from error
    if signer != terms.operator:
        raise ReceiptError(
            f"receipt of order 0x{order_hash.hex()} is signed by 0x{signer.hex()}: "
            f"must be by the operator, 0x{terms.operator.hex()}"
        )


def _order_body(order: Order, signature: bytes, statement: Statement | None) -> dict[str, Any]:
    return {
        "account": to_data(order.account),
        "market": to_data(order.market),
        "slot": order.slot,
        "side": order.side.name.lower(),
        "price": order.price,
        "quantity_wh": order.quantity_wh,
        "certificates": order.certificates.name.lower(),
        "epoch": order.epoch,
        "expires_at": order.expires_at,
        "salt": str(order.salt),
        "signature": to_data(signature),
        "statement": None if statement is None else json.loads(statement.encoded()),
    }


def _reading_body(signed: SignedReading) -> Json:
    reading = signed.reading
    return {
        "chain_id": reading.chain_id,
        "market": to_data(reading.market),
        "device": str(reading.device),
        "slot": reading.slot,
        "energy_wh": reading.energy_wh,
        "register_wh": reading.register_wh,
        "sequence": reading.sequence,
        "signature": to_data(signed.signature),
    }
