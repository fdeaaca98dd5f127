"""A run's slots once more, through real contracts: settled, delivered, certified and audited.

Each member's trades of a slot become one signed order, filled whole for the credits that the run says, in a market
whose fills carry their own amounts; what its meters then say settles the rest with the utility. At the end every
account's balance must have changed by exactly the run's bill, and the audit must find nothing wrong.

A run knows no meters behind a member's connection, so what its storage takes and gives is netted with what it
consumes. A slot in which a battery gives more than its own member consumes is therefore not certified: energy that
was stored is not generated once more.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.audit.run import AuditReport, audit
from ledger.batches import FilledOrder, MemberReading
from ledger.certificates.certification import Certification
from ledger.certificates.history import read_history
from ledger.delivery import Delivery
from ledger.deployment import Contracts, MarketTerms, Roles, deploy, open_market
from ledger.devchain import DevChain, dev_accounts
from ledger.devices import Area, Device, DeviceKey, DeviceKind, metering_point, register_area, register_device
from ledger.eecs import PHOTOVOLTAIC, SOLAR, fuel_number, technology_number
from ledger.eip712 import Domain, sign_order
from ledger.evidence.keys import KeyAlgorithm
from ledger.intents import Intent, IntentRecord
from ledger.keys import Key
from ledger.metered import slot_certificates
from ledger.onboarding import fund, register_members
from ledger.settlement import Settlement
from ledger.steps import Stepper
from ledger.trades import trades_of
from matching.errors import WattbookError
from matching.orders import MAX_PRICE, Order, Side
from matching.tariff import Tariff
from simulation.results import BrokenRunError, Results, bills_nano
from simulation.run import Progress

MARKET = sha256(b"wattbook.simulation").digest()
ZONE = "SIMULATED"
PARTIES = ("owner", "treasurer", "operator", "meter_authority", "issuer", "registrar", "utility")
MOST_SLOTS = 31 * 96
ESCROW_FACTOR = 4
"""Escrow of each account, in what all members together trade in the run: more than any of them can need."""

SPARE_NANO = 10**12


class NotSettleableError(WattbookError):
    """A run cannot go through the contracts: it is too long, or its prices are not those of one tariff."""

    code = "simulation.not-settleable"


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of it.

    Attributes:
        report: the audit of the whole history.
        slots: how many slots were settled and delivered.
        certified: of them, how many were certified.
        retired_wh: for each member, certificates retired against its consumption, Wh.
        gas_used: by all transactions, set-up included.
    """

    report: AuditReport
    slots: int
    certified: int
    retired_wh: tuple[int, ...]
    gas_used: int


@dataclass
class _Clock:
    now: int

    def __call__(self) -> int:
        return self.now


@dataclass
class _Journal:
    """Intents in memory: a run that is killed is settled anew."""

    records: dict[tuple[int, str, int], IntentRecord] = field(default_factory=dict)

    def attempts(self, slot: int, step: str) -> list[IntentRecord]:
        return [record for (at, name, _), record in self.records.items() if (at, name) == (slot, step)]

    def unfinished(self) -> list[IntentRecord]:
        return [record for record in self.records.values() if not record.is_final]

    def record_intent(self, intent: Intent) -> None:
        self.note_intent(IntentRecord(intent))

    def note_intent(self, record: IntentRecord) -> None:
        self.records[record.intent.slot, record.intent.step, record.intent.attempt] = record


