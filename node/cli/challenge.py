"""`wattbook challenge`, `uphold` and `void`: what anybody can do about an operator that does not do its work."""

import json as json_format
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ledger.eip712 import Domain, Receipt, SignedOrder, order_hash
from ledger.hexcodec import from_data
from node.answers import parsed_order
from node.cli import units
from node.cli.common import DEFAULT_URL, AsJson, MemberKey, Url, connected, print_json
from node.cli.keys import KeyFile, ReadKey
from node.cli.onchain import DEFAULT_RPC, Exchange, MarketName, OnChain, Rpc, on_chain

T = TypeVar("T")

JsonFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]

challenge_app = typer.Typer(
    help="Challenge the operator. It takes a stake (10 EUR unless the exchange was deployed with another) of your "
    "credits outside of escrow. If you are right it comes back, with some of the operator's bond if there is one; "
    "if you are wrong it is lost.",
    no_args_is_help=True,
)


@challenge_app.command()
def missing(
    *,
    receipt: JsonFile,
    exchange: Exchange,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Say that a book lacks an order that the operator signed a RECEIPT for (a file: what `order --json` said)."""
    from ledger.challenges import challenge_missing_calldata

    with on_chain(rpc, exchange, key, key_file) as found:
        signed, signature = _read(receipt, _receipt)
        _challenge(found, challenge_missing_calldata(signed, signature), json=json)


@challenge_app.command("left-out")
def left_out(
    *,
    order: JsonFile,
    exchange: Exchange,
    book: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The slot's book, as /v1/slots/SLOT/book gave it; else asked for."
        ),
    ] = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Say that the settlement left out an ORDER of the book that was better than the price.

    ORDER is a file with an order and its signature, as /v1/orders/HASH gave it.
    """
    from ledger.challenges import challenge_left_out_calldata

    with on_chain(rpc, exchange, key, key_file) as found:
        domain = Domain(found.chain.chain_id, found.contracts.exchange.address)
        signed = _read(order, lambda fields: _signed_order(fields, domain))
        hashes = _fetched_book(url, api_key, signed.order.slot) if book is None else _read(book, _book)
        _challenge(found, challenge_left_out_calldata(signed, hashes), json=json)


def bond(
    *,
    eur: Annotated[str, typer.Option(help="How much to add.")],
    exchange: Exchange,
    market: MarketName = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Add to a market's bond, which pays whoever shows that orders were left out. There is none at first."""
    from ledger.recourse import post_bond

    with on_chain(rpc, exchange, key, key_file) as found:
        total = post_bond(found.contracts, found.key, found.market(market), units.money_nano(eur))
        if json:
            print_json({"bond_nano": str(total)})
        else:
            typer.echo(f"The bond is {units.shown_money(total)}.")


def uphold(
    *,
    number: Annotated[int, typer.Argument(min=1, help="The challenge's number.")],
    exchange: Exchange,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Decide a challenge that the operator did not answer in time: its market freezes, and its bond pays."""
    from ledger.recourse import uphold as decide

    with on_chain(rpc, exchange, key, key_file) as found:
        paid = decide(found.contracts, found.key, number)
        if json:
            print_json({"number": number, "paid_nano": str(paid)})
        else:
            typer.echo(
                f"Challenge {number} is upheld: the bond paid {units.shown_money(paid)}, and the market is frozen."
            )


def void(
    *,
    slot: Annotated[str, typer.Argument(help="The slot: an ISO date and time, or Unix seconds.")],
    exchange: Exchange,
    market: MarketName = None,
    key: MemberKey = None,
    key_file: KeyFile = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Close a slot that was not settled in time, and take back whatever of it was."""
    from ledger.recourse import void as close

    with on_chain(rpc, exchange, key, key_file) as found:
        start = units.second(slot)
        chunks = close(found.contracts, found.key, found.market(market), start)
        if json:
            print_json({"slot": start, "chunks_taken_back": chunks})
        else:
            typer.echo(
                f"Slot {units.shown_time(start)} is void; {chunks} chunks of its settlement were taken back."
            )


def _challenge(found: OnChain, calldata: bytes, *, json: bool) -> None:
    from ledger.recourse import challenge

    challenges, number = found.contracts.challenges, challenge(found.contracts, found.key, calldata)
    due_at = challenges.read("challenge_of", number)["opened_at"] + challenges.read("terms")[3]
    if json:
        print_json({"number": number, "answer_due_at": due_at})
    else:
        typer.echo(f"Challenge {number}: if it is not answered by {units.shown_time(due_at)},")
        typer.echo(f"`wattbook uphold {number}` decides it.")


def _fetched_book(url: str, api_key: str | None, slot: int) -> list[bytes]:
    with connected(url, api_key=api_key) as client:
        return client.book(slot)


def _read(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    try:
        return parse(json_format.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise typer.BadParameter(f"{path} does not hold what it should: {error!r}") from error


def _receipt(fields: dict[str, Any]) -> tuple[Receipt, bytes]:
    # The API calls the order's hash `order`, the command line `order_hash`.
    receipt = Receipt(
        order_hash=from_data(fields["order_hash"] if "order_hash" in fields else fields["order"]),
        market=from_data(fields["market"]),
        slot=int(fields["slot"]),
        index=int(fields["index"]),
        received_at=int(fields["received_at"]),
    )
    return receipt, from_data(fields["signature"])


def _book(fields: dict[str, Any]) -> list[bytes]:
    return [from_data(each) for each in fields["orders"]]


def _signed_order(fields: dict[str, Any], domain: Domain) -> SignedOrder:
    order = parsed_order(fields)
    return SignedOrder(order, order_hash(domain, order), from_data(fields["signature"]))
