"""A market's day of steps, taken as a node takes them: whatever fails is tried again at the next round."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from random import Random

from ledger.allocation import Issuance, SlotPart
from ledger.batches import FilledOrder, MemberReading
from ledger.certificates.certification import Certification
from ledger.chain import Chain
from ledger.delivery import Delivery
from ledger.deployment import Contracts
from ledger.devices import Area, DeviceKind, register_area, register_device
from ledger.intents import IntentStatus
from ledger.settlement import Settlement
from ledger.steps import Stepper
from matching.errors import WattbookError
from tests.ledger.certificates.street import ZONE
from tests.ledger.certificates.street import device as device_of_kind
from tests.ledger.journal import MemoryJournal
from tests.world import MARKET, SLOT, TERMS, World

DEVICE = 5
QUANTITY_WH = 100
PRICE = 150_000
SLOTS_A_ROUND = 4
STEPS = ("commit", "settle", "deliver", "certify")
EVENTS = {"commit": "BookCommitted", "settle": "Settled", "deliver": "Delivered", "certify": "Certified"}


@dataclass
class Day:
    """Slots of one seller and one buyer each.

    Attributes:
        world: the chain as it is, for setting up and looking at what came of it.
        chain: the way to the chain that the steps take.
        confirmations: how deep a step's block has to lie to be final.
    """

    world: World
    chain: Chain
    slots: list[int]
    confirmations: int = 0
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    failures: int = 0

    def __post_init__(self) -> None:
        world = self.world
        self._producer, self._buyer = world.members[1].address, world.members[0].address
        registrar = world.keys["registrar"]
        area = register_area(world.contracts, registrar, Area(MARKET, ZONE))
        device = device_of_kind(DEVICE, self._producer, area, DeviceKind.GENERATOR)
        register_device(world.contracts, registrar, device)
        self._fills = {slot: self._pair(slot) for slot in self.slots}
        self._done: dict[int, int] = dict.fromkeys(self.slots, 0)

    def _pair(self, slot: int) -> list[FilledOrder]:
        bid = self.world.bid(0, QUANTITY_WH, PRICE, slot=slot)
        offer = self.world.offer(1, QUANTITY_WH, PRICE, slot=slot)
        return [FilledOrder(bid, QUANTITY_WH), FilledOrder(offer, QUANTITY_WH)]

    @property
    def is_over(self) -> bool:
        """Whether every slot is certified, as far as the node knows."""
        return all(steps == len(STEPS) for steps in self._done.values())

    def take_round(self, random: Random) -> None:
        """One advance of a node that was just started: repair, then move a few slots on as far as they go."""
        stepper = Stepper(self.chain, self.journal, confirmations=self.confirmations, patience_s=0)
        actions = self._actions(stepper)
        try:
            lost = stepper.follow()
        except WattbookError:
            self.failures += 1
            lost = []
        for slot, step in lost:
            self._try(actions[step], slot)
        waiting = [slot for slot, steps in self._done.items() if steps < len(STEPS)]
        for slot in random.sample(waiting, min(SLOTS_A_ROUND, len(waiting))):
            while self._done[slot] < len(STEPS) and self._try(actions[STEPS[self._done[slot]]], slot):
                self._done[slot] += 1

    def _try(self, action: Callable[[int], object], slot: int) -> bool:
        try:
            action(slot)
        except WattbookError:
            self.failures += 1
            return False
        return True

    def _actions(self, stepper: Stepper) -> dict[str, Callable[[int], object]]:
        keys = self.world.keys
        contracts = _behind(self.world.contracts, self.chain)
        settlement = Settlement(contracts.exchange, MARKET, keys["operator"], stepper)
        delivery = Delivery(contracts, MARKET, keys["meter_authority"], stepper)
        certification = Certification(contracts, MARKET, keys["issuer"], stepper)
        issuance = Issuance(DEVICE, self._producer, DeviceKind.GENERATOR, 1, QUANTITY_WH, QUANTITY_WH)
        part = SlotPart((issuance,), (), (), ())
        return {
            "commit": lambda slot: settlement.commit_book(
                slot, sorted(fill.signed.hash for fill in self._fills[slot])
            ),
            "settle": lambda slot: settlement.settle(slot, PRICE, self._fills[slot]),
            "deliver": lambda slot: delivery.deliver(slot, self._readings()),
            "certify": lambda slot: certification.certify(slot, [part]),
        }

    def _readings(self) -> list[MemberReading]:
        metered = {self._buyer: (QUANTITY_WH, 0), self._producer: (0, QUANTITY_WH)}
        return [MemberReading(key.address, *metered.get(key.address, (0, 0))) for key in self.world.members]

    # What came of it

    def check(self, first_block: int, credits_before: int) -> None:
        """Each step of each slot once; all money where it belongs; the journal says what the chain says."""
        world, head = self.world, self.world.chain.head().number
        happened: dict[tuple[int, str], list[bytes]] = {}
        for step, event in EVENTS.items():
            contract = world.contracts.issuance if step == "certify" else world.exchange
            for found in contract.events([event], first_block=first_block, last_block=head):
                key = found.arguments["slot"], step
                happened.setdefault(key, []).append(found.log.transaction_hash)
        assert sorted(happened) == sorted((slot, step) for slot in self.slots for step in STEPS)
        assert all(len(transactions) == 1 for transactions in happened.values())
        noted = {
            (record.intent.slot, record.intent.step): [record.intent.transaction_hash]
            for record in self.journal.confirmed
        }
        assert noted == happened
        assert len(self.journal.confirmed) == len(noted)
        for record in self.journal.confirmed:
            receipt = world.chain.receipt(record.intent.transaction_hash)
            assert receipt is not None
            block = record.block_number, record.block_hash, record.gas_used
            assert block == (receipt.block_number, receipt.block_hash, receipt.gas_used)
        for record in self.journal.failed:
            receipt = world.chain.receipt(record.intent.transaction_hash)
            assert receipt is None or not receipt.succeeded
        assert self.journal.of_status(IntentStatus.DROPPED) == []
        assert credits_in(world) == credits_before
        paid = len(self.slots) * QUANTITY_WH * PRICE
        assert world.balance(self._producer) - world.balance(world.members[2].address) == paid


def credits_in(world: World) -> int:
    """The credits of all accounts, which are the escrow's."""
    everybody = [key.address for key in (*world.members, world.keys["utility"])]
    total = sum(world.balance(account) for account in everybody)
    assert world.contracts.credit.read("balanceOf", world.contracts.escrow.address) == total
    return total


def _behind(contracts: Contracts, chain: Chain) -> Contracts:
    """The same contracts, reached another way."""
    each = {field.name: getattr(contracts, field.name) for field in fields(contracts)}
    return Contracts(**{name: replace(contract, chain=chain) for name, contract in each.items()})


def slots_of_a_day(count: int) -> list[int]:
    """The first slots of the day."""
    return [SLOT + TERMS.slot_length_s * number for number in range(count)]
