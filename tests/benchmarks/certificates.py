"""A year's certificates of the 17 homes of Fontana on chain, in several ways, and what 10,000 homes would take.

Usage: python -m tests.benchmarks.certificates [--chain embedded|anvil] [--days 366] [--every 12] [--results FILE]

- slots: each slot is certified, and matched with the homes' consumption: what a home generates with its own first,
  then with its neighbours', to whom it sells what it has left;
- issued: the same, issued only;
- batches: each device's day is issued in one transaction, unmatched;
- roots: each day is one root, and one in a hundred devices' days is minted from it.

The year is measured month by month, each on a chain of its own. With `--results`, months that are in the file are
taken from there, so that a run that was stopped goes on where it was. `--every 12` measures three days of each
month. Without options: a week on the embedded chain, then, where it is installed, three days a month on anvil.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from eth_hash.auto import keccak
from rich.console import Console
from rich.table import Table

from ledger.abi import Contract
from ledger.batches import FilledOrder
from ledger.certificates.days import DAY_S, Day
from ledger.chain import Receipt
from ledger.devices import Area, Device, DeviceKey, DeviceKind, register_area, register_device
from ledger.eip712 import SignedOrder
from ledger.evidence.keys import KeyAlgorithm
from ledger.metered import slot_certificates
from ledger.trades import Trade
from ledger.transactions import sign
from matching.book import Ints
from matching.orders import Order, Side
from simulation.datasets import DATASETS
from tests.anvil import installed
from tests.chains import ANVIL, EMBEDDED, AnvilChain, mined
from tests.world import MARKET, SLOT, World, new_world, one_world_for_a_test

FIRST_DAY = SLOT // DAY_S + 1
"""The data's days are moved here, to when the tests' worlds begin: certificates expire."""

SLOTS_PER_DAY, SLOT_S = 96, 900
MONTH_DAYS = 30
MINTED_SHARE = 100
SOLAR, SUN = 10_101, 1_040_100
GENERATOR_OF = 1_000
GAS, FEE_WEI = 30_000_000, 10**11
WORD_BYTES = 64
"""A word of state: its key and its value."""

MANY_HOMES = 10_000
YEAR_S = 365 * DAY_S


@dataclass(frozen=True)
class Measured:
    """What some days came to.

    `highest_gas` is the most that one slot, or one day's batches or commitment, needed; `minting_gas` what of the
    gas minting took; `state_bytes` 0 where the chain does not tell.
    """

    chain: str
    way: str
    first_day: int
    days: int
    certificates: int
    minted: int
    matches: int
    transactions: int
    gas: int
    highest_gas: int
    minting_gas: int
    calldata_bytes: int
    state_bytes: int
    seconds: float


@dataclass(frozen=True)
class Homes:
    """Wh of each home, day and slot of the day, int64 arrays; days are counted in UTC."""

    consumption_wh: Ints
    generation_wh: Ints

    @property
    def days(self) -> int:
        return int(self.generation_wh.shape[1])


def fontana() -> Homes:
    """The year, which begins and ends within a UTC day: 366 days, of which the first and the last are short."""
    community = DATASETS["fontana"]()
    place = (community.slots // SLOT_S) - (community.slots[0] // DAY_S) * SLOTS_PER_DAY
    days = int(place[-1]) // SLOTS_PER_DAY + 1
    columns = np.zeros((2, len(community.homes), days * SLOTS_PER_DAY), dtype=np.int64)
    for number, home in enumerate(community.homes):
        columns[0, number, place], columns[1, number, place] = home.consumption_wh, home.generation_wh
    consumption_wh, generation_wh = columns.reshape(2, len(community.homes), days, SLOTS_PER_DAY)
    return Homes(consumption_wh, generation_wh)


class Sender:
    """Sends the issuer's transactions without asking beforehand what they need, and adds up what they took."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nonce = world.chain.nonce(world.keys["issuer"].address)
        self.transactions = self.gas = self.calldata_bytes = 0

    def send(self, function: str, *arguments: object) -> Receipt:
        contract: Contract = self._world.contracts.issuance
        data = contract.interface.call(function, *arguments)
        fields_: dict[str, object] = {
            "type": 2,
            "chainId": self._world.chain.chain_id,
            "nonce": self._nonce,
            "gas": GAS,
            "maxPriorityFeePerGas": 1,
            "maxFeePerGas": FEE_WEI,
            "value": 0,
            "to": contract.address,
            "data": data,
        }
        sent = self._world.chain.send(sign(self._world.keys["issuer"], fields_).raw)
        receipt = mined(self._world.chain, sent)
        assert receipt.succeeded, f"{function} failed"
        self._nonce += 1
        self.transactions += 1
        self.gas += receipt.gas_used
        self.calldata_bytes += len(data)
        return receipt