def settle(results: Results, progress: Progress | None = None) -> Settled:
    """Take a run of at most a month through the contracts on a chain in memory, and audit it.

    Raises:
        NotSettleableError: the run is too long, or prices change during it.
        BrokenRunError: the chain's balances are not the run's bills, or the audit finds something wrong.
    """
    tariff = _tariff(results)
    slots = results.slots["slot"].tolist()
    if len(slots) > MOST_SLOTS:
        raise NotSettleableError(f"the run has {len(slots)} slots: must have at most {MOST_SLOTS}")
    keys = [Key(account.private_key) for account in dev_accounts(1 + len(PARTIES) + len(results.info.members))]
    clock = _Clock(slots[0] - 86_400)
    accounts = dev_accounts(len(keys))
    with closing(DevChain.open(None, clock=clock, accounts=accounts)) as chain:
        market = _Market(chain, clock, keys, results, tariff)
        before = market.balances()
        for position in range(len(slots)):
            market.take(position)
            if progress is not None:
                progress(position + 1, len(slots))
        paid = [then - now for then, now in zip(before, market.balances(), strict=True)]
        report = audit(chain, market.contracts.exchange.address, keep_slots=True)
        if paid != bills_nano(results):
            raise BrokenRunError("the chain's balances have not changed by the bills of the run")
        if not report.holds:
            raise BrokenRunError(f"the audit found something wrong: {report.findings[0]}")
        return Settled(report, len(slots), market.certified, market.retired_wh(), market.gas_used())


