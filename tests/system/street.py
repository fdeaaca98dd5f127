"""A small market on a real node and chain: four members; the first generates, the third is metered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.deployment import MarketTerms, transact
from ledger.devchain import dev_accounts
from ledger.devices import Device, DeviceKey, DeviceKind, metering_point
from ledger.eecs import PHOTOVOLTAIC, SOLAR, fuel_number, technology_number
from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.keys import Key
from ledger.market import read_account
from ledger.onboarding import fund
from matching.orders import Order, Side
from matching.readings import Reading, SignedReading
from node.auditing import audit_node
from node.client import WattbookClient
from node.composition import Node, open_node, serving
from node.config import Config
from node.parties import FIRST_MEMBER_ACCOUNT
from node.store.records import DeviceRecord, SlotState
from node.wishes import Statement
from tests.system.demo import free_port

SLOT = 1_700_000_100
DEPOSIT = 10 * 10**9
TERMS = MarketTerms()
SELLER_OF_SUN, SELLER_OF_STORED, BUYER, OTHER_BUYER = range(4)


@dataclass(frozen=True)
class Street:
    """A small market of four members, of whom only the first generates."""

    node: Node
    clients: list[WattbookClient]
    keys: list[Key]

    def place(
        self,
        member: int,
        side: Side,
        quantity_wh: int,
        price: int,
        statement: Statement | None = None,
        *,
        slot: int = SLOT,
    ) -> bytes:
        order = Order(
            account=self.keys[member].address,
            market=self.node.market.id,
            slot=slot,
            side=side,
            price=price,
            quantity_wh=quantity_wh,
            salt=0 if statement is None else statement.salt,
        )
        return self.clients[member].place(order, statement).order_hash

    def advance(self, now: int) -> None:
        self.clients[0].advance_clock(now, api_key=self.node.services.operator_api_key)

    def trade_and_deliver(self, generated_wh: int, consumed_wh: int) -> None:
        """Close the gate, settle; then meter the first member's generation and the buyer's consumption."""
        self.advance(SLOT - self.node.market.gate_lead_s)
        self.meter_after_the_slot(generated_wh, consumed_wh)

    def meter(self, generated_wh: int, consumed_wh: int, *, slot: int = SLOT, sequence: int = 1) -> None:
        """Readings of a slot; the registers stand as if each reading before had been the same."""
        for device, energy_wh in ((1, generated_wh), (2, consumed_wh)):
            reading = Reading(
                chain_id=self.node.chain.chain_id,
                market=self.node.market.id,
                device=device,
                slot=slot,
                energy_wh=energy_wh,
                register_wh=energy_wh * sequence,
                sequence=sequence,
            )
            self.clients[0].submit(SignedReading(reading, meter_key(device).sign(reading.signing_bytes())))

    def meter_after_the_slot(self, generated_wh: int, consumed_wh: int) -> None:
        self.advance(self.node.market.ends_at(SLOT))
        self.meter(generated_wh, consumed_wh)
        self.advance(self.node.market.ends_at(SLOT))

    def act(self, member: int, function: str, *arguments: object) -> None:
        """A member's own transaction to the escrow."""
        escrow = self.node.contracts.escrow
        transact(escrow, self.keys[member], escrow.interface.call(function, *arguments))

    def fill(self, order: bytes) -> int:
        return self.clients[0].order(order).fill_wh

    def position(self, member: int) -> int:
        """Wh bought (+) or sold (-), from settlement to delivery."""
        position_wh: int = self.node.contracts.exchange.read("position_of", self.keys[member].address, SLOT)
        return position_wh

    def paid(self, member: int) -> int:
        """What the settlement itself took from an account, from the chain's state around it."""
        settled = next(r for r in self.node.store.intents(SLOT) if r.intent.step == "settle")
        assert settled.block_number is not None
        before, after = (
            read_account(self.node.contracts, self.keys[member].address, block_number=block).balance_nano
            for block in (settled.block_number - 1, settled.block_number)
        )
        return before - after

    def state(self) -> SlotState:
        record = self.node.store.slot(SLOT)
        assert record is not None
        return record.state

    def check_audit(self, design: str = "uniform") -> None:
        assert self.state() is SlotState.CERTIFIED
        exchange = self.node.contracts.exchange.address
        assert audit_node(self.node.chain, exchange, self.node.store, design=design).findings == ()


def register(node: Node, number: int, owner: Key, kind: DeviceKind, **details: Any) -> DeviceRecord:
    """A device with the meter that `meter_key` names."""
    generates = kind is DeviceKind.GENERATOR
    key = MeterKey(KeyAlgorithm.ED25519, meter_key(number).public_key().public_bytes_raw())
    device = Device(
        **{
            "device": number,
            "owner": owner.address,
            "area": node.registration.area(),
            "kind": kind,
            "nameplate_w": 0 if kind is DeviceKind.LOAD else 20_000,
            "slot_length_s": node.market.slot_length_s,
            "metering_point": metering_point(f"point {number}"),
            "key": DeviceKey.of(key),
            "technology": technology_number(PHOTOVOLTAIC) if generates else 0,
            "fuel": fuel_number(SOLAR) if generates else 0,
            **details,
        }
    )
    record = DeviceRecord(details=device, keys=MeterKeys(((0, key),)), metering_point=f"point {number}")
    return node.registration.register_device(record)


def meter_key(device: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(b"%d" % device).digest())


@contextmanager
def street(
    data: Path,
    design: str = "uniform",
    *,
    members: int = 4,
    rpc_url: str | None = None,
    validators: tuple[bytes, ...] = (),
    approvals: int = 0,
    terms: MarketTerms = TERMS,
    slot: int | None = SLOT,
    automatic_requests: bool = True,
) -> Iterator[Street]:
    """The street, twenty minutes before a slot; with None, at the time of day."""
    config = Config(
        data=data,
        port=free_port(),
        chain_port=free_port(),
        stepped_from=None if slot is None else slot - 1_200,
        design=design,
        rpc_url=rpc_url,
        validators=validators,
        approvals=approvals,
        terms=terms,
        automatic_requests=automatic_requests,
    )
    accounts = dev_accounts()[FIRST_MEMBER_ACCOUNT : FIRST_MEMBER_ACCOUNT + members]
    keys = [Key(account.private_key) for account in accounts]
    with open_node(config) as node, serving(node):
        for number, key in enumerate(keys):
            node.registration.register_member(key.address, f"member {number}")
            fund(node.contracts, node.config.parties.treasurer, key.address, DEPOSIT)
        fund(node.contracts, node.config.parties.treasurer, node.market.utility, DEPOSIT)
        for device, member, kind in (
            (1, SELLER_OF_SUN, DeviceKind.GENERATOR),
            (2, BUYER, DeviceKind.LOAD),
        ):
            if member < members:
                register(node, device, keys[member], kind)
        yield Street(node, [WattbookClient(node.url, key) for key in keys], keys)
