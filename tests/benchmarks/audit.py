"""Auditing 10,000 settled orders from a remote endpoint: anvil, beside the embedded chain in this process.

A hundred members trade in a hundred slots, one order each, all filled and delivered. The checkpoint is
written too. Usage: python -m tests.benchmarks.audit
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.audit.run import audit
from ledger.batches import FilledOrder
from ledger.merkle import root
from tests.benchmarks.both_chains import on_both_chains
from tests.ledger.audit.story import readings
from tests.world import SLOT, World, new_world

MEMBERS = 100
SLOTS = 100
PRICE = 150_000
QUANTITY_WH = 1_000


def trade(world: World, slot: int) -> None:
    """As many bids as offers, all filled whole; consumed and generated as traded."""
    makers = (world.bid, world.offer)
    orders = [makers[member % 2](member, QUANTITY_WH, PRICE, slot=slot) for member in range(MEMBERS)]
    hashes = sorted(signed.hash for signed in orders)
    world.close_gate(slot)
    world.act("operator", "commit_book", world.market, slot, root(hashes), len(hashes))
    world.settle([FilledOrder(signed, QUANTITY_WH) for signed in orders], PRICE, slot=slot)
    world.deliver(readings(world), slot=slot)


def measure(kind: str) -> None:
    """Build the history, then audit it twice: from the chain, and once more from the checkpoint."""
    with new_world(MEMBERS, chain_kind=kind, escrow=10**14) as world, TemporaryDirectory() as folder:
        began = time.perf_counter()
        for number in range(SLOTS):
            trade(world, SLOT + 900 * number)
        built_s = time.perf_counter() - began
        exchange, file = world.exchange.address, Path(folder) / "checkpoint.json"
        began = time.perf_counter()
        report = audit(world.chain, exchange, checkpoint=file)
        whole_s = time.perf_counter() - began
        began = time.perf_counter()
        again = audit(world.chain, exchange, checkpoint=file)
        resumed_s = time.perf_counter() - began
        assert report.findings == again.findings == ()
        assert report.totals.filled_orders == MEMBERS * SLOTS
        print(
            f"{kind:9} history {built_s:6.1f} s   audit {whole_s:6.2f} s   {report.checks:,} checks   "
            f"{whole_s / MEMBERS / SLOTS * 1e6:5.0f} us an order   resumed {resumed_s:5.2f} s   "
            f"checkpoint {file.stat().st_size / 1024:,.0f} KiB",
            flush=True,
        )


def main() -> None:
    """Measure both chains, in one run; anvil only where it is installed."""
    print(f"{MEMBERS * SLOTS:,} orders of {MEMBERS} members in {SLOTS} slots")
    on_both_chains(measure)


if __name__ == "__main__":
    main()
