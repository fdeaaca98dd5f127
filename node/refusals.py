"""Why intake refuses an order, a cancellation or a reading: one error, and one stable code, per reason."""

from matching.errors import WattbookError


class UnknownMarketError(WattbookError):
    """The order is for a market that is not traded here."""

    code = "order.unknown_market"


class MisalignedSlotError(WattbookError):
    """No slot of the market starts at this second.

    Attributes:
        details: for programs: `slot`, Unix seconds, and `slot_length_s`.
    """

    code = "order.slot_misaligned"

    def __init__(self, slot: int, slot_length_s: int) -> None:
        super().__init__(f"order field 'slot' is {slot}: must be a multiple of {slot_length_s} s")
        self.details = {"slot": slot, "slot_length_s": slot_length_s}


class TooEarlyOrderError(WattbookError):
    """The slot is further ahead than orders are taken for.

    Attributes:
        details: for programs: `latest`, the last second at which a slot may start for now.
    """

    code = "order.too_early"

    def __init__(self, slot: int, latest: int) -> None:
        super().__init__(f"order field 'slot' is {slot}: must be at most {latest} for now")
        self.details = {"latest": latest}


class OrderSignatureError(WattbookError):
    """The signature is not the account's: another key, another chain, another exchange, or altered fields."""

    code = "order.signature"


class NotAMemberError(WattbookError):
    """The account is not a member of the market."""

    code = "order.not_a_member"


class CancelledEpochError(WattbookError):
    """The order was signed for another epoch than its account's."""

    code = "order.cancelled_epoch"


class ExpiredOrderError(WattbookError):
    """The order may expire before its slot is settled."""

    code = "order.expired"


class TooLargeOrderError(WattbookError):
    """The order's quantity is above the market's limit.

    Attributes:
        most_wh: the limit, Wh.
    """

    code = "order.too_large"

    def __init__(self, message: str, most_wh: int) -> None:
        super().__init__(message)
        self.most_wh = most_wh


class UncoveredOrderError(WattbookError):
    """The account's free escrow does not cover the order.

    Attributes:
        needed_nano: what the order needs, nano-credits.
        free_nano: what is free, nano-credits; below zero if the account owes.
    """

    code = "order.uncovered"

    def __init__(self, account: bytes, needed_nano: int, free_nano: int) -> None:
        super().__init__(
            f"order needs {needed_nano} nano-credits of cover: 0x{account.hex()} has {free_nano} free in escrow"
        )
        self.needed_nano = needed_nano
        self.free_nano = free_nano


class TooManyOrdersError(WattbookError):
    """The account, or everybody together, placed as many orders for the slot as can settle."""

    code = "order.too_many"


class UnknownDeviceError(WattbookError):
    """No device with this number is registered."""

    code = "reading.unknown_device"


class TooEarlyReadingError(WattbookError):
    """The slot is not over."""

    code = "reading.too_early"


class UnexpectedReadingError(WattbookError):
    """The slot is before the device's first one, or after its last: deliveries do not wait for its reading."""

    code = "reading.unexpected"


class ConflictingReadingError(WattbookError):
    """There is another reading of the same device and slot."""

    code = "reading.conflict"


class NothingToCorrectError(WattbookError):
    """The slot has no reading of the device that could be corrected."""

    code = "reading.nothing_to_correct"
