"""`/v1/bills`: what a month came to for each member."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from ledger.bills import Charges
from node.api.caching import LASTING_RESPONSES, IfNoneMatch, lasting
from node.api.fields import Address, Nano
from node.api.members import require_member
from node.api.paging import Cursor, Limit, Page, account_in, cut, integers
from node.api.services import Parts, Services
from node.api.tables import TABLE_RESPONSES, AskedForm, CellKind, Column, Form, Table, streamed, text
from node.bills import Bill, Billing, BillLine, Month

router = APIRouter(prefix="/bills", tags=["bills"])

MonthName = Annotated[str, Query(description="Year and month, such as 2026-03.")]
TimeZone = Annotated[str, Query(description="IANA name of the calendar's time zone.")]


class ChargesOut(BaseModel):
    """Energy, and what it cost; what a member received counts against it.

    `grid_fee_nano` is for the energy bought in the market. What was metered beyond what was contracted is the
    imbalance: it came from the utility at the retail price, or went to it at the feed-in price. `total_nano` is
    negative if the member received more than it paid; `utility_alone_nano` is what the metered energy would have
    cost without the market, and `saving_nano` the difference.
    """

    bought_wh: int
    sold_wh: int
    paid_nano: Nano
    received_nano: Nano
    grid_fee_nano: Nano
    from_utility_wh: int
    from_utility_nano: Nano
    to_utility_wh: int
    to_utility_nano: Nano
    consumption_wh: int
    generation_wh: int
    utility_alone_nano: Nano
    total_nano: Nano
    saving_nano: Nano


class BillOut(ChargesOut):
    """A member's month, from its first second to the next month's.

    The mean prices are of what was bought and sold, rounded down; null if nothing was. Of `open_slots`, which are
    not delivered yet, only the trades count. A final bill does not change any more.
    """

    account: Address
    month: str
    time_zone: str
    first_at: int
    end_at: int
    mean_price_bought: int | None
    mean_price_sold: int | None
    open_slots: int
    is_final: bool


class BillLineOut(ChargesOut):
    """One slot of a bill, and the tariff that was in force; not delivered, only its trades count."""

    slot: int
    is_delivered: bool
    retail_price: int
    feed_in_price: int
    grid_fee: int


_CHARGES = tuple(ChargesOut.model_fields)


_BILLS: Table[BillOut] = Table(
    "bills",
    (
        text("account", lambda bill: f"0x{bill.account.hex()}"),
        text("month", attrgetter("month")),
        text("time_zone", attrgetter("time_zone")),
        Column("first_at_unix_s", attrgetter("first_at")),
        Column("end_at_unix_s", attrgetter("end_at")),
        *(Column(name, attrgetter(name)) for name in _CHARGES),
        Column("mean_price_bought_nano_per_wh", attrgetter("mean_price_bought")),
        Column("mean_price_sold_nano_per_wh", attrgetter("mean_price_sold")),
        Column("open_slots", attrgetter("open_slots")),
        Column("is_final", attrgetter("is_final"), CellKind.FLAG),
    ),
)

_LINES: Table[BillLineOut] = Table(
    "bill-slots",
    (
        Column("slot_unix_s", attrgetter("slot")),
        Column("is_delivered", attrgetter("is_delivered"), CellKind.FLAG),
        *(Column(name, attrgetter(name)) for name in _CHARGES),
        Column("retail_price_nano_per_wh", attrgetter("retail_price")),
        Column("feed_in_price_nano_per_wh", attrgetter("feed_in_price")),
        Column("grid_fee_nano_per_wh", attrgetter("grid_fee")),
    ),
)


@router.get("", response_model=Page[BillOut], responses=TABLE_RESPONSES)
def list_bills(
    parts: Parts,
    *,
    month: MonthName,
    time_zone: TimeZone = "UTC",
    account: Address | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
) -> Page[BillOut] | Response:
    """All members' bills of a month, or one's, by account."""
    wanted = Month.of(month, time_zone)
    after = account_in(cursor)
    if account is None:
        accounts = sorted(each.account for each in parts.store.members())
    else:
        accounts = [] if parts.store.member(account) is None else [account]
    if form is not Form.JSON:
        return streamed(_BILLS, form, [_bills(parts, wanted, accounts)])
    page, following = cut(
        [each for each in accounts if after is None or each > after][: limit + 1],
        limit,
        lambda each: (f"0x{each.hex()}",),
    )
    return Page(items=_bills(parts, wanted, page), next=following)


@router.get("/{account}/{month}", response_model=BillOut, responses=LASTING_RESPONSES)
def read_bill(
    account: Address,
    month: str,
    parts: Parts,
    request: Request,
    *,
    time_zone: TimeZone = "UTC",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One member's bill of a month."""
    wanted = Month.of(month, time_zone)
    require_member(parts, account)
    bill = _bills(parts, wanted, [account])[0]
    return lasting(request, bill, is_final=bill.is_final)


@router.get("/{account}/{month}/slots", response_model=Page[BillLineOut], responses=TABLE_RESPONSES)
def list_bill_lines(
    account: Address,
    month: str,
    parts: Parts,
    *,
    time_zone: TimeZone = "UTC",
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
) -> Page[BillLineOut] | Response:
    """The slots that a bill is the sum of, in order; those without trades and readings are left out."""
    wanted = Month.of(month, time_zone)
    after = integers(cursor, 1)
    require_member(parts, account)
    lines = [_line_out(line) for line in _billing(parts).lines(wanted, account)]
    if form is not Form.JSON:
        return streamed(_LINES, form, [lines])
    behind = lines if after is None else [line for line in lines if line.slot > after[0]]
    page, following = cut(behind[: limit + 1], limit, lambda line: (line.slot,))
    return Page(items=page, next=following)


def _billing(parts: Services) -> Billing:
    return Billing(parts.store, parts.tariffs, parts.market.slot_length_s)


def _bills(parts: Services, month: Month, accounts: list[bytes]) -> list[BillOut]:
    return [_bill_out(bill) for bill in _billing(parts).bills(month, accounts)]


def _bill_out(bill: Bill) -> BillOut:
    charges = bill.charges
    return BillOut(
        account=bill.account,
        month=bill.month.name,
        time_zone=bill.month.time_zone,
        first_at=bill.month.first_at,
        end_at=bill.month.end_at,
        mean_price_bought=charges.paid_nano // charges.bought_wh if charges.bought_wh else None,
        mean_price_sold=charges.received_nano // charges.sold_wh if charges.sold_wh else None,
        open_slots=bill.open_slots,
        is_final=bill.is_final,
        **_fields(charges),
    )


def _line_out(line: BillLine) -> BillLineOut:
    return BillLineOut(
        slot=line.slot,
        is_delivered=line.is_delivered,
        retail_price=line.tariff.retail_price,
        feed_in_price=line.tariff.feed_in_price,
        grid_fee=line.tariff.grid_fee,
        **_fields(line.charges),
    )


def _fields(charges: Charges) -> dict[str, int]:
    return {name: getattr(charges, name) for name in _CHARGES}
