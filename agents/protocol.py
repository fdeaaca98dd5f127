"""What an agent needs of a market, however it is reached: over HTTP, or in one process."""

from typing import Protocol

from matching.orders import Order
from matching.readings import SignedReading
from matching.tariff import Tariff


class Receipt(Protocol):
    """The market's promise that it took an order."""

    @property
    def order_hash(self) -> bytes:
        """The order's 32-byte EIP-712 hash."""

    @property
    def slot(self) -> int:
        """Start of the slot the order is for, Unix seconds UTC."""


class Market(Protocol):
    """A market as one member's agent sees it; the client behind it holds the member's key and signs.

    Methods raise a `WattbookError` with a stable code if the market refuses.
    """

    def tariff(self) -> Tariff:
        """The market's tariff."""

    def open_slot(self) -> int | None:
        """Start of the earliest slot that still takes orders, Unix seconds UTC; None if none does."""

    def place(self, order: Order) -> Receipt:
        """Sign and place an order; placing the same order again returns the same receipt."""

    def submit(self, reading: SignedReading) -> None:
        """Hand in a meter reading; handing in the same reading again changes nothing."""
