"""Bills of members by month, from the store's fills and readings and the chain's tariff."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import MAXYEAR
from typing import Self

from ledger.bills import Charges, SlotMetered, SlotTrades, charges_of, summed
from ledger.statements.errors import InvalidStatementError
from ledger.statements.times import month, zone_of
from matching.errors import WattbookError
from matching.tariff import Tariff, tariff_in_force
from node.ports import Tariffs
from node.store import Store

FIRST_YEAR = 1971


class InvalidMonthError(WattbookError):
    """A bill's month is not a month, or its time zone is none.

    Attributes:
        field: the name of the field.
    """

    code = "bill.invalid"

    def __init__(self, field: str, value: str, limit: str) -> None:
        super().__init__(f"field '{field}' is {value!r}: {limit}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of a time zone; a slot belongs to the one that it begins in.

    Attributes:
        name: such as `2026-03`.
        time_zone: IANA name.
        first_at: the month's first second, Unix seconds UTC.
        end_at: the next month's first.
    """

    name: str
    time_zone: str
    first_at: int
    end_at: int

    @classmethod
    def of(cls, name: str, time_zone: str) -> Self:
        """The month of this name; changes of the clock make some an hour longer or shorter.

        Raises:
            InvalidMonthError: there is no such month or time zone.
        """
        year, _, number = name.partition("-")
        digits = (year + number).isascii() and (year + number).isdigit()
        if not digits or (len(year), len(number)) != (4, 2) or not 1 <= int(number) <= 12:
            raise InvalidMonthError("month", name, "must be a year and a month, such as 2026-03")
        if not FIRST_YEAR <= int(year) < MAXYEAR:
            raise InvalidMonthError("month", name, f"must be in the years {FIRST_YEAR} to {MAXYEAR - 1}")
        try:
            zone = zone_of(time_zone)
        except InvalidStatementError as error:
            limit = "must be the name of an IANA time zone such as 'Europe/Amsterdam'"
            raise InvalidMonthError("time_zone", time_zone, limit) from error
        return cls(name, time_zone, *month(int(year), int(number), zone))


@dataclass(frozen=True, slots=True)
class Bill:
    """What a month came to for a member.

    Attributes:
        account: the member.
        month: which.
        charges: all of them.
        open_slots: the month's slots so far that are not delivered yet, of which only the trades count.
        is_final: whether it can no longer change: every slot of the month is delivered for good.
    """

    account: bytes
    month: Month
    charges: Charges
    open_slots: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class BillLine:
    """One slot of a bill; `tariff` is what was in force."""

    slot: int
    is_delivered: bool
    tariff: Tariff
    charges: Charges


class Billing:
    """Makes bills of one market.

    Methods raise `ChainUnavailableError` if the chain, which knows the tariff, is out of reach.
    """

    def __init__(self, store: Store, tariffs: Tariffs, slot_length_s: int) -> None:
        self._store = store
        self._tariffs = tariffs
        self._slot_length_s = slot_length_s

    def bills(self, month: Month, accounts: Collection[bytes]) -> list[Bill]:
        """The accounts' bills, in their order."""
        charges: dict[bytes, list[Charges]] = {each: [] for each in accounts}
        for (owner, _), line in self._lines(month, accounts).items():
            charges[owner].append(line.charges)
        open_slots, is_final = self._progress(month)
        return [
            Bill(each, month, summed([Charges(), *found]), open_slots, is_final) for each, found in charges.items()
        ]

    def lines(self, month: Month, account: bytes) -> list[BillLine]:
        """What a bill is the sum of: the slots in which the account traded or was metered, in order."""
        return sorted(self._lines(month, [account]).values(), key=lambda line: line.slot)

    def _lines(self, month: Month, accounts: Collection[bytes]) -> dict[tuple[bytes, int], BillLine]:
        span = (month.first_at, month.end_at)
        trades = self._store.billed_trades(*span, accounts)
        metered = self._store.billed_readings(*span, accounts)
        delivered = self._store.delivered_slots(*span)
        keys = trades.keys() | metered.keys()
        if not keys:
            return {}
        slots = [slot for _, slot in keys]
        tariffs = self._tariffs.tariffs(min(slots), max(slots))
        lines = {}
        for key in keys:
            slot, is_delivered = key[1], key[1] in delivered
            # Whoever has no device was delivered with nothing.
            readings = metered.get(key, SlotMetered()) if is_delivered else None
            tariff = tariff_in_force(tariffs, slot)
            charges = charges_of(trades.get(key, SlotTrades()), readings, tariff)
            lines[key] = BillLine(slot, is_delivered, tariff, charges)
        return lines

    def _progress(self, month: Month) -> tuple[int, bool]:
        """How many of the month's slots so far are not delivered, and whether all are for good."""
        earliest = self._store.earliest_slot()
        if earliest is None:
            return 0, False
        length_s = self._slot_length_s
        first = max(earliest, -(-month.first_at // length_s) * length_s)
        expected = max(-(-(month.end_at - first) // length_s), 0)
        found = self._store.progressed(month.first_at, month.end_at)
        is_final = 0 < found.delivered == expected and found.unfinished_intents == 0
        return found.slots - found.delivered, is_final
