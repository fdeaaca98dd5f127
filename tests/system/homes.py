"""Homes with a battery on a street: their meters, and what people do over HTTP. For tests only."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.chain import ChainUnavailableError
from ledger.devices import DeviceKind
from ledger.steps import Step
from matching.orders import Side
from matching.readings import Reading, SignedReading
from node.auditing import audit_node
from node.measured_steps import MeasuredStepper
from node.store.records import SlotState
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, Street, meter_key, register, street

PANELS, LOAD, BATTERY, CHARGER, OWN_LOAD = 1, 2, 3, 4, 5
LENGTH = 900
EFFICIENCY_PPM = 900_000


@dataclass
class Meters:
    """What every meter of the street has counted so far."""

    street: Street
    registers_wh: dict[int, int] = field(default_factory=dict)
    sequences: dict[int, int] = field(default_factory=dict)

    def read(self, device: int, slot: int, energy_wh: int) -> SignedReading:
        self.registers_wh[device] = self.registers_wh.get(device, 0) + energy_wh
        self.sequences[device] = self.sequences.get(device, 0) + 1
        node = self.street.node
        reading = Reading(
            chain_id=node.chain.chain_id,
            market=node.market.id,
            device=device,
            slot=slot,
            energy_wh=energy_wh,
            register_wh=self.registers_wh[device],
            sequence=self.sequences[device],
        )
        return SignedReading(reading, meter_key(device).sign(reading.signing_bytes()))


@dataclass
class Homes:
    """A street in which the first home has panels and a battery, and the third buys."""

    street: Street
    meters: Meters
    http: httpx.Client

    @property
    def operator(self) -> dict[str, str]:
        return {"X-API-Key": self.street.node.services.operator_api_key}

    def address(self, member: int) -> str:
        return "0x" + self.street.keys[member].address.hex()

    def trade(self, slot: int, sold_wh: int) -> None:
        """The first home sells to the buyer; before the slot ahead is over."""
        self.street.place(SELLER_OF_SUN, Side.OFFER, sold_wh, 100_000, slot=slot)
        self.street.place(BUYER, Side.BID, sold_wh, 200_000, slot=slot)

    def slot(self, slot: int, energies_wh: dict[int, int]) -> None:
        """Meter and finish one slot; devices that are not named metered nothing."""
        market = self.street.node.market
        self.street.advance(market.ends_at(slot))
        for device in (PANELS, LOAD, BATTERY, CHARGER, OWN_LOAD):
            self.street.clients[0].submit(self.meters.read(device, slot, energies_wh.get(device, 0)))
        self.street.advance(market.ends_at(slot))
        assert self.state(slot) is SlotState.CERTIFIED

    def state(self, slot: int) -> SlotState:
        record = self.street.node.store.slot(slot)
        assert record is not None
        return record.state

    def certificate(self, device: int, slot: int, kind: CertificateKind, revision: int = 0) -> dict[str, Any]:
        name = hex(int(CertificateId(slot, device, kind, revision)))
        return self.street.clients[0].certificate(name)

    def act(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = self.http.post(f"/v1/{path}", json=fields, headers=self.operator)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def homes(
    data: Path, *, slot: int = SLOT, broken: tuple[str, ...] = (), automatic_requests: bool = True
) -> Iterator[Homes]:
    """Such a street; `broken` are the rules that an audit finds broken at last."""
    with street(data, slot=slot, automatic_requests=automatic_requests) as found:
        seller = found.keys[SELLER_OF_SUN]
        register(found.node, BATTERY, seller, DeviceKind.STORAGE, efficiency_ppm=EFFICIENCY_PPM)
        register(found.node, CHARGER, seller, DeviceKind.CHARGE, storage=BATTERY)
        register(found.node, OWN_LOAD, seller, DeviceKind.LOAD)
        with httpx.Client(base_url=found.node.url, timeout=60) as http:
            yield Homes(found, Meters(found), http)
        # Whatever happened, the chain's other rules were kept, and the store agrees with the chain.
        exchange = found.node.contracts.exchange.address
        findings = audit_node(found.node.chain, exchange, found.node.store, design="uniform").findings
        assert tuple(finding.rule for finding in findings) == broken, findings


@contextmanager
def out_of_reach(monkeypatch: pytest.MonkeyPatch, is_meant: Callable[[Step], bool]) -> Iterator[None]:
    """The chain is out of reach meanwhile for these steps."""
    run = MeasuredStepper.run

    def run_others(self: MeasuredStepper, step: Step) -> None:
        if is_meant(step):
            raise ChainUnavailableError("the chain is out of reach")
        run(self, step)

    with monkeypatch.context() as outage:
        outage.setattr(MeasuredStepper, "run", run_others)
        yield


def no_last_part_of(slot: int, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    """Of a slot that is certified in several parts, the last is out of reach meanwhile."""
    return out_of_reach(monkeypatch, lambda step: (step.slot, step.name) == (slot, "certify"))
