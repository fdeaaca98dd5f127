"""What the Issuance and Certificates contracts do, in plain Python: for the test that compares them."""

from collections import Counter, deque
from dataclasses import dataclass, field

from tests.contracts.devices import CHARGE, CONSUMPTION, GENERATION, GENERATOR, LOAD, STORAGE, STORED, token_id

UWH_PER_WH = 1_000_000
KINDS = {GENERATOR: GENERATION, STORAGE: STORED, LOAD: CONSUMPTION, CHARGE: CONSUMPTION}


class RefusedError(Exception):
    """The contracts refuse it, too."""


def require(holds: bool) -> None:
    if not holds:
        raise RefusedError


@dataclass
class Record:
    """One certificate; `device` is its device's number."""

    device: int
    slot: int
    issued_wh: int
    held: Counter[int]
    claimed: Counter[int] = field(default_factory=Counter)
    withdrawn: bool = False

    @property
    def retired_wh(self) -> int:
        return self.claimed.total()


@dataclass
class Slot:
    """What one certification says: (device, Wh), (device, member, Wh) and (device, load, Wh)."""

    start: int
    issuances: list[tuple[int, int]]
    consumptions: list[tuple[int, int]]
    moves: list[tuple[int, int, int]]
    matches: list[tuple[int, int, int]]


@dataclass
class Model:
    """Certificates of a few devices: (kind, owner) by number, members counted from 0; one storage."""

    devices: dict[int, tuple[int, int]]
    charger: int
    storage: int
    efficiency_ppm: int
    lifetime_s: int
    records: dict[int, Record] = field(default_factory=dict)
    debts: Counter[int] = field(default_factory=Counter)
    spent: Counter[int] = field(default_factory=Counter)
    metered: Counter[int] = field(default_factory=Counter)
    paid: Counter[int] = field(default_factory=Counter)
    lots: deque[list[int]] = field(default_factory=deque)
    carry_uwh: int = 0
    last_slot: int = -1
    charged_uwh: int = 0
    discharged_wh: int = 0

    def id_of(self, device: int, slot: int) -> int:
        return token_id(device, slot, kind=KINDS[self.devices[device][0]])

    # ------------------------------------------------------------------------------------ certification

    def certify(self, slot: Slot, now: int) -> None:
        require(bool(slot.issuances or slot.consumptions))
        for device, wh in slot.issuances:
            certified = self._discharged(slot.start, wh) if device == self.storage else wh
            self._issue(self.id_of(device, slot.start), device, slot.start, certified, now)
        for device, wh in slot.consumptions:
            if device == self.charger:
                require(slot.start >= self.last_slot)
                self.last_slot = slot.start
            self._issue(self.id_of(device, slot.start), device, slot.start, wh, now)
        for device, member, wh in slot.moves:
            require(member != self.devices[device][1])
            self.transfer(self.devices[device][1], member, self.id_of(device, slot.start), wh, now)
        for device, load, wh in slot.matches:
            source, sink = self.id_of(device, slot.start), self.id_of(load, slot.start)
            self._match(self.devices[device][1], source, sink, wh, now)
            if load == self.charger:
                self._store(source, wh)
        if self.charger in dict(slot.consumptions):
            self._store_rest(self.id_of(self.charger, slot.start), now)

    def _issue(self, token: int, device: int, slot: int, wh: int, now: int) -> int:
        require(token not in self.records and now < slot + self.lifetime_s)
        self.metered[token] = wh
        paid = min(self.debts[device], wh)
        self.debts[device] -= paid
        self.paid[token] = paid
        self.spent[token & ~255] += paid
        self.records[token] = Record(device, slot, wh - paid, Counter({self.devices[device][1]: wh - paid}))
        return wh - paid

    def _match(self, holder: int, source: int, sink: int, wh: int, now: int) -> None:
        consumer = self.devices[self._alive(sink, now).device][1]
        self.retire(holder, consumer, source, wh, now)
        self.retire(consumer, consumer, sink, wh, now)

    # ------------------------------------------------------------------------------------------ storage

    def _store(self, source: int, wh: int) -> None:
        self.lots.append([source, wh * self.efficiency_ppm])
        self.charged_uwh += wh * self.efficiency_ppm

    def _store_rest(self, token: int, now: int) -> None:
        owner = self.devices[self.charger][1]
        rest = self.records[token].held[owner]
        if rest:
            self.retire(owner, owner, token, rest, now)
            self._store(0, rest)

    def _discharged(self, slot: int, wh: int) -> int:
        require(slot > self.last_slot)
        self.last_slot = slot
        wanted = wh * UWH_PER_WH
        while wanted and self.lots:
            part = min(wanted, self.lots[0][1])
            self.carry_uwh += part if self.lots[0][0] else 0
            self.lots[0][1] -= part
            wanted -= part
            if self.lots[0][1] == 0:
                self.lots.popleft()
        certified, self.carry_uwh = divmod(self.carry_uwh, UWH_PER_WH)
        self.discharged_wh += certified
        return certified

    # ------------------------------------------------------------------------------------------- holders

    def transfer(self, holder: int, to: int, token: int, wh: int, now: int) -> None:
        record = self._alive(token, now)
        require(token >> 136 != CONSUMPTION and record.held[holder] >= wh)
        record.held[holder] -= wh
        record.held[to] += wh

    def retire(self, holder: int, subject: int, token: int, wh: int, now: int) -> None:
        record = self._alive(token, now)
        require(0 < wh <= record.held[holder])
        record.held[holder] -= wh
        record.claimed[subject] += wh

    def retire_pair(self, holder: int, source: int, sink: int, wh: int, now: int) -> None:
        require(self.devices[self._alive(sink, now).device][1] == holder)
        require(self._alive(source, now).slot == self.records[sink].slot)
        self._match(holder, source, sink, wh, now)

    def _alive(self, token: int, now: int) -> Record:
        require(token in self.records)
        record = self.records[token]
        require(not record.withdrawn and now < record.slot + self.lifetime_s)
        return record

    # ----------------------------------------------------------------------------------------- corrections

    def withdraw(self, token: int, now: int) -> None:
        self._alive(token, now).withdrawn = True

    def reissue(self, token: int, corrected_wh: int, shares: dict[int, int], now: int) -> None:
        require(token in self.records and self.records[token].withdrawn and token & 255 < 15)
        require(token + 1 not in self.records)
        record, first = self.records[token], token & ~255
        if token >> 136 == STORED:
            require(corrected_wh <= self.metered[first])
        spent = self.spent[first] + record.retired_wh
        self.debts[record.device] += max(0, spent - corrected_wh)
        self.spent[first] = min(spent, corrected_wh)
        self._issue_again(token + 1, record, corrected_wh - self.spent[first], now)
        owner = self.devices[record.device][1]
        for account, wh in shares.items():
            require(account != owner and 0 < wh <= record.held[account])
            self.transfer(owner, account, token + 1, wh, now)
        if record.device == self.charger:
            self._store_rest(token + 1, now)

    def _issue_again(self, token: int, record: Record, wh: int, now: int) -> None:
        # A debt that has just arisen leaves nothing to pay with.
        self._issue(token, record.device, record.slot, wh, now)
