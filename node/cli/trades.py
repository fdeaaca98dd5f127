"""`wattbook trades`: what was traded."""

from node.answers import TradeAnswer
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


def trades(
    *,
    account: Account = None,
    limit: Limit = 20,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the latest trades: an account's, or all."""
    address = chosen_account(account, key)
    with connected(url, api_key=api_key) as client:
        answer = client.trades(account=address, limit=limit)
        if json:
            print_json(answer)
        else:
            _show(answer, address)


def _show(found: list[TradeAnswer], account: bytes | None) -> None:
    table = tables.table(
        "Trades" if found else "No trades", ("slot", "seller", "buyer"), ("kWh", "ct/kWh", "EUR", "block")
    )
    for trade in found:
        table.add_row(
            units.shown_time(trade.slot),
            tables.party(trade.seller, account),
            tables.party(trade.buyer, account),
            units.kwh(trade.quantity_wh),
            units.ct_per_kwh(trade.price),
            units.eur(trade.amount_nano),
            str(trade.settlement.block) if trade.settlement else "not yet",
        )
    tables.console().print(table)
