"""A node without a chain: the real store, intake, metering and API over accounts that live in memory."""

import socket
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from ledger.chain import ChainUnavailableError
from ledger.keys import Key
from ledger.market import AccountState, Market
from ledger.validators import Validators
from matching.tariff import Tariff
from node.api.app import create_app
from node.api.services import Addresses, Services
from node.approvals import Approvals
from node.authority import MeterAuthority
from node.clock import SteppedClock, remembered_clock
from node.escrow import Escrow
from node.events.streams import Streams
from node.intake import Intake, Limits
from node.metering import Metering
from node.store import Store
from node.store.records import DeviceRecord, MemberRecord, SlotRecord, SlotState
from node.transactions import Transactions
from tests.node.parts import (
    ALICE,
    AUTHORITY,
    BOB,
    DOMAIN,
    LOAD,
    MARKET,
    OPERATOR,
    SLOT,
    SLOT_LENGTH_S,
    SOLAR,
    device,
)

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=20_000)
TERMS = Market(
    id=MARKET,
    operator=OPERATOR.address,
    meter_authority=bytes(20),
    registrar=bytes(20),
    utility=b"\xbb" * 20,
    slot_length_s=SLOT_LENGTH_S,
    gate_lead_s=300,
    settle_within_s=86_400,
    uniform_price=True,
    grid_limits=False,
)
LIMITS = Limits(quantity_wh=100_000, horizon_s=2 * 86_400)
VALIDATOR_KEYS = sorted((Key(bytes([number] * 32)) for number in range(101, 105)), key=lambda key: key.address)
VALIDATORS = Validators(tuple(key.address for key in VALIDATOR_KEYS), 3)
START = SLOT - 3_600
API_KEY = "the operator's key"
CREDIT = 10**9
NOBODY = AccountState(balance_nano=0, debt_nano=0, epoch=0, market=None, withdrawal_nano=0)
MEMBER = AccountState(balance_nano=10 * CREDIT, debt_nano=0, epoch=0, market=MARKET, withdrawal_nano=0)


@dataclass
class Ledger:
    """Accounts as the exchange would keep them, and one tariff for all slots."""

    kept: dict[bytes, AccountState] = field(default_factory=dict)

    def state(self, account: bytes) -> AccountState:
        return self.kept.get(account, NOBODY)

    def states(self, accounts: Collection[bytes]) -> dict[bytes, AccountState]:
        return {account: self.state(account) for account in accounts}

    def epoch_holds(self, account: bytes, slot: int, epoch: int) -> bool:
        return epoch == self.state(account).epoch

    def tariff(self, slot: int) -> Tariff:
        return TARIFF

    def tariffs(self, first_slot: int, last_slot: int) -> list[tuple[int, Tariff]]:
        return [(0, TARIFF)]

    def is_frozen(self) -> bool:
        return False


class NoChain:
    """A chain that is out of reach."""

    chain_id = DOMAIN.chain_id

    def __getattr__(self, name: str) -> object:
        raise ChainUnavailableError("there is no chain")


class NoCertificates:
    """A chain without certificates."""

    def totals(self, account: bytes) -> tuple[int, int]:
        return 0, 0


@dataclass(frozen=True)
class OnboardingInMemory:
    store: Store
    ledger: Ledger

    def register_member(self, account: bytes, name: str) -> MemberRecord:
        member = MemberRecord(account, name)
        self.store.add_member(member)
        self.ledger.kept.setdefault(account, MEMBER)
        return member

    def area(self, zone: str | None = None) -> int:
        return 1

    def zone(self, area: int) -> str:
        return "local"

    def register_device(self, device: DeviceRecord) -> DeviceRecord:
        self.store.add_device(device)
        return device


@dataclass(frozen=True)
class GateKeeper:
    """Moves slots as far as the first step of their life."""

    store: Store
    clock: SteppedClock
    trouble: str | None = None
    concerns: Sequence[str] = ()

    def advance(self) -> Sequence[SlotRecord]:
        due = [
            found.slot
            for found in self.store.slots(states=[SlotState.OPEN])
            if self.clock.now() >= TERMS.gate_closes_at(found.slot)
        ]
        for slot in due:
            self.store.close_slot(slot)
        return [found for found in self.store.slots() if found.slot in due]


def small_node(folder: Path) -> tuple[Services, Ledger]:
    """Alice with a solar system and Bob with a load, ten credits each, an hour before `SLOT`."""
    store = Store(f"sqlite:///{folder / 'node.sqlite'}", domain=DOMAIN, market=MARKET)
    ledger = Ledger()
    onboarding = OnboardingInMemory(store, ledger)
    onboarding.register_member(ALICE.address, "Alice")
    onboarding.register_member(BOB.address, "Bob")
    onboarding.register_device(device(SOLAR, ALICE))
    onboarding.register_device(device(LOAD, BOB))
    clock = remembered_clock(store, START)
    escrow = Escrow(store, ledger, ledger)
    intake = Intake(
        market=TERMS,
        domain=DOMAIN,
        operator=OPERATOR,
        store=store,
        clock=clock,
        escrow=escrow,
        limits=LIMITS,
    )
    services = Services(
        market=TERMS,
        design="uniform",
        domain=DOMAIN,
        addresses=Addresses(
            exchange=DOMAIN.exchange,
            credit=b"\x0c" * 20,
            energy=b"\x0e" * 20,
            certificates=b"\x0f" * 20,
            devices=b"\x0d" * 20,
        ),
        store=store,
        clock=clock,
        intake=intake,
        approvals=Approvals(store, DOMAIN, MARKET, lambda: VALIDATORS),
        metering=Metering(
            market=TERMS, domain=DOMAIN, store=store, clock=clock, authority=MeterAuthority(AUTHORITY)
        ),
        escrow=escrow,
        accounts=ledger,
        tariffs=ledger,
        market_state=ledger,
        onboarding=onboarding,
        lifecycle=GateKeeper(store, clock),
        transactions=Transactions(NoChain(), {}, store, clock),  # type: ignore[arg-type]  # nothing is sent
        issuing=None,  # type: ignore[arg-type]  # there is nothing to issue on
        certificates=NoCertificates(),  # type: ignore[arg-type]  # nor anything issued
        stating=None,  # type: ignore[arg-type]  # nor anything to state
        streams=Streams(store),
        operator_api_key=API_KEY,
    )
    return services, ledger


class Server:
    """The API behind a real server on a free port; set the services of `app.state` before using it."""

    def __init__(self, services: Services, app: FastAPI | None = None) -> None:
        self.app = app or create_app(services)
        # Named TCP, or else asyncio leaves Nagle's algorithm on, which holds every answer back for 40 ms.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="critical", proxy_headers=False))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
