"""What the store refuses."""

from matching.errors import WattbookError


class StoreConflictError(WattbookError):
    """A write contradicts what is already written: a slot or order is not in the state that it needs."""

    code = "store.conflict"


class StoreUnavailableError(WattbookError):
    """The database does not answer, or takes no writes. What was not answered may be asked again.

    Attributes:
        retry_after_s: when to come back.
    """

    code = "store.unavailable"
    retry_after_s = 5


class StoreUrlError(WattbookError):
    """The store's URL does not name a database that a store can be kept in."""

    code = "store.url"


class ForeignStoreError(WattbookError):
    """The store belongs to another chain, exchange or market, or to another version of this program."""

    code = "store.foreign"


class GateClosedError(WattbookError):
    """The slot takes no orders, and no cancellations, any more.

    Attributes:
        details: for programs, if the time is why: `slot`, `closes_at` and `now`, Unix seconds.
    """

    code = "order.gate_closed"

    def __init__(self, message: str, **details: int) -> None:
        super().__init__(message)
        self.details = details


class UnknownOrderError(WattbookError):
    """There is no order with this hash."""

    code = "order.unknown"
