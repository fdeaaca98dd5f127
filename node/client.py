"""The Python client: takes part in a market over HTTP, for one member."""

import json
from collections.abc import Sequence
from functools import cached_property

from ledger.eip712 import Receipt, cancellation_hash, receipt_hash, sign_order
from ledger.hexcodec import from_data, to_data
from ledger.keys import InvalidSignatureError, recover
from matching.errors import WattbookError
from matching.orders import Order
from matching.readings import SignedReading
from matching.tariff import Tariff
from node.answers import (
    BalanceAnswer,
    BillAnswer,
    Json,
    MarketAnswer,
    OrderAnswer,
    RowAnswer,
    SignedReceipt,
    SlotAnswer,
    TradeAnswer,
)
from node.certificates_client import CertificatesClient
from node.http_client import ApiProblemError, NoKeyError, UnexpectedAnswerError, UnreachableError
from node.wishes import Statement

__all__ = [
    "ApiProblemError",
    "NoKeyError",
    "ReceiptError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "WattbookClient",
]


class ReceiptError(WattbookError):
    """The receipt is not the operator's, or for something else: do not rely on it."""

    code = "client.receipt"


class WattbookClient(CertificatesClient):
    """One member's way to a market; also what `agents.protocol.Market` asks for. Thread-safe.

    Every request can be repeated without harm, so lost connections are tried again until patience runs out.
    Methods raise `ApiProblemError` if the node refuses and `UnreachableError` if it does not answer.

    Args:
        base_url: where the node's API is, e.g. `http://127.0.0.1:8000`.
        key: the member's key; without one, nothing can be signed.
        patience_s: how long to keep trying to reach the node, seconds.
    """

    def market(self) -> MarketAnswer:
        """The market as it is now."""
        return self._parsed(MarketAnswer.parse, self._request("GET", "/v1/market"))

    def tariff(self) -> Tariff:
        """The market's tariff."""
        return self.market().tariff

    def open_slot(self) -> int | None:
        """Start of the earliest slot that takes orders."""
        return self.market().open_slot

    def place(self, order: Order, statement: Statement | None = None) -> SignedReceipt:
        """Sign and place an order; the same order again gets the same receipt.

        With a statement of wishes, the order's salt must be the statement's.

        Raises:
            ReceiptError: the receipt does not hold.
            ValueError: the key is not the order's account's.
        """
        signed = sign_order(self._terms.domain, order, self._signer())
        body = {
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
            "signature": to_data(signed.signature),
            "statement": None if statement is None else json.loads(statement.encoded()),
        }
        answer = self._request("POST", "/v1/orders", json=body)
        receipt = self._parsed(lambda fields: SignedReceipt.parse(fields["receipt"]), answer)
        self._check(receipt, signed.hash, order)
        return receipt

    def cancel(self, order_hash: bytes) -> OrderAnswer:
        """Cancel one of the member's orders before its slot's gate closes."""
        key = self._signer()
        signature = key.sign(cancellation_hash(self._terms.domain, key.address, order_hash))
        headers = {"X-Signature": to_data(signature)}
        answer = self._request("DELETE", f"/v1/orders/{to_data(order_hash)}", headers=headers)
        return self._parsed(OrderAnswer.parse, answer)

    def order(self, order_hash: bytes) -> OrderAnswer:
        """One order."""
        return self._parsed(OrderAnswer.parse, self._request("GET", f"/v1/orders/{to_data(order_hash)}"))

    def orders(
        self, *, slot: int | None = None, account: bytes | None = None, limit: int = 100
    ) -> list[OrderAnswer]:
        """The latest orders."""
        return self._list("/v1/orders", OrderAnswer.parse, limit, slot=slot, account=_hex(account))

    def slots(self, *, limit: int = 100) -> list[SlotAnswer]:
        """The latest slots."""
        return self._list("/v1/slots", SlotAnswer.parse, limit)

    def slot(self, slot: int) -> SlotAnswer:
        """One slot."""
        return self._parsed(SlotAnswer.parse, self._request("GET", f"/v1/slots/{slot}"))

    def book(self, slot: int) -> list[bytes]:
        """The hashes of the orders that the operator committed to for a slot, ascending."""
        answer = self._request("GET", f"/v1/slots/{slot}/book")
        return self._parsed(lambda fields: [from_data(each) for each in fields["orders"]], answer)

    def trades(
        self, *, slot: int | None = None, account: bytes | None = None, limit: int = 100
    ) -> list[TradeAnswer]:
        """The latest trades, of both sides if an account is given."""
        return self._list("/v1/trades", TradeAnswer.parse, limit, slot=slot, account=_hex(account))

    def balance(self, account: bytes | None = None) -> BalanceAnswer:
        """Where an account, by default the member's, stands."""
        path = f"/v1/balances/{to_data(self.account if account is None else account)}"
        return self._parsed(BalanceAnswer.parse, self._request("GET", path))

    def bills(
        self, month: str, *, time_zone: str = "UTC", account: bytes | None = None, limit: int = 1_000
    ) -> list[BillAnswer]:
        """The bills of a month such as `2026-03`: an account's, or all members', by account."""
        return self._list(
            "/v1/bills", BillAnswer.parse, limit, month=month, time_zone=time_zone, account=_hex(account)
        )

    def submit(self, reading: SignedReading) -> None:
        """Hand in a meter reading; handing in the same reading again changes nothing."""
        self._request("POST", "/v1/readings", json=_reading_body(reading))

    def submit_all(self, readings: Sequence[SignedReading]) -> list[RowAnswer]:
        """Hand in many readings in one request; each is taken or refused on its own."""
        answer = self._request("POST", "/v1/readings", json=[_reading_body(reading) for reading in readings])
        return self._parsed(lambda fields: [RowAnswer.parse(row) for row in fields["rows"]], answer)

    def deposit(self, account: bytes, amount_nano: int, reference: str, *, api_key: str) -> None:
        """Enter a payment into an account's escrow, with the operator's API key; each reference once.

        Repeated after a lost answer, it is refused as known: then the balance tells what came of the first.
        """
        body = {"account": to_data(account), "amount": str(amount_nano), "reference": reference}
        self._request("POST", "/v1/deposits", json=body, headers={"X-API-Key": api_key})

    def advance_clock(self, now: int, *, api_key: str) -> list[SlotAnswer]:
        """Move a stepped clock on, with the operator's API key; returns the slots that moved."""
        answer = self._request("POST", "/v1/clock", json={"now": now}, headers={"X-API-Key": api_key})
        return self._parsed(lambda fields: [SlotAnswer.parse(slot) for slot in fields["slots"]], answer)

    @cached_property
    def _terms(self) -> MarketAnswer:
        """What never changes of a market: its domain and its operator. The rest of this goes stale."""
        return self.market()

    def _check(self, signed: SignedReceipt, order_hash: bytes, order: Order) -> None:
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
            signer = recover(receipt_hash(self._terms.domain, receipt), signed.signature)
        except InvalidSignatureError as error:
            raise ReceiptError(f"receipt of order 0x{order_hash.hex()}: {error}") from error
        if signer != self._terms.operator:
            raise ReceiptError(
                f"receipt of order 0x{order_hash.hex()} is signed by 0x{signer.hex()}: "
                f"must be by the operator, 0x{self._terms.operator.hex()}"
            )


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


def _hex(value: bytes | None) -> str | None:
    return None if value is None else to_data(value)
