"""What the gas of a settled order is spent on: `python -m tests.benchmarks.gas_profile`.

Executes one settlement of 100 orders on py-evm and adds up what each instruction charges. The same contracts give
the same table.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from eth.vm.computation import BaseComputation
from rich.console import Console
from rich.table import Table

from ledger.batches import FilledOrder, MemberReading
from ledger.deployment import confirmed
from ledger.transactions import build
from tests.world import SLOT, World, new_world

ORDERS = 100
PRICE = 150_000
# A settlement without orders, which pays for everything that does not depend on how many there are.
_KINDS = (
    ("signature check (ecrecover)", ("ECRecover", "STATICCALL charges")),
    ("storage: account read", ("SLOAD",)),
    ("storage: account written", ("SSTORE",)),
    ("hashing (EIP-712, fills, storage keys)", ("SHA3",)),
    ("memory read and written", ("MLOAD", "MSTORE", "CALLDATACOPY", "CALLDATALOAD", "Identity")),
    ("jumps and calls of internal functions", ("JUMP", "JUMPI", "JUMPDEST")),
    ("stack (PUSH, DUP, SWAP, POP)", ("PUSH", "DUP", "SWAP", "POP")),
)


def fills(world: World, slot: int, count: int) -> list[FilledOrder]:
    """Bids of the members with even numbers, offers of the others."""
    makers = (world.bid, world.offer)
    orders = [makers[member % 2](member, 1_000 + member // 2, PRICE, slot=slot) for member in range(count)]
    return [FilledOrder(signed, signed.order.quantity_wh) for signed in orders]


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Gas charged inside, by py-evm's reason."""
    charged: Counter[str] = Counter()
    original = BaseComputation.consume_gas

    def consume_gas(self: BaseComputation, amount: int, reason: str) -> None:
        charged[reason] += amount
        original(self, amount, reason)

    BaseComputation.consume_gas = consume_gas  # type: ignore[method-assign]
    try:
        yield charged
    finally:
        BaseComputation.consume_gas = original  # type: ignore[method-assign]


def profile(world: World, slot: int, count: int) -> Counter[str]:
    """Gas of one settlement by kind."""
    world.commit(slot, count)
    data = world.settle_data(fills(world, slot, count), PRICE, slot=slot)
    exchange = world.exchange
    transaction = build(exchange.chain, world.keys["operator"], to=exchange.address, data=data)
    with counted() as charged:
        receipt = confirmed(exchange.chain, transaction.raw)
    kinds: Counter[str] = Counter()
    for reason, gas in charged.items():
        kinds[_kind(reason)] += gas
    kinds["calldata"] = sum(16 if byte else 4 for byte in data)
    kinds["arithmetic, logic and the rest"] += receipt.gas_used - 21_000 - kinds.total()
    kinds["transaction"] = 21_000
    return kinds


def _kind(reason: str) -> str:
    # A call is charged with the gas it passes on, most of which comes back: what is left of it is in the rest.
    for kind, prefixes in _KINDS:
        if reason.startswith(prefixes):
            return kind
    return "arithmetic, logic and the rest"


def main() -> None:
    """Print the table."""
    slot = SLOT // 1_800 * 1_800
    with new_world(ORDERS) as world:
        profile(world, slot, ORDERS)  # writes the members' words for the first time
        world.deliver([MemberReading(key.address, 0, 0) for key in world.members], slot=slot)
        empty = profile(world, slot + 900, 0)
        whole = profile(world, slot + 1_800, ORDERS)
    table = Table(title=f"Gas of a settlement of {ORDERS} orders")
    for column in ("what", "per order", "fixed"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for kind, gas in sorted(whole.items(), key=lambda entry: -entry[1]):
        table.add_row(kind, f"{(gas - empty[kind]) / ORDERS:,.0f}", f"{empty[kind]:,}")
    total, fixed = whole.total(), empty.total()
    table.add_row("all", f"{(total - fixed) / ORDERS:,.0f}", f"{fixed:,}", end_section=True)
    table.add_row("amortised", f"{total / ORDERS:,.0f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
