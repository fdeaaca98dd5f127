"""`wattbook chain show` and `wattbook chain blocks`: what is on a chain, any chain, in words."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ledger.hexcodec import from_data, from_quantity
from ledger.jsonrpc import JsonRpcChain
from matching.errors import WattbookError
from node.cli import units
from node.cli.common import AsJson, fail, print_json
from node.cli.onchain import DEFAULT_RPC, Rpc

if TYPE_CHECKING:
    from node.explorer import Explorer
    from node.explorer.views import AddressView, Blocks, BlockView, Event, Party, TransactionView

ADDRESS_BYTES, HASH_BYTES = 20, 32
MOST_ITEMS = 8
"""How many elements of a list are shown to people; programs get all."""

_TAKEN = ": name a block by its number, a transaction or a block by its hash, or an address"
_WEI_PER_COIN = 10**18

Before = Annotated[
    int | None, typer.Option(min=0, help="Show what is in blocks below this number.", show_default="the newest")
]
Limit = Annotated[int, typer.Option(min=1, max=100, help="Show at most so many, the latest first.")]
EventLimit = Annotated[
    int,
    typer.Option(
        min=1, max=1_000, help="Show at most so many events: an address's latest, a transaction's first."
    ),
]


def show(
    what: Annotated[str, typer.Argument(metavar="TX|BLOCK|ADDRESS", help="Hash, number or address.")],
    *,
    rpc: Rpc = DEFAULT_RPC,
    before: Before = None,
    limit: EventLimit = 20,
    json: AsJson = False,
) -> None:
    """Show a transaction, a block or an address: calls, events, amounts and reasons in words."""
    with _explorer(rpc) as explorer:
        found, present = _find(explorer, what, before, limit)
    if found is None:
        fail(f"the chain has no {what}{_TAKEN if _is_short(what) else ''}")
    elif json:
        print_json(found)
    else:
        present(found)


def blocks(*, rpc: Rpc = DEFAULT_RPC, before: Before = None, limit: Limit = 20, json: AsJson = False) -> None:
    """Show the latest blocks and what their transactions called."""
    with _explorer(rpc) as explorer:
        found = explorer.blocks(before=before, limit=limit)
    if json:
        print_json(found)
    else:
        _present_blocks(found)


@contextmanager
def _explorer(rpc: str) -> Iterator["Explorer"]:
    """An explorer that knows the development accounts by name; whatever is refused inside ends the command."""
    # The contracts take a second to import, which the other subcommands should not wait for.
    from ledger.devchain.accounts import dev_accounts
    from node.explorer import Explorer

    names = {one.address: f"development account {number}" for number, one in enumerate(dev_accounts())}
    try:
        with closing(JsonRpcChain(rpc)) as chain:
            yield Explorer(chain, names.get)
    except WattbookError as error:
        fail(error)


def _is_short(what: str) -> bool:
    """Whether it was taken for a block's number, and may have been meant as the beginning of something longer."""
    return what.startswith("0x") and len(what) <= HASH_BYTES


def _find(explorer: "Explorer", what: str, before: int | None, limit: int) -> tuple[Any, Callable[[Any], None]]:
    """What is meant, or None if it is not there, and how to show it."""
    if what.isascii() and what.isdigit():
        return explorer.block(int(what)), _present_block
    try:
        data = from_data(what) if len(what) > HASH_BYTES else None
        number = from_quantity(what) if data is None else 0
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="TX|BLOCK|ADDRESS") from error
    if data is None:
        return explorer.block(number), _present_block
    if len(data) == ADDRESS_BYTES:
        return explorer.address(data, before=before, limit=limit), _present_address
    if len(data) != HASH_BYTES:
        raise typer.BadParameter(f"{len(data)} bytes: must be 20 or 32", param_hint="TX|BLOCK|ADDRESS")
    transaction = explorer.transaction(data)
    if transaction is not None:
        return transaction, partial(_present_transaction, limit=limit)
    return explorer.block(data), _present_block


