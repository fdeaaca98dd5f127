"""Settling a slot of 1,000 orders, one of each member, on the embedded chain beside anvil, and encoding it.

Usage: python -m tests.benchmarks.settlement
"""

import time
from collections.abc import Callable
from typing import TypeVar

from ledger.batches import FilledOrder
from tests.benchmarks.both_chains import on_both_chains
from tests.world import SLOT, World, new_world, one_world_for_a_test

MEMBERS = 1_000
PRICE = 150_000
ROUNDS = 2

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that it took, and what it returned."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def fills(world: World) -> list[FilledOrder]:
    """As many bids as offers, all filled whole."""
    makers = (world.bid, world.offer)
    orders = [makers[member % 2](member, 1_000, PRICE) for member in range(MEMBERS)]
    return [FilledOrder(signed, signed.order.quantity_wh) for signed in orders]


def settle_once(built: World, filled: list[FilledOrder]) -> tuple[float, float, float, float]:
    """Seconds to encode, to estimate the gas and to settle, the estimate included; then the gas."""
    with one_world_for_a_test(built) as world:
        encoding_s, data = timed(lambda: world.settle_data(filled, PRICE))
        exchange, operator = world.exchange.address, world.keys["operator"].address
        estimate_s, _ = timed(lambda: world.chain.estimate_gas(exchange, data, sender=operator))
        settling_s, receipt = timed(lambda: world.settle(filled, PRICE))
        assert receipt.succeeded
        return encoding_s, estimate_s, settling_s, receipt.gas_used


def measure(kind: str) -> None:
    """Print the least time of each part, and the gas."""
    with new_world(MEMBERS, chain_kind=kind) as built:
        built.commit(size=MEMBERS)
        filled = fills(built)
        rounds = [settle_once(built, filled) for _ in range(ROUNDS)]
        encoding_s, estimate_s, settling_s, gas = (min(column) for column in zip(*rounds, strict=True))
        print(
            f"{kind:9} encoding {encoding_s * 1e3:5.1f} ms   estimate {estimate_s:6.3f} s   "
            f"settling, all in all {settling_s:6.3f} s   gas {gas / MEMBERS:,.0f} an order",
            flush=True,
        )


def main() -> None:
    """Measure both chains, in one run; anvil only where it is installed."""
    print(f"{MEMBERS} orders of as many members, slot {SLOT}")
    on_both_chains(measure)


if __name__ == "__main__":
    main()
