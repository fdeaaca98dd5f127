"""`wattbook withdraw`: get credits out of escrow, without the operator."""

from typing import Annotated

import typer

from ledger.chain import CallRevertedError
from node.cli import units
from node.cli.common import AsJson, MemberKey, fail, print_json
from node.cli.keys import KeyFile
from node.cli.onchain import DEFAULT_RPC, Exchange, OnChain, Rpc, on_chain

_TOO_EARLY, _LAPSED = "escrow: notice period", "escrow: request lapsed"


def withdraw(
    *,
    exchange: Exchange,
    amount: Annotated[
        str | None, typer.Option("--amount", help="Ask for so much, EUR, instead of what was asked for before.")
    ] = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Get your credits: the first time this asks for them, and after the notice period it takes them.

    Without --amount all that is in escrow is asked for.
    """
    with on_chain(rpc, exchange, key, key_file) as found:
        request = found.contracts.escrow.read("withdrawals", found.key.address)
        if amount is None and request["amount"] > 0 and _take(found, request["ready_at"], json=json):
            return
        _ask(found, None if amount is None else units.money_nano(amount), json=json)


def _take(found: OnChain, ready_at: int, *, json: bool) -> bool:
    """Take what was asked for, or say when; False if it was asked for too long ago."""
    from ledger.recourse import withdraw as take

    try:
        paid = take(found.contracts, found.key)
    except CallRevertedError as error:
        if error.reason == _LAPSED:
            return False
        if error.reason != _TOO_EARLY:
            raise
        if json:
            print_json({"paid_nano": None, "ready_at": ready_at})
        else:
            typer.echo(f"Asked for already: the same command takes it from {units.shown_time(ready_at)} on.")
        return True
    if json:
        print_json({"paid_nano": str(paid), "ready_at": None})
    else:
        typer.echo(f"{units.shown_money(paid)} paid out to 0x{found.key.address.hex()}")
    return True


def _ask(found: OnChain, amount_nano: int | None, *, json: bool) -> None:
    from ledger.market import read_account
    from ledger.recourse import request_withdrawal

    if amount_nano is None:
        amount_nano = read_account(found.contracts, found.key.address).balance_nano
    if amount_nano == 0:
        fail(f"0x{found.key.address.hex()} has nothing in escrow")
    ready_at = request_withdrawal(found.contracts, found.key, amount_nano)
    if json:
        print_json({"paid_nano": None, "ready_at": ready_at})
    else:
        amount, time = units.shown_money(amount_nano), units.shown_time(ready_at)
        typer.echo(f"{amount} asked for: the same command, without --amount, takes it from {time} on.")
