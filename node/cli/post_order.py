"""`wattbook post-order`: put an order on chain, without the operator."""

import secrets
from typing import Annotated

import typer

from ledger.eip712 import Domain, sign_order
from matching.orders import MAX_SALT, Order, Side
from node.cli import units
from node.cli.common import AsJson, MemberKey, print_json
from node.cli.keys import KeyFile
from node.cli.onchain import DEFAULT_RPC, Exchange, Rpc, on_chain
from node.cli.preference import Certificates, PreferenceName


def post_order(
    *,
    exchange: Exchange,
    bid: Annotated[bool, typer.Option("--bid", help="Buy.")] = False,
    offer: Annotated[bool, typer.Option("--offer", help="Sell.")] = False,
    kwh: Annotated[str, typer.Option(help="How much at most, kWh.")],
    price: Annotated[str, typer.Option(help="Limit price, ct/kWh, grid fee excluded.")],
    slot: Annotated[
        str, typer.Option(help="When: an ISO date and time (local unless it names its zone), or Unix seconds.")
    ],
    certificates: Certificates = PreferenceName.AUTO_RETIRE,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Put an order on chain yourself: the slot cannot be settled without it if it is better than the price.

    What it may cost is set aside until the slot is closed: a bid's limit price, and of an offer what its limit
    falls short of the retail price. One order for each member and slot, of at most 1,000 kWh.
    """
    if bid == offer:
        raise typer.BadParameter("give one of the two", param_hint="--bid, --offer")
    from ledger.market import read_account
    from ledger.recourse import post_order as post

    with on_chain(rpc, exchange, key, key_file) as found:
        contracts = found.contracts
        order = Order(
            account=found.key.address,
            market=found.market(None),
            slot=units.second(slot),
            side=Side.BID if bid else Side.OFFER,
            price=units.price(price),
            quantity_wh=units.energy_wh(kwh),
            certificates=certificates.preference,
            epoch=read_account(contracts, found.key.address).epoch,
            salt=secrets.randbelow(MAX_SALT + 1),
        )
        signed = sign_order(Domain(found.chain.chain_id, contracts.exchange.address), order, found.key)
        receipt = post(contracts, found.key, signed)
        if json:
            transaction, block = receipt.transaction_hash, receipt.block_number
            print_json({"order_hash": signed.hash, "transaction": transaction, "block": block})
            return
        typer.echo(
            f"{order.side.name.capitalize()} of {units.shown_energy(order.quantity_wh)} at "
            f"{units.shown_price(order.price)} for {units.shown_time(order.slot)}"
        )
        typer.echo(f"order 0x{signed.hash.hex()}, on chain in block {receipt.block_number}")
