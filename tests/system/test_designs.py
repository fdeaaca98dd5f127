"""One slot on a real chain under each design that a node can trade by: orders over HTTP, amounts on chain."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.devchain import dev_accounts
from ledger.keys import Key
from ledger.market import read_account, read_position
from ledger.onboarding import fund
from matching.orders import Order, Side
from matching.readings import Reading, SignedReading
from matching.wishes import Trait
from node.auditing import audit_node
from node.client import ApiProblemError, WattbookClient
from node.composition import Config, Node, open_node, serving
from node.design import UnknownDesignError
from node.parties import FIRST_MEMBER_ACCOUNT
from node.store.records import DeviceRecord, SlotState, Technology
from node.wishes import StatedWish, Statement
from tests.system.demo import free_port

SLOT = 1_700_000_100
DEPOSIT = 10 * 10**9
SELLER_OF_SUN, SELLER_OF_STORED, BUYER, OTHER_BUYER = range(4)
SOLAR_ONLY = Statement((StatedWish(Trait.SOURCE, ("solar",)),), nonce=1)


@dataclass(frozen=True)
class Street:
    """A small market of four members, of whom only the first generates."""

    node: Node
    clients: list[WattbookClient]
    keys: list[Key]

    def place(
        self, member: int, side: Side, quantity_wh: int, price: int, statement: Statement | None = None
    ) -> bytes:
        order = Order(
            account=self.keys[member].address,
            market=self.node.market.id,
            slot=SLOT,
            side=side,
            price=price,
            quantity_wh=quantity_wh,
            salt=0 if statement is None else statement.salt,
        )
        return self.clients[member].place(order, statement).order_hash

    def trade_and_deliver(self, generated_wh: int, consumed_wh: int) -> None:
        """Close the gate, settle; then meter the first member's generation and the buyers' consumption."""
        client, key = self.clients[0], self.node.services.operator_api_key
        client.advance_clock(SLOT - self.node.market.gate_lead_s, api_key=key)
        client.advance_clock(SLOT + self.node.market.slot_length_s, api_key=key)
        for device, energy_wh in ((1, generated_wh), (2, consumed_wh)):
            reading = Reading(
                chain_id=self.node.chain.chain_id,
                market=self.node.market.id,
                device=device,
                slot=SLOT,
                energy_wh=energy_wh,
                register_wh=energy_wh,
                sequence=1,
            )
            client.submit(SignedReading(reading, meter_key(device).sign(reading.signing_bytes())))
        client.advance_clock(SLOT + self.node.market.slot_length_s, api_key=key)

    def fill(self, order: bytes) -> int:
        return self.clients[0].order(order).fill_wh

    def position(self, member: int) -> int:
        return read_position(self.node.contracts.exchange, self.keys[member].address, SLOT)

    def paid(self, member: int) -> int:
        """What the settlement itself took from an account, from the chain's state around it."""
        settled = next(r for r in self.node.store.intents(SLOT) if r.intent.step == "settle")
        assert settled.block_number is not None
        before, after = (
            read_account(self.node.contracts.exchange, self.keys[member].address, block_number=block).balance_nano
            for block in (settled.block_number - 1, settled.block_number)
        )
        return before - after

    def check_audit(self, design: str) -> None:
        record = self.node.store.slot(SLOT)
        assert record is not None
        assert record.state is SlotState.CERTIFIED
        exchange = self.node.contracts.exchange.address
        assert audit_node(self.node.chain, exchange, self.node.store, design=design).findings == ()


def meter_key(device: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(b"%d" % device).digest())


@contextmanager
def street(data: Path, design: str) -> Iterator[Street]:
    config = Config(data=data, port=free_port(), chain_port=free_port(), stepped_from=SLOT - 1_200, design=design)
    accounts = dev_accounts()[FIRST_MEMBER_ACCOUNT : FIRST_MEMBER_ACCOUNT + 4]
    keys = [Key(account.private_key) for account in accounts]
    with open_node(config) as node, serving(node):
        for number, key in enumerate(keys):
            node.registration.register_member(key.address, f"member {number}")
            fund(node.contracts, node.config.parties.treasurer, key.address, DEPOSIT)
        fund(node.contracts, node.config.parties.treasurer, node.market.utility, DEPOSIT)
        for device, member, technology in (
            (1, SELLER_OF_SUN, Technology.SOLAR),
            (2, BUYER, Technology.LOAD),
        ):
            node.registration.register_device(
                DeviceRecord(
                    device=device,
                    account=keys[member].address,
                    technology=technology,
                    nameplate_w=20_000,
                    meter_key=meter_key(device).public_key().public_bytes_raw(),
                )
            )
        yield Street(node, [WattbookClient(node.url, key) for key in keys], keys)


