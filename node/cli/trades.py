"""`wattbook trades`: what was traded."""

from rich.console import Console
from rich.table import Table

from node.answers import TradeAnswer
from node.cli import units
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


def trades(
    *,
    account: Account = None,
    limit: Limit = 20,
    key: MemberKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the latest trades: an account's, or all."""
    address = chosen_account(account, key)
    with connected(url) as client:
        answer = client.trades(account=address, limit=limit)
        if json:
            print_json(answer)
        else:
            _show(answer, address)


def _show(found: list[TradeAnswer], account: bytes | None) -> None:
    table = Table("slot", "seller", "buyer", title="Trades" if found else "No trades")
    for name in ("energy", "price", "amount"):
        table.add_column(name, justify="right")
    table.add_column("block", justify="right")
    for trade in found:
        table.add_row(
            units.shown_time(trade.slot),
            _party(trade.seller, account),
            _party(trade.buyer, account),
            units.shown_energy(trade.quantity_wh),
            units.shown_price(trade.price),
            units.shown_money(trade.amount_nano),
            str(trade.settlement.block) if trade.settlement else "not settled",
        )
    Console().print(table)


def _party(address: bytes, account: bytes | None) -> str:
    return "you" if address == account else f"0x{address.hex()[:8]}…"
