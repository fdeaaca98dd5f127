"""`wattbook order`: place a bid or an offer."""

import secrets
from typing import Annotated

import typer

from matching.orders import MAX_SALT, Order, Side
from node.answers import MarketAnswer
from node.cli import units
from node.cli.common import DEFAULT_URL, AsJson, MemberKey, Url, connected, print_json
from node.cli.keys import ReadKey
from node.cli.preference import Certificates, PreferenceName

_NEXT = "next"


def order(
    *,
    bid: Annotated[bool, typer.Option("--bid", help="Buy.")] = False,
    offer: Annotated[bool, typer.Option("--offer", help="Sell.")] = False,
    kwh: Annotated[str, typer.Option(help="How much at most, kWh.")],
    price: Annotated[str, typer.Option(help="Limit price, ct/kWh, grid fee excluded.")],
    slot: Annotated[
        str,
        typer.Option(help="When: 'next', an ISO date and time (local unless it names its zone), or Unix seconds."),
    ] = _NEXT,
    certificates: Certificates = PreferenceName.AUTO_RETIRE,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Place a bid or an offer for one slot, signed with your key."""
    if bid == offer:
        raise typer.BadParameter("give one of the two", param_hint="--bid, --offer")
    with connected(url, key, api_key=api_key) as client:
        market = client.market()
        content = Order(
            account=client.account,
            market=market.id,
            slot=market.open_slot if slot == _NEXT else units.second(slot),
            side=Side.BID if bid else Side.OFFER,
            price=units.price(price),
            quantity_wh=units.energy_wh(kwh),
            certificates=certificates.preference,
            epoch=client.balance().epoch,
            salt=secrets.randbelow(MAX_SALT + 1),
        )
        receipt = client.place(content)
        if json:
            print_json(receipt)
            return
        typer.echo(
            f"{content.side.name.capitalize()} of {units.shown_energy(content.quantity_wh)} at "
            f"{units.shown_price(content.price)} for {_period(market, content.slot)}"
        )
        if market.is_frozen:
            typer.echo("The market is frozen: the slot waits, and is voided if that lasts.")
        typer.echo(f"order 0x{receipt.order_hash.hex()}, number {receipt.index} of its slot")


def _period(market: MarketAnswer, slot: int) -> str:
    return f"{units.shown_time(slot)}, {market.slot_length_s // 60} minutes"