@pytest.mark.parametrize("design", ["uniform", "discriminatory", "continuous", "preferences"])
def test_a_slot_trades_on_chain_under_each_design(design: str, tmp_path: Path) -> None:
    with street(tmp_path, design) as found:
        cheap = found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        dear = found.place(SELLER_OF_STORED, Side.OFFER, 400, 140_000)
        eager = found.place(BUYER, Side.BID, 500, 200_000)
        modest = found.place(OTHER_BUYER, Side.BID, 500, 120_000)
        found.trade_and_deliver(generated_wh=400, consumed_wh=500)

        fills = [found.fill(order) for order in (cheap, dear, eager, modest)]
        paid = [found.paid(member) for member in (SELLER_OF_SUN, SELLER_OF_STORED, BUYER, OTHER_BUYER)]
        positions = [found.position(member) for member in range(4)]
        # In each design the first 500 Wh go to the eager buyer: 400 from the cheap offer, 100 from the dear one.
        assert fills == [400, 100, 500, 0]
        assert positions == [-400, -100, 500, 0]
        assert sum(paid) == 0
        expected_cost = {
            # The margin lies between the dear offer, filled in part, and itself: 14 ct for all.
            "uniform": 500 * 140_000,
            "preferences": 500 * 140_000,
            # Each trade halfway between its two limits.
            "discriminatory": 400 * 150_000 + 100 * 170_000,
            # At the price of the offer that was there first.
            "continuous": 400 * 100_000 + 100 * 140_000,
        }
        assert paid[BUYER] == expected_cost[design]
        found.check_audit(design)


def test_a_bid_for_solar_energy_gets_it_and_its_certificates(tmp_path: Path) -> None:
    with street(tmp_path, "preferences") as found:
        sun = found.place(SELLER_OF_SUN, Side.OFFER, 300, 150_000)
        stored = found.place(SELLER_OF_STORED, Side.OFFER, 300, 100_000)
        bid = found.place(BUYER, Side.BID, 500, 200_000, SOLAR_ONLY)
        found.trade_and_deliver(generated_wh=300, consumed_wh=500)
        # The other offer is cheaper, but not what the bid asked for.
        assert [found.fill(order) for order in (sun, stored, bid)] == [300, 0, 300]
        assert found.clients[BUYER].balance().retired_wh == 300
        found.check_audit("preferences")


def test_wishes_that_the_signature_does_not_cover_are_refused(tmp_path: Path) -> None:
    other = Statement(SOLAR_ONLY.wishes, nonce=2)
    with street(tmp_path, "preferences") as found:
        order = Order(
            account=found.keys[BUYER].address,
            market=found.node.market.id,
            slot=SLOT,
            side=Side.BID,
            price=200_000,
            quantity_wh=500,
            salt=other.salt,
        )
        with pytest.raises(ApiProblemError, match="must be") as refusal:
            found.clients[BUYER].place(order, SOLAR_ONLY)
        assert refusal.value.code == "order.wishes"
        assert found.node.store.orders() == []


def test_a_market_with_one_price_takes_no_wishes(tmp_path: Path) -> None:
    with street(tmp_path, "uniform") as found:
        with pytest.raises(ApiProblemError, match="takes no wishes") as refusal:
            found.place(BUYER, Side.BID, 500, 200_000, SOLAR_ONLY)
        assert refusal.value.code == "order.wishes"


@pytest.mark.parametrize("design", ["mcafee", "grid", "", "Uniform"])
def test_a_design_that_the_exchange_cannot_settle_is_refused(design: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownDesignError, match="must be one of"), street(tmp_path, design):
        pass