def registered(world: World, homes: Homes) -> list[Device]:
    """A load and a generator of each home, on chain."""
    registrar = world.keys["registrar"]
    area = register_area(world.contracts, registrar, Area(MARKET, "FONTANA"))
    devices = []
    for number, member in enumerate(world.members):
        for kind in (DeviceKind.LOAD, DeviceKind.GENERATOR):
            generates = kind is DeviceKind.GENERATOR
            highest_wh = int((homes.generation_wh if generates else homes.consumption_wh)[number].max())
            device = Device(
                device=number + GENERATOR_OF * generates,
                owner=member.address,
                area=area,
                kind=kind,
                nameplate_w=highest_wh * 3_600 // SLOT_S + 1,
                slot_length_s=SLOT_S,
                metering_point=keccak(b"%d %d" % (number, kind)),
                key=DeviceKey(KeyAlgorithm.ED25519, keccak(b"meter %d %d" % (number, kind))),
                technology=SOLAR if generates else 0,
                fuel=SUN if generates else 0,
            )
            register_device(world.contracts, registrar, device)
            devices.append(device)
    return devices


def trades(members: Sequence[bytes], slot: int, surplus_wh: Ints) -> list[Trade]:
    """Home after home, who has some left sells it to who lacks some, as far as it goes."""
    found: list[Trade] = []
    left = surplus_wh.tolist()
    sellers = [number for number, wh in enumerate(left) if wh > 0]
    for buyer in (number for number, wh in enumerate(left) if wh < 0):
        while left[buyer] < 0 and sellers:
            seller = sellers[0]
            wh = min(left[seller], -left[buyer])
            left[seller] -= wh
            left[buyer] += wh
            if left[seller] == 0:
                sellers.pop(0)
            pair = (_filled(members[seller], slot, Side.OFFER, wh), _filled(members[buyer], slot, Side.BID, wh))
            found.append(Trade(len(found), *pair, wh))
    return found


def _filled(account: bytes, slot: int, side: Side, wh: int) -> FilledOrder:
    """A filled order without a signature, which is no concern of certificates."""
    order = Order(account=account, market=MARKET, slot=slot, side=side, price=0, quantity_wh=wh)
    return FilledOrder(SignedOrder(order=order, hash=bytes(32), signature=bytes(65)), wh)