def _present_transaction(found: "TransactionView", *, limit: int) -> None:
    table = _details(f"Transaction {found.hash}")
    outcome = {None: "waits to be mined", True: "succeeded", False: "failed"}[found.succeeded]
    table.add_row("outcome", Text(outcome, style="red" if found.succeeded is False else ""))
    if found.reason is not None:
        table.add_row("reason", Text(f"{found.reason_in_words} [{found.reason}]"))
    if found.timestamp is not None:
        table.add_row("block", f"{found.block}, {units.shown_time(found.timestamp)}")
    table.add_row("from", _party(found.sender))
    table.add_row("to", "a new contract" if found.to is None else _party(found.to))
    if found.created is not None:
        table.add_row("created", _party(found.created))
    table.add_row("value", _coins(found.value_wei))
    table.add_row("gas", f"{'?' if found.gas_used is None else f'{found.gas_used:,}'} of {found.gas:,}")
    table.add_row("nonce", str(found.nonce))
    if found.call is not None:
        table.add_row("call", Text(f"{found.call.contract}.{found.call.function}"))
        _add_arguments(table, found.call.shown)
    elif len(found.input) > len("0x"):
        table.add_row("input", Text(_short(found.input)))
    console = Console()
    console.print(table)
    _present_events(console, found.events[:limit])
    if len(found.events) > limit:
        console.print(f"{len(found.events):,} events, of which the first {limit}: --limit shows more, --json all")


def _present_block(found: "BlockView") -> None:
    table = _details(f"Block {found.number}")
    table.add_row("hash", found.hash)
    table.add_row("parent", found.parent_hash)
    table.add_row("time", units.shown_time(found.timestamp))
    table.add_row("gas used", f"{found.gas_used:,}")
    table.add_row("base fee", f"{int(found.base_fee_wei):,} wei")
    for line in found.transactions:
        table.add_row("transaction", Text(f"{line.hash}\n{_summary(line.function, line.sender, line.to)}"))
    Console().print(table)


def _present_address(found: "AddressView") -> None:
    table = _details(f"Address {found.party.address}")
    table.add_row("name", Text(found.party.name or "unknown"))
    table.add_row("contract", found.party.contract or ("not one of ours" if found.code_bytes else "none"))
    if found.code_bytes:
        table.add_row("code", f"{found.code_bytes:,} bytes")
    table.add_row("balance", _coins(found.balance_wei))
    table.add_row("nonce", str(found.nonce))
    console = Console()
    console.print(table)
    more = ", and more" if found.is_cut else ""
    console.print(f"{len(found.events)} events{more} in blocks {found.first_block} to {found.last_block}")
    _present_events(console, found.events)


def _present_blocks(found: "Blocks") -> None:
    table = Table("block", "time", "transactions", title="Blocks")
    table.add_column("gas used", justify="right")
    for block in found.items:
        lines = [_summary(line.function, line.sender, line.to) for line in block.transactions]
        table.add_row(
            str(block.number), units.shown_time(block.timestamp), Text("\n".join(lines)), f"{block.gas_used:,}"
        )
    Console().print(table)


def _present_events(console: Console, events: list["Event"]) -> None:
    for event in events:
        table = _details(f"{event.contract}.{event.event}" if event.event else "an event that is not ours")
        table.add_row("where", Text(f"block {event.block}, log {event.log_index}\n{event.transaction}"))
        table.add_row("emitted by", _party(event.emitter))
        if event.shown is None:
            table.add_row("topics", "\n".join(event.topics))
            table.add_row("data", _short(event.data))
        else:
            _add_arguments(table, event.shown)
        console.print(table)


def _details(title: str) -> Table:
    table = Table(title=Text(title), title_justify="left", show_header=False)
    table.add_column()
    # Nobody can look for half a hash.
    table.add_column(overflow="fold")
    return table


def _add_arguments(table: Table, shown: dict[str, Any]) -> None:
    for name, value in shown.items():
        table.add_row(Text(f"  {name}"), Text(_text(value)))


def _text(value: Any) -> str:
    """Structs in one line, lists an element per line, long ones cut."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        lines = [_text(item) for item in value[:MOST_ITEMS]]
        rest = len(value) - len(lines)
        return "\n".join([*lines, f"and {rest:,} more"] if rest else lines) or "none"
    return str(value)


def _summary(function: str | None, sender: "Party", to: "Party | None") -> str:
    if to is None:
        return f"{_who(sender)} creates a contract"
    if function is None:
        return f"{_who(sender)} to {_who(to)}"
    return f"{_who(sender)} calls {_who(to)}.{function}"


def _who(party: "Party") -> str:
    return party.name or party.contract or f"{party.address[:10]}…"


def _party(party: "Party") -> Text:
    name = party.name or party.contract
    return Text(party.address if name is None else f"{party.address} ({name})")


def _coins(wei: str) -> str:
    whole, rest = divmod(int(wei), _WEI_PER_COIN)
    return f"{whole:,}.{rest:018}".rstrip("0").rstrip(".") + " ETH"


def _short(data: str) -> str:
    return data if len(data) <= 140 else f"{data[:130]}… ({len(data) // 2 - 1:,} bytes)"
