"""Holds a node's published orders against the chain: whether the operator matched honestly.

The chain shows that no filled order was wronged; only the whole order set shows whether others should have been
filled instead. A node serves every slot's orders, with signatures and receipts, over its API; the operator
committed to the set before any price was known. So anyone can clear the slot again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

from ledger import merkle
from ledger.audit.findings import Findings
from ledger.audit.model import MarketModel, Model, SlotModel
from ledger.chain import Chain
from ledger.deployment import attach
from ledger.eecs import technology_number
from ledger.eip712 import Domain, Receipt, SignedOrder, order_hash, order_signer, receipt_hash
from ledger.hexcodec import from_data, to_data
from ledger.keys import InvalidSignatureError, recover
from matching.errors import WattbookError
from node.answers import parsed_order
from node.client import WattbookClient
from node.design import Design, ListedDevice
from node.reconcile.context import OnChain
from node.reconcile.orders import is_borne_out
from node.store.records import OrderRecord, OrderStatus
from node.wishes import decoded

_PAGE = 1_000
_PATIENCE_S = 3.0

T = TypeVar("T")


class NodeError(WattbookError):
    """The node cannot be reached, refuses, or does not answer like one."""

    code = "audit.node"


class OrderSets:
    """Checks the order set of each settled slot; an `on_settled` of `ledger.audit.run.audit`. Close it when done.

    Raises:
        NodeError: whenever the node does not answer as it should.
    """

    def __init__(self, url: str, chain: Chain, *, api_key: str | None = None) -> None:
        self._client = WattbookClient(url, patience_s=_PATIENCE_S, api_key=api_key)
        self._chain = chain

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    @cached_property
    def _market(self) -> dict[str, Any]:
        return self._get("/v1/market")

    @property
    def exchange(self) -> bytes:
        """The exchange that the node says it trades on."""
        return _parsed(lambda: from_data(self._market["exchange"]))

    @cached_property
    def _domain(self) -> Domain:
        return Domain(self._chain.chain_id, self.exchange)

    @cached_property
    def _design(self) -> Design:
        return Design(_parsed(lambda: str(self._market["design"])), self._devices)

    def _devices(self) -> list[ListedDevice]:
        pages = self._pages("/v1/devices", {})
        return [device for page in pages for device in _parsed(partial(_devices, page))]

    def __call__(self, slot: SlotModel, model: Model, findings: Findings) -> None:
        """Check one slot's order set; another market's is none of the node's."""
        if to_data(slot.market) != self._market["id"]:
            return
        pages = self._pages("/v1/orders", {"slot": slot.slot})
        orders = [order for page in pages for order in _parsed(partial(_orders, page))]
        for record in orders:
            self._check_order(record, model.states[slot.market], findings)
        where = f"orders of slot {slot.slot}"
        arrivals = sorted(record.index for record in orders)
        findings.require(
            "node.arrivals", where, arrivals == list(range(len(orders))), expected="every receipt's order",
            found=f"numbers {sorted(set(range(max(arrivals, default=0) + 1)) - set(arrivals))} are missing",
        )  # fmt: skip
        self._check_book(slot, orders, findings)
        if not slot.is_unread:
            taking_part = [record for record in orders if record.status is not OrderStatus.CANCELLED]
            taking_part.sort(key=lambda record: record.signed.hash)
            self._check_clearing(slot, model, taking_part, findings)

    def _check_book(self, slot: SlotModel, orders: Sequence[OrderRecord], findings: Findings) -> None:
        """The published book is the committed one, and has every order with a receipt that was not cancelled."""
        answer, where = self._get(f"/v1/slots/{slot.slot}/book"), f"book of slot {slot.slot}"
        leaves = _parsed(lambda: [from_data(each) for each in answer["orders"]])
        found = (merkle.root(leaves), len(leaves))
        findings.check("node.book", where, expected=(slot.book_root, slot.book_size), found=found)
        with_receipt = {record.signed.hash for record in orders if record.receipt_signature is not None}
        cancelled = {record.signed.hash for record in orders if record.status is OrderStatus.CANCELLED}
        # One that was posted, too, and cancelled with the node only, is not in the book and takes part.
        posted = {record.signed.hash for record in orders if record.posted}
        for digest in sorted((with_receipt - cancelled - posted - set(leaves)) | (set(leaves) - with_receipt)):
            findings.require(
                "node.missing", f"{where}, order {to_data(digest)}", False, expected="an order in the book",
                found="not in the book" if digest in with_receipt else "not published",
            )  # fmt: skip

    def _check_order(self, record: OrderRecord, market: MarketModel, findings: Findings) -> None:
        order, where = record.signed.order, f"order {to_data(record.signed.hash)}"
        findings.check("node.order", where, expected=order_hash(self._domain, order), found=record.signed.hash)
        try:
            signer: object = order_signer(record.signed)
        except InvalidSignatureError as error:
            signer = error
        findings.check("node.signature", where, expected=order.account, found=signer)
        if record.receipt_signature is not None:
            receipt = Receipt(record.signed.hash, order.market, order.slot, record.index, record.received_at)
            try:
                signer = recover(receipt_hash(self._domain, receipt), record.receipt_signature)
            except InvalidSignatureError as error:
                signer = error
            binds = isinstance(signer, bytes) and market.may_have_taken(signer, order.slot)
            findings.require("node.receipt", where, binds, expected="the operator's of the time", found=signer)
        if record.wishes is not None:
            salt = _parsed(lambda: decoded(record.wishes or "").salt)
            findings.check("node.wishes", where, expected=order.salt, found=salt)

    def _check_clearing(
        self, slot: SlotModel, model: Model, book: Sequence[OrderRecord], findings: Findings
    ) -> None:
        on_chain = OnChain(model=model, chain=self._chain, contracts=attach(self._chain, self.exchange))
        for record in book:
            if record.reason is not None:
                findings.require(
                    "node.rejection", f"order {to_data(record.signed.hash)}",
                    is_borne_out(on_chain, slot, book, record),
                    expected="a reason that the chain bears out", found=record.reason,
                )  # fmt: skip
        accepted = [record for record in book if record.reason is None]
        cleared = self._design.clear(accepted)
        expected, found = (
            {fill.signed.hash: (fill.fill_wh, fill.amount_nano, fill.is_posted) for fill in fills}
            for fills in (cleared.fills, slot.fills)
        )
        for digest in sorted(expected.keys() | found.keys()):
            where = f"clearing of slot {slot.slot}, order {to_data(digest)}"
            findings.check("node.clearing", where, expected=expected.get(digest), found=found.get(digest))
        price = self._design.settlement_price(cleared.price, accepted)
        findings.check("node.price", f"clearing of slot {slot.slot}", expected=price, found=slot.price)

    def _pages(self, path: str, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        parameters = filters | {"limit": _PAGE}
        while True:
            page = self._get(path, parameters)
            yield page
            if page.get("next") is None:
                return
            parameters["cursor"] = page["next"]

    def _get(self, path: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._client.read(path, **parameters or {})
        except WattbookError as error:
            raise NodeError(f"{path}: {error}") from error


def _parsed(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except (KeyError, TypeError, ValueError, AttributeError, WattbookError) as error:
        raise NodeError(f"the node does not answer like one: {error!r}") from error


def _devices(answer: dict[str, Any]) -> list[ListedDevice]:
    return [_device(item) for item in answer["items"]]


def _orders(page: dict[str, Any]) -> list[OrderRecord]:
    return [_order(fields) for fields in page["items"]]


def _order(fields: dict[str, Any]) -> OrderRecord:
    receipt, statement = fields["receipt"], fields["statement"]
    return OrderRecord(
        signed=SignedOrder(parsed_order(fields), from_data(fields["hash"]), from_data(fields["signature"])),
        index=fields["index"],
        received_at=fields["received_at"],
        receipt_signature=None if receipt is None else from_data(receipt["signature"]),
        status=OrderStatus(fields["status"]),
        reason=fields["reason"],
        posted=fields["source"] == "posted",
        wishes=None if statement is None else json.dumps(statement, sort_keys=True, separators=(",", ":")),
    )


def _device(fields: dict[str, Any]) -> ListedDevice:
    technology = fields["technology"]
    return ListedDevice(from_data(fields["account"]), 0 if technology is None else technology_number(technology))