class _Market:
    """The run's market on chain: its contracts, parties and members."""

    def __init__(
        self, chain: DevChain, clock: _Clock, keys: Sequence[Key], results: Results, tariff: Tariff
    ) -> None:
        self._chain, self._clock, self._results = chain, clock, results
        self._party = dict(zip(PARTIES, keys[1:], strict=False))
        self._members = keys[1 + len(PARTIES) :]
        self._terms = MarketTerms(slot_length_s=results.info.slot_s, uniform_price=False)
        roles = Roles(**{name: key.address for name, key in self._party.items()})
        self.contracts: Contracts = deploy(chain, keys[0], roles)
        open_market(self.contracts, self._party["owner"], MARKET, roles=roles, terms=self._terms, tariff=tariff)
        self._domain = Domain(chain.chain_id, self.contracts.exchange.address)
        stepper = Stepper(chain, _Journal())
        self._settlement = Settlement(self.contracts.exchange, MARKET, self._party["operator"], stepper)
        self._delivery = Delivery(self.contracts, MARKET, self._party["meter_authority"], stepper)
        self._certification = Certification(self.contracts, MARKET, self._party["issuer"], stepper)
        self._devices: list[Device] = []
        self._onboard(tariff)
        self.certified = 0

    def balances(self) -> list[int]:
        """The members' escrow, less what they owe, nano-credit."""
        states = [self.contracts.exchange.read("account_of", key.address) for key in self._members]
        return [state["balance"] - state["debt"] for state in states]

    def take(self, position: int) -> None:
        """Commit, settle, deliver and certify the slot at this position."""
        slot = int(self._results.slots["slot"][position])
        self._clock.now = slot - self._terms.gate_lead_s
        fills = sorted(self._fills(position), key=lambda fill: fill.signed.hash)
        self._settlement.commit_book(slot, [fill.signed.hash for fill in fills])
        self._settlement.settle(slot, 0, fills)
        self._clock.now = slot + self._terms.slot_length_s
        readings = self._readings(position)
        self._delivery.deliver(slot, readings)
        generated = self._results.members["generation_wh"][:, position]
        if int(generated.sum()) != sum(reading.generation_wh for reading in readings):
            return
        metered = {(reading.account, DeviceKind.LOAD): reading.consumption_wh for reading in readings}
        metered |= {(reading.account, DeviceKind.GENERATOR): reading.generation_wh for reading in readings}
        found = slot_certificates(
            slot,
            self._devices,
            {device.device: metered[device.owner, device.kind] for device in self._devices},
            trades_of(fills),
            storages={},
            debts_wh={},
        )
        self._certification.certify(slot, found.parts)
        self.certified += 1

    def retired_wh(self) -> tuple[int, ...]:
        """Certificates retired for each member, Wh."""
        retired = dict.fromkeys((key.address for key in self._members), 0)
        for retirement in read_history(self.contracts).retirements():
            retired[retirement.subject] += retirement.amount_wh
        return tuple(retired.values())

    def gas_used(self) -> int:
        """Gas of all blocks."""
        blocks = map(self._chain.block, range(self._chain.head().number + 1))
        return sum(block.gas_used for block in blocks if block is not None)

    def _onboard(self, tariff: Tariff) -> None:
        registrar, treasurer = self._party["registrar"], self._party["treasurer"]
        register_members(self.contracts, registrar, MARKET, [key.address for key in self._members])
        flows = self._results.members
        energy_wh = int(flows["bought_wh"].sum() + flows["imported_wh"].sum() + flows["exported_wh"].sum())
        escrow_nano = ESCROW_FACTOR * energy_wh * (tariff.retail_price + tariff.grid_fee) + SPARE_NANO
        for key in (*self._members, self._party["utility"]):
            fund(self.contracts, treasurer, key.address, escrow_nano)
        area = register_area(self.contracts, registrar, Area(MARKET, ZONE))
        for number, key in enumerate(self._members):
            highest_wh = int(flows["generation_wh"][number].max())
            self._enter(2 * number, key.address, area, DeviceKind.LOAD, 0)
            if highest_wh:
                nameplate_w = -(-highest_wh * 3_600 // self._terms.slot_length_s)
                self._enter(2 * number + 1, key.address, area, DeviceKind.GENERATOR, nameplate_w)

    def _enter(self, number: int, owner: bytes, area: int, kind: DeviceKind, nameplate_w: int) -> None:
        """Register what a member consumes, or generates, as a device."""
        is_load = kind is DeviceKind.LOAD
        device = Device(
            device=number,
            owner=owner,
            area=area,
            kind=kind,
            nameplate_w=nameplate_w,
            slot_length_s=self._terms.slot_length_s,
            metering_point=metering_point(f"simulated meter {number}"),
            key=DeviceKey(KeyAlgorithm.ED25519, sha256(b"meter %d" % number).digest()),
            technology=0 if is_load else technology_number(PHOTOVOLTAIC),
            fuel=0 if is_load else fuel_number(SOLAR),
        )
        register_device(self.contracts, self._party["registrar"], device)
        self._devices.append(device)

    def _fills(self, position: int) -> list[FilledOrder]:
        flows = {name: column[:, position].tolist() for name, column in self._results.members.items()}
        fills = []
        for number, key in enumerate(self._members):
            bought_wh, sold_wh = flows["bought_wh"][number], flows["sold_wh"][number]
            if not bought_wh and not sold_wh:
                continue
            if bought_wh and sold_wh:
                raise NotSettleableError(f"member {number} buys and sells in slot number {position}")
            order = Order(
                account=key.address,
                market=MARKET,
                slot=int(self._results.slots["slot"][position]),
                side=Side.BID if bought_wh else Side.OFFER,
                price=_limit(bought_wh, flows["amount_nano"][number]),
                quantity_wh=bought_wh + sold_wh,
            )
            signed = sign_order(self._domain, order, key)
            fills.append(FilledOrder(signed, bought_wh + sold_wh, abs(flows["amount_nano"][number])))
        return fills

    def _readings(self, position: int) -> list[MemberReading]:
        """What each member's connection takes and gives, with what a storage takes and gives netted behind it."""
        flows = {name: column[:, position].tolist() for name, column in self._results.members.items()}
        readings = []
        for number, key in enumerate(self._members):
            taken_wh = flows["consumption_wh"][number] + flows["charged_wh"][number]
            covered_wh = min(taken_wh, flows["discharged_wh"][number])
            given_wh = flows["discharged_wh"][number] - covered_wh
            readings.append(
                MemberReading(key.address, taken_wh - covered_wh, flows["generation_wh"][number] + given_wh)
            )
        return sorted(readings, key=lambda reading: reading.account)


def _limit(bought_wh: int, amount_nano: int) -> int:
    """The limit price nearest to what was paid: rounded up for what is bought, down for what is sold."""
    return 0 if not bought_wh else min(MAX_PRICE, -(amount_nano // bought_wh))


def _tariff(results: Results) -> Tariff:
    retail, feed_in = results.slots["retail_price"], results.slots["feed_in_price"]
    if (retail != retail[0]).any() or (feed_in != feed_in[0]).any() or int(feed_in[0]) < 0:
        raise NotSettleableError("the utility's prices must be the same in every slot, and not negative")
    return Tariff(int(retail[0]), int(feed_in[0]), results.info.grid_fee)
