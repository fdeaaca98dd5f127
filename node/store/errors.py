"""What the store refuses."""

from matching.errors import WattbookError


class StoreConflictError(WattbookError):
    """A write contradicts what is already written: a slot or order is not in the state that it needs."""

    code = "store.conflict"


class ForeignStoreError(WattbookError):
    """The store belongs to another chain, exchange or market, or to another version of this program."""

    code = "store.foreign"


class GateClosedError(WattbookError):
    """The slot takes no orders, and no cancellations, any more."""

    code = "order.gate_closed"


class UnknownOrderError(WattbookError):
    """There is no order with this hash."""

    code = "order.unknown"
