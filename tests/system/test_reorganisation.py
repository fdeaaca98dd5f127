"""A node whose chain re-organises under it."""

from pathlib import Path

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.market import read_account
from matching.orders import Side
from node.composition import running_server
from node.store.records import SlotState
from tests.system.demo import free_port
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, street


def test_a_slot_that_a_reorganisation_took_away_happens_again_and_the_books_agree(tmp_path: Path) -> None:
    now = SLOT - 1_200
    chain = DevChain.open(tmp_path / "elsewhere", clock=lambda: now)
    port = free_port()
    with (
        running_server(create_app(chain), "127.0.0.1", port),
        street(tmp_path / "node", rpc_url=f"http://127.0.0.1:{port}") as found,
    ):
        contracts, buyer = found.node.contracts, found.keys[BUYER].address
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        found.place(BUYER, Side.BID, 400, 200_000)
        before, deposited = chain.snapshot(), read_account(contracts, buyer)
        now = SLOT - 300
        found.advance(now)
        now = found.node.market.ends_at(SLOT)
        found.meter_after_the_slot(400, 400)
        found.check_audit()
        paid = read_account(contracts, buyer)
        assert paid != deposited

        head = chain.head().number
        chain.revert(before)
        chain.mine(head + 1 - chain.head().number)
        assert read_account(contracts, buyer) == deposited
        assert found.state() is SlotState.CERTIFIED
        found.advance(now)
        assert read_account(contracts, buyer) == paid
        found.check_audit()
        settlements = found.node.store.settlements(slot=SLOT)
        assert sorted(record.intent.step for record in settlements) == ["certify", "commit", "deliver", "settle"]
        assert all(record.block_number > head for record in settlements)  # type: ignore[operator]
    chain.close()
