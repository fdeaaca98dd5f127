"""How far orders and slots are: the words for it that the store, the API and the client share."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order is; `open` and `closed` are not final."""

    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    FILLED = "filled"
    UNFILLED = "unfilled"
    REJECTED = "rejected"
    VOIDED = "voided"


class SlotState(StrEnum):
    """How far a slot is. It only moves down this list, and passes by `settled` or by `voided`, not both."""

    OPEN = "open"
    CLOSED = "closed"
    COMMITTED = "committed"
    CLEARED = "cleared"
    VOIDED = "voided"
    SETTLED = "settled"
    DELIVERED = "delivered"
    CERTIFIED = "certified"
