"""`wattbook orders`: what has become of orders."""

from node.answers import OrderAnswer
from node.cli import tables, units
from node.cli.common import (
    DEFAULT_URL,
    Account,
    AsJson,
    Limit,
    MemberKey,
    Url,
    chosen_account,
    connected,
    print_json,
)
from node.cli.keys import ReadKey

_DIGITS = 8
"""So much of an order's hash is shown; `wattbook cancel` takes it."""


def orders(
    *,
    account: Account = None,
    limit: Limit = 10,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the latest orders and what has become of them: an account's, or all."""
    with connected(url, api_key=api_key) as client:
        answer = client.orders(account=chosen_account(account, key), limit=limit)
        if json:
            print_json(answer)
        else:
            _show(answer)


def _show(found: list[OrderAnswer]) -> None:
    table = tables.table(
        "Orders" if found else "No orders", ("order", "slot", "side"), ("kWh", "traded", "ct/kWh")
    )
    table.add_column("status")
    for record in found:
        table.add_row(
            f"0x{record.hash.hex()[:_DIGITS]}",
            units.shown_time(record.order.slot),
            record.order.side.name.lower(),
            units.kwh(record.order.quantity_wh),
            units.kwh(record.fill_wh),
            units.ct_per_kwh(record.order.price),
            _status(record),
        )
    tables.console().print(table)


def _status(record: OrderAnswer) -> str:
    status = record.status if record.reason is None else f"{record.status}: {record.reason}"
    return f"{status} (posted on chain)" if record.source == "posted" else status
