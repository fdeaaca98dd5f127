"""The history of certificates, replayed from the chain's events alone: who holds what, who used up what for what.

`read_history` goes once through the events of Devices, Issuance and Certificates, on whatever chain. A
`CertificateHistory` takes them one by one, so that whoever keeps one can go on where it stopped. Events are
believed: for whether the contracts' rules were kept, there is `ledger.audit`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ledger.certificates.claims import Topic
from ledger.certificates.ids import MAX_REVISION, CertificateId, CertificateKind
from ledger.certificates.issuer import Import
from ledger.certificates.occurrences import FIRST_WINDOW_BLOCKS, ChangedChainError, Occurrence, Point, occurrences
from ledger.certificates.records import (
    AnchoredDay,
    CommittedDay,
    Correction,
    Decision,
    Exported,
    Record,
    RegisteredDevice,
    Request,
    Retirement,
    Source,
    Transfer,
    Withdrawal,
)
from ledger.certificates.selection import Part
from ledger.chain import ZERO_ADDRESS, Hash
from ledger.deployment import Contracts
from ledger.devices import Area, device_of, key_of

Arguments = dict[str, Any]


class CertificateHistory:
    """What the events of the three contracts say, up to a block.

    Attributes:
        records: every certificate that was ever issued, consumption and withdrawn ones included.
        areas, devices, requests: by number.
        anchors: all of each device's day, (device, day), the valid one last.
        days: by (market, day).
        exports: in their order.
        debts: what devices owe, as more of theirs was retired than they had generated, Wh.
        paid: what of an issuance went to pay its device's debt instead, by (device, slot).
        next_block: the first block that was not read.
    """

    def __init__(self) -> None:
        self.records: dict[CertificateId, Record] = {}
        self.areas: dict[int, Area] = {}
        self.devices: dict[int, RegisteredDevice] = {}
        self.requests: dict[int, Request] = {}
        self.anchors: dict[tuple[int, int], list[AnchoredDay]] = {}
        self.days: dict[tuple[bytes, int], CommittedDay] = {}
        self.exports: list[Exported] = []
        self.debts: Counter[int] = Counter()
        self.paid: Counter[tuple[int, int]] = Counter()
        self.next_block = 0
        self._last_hash: Hash | None = None
        # Whoever's certificates were burnt last, by id: the claim that is logged next does not say it.
        self._burnt_of: dict[CertificateId, bytes] = {}
        # What storages gave: logged before what of it is certified is issued.
        self._discharges: dict[CertificateId, tuple[int | None, tuple[Source, ...]]] = {}
        self._takers: dict[str, Callable[[Arguments, Point], None]] = {
            "AreaAdded": self._area_added,
            "DeviceRegistered": self._device_registered,
            "KeyRotated": self._key_rotated,
            "DeviceClosed": self._device_closed,
            "Anchored": self._anchored,
            "Requested": self._requested,
            "RequestDecided": self._request_decided,
            "TransferSingle": self._transfer_single,
            "TransferBatch": self._transfer_batch,
            "ClaimSingle": self._claim_single,
            "ClaimBatch": self._claim_batch,
            "Withdrawn": self._withdrawn,
            "Reissued": self._reissued,
            "DebtPaid": self._debt_paid,
            "Discharged": self._discharged,
            "Imported": self._imported,
            "Exported": self._exported,
            "DayCommitted": self._day_committed,
        }

    def take(self, occurrence: Occurrence) -> None:
        """Take the next event in chain order into account."""
        taker = self._takers.get(occurrence.event.name)
        if taker is not None:
            taker(occurrence.event.arguments, occurrence.point)

    def read_on(
        self, contracts: Contracts, last_block: int | None = None, *, window_blocks: int = FIRST_WINDOW_BLOCKS
    ) -> None:
        """Take everything into account up to a block (default: the head).

        Raises:
            ChangedChainError: blocks that were read are no longer there: begin with a new history.
            ChainUnavailableError: the chain is out of reach.
        """
        chain = contracts.certificates.chain
        end = chain.head().number if last_block is None else last_block
        if self.next_block > 0:
            before = chain.block(self.next_block - 1)
            if before is None or before.hash != self._last_hash:
                raise ChangedChainError(f"block {self.next_block - 1} was re-organised: read the history anew")
        last = chain.block(end)
        if last is None:
            raise ChangedChainError(f"there is no block {end} (any more)")
        for occurrence in occurrences(contracts, self.next_block, end, window_blocks=window_blocks):
            self.take(occurrence)
        if end >= self.next_block:
            self.next_block, self._last_hash = end + 1, last.hash

    # What is asked of it most

    def holdings(self, account: bytes) -> Iterator[Part]:
        """What an account holds, certificate by certificate, withdrawn and expired ones included."""
        for record in self.records.values():
            if record.held[account] > 0:
                yield Part(record.id, record.held[account])

    def usable(self, account: bytes, *, now: int, lifetime_s: int) -> list[Part]:
        """What an account holds and may transfer or retire at a Unix second; see `selection.bundle`."""
        return [
            part
            for part in self.holdings(account)
            if part.id.kind is not CertificateKind.CONSUMPTION
            and self.records[part.id].withdrawal is None
            and now < self.records[part.id].expires_at(lifetime_s)
        ]

    def retirements(self) -> Iterator[Retirement]:
        """Everything that was used up, certificate by certificate."""
        for record in self.records.values():
            yield from record.retirements

    def latest_revision(self, certificate: CertificateId) -> Record | None:
        """The newest of a certificate and its corrections; None if it was never issued."""
        found = following = self.records.get(certificate)
        while following is not None:
            found = following
            is_last = found.withdrawal is None or found.id.revision == MAX_REVISION
            following = None if is_last else self.records.get(found.id.next_revision)
        return found

    # Devices

    def _area_added(self, arguments: Arguments, _: Point) -> None:
        self.areas[arguments["area"]] = Area(arguments["market"], arguments["zone"])

    def _device_registered(self, arguments: Arguments, point: Point) -> None:
        device = device_of(arguments["device"], arguments["details"])
        self.devices[device.device] = RegisteredDevice(device, point, [device.key])

    def _key_rotated(self, arguments: Arguments, _: Point) -> None:
        self.devices[arguments["device"]].keys.append(key_of(arguments["key"]))

    def _device_closed(self, arguments: Arguments, _: Point) -> None:
        self.devices[arguments["device"]].closed_day = arguments["day"]

    def _anchored(self, arguments: Arguments, point: Point) -> None:
        anchored = AnchoredDay(**arguments, point=point)
        self.anchors.setdefault((anchored.device, anchored.day), []).append(anchored)

    def _requested(self, arguments: Arguments, point: Point) -> None:
        self.requests[arguments["number"]] = Request(**arguments, made=point)

    def _request_decided(self, arguments: Arguments, point: Point) -> None:
        decision = Decision(arguments["approved"], arguments["reason"], point)
        self.requests[arguments["number"]].decision = decision

    # What moves certificates

    def _transfer_single(self, arguments: Arguments, point: Point) -> None:
        self._transfer(arguments["_from"], arguments["_to"], arguments["_id"], arguments["_value"], point)

    def _transfer_batch(self, arguments: Arguments, point: Point) -> None:
        for token_id, amount_wh in zip(arguments["_ids"], arguments["_values"], strict=True):
            self._transfer(arguments["_from"], arguments["_to"], token_id, amount_wh, point)

    def _transfer(self, sender: bytes, receiver: bytes, token_id: int, amount_wh: int, point: Point) -> None:
        certificate = CertificateId.of(token_id)
        if sender == ZERO_ADDRESS:
            record = Record(certificate, receiver, amount_wh, point)
            record.metered_wh, record.sources = self._discharges.pop(certificate, (None, ()))
            record.paid_wh = self._paid_of(certificate)
            self.records[certificate] = record
        else:
            record = self.records[certificate]
            record.held[sender] -= amount_wh
        if receiver != ZERO_ADDRESS:
            record.held[receiver] += amount_wh
            if sender != ZERO_ADDRESS:
                record.transfers += (Transfer(sender, receiver, amount_wh, point),)
        elif certificate.kind is CertificateKind.CONSUMPTION:
            record.claimed[sender] += amount_wh
        else:
            self._burnt_of[certificate] = sender

    def _paid_of(self, certificate: CertificateId) -> int:
        """What a revision that is being issued gave for a debt, which was logged before it."""
        if certificate.kind is CertificateKind.IMPORTED:
            return 0
        paid_wh = self.paid[certificate.device, certificate.slot]
        earlier = replace(certificate, revision=0)
        while paid_wh and earlier != certificate:
            paid_wh -= self.records[earlier].paid_wh
            earlier = earlier.next_revision
        return paid_wh

    def _claim_single(self, arguments: Arguments, point: Point) -> None:
        values = (arguments[name] for name in ("topic", "id", "value", "claimData"))
        self._claim(arguments["claimSubject"], *values, point=point)

    def _claim_batch(self, arguments: Arguments, point: Point) -> None:
        (topic,), (data,) = arguments["topics"], arguments["claimData"]  # one claim for all ids
        for token_id, amount_wh in zip(arguments["ids"], arguments["values"], strict=True):
            self._claim(arguments["claimSubject"], topic, token_id, amount_wh, data, point=point)

    def _claim(
        self, subject: bytes, topic: int, token_id: int, amount_wh: int, data: bytes, *, point: Point
    ) -> None:
        certificate = CertificateId.of(token_id)
        holder = self._burnt_of[certificate]
        retirement = Retirement(certificate, holder, subject, Topic(topic), amount_wh, data, point)
        record = self.records[certificate]
        record.claimed[subject] += amount_wh
        record.retirements += (retirement,)
        if retirement.consumption is not None:
            self.records[retirement.consumption].matches += (retirement,)

    # Corrections, storages, other registries, days

    def _withdrawn(self, arguments: Arguments, point: Point) -> None:
        record = self.records[CertificateId.of(arguments["id"])]
        record.withdrawal = Withdrawal(arguments["frozen_wh"], arguments["reason"], point)

    def _reissued(self, arguments: Arguments, _: Point) -> None:
        certificate = CertificateId.of(arguments["id"])
        self.records[certificate].correction = Correction(arguments["corrected_wh"], arguments["shortfall_wh"])
        self.debts[certificate.device] += arguments["shortfall_wh"]

    def _debt_paid(self, arguments: Arguments, _: Point) -> None:
        self.debts[arguments["device"]] -= arguments["amount_wh"]
        self.paid[arguments["device"], arguments["slot"]] += arguments["amount_wh"]

    def _discharged(self, arguments: Arguments, _: Point) -> None:
        parts = zip(arguments["sources"], arguments["outputs_uwh"], strict=True)
        sources = tuple(Source(CertificateId.of(source) if source else None, uwh) for source, uwh in parts)
        self._discharges[CertificateId.of(arguments["id"])] = (arguments["metered_wh"], sources)

    def _imported(self, arguments: Arguments, _: Point) -> None:
        self.records[CertificateId.of(arguments["id"])].imported = Import(**arguments["details"])

    def _exported(self, arguments: Arguments, point: Point) -> None:
        amounts = zip(arguments["ids"], arguments["amounts"], strict=True)
        parts = tuple(Part(CertificateId.of(token_id), amount_wh) for token_id, amount_wh in amounts)
        exported = Exported(arguments["holder"], arguments["registry"], arguments["serial"], parts, point)
        self.exports.append(exported)

    def _day_committed(self, arguments: Arguments, point: Point) -> None:
        committed = CommittedDay(**arguments, point=point)
        self.days[committed.market, committed.day] = committed


def read_history(contracts: Contracts, last_block: int | None = None) -> CertificateHistory:
    """The whole history up to a block (default: the head).

    Raises:
        ChangedChainError: the chain was re-organised meanwhile.
        ChainUnavailableError: the chain is out of reach.
    """
    history = CertificateHistory()
    history.read_on(contracts, last_block)
    return history