@dataclass
class Period:
    """Some days on a chain of their own."""

    world: World
    devices: list[Device]
    homes: Homes
    days: range
    sender: Sender
    certificates: int = 0
    minted: int = 0
    minting_gas: int = 0
    matches: int = 0

    def slots(self) -> Iterator[int]:
        """Certify each slot, matched with consumption; yields what gas had been used after each."""
        yield from self._slots(self.devices, trading=True)

    def issued(self) -> Iterator[int]:
        """Certify each slot, without consumption and trades."""
        generators = [device for device in self.devices if device.kind is DeviceKind.GENERATOR]
        yield from self._slots(generators, trading=False)

    def _slots(self, devices: list[Device], *, trading: bool) -> Iterator[int]:
        members = [key.address for key in self.world.members]
        for day in self.days:
            for place in range(SLOTS_PER_DAY):
                consumed, generated = (
                    column[:, day, place] for column in (self.homes.consumption_wh, self.homes.generation_wh)
                )
                if not generated.any():
                    continue
                slot = (FIRST_DAY + day) * DAY_S + place * SLOT_S
                metered = dict(enumerate(consumed.tolist()))
                metered |= {GENERATOR_OF + number: wh for number, wh in enumerate(generated.tolist())}
                sold = trades(members, slot, generated - consumed) if trading else []
                found = slot_certificates(slot, devices, metered, sold, storages={}, debts_wh={})
                for part in found.parts:
                    self.sender.send("certify", MARKET, slot, *part.arguments())
                    self.certificates += len(part.issuances)
                    self.matches += len(part.matches)
                yield self.sender.gas

    def batches(self) -> Iterator[int]:
        """Issue each device's day, from its first slot with generation to its last."""
        for day in self.days:
            for number in range(len(self.homes.generation_wh)):
                amounts = self.homes.generation_wh[number, day]
                places = np.flatnonzero(amounts)
                if not len(places):
                    continue
                first, last = int(places[0]), int(places[-1])
                slot = (FIRST_DAY + day) * DAY_S + first * SLOT_S
                self.sender.send("issue", 0, GENERATOR_OF + number, slot, amounts[first : last + 1].tolist())
                self.certificates += len(places)
            yield self.sender.gas

    def roots(self) -> Iterator[int]:
        """Commit to each day, and mint one of a hundred devices' days."""
        for day in self.days:
            column = self.homes.generation_wh[:, day]
            amounts = {GENERATOR_OF + number: wh.tolist() for number, wh in enumerate(column)}
            whole = Day(FIRST_DAY + day, amounts)
            self.sender.send("commit_day", MARKET, whole.day, whole.root, whole.leaves, whole.total_wh)
            self.certificates += int(np.count_nonzero(column))
            yield self.sender.gas - self.minting_gas
            for number, wh in enumerate(column):
                if (day * len(column) + number) % MINTED_SHARE == 0 and wh.any():
                    proof = whole.proof(GENERATOR_OF + number)
                    places = np.flatnonzero(wh).tolist()
                    arguments = (whole.day, proof.device, proof.amounts_wh, places, proof.index, proof.path)
                    self.minting_gas += self.sender.send("mint", MARKET, *arguments).gas_used
                    self.minted += len(places)


WAYS: dict[str, Callable[[Period], Iterator[int]]] = {
    "slots": Period.slots,
    "issued": Period.issued,
    "batches": Period.batches,
    "roots": Period.roots,
}


def measure(built: World, devices: list[Device], homes: Homes, *, kind: str, way: str, days: range) -> Measured:
    """Some days in one way."""
    with one_world_for_a_test(built) as world:
        world.time.now = (FIRST_DAY + days.stop) * DAY_S
        words = state_words(world)
        period = Period(world, devices, homes, days, Sender(world))
        began = time.perf_counter()
        highest = before = 0
        for gas in WAYS[way](period):
            highest, before = max(highest, gas - before), gas
        seconds = time.perf_counter() - began
        return Measured(
            chain=kind,
            way=way,
            first_day=days.start,
            days=len(days),
            certificates=period.certificates,
            minted=period.minted,
            matches=period.matches,
            transactions=period.sender.transactions,
            gas=period.sender.gas,
            highest_gas=highest,
            minting_gas=period.minting_gas,
            calldata_bytes=period.sender.calldata_bytes,
            state_bytes=(state_words(world) - words) * WORD_BYTES,
            seconds=seconds,
        )


def state_words(world: World) -> int:
    """Words in the storage of all contracts; 0 on the embedded chain, which does not tell."""
    if not isinstance(world.chain, AnvilChain):
        return 0
    return world.chain.stored_words()


