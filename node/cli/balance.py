"""`wattbook balance`: what an account has."""

import typer
from rich.console import Console
from rich.table import Table

from node.answers import BalanceAnswer
from node.cli import units
from node.cli.common import DEFAULT_URL, Account, AsJson, MemberKey, Url, chosen_account, connected, print_json
from node.cli.keys import ReadKey


def balance(
    *,
    account: Account = None,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show an account's credits, energy and certificates."""
    address = chosen_account(account, key)
    if address is None:
        raise typer.BadParameter("name an account, or give your key", param_hint="--account")
    with connected(url, api_key=api_key) as client:
        answer = client.balance(address)
        if json:
            print_json(answer)
        else:
            _show(answer)


def _show(answer: BalanceAnswer) -> None:
    table = Table(title=f"0x{answer.account.hex()}", show_header=False)
    rows = [
        ("credits in escrow", units.shown_money(answer.balance_nano)),
        ("owed to the utility", units.shown_money(answer.debt_nano)),
        ("to be withdrawn", units.shown_money(answer.withdrawal_nano)),
        ("reserved for orders and deliveries", units.shown_money(answer.reserved_nano)),
        ("free for new orders", units.shown_money(answer.free_nano)),
    ]
    rows += [
        (
            f"{'bought' if position_wh > 0 else 'sold'} for {units.shown_time(slot)}",
            units.shown_energy(abs(position_wh)),
        )
        for slot, position_wh in answer.positions
    ]
    rows += [
        ("certificates held", units.shown_energy(answer.held_wh)),
        ("certificates retired", units.shown_energy(answer.retired_wh)),
    ]
    for name, value in rows:
        table.add_row(name, value)
    table.columns[1].justify = "right"
    Console().print(table)
