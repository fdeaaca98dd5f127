"""A node whose chain re-organises under it."""

from pathlib import Path

import pytest

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.market import read_account
from matching.orders import Side
from node.server import running_server
from node.store.records import SlotState
from tests.system.demo import free_port
from tests.system.homes import Meters
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_SUN, SLOT, street
from tests.system.test_certificate_requests import ROOF, held_wh, roof_on


def take_back(chain: DevChain, before: int) -> None:
    """Put other blocks, one more, in the place of those since the snapshot."""
    head = chain.head().number
    chain.revert(before)
    chain.mine(head + 1 - chain.head().number)


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
        take_back(chain, before)
        assert read_account(contracts, buyer) == deposited
        assert found.state() is SlotState.CERTIFIED
        found.advance(now)
        assert read_account(contracts, buyer) == paid
        found.check_audit()
        settlements = found.node.store.settlements(slot=SLOT)
        assert sorted(record.intent.step for record in settlements) == ["certify", "commit", "deliver", "settle"]
        assert all(record.block_number > head for record in settlements)  # type: ignore[operator]
    chain.close()


@pytest.mark.slow
def test_a_request_is_decided_and_issued_for_again_after_a_reorganisation(tmp_path: Path) -> None:
    now = SLOT - 1_200
    chain = DevChain.open(tmp_path / "elsewhere", clock=lambda: now)
    port = free_port()
    with (
        running_server(create_app(chain), "127.0.0.1", port),
        street(tmp_path / "node", rpc_url=f"http://127.0.0.1:{port}") as found,
    ):
        owner, slot = found.clients[OTHER_BUYER], roof_on(found)
        now = found.node.market.ends_at(slot)
        found.advance(now)
        owner.submit(Meters(found).read(ROOF, slot, 600))
        owner.act("request", device=str(ROOF), first_slot=slot, last_slot=slot)
        before = chain.snapshot()
        found.advance(now)
        assert held_wh(owner) == 600
        take_back(chain, before)
        assert held_wh(owner) == 0
        assert owner.requests()[0]["decision"] is None
        for _ in range(2):
            found.advance(now)
            assert owner.requests()[0]["decision"]["approved"]
            assert held_wh(owner) == 600
    chain.close()