def months(days: int, every: int) -> list[range]:
    """The days to measure from the data's first on, in months."""
    return [range(first, min(first + MONTH_DAYS, days), every) for first in range(0, days, MONTH_DAYS)]


def run(kind: str, every: int, days: int, known: list[Measured], results: Path | None) -> list[Measured]:
    """Every way and month that is not known yet; each is written down as soon as it is measured."""
    homes = fontana()
    found = [each for each in known if each.chain == kind]
    done = {(each.way, each.first_day, each.days) for each in found}
    for month in months(min(days, homes.days), every):
        missing = [way for way in WAYS if (way, month.start, len(month)) not in done]
        if not missing:
            continue
        with new_world(len(homes.generation_wh), chain_kind=kind) as world:
            devices = registered(world, homes)
            for way in missing:
                found.append(measure(world, devices, homes, kind=kind, way=way, days=month))
                if results is not None:
                    with results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(found[-1])) + "\n")
    return found


def show(measured: Sequence[Measured], homes: int) -> None:
    """The sums of all days that were measured, and what they come to for many homes."""
    kind, days = measured[0].chain, sum(each.days for each in measured if each.way == "slots")
    table = Table(title=f"{homes} homes, {days} days, {kind}")
    columns = ("way", "certificates", "transactions", "certificates/s", "gas/certificate", "calldata B", "state B")
    wide = (f"gas, {MANY_HOMES:,} homes, a year", "gas/s, mean", "gas/s, peak")
    for name in (*columns, *wide):
        table.add_column(name, justify="left" if name == "way" else "right")
    for way in WAYS:
        rows = [each for each in measured if each.way == way]
        total = {
            field.name: sum(getattr(each, field.name) for each in rows)
            for field in fields(Measured)
            if field.type in (int, float)
        }
        certificates, share = total["certificates"], MANY_HOMES / homes
        # A root is as large for many homes as for few; what is minted from it grows with them.
        fixed = total["gas"] - total["minting_gas"] if way == "roots" else 0
        many = (fixed + (total["gas"] - fixed) * share) * 365 / total["days"]
        highest = max(each.highest_gas for each in rows) * (1 if way == "roots" else share)
        peak = highest / (SLOT_S if way in {"slots", "issued"} else DAY_S)
        table.add_row(
            way,
            f"{certificates:,.0f}",
            f"{total['transactions']:,.0f}",
            f"{certificates / total['seconds']:,.0f}",
            f"{total['gas'] / certificates:,.0f}",
            f"{total['calldata_bytes'] / certificates:,.1f}",
            f"{total['state_bytes'] / certificates:,.1f}" if total["state_bytes"] else "",
            f"{many:,.0f}",
            f"{many / YEAR_S:,.0f}",
            "" if way == "roots" else f"{peak:,.0f}",
        )
    Console(width=160).print(table)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chain", choices=(EMBEDDED, ANVIL))
    parser.add_argument("--days", type=int, help="how many, from the data's first on")
    parser.add_argument("--every", type=int, help="measure one of so many days, counted within each month")
    parser.add_argument("--results", type=Path, help="file of JSON lines to go on from and to add to")
    wanted = parser.parse_args()
    known: list[Measured] = []
    if wanted.results is not None and wanted.results.exists():
        lines = wanted.results.read_text(encoding="utf-8").splitlines()
        known = [Measured(**json.loads(line)) for line in lines]
    kinds = [wanted.chain] if wanted.chain else [EMBEDDED, *([ANVIL] if installed() else [])]
    for kind in kinds:
        days, every = (7, 1) if kind == EMBEDDED else (366, 12)
        days, every = wanted.days or days, wanted.every or (1 if wanted.days else every)
        show(run(kind, every, days, known, wanted.results), len(fontana().generation_wh))


if __name__ == "__main__":
    main()
