"""Replays what is issued outside the slots' certification: for requests, and minted from days' roots."""

from collections.abc import Iterable, Mapping
from typing import Any

from ledger.audit.calls import UnreadableCallError
from ledger.audit.device_rules import ISSUER
from ledger.audit.guarantees import DAY_S, DayModel, DeviceModel, device_of, kind_of, slot_of
from ledger.audit.history import Occurrence
from ledger.audit.rulebook import Handler
from ledger.audit.transaction_notes import CertificateBook
from ledger.certificates.days import Proof, proves
from ledger.certificates.ids import CertificateId, CertificateIdError, CertificateKind
from ledger.chain import ZERO_ADDRESS
from ledger.metered import CERTIFICATE_KINDS

_CONTRACT = "issuance"


class IssuanceRules(CertificateBook):
    """Applies days' commitments, and finds the reason of whatever is issued in batches."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {"TransferBatch": self._issued, "DayCommitted": self._day_committed}

    def _day_committed(self, occurrence: Occurrence) -> None:
        market, day, root, leaves, total_wh = (
            occurrence.event.arguments[name] for name in ("market", "day", "root", "leaves", "total_wh")
        )
        where, days = f"day {day}", self.guarantees.days
        self.check_sender("day.issuer", where, occurrence, self.guarantees.roles.get(ISSUER))
        over_at = (day + 1) * DAY_S
        self.findings.require(
            "day.over", where, occurrence.timestamp >= over_at, expected=f"after {over_at}",
            found=occurrence.timestamp,
        )  # fmt: skip
        self.findings.require(
            "day.once", where, (market, day) not in days, expected="one commitment", found="another"
        )
        days[market, day] = DayModel(root, leaves, total_wh)

    def _issued(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        if arguments["_from"] != ZERO_ADDRESS:
            return
        try:
            function, call = self.calls.issuance(occurrence)
        except UnreadableCallError as error:
            is_explained = self._minted_unread(occurrence, self._found(arguments["_ids"]))
            self.findings.require(
                error.rule, f"certificates issued in block {occurrence.block}", is_explained,
                expected="a call that calldata shows", found=str(error),
            )  # fmt: skip
            return
        # Whatever else the call is, what it issued stays without a reason.
        if function == "issue":
            self._for_request(occurrence, call, arguments["_ids"])
        elif function == "mint":
            self._from_day(call, arguments["_ids"])

    def _found(self, ids: Iterable[int]) -> dict[int, int]:
        """What each id was issued for; its reason is found with that."""
        return {id_: self.notes.issued.pop(id_, 0) for id_ in ids}

    def _for_request(self, occurrence: Occurrence, call: Mapping[str, Any], ids: list[int]) -> None:
        number, where = call["device"], f"issuance of device {call['device']} in block {occurrence.block}"
        self.check_sender("issue.issuer", where, occurrence, self.guarantees.roles.get(ISSUER), through=_CONTRACT)
        found, known = self._found(ids), self.guarantees.devices.get(number)
        if known is None:
            return  # a finding of each certificate's already
        amounts = dict(enumerate(call["amounts"]))
        self._check_amounts("issue.amounts", known, call["first_slot"], amounts, found)
        for id_ in ids:
            self.check_request(where, known, slot_of(id_), call["request"])
            self._take_late(id_, known)

    def _take_late(self, id_: int, known: DeviceModel) -> None:
        """A reading may come after its slot was delivered with a substitute: what it shows more is issued late."""
        beyond_wh = self.notes.beyond.pop(id_, 0)
        if beyond_wh:
            market = self.guarantees.market_of(known.device.device) or b""
            left_wh = self.guarantees.metered_wh[market, slot_of(id_)][known.device.owner]
            left_wh[kind_of(id_) != CertificateKind.CONSUMPTION] += beyond_wh
            self.guarantees.late.append(id_)

    def check_request(self, where: str, known: DeviceModel, slot: int, number: int | None) -> None:
        """Whether the owner asked for it, once and for all or by a request that was approved."""
        requests = self.guarantees.requests
        request = requests[number - 1] if number is not None and 0 < number <= len(requests) else None
        is_covered = (
            request is not None
            and request.device == known.device.device
            and request.approved is True
            and request.first_slot <= slot <= request.last_slot
        )
        self.findings.require(
            "issue.request", where, known.device.standing or is_covered,
            expected=f"an approved request that covers slot {slot}", found=number,
        )  # fmt: skip

    def _from_day(self, call: Mapping[str, Any], ids: list[int]) -> None:
        market, day, number, amounts = (call[name] for name in ("market", "day", "device", "amounts"))
        where = f"mint of device {number} from day {day}"
        found, known = self._found(ids), self.guarantees.devices.get(number)
        committed = self.guarantees.days.get((market, day))
        proof = Proof(number, tuple(amounts), call["index"], tuple(call["path"]))
        self.findings.require(
            "mint.root", where,
            committed is not None and proves(proof, day=day, root=committed.root, leaves=committed.leaves),
            expected="a leaf of the committed day", found="none",
        )  # fmt: skip
        if known is None:
            return
        self.findings.check("certificate.market", where, expected=market, found=self.guarantees.market_of(number))
        chosen = {
            place: amounts[place]
            for place in call["places"]
            if place < len(amounts) and not self._is_passed_over(known, day * DAY_S, place, found)
        }
        self._check_amounts("mint.amounts", known, day * DAY_S, chosen, found)
        for id_ in ids:
            self.check_request(where, known, slot_of(id_), None)
        if committed is not None:
            self._count_minted(where, committed, sum(found.values()))

    def _count_minted(self, where: str, committed: DayModel, amount_wh: int) -> None:
        committed.minted_wh += amount_wh
        self.findings.require(
            "mint.total", where, committed.minted_wh <= committed.total_wh,
            expected=f"at most {committed.total_wh} Wh of the day", found=committed.minted_wh,
        )  # fmt: skip

    def _is_passed_over(self, known: DeviceModel, first_slot: int, place: int, found: Mapping[int, int]) -> bool:
        """Whether somebody had this slot issued before."""
        device = known.device
        slot = first_slot + place * device.slot_length_s
        try:
            id_ = int(CertificateId(slot, device.device, CERTIFICATE_KINDS[device.kind]))
        except CertificateIdError:
            return False
        return id_ not in found and self.guarantees.was_issued(id_)

    def _minted_unread(self, occurrence: Occurrence, found: Mapping[int, int]) -> bool:
        """Whether a call that cannot be read can only have minted what was issued, from committed days.

        Everybody may mint, through any contract; the issuer alone issues otherwise, and only by a call of its own.
        That the leaf leads to the root is then the contract's word; but no more is minted than was committed to.
        """
        issuer, guarantees = self.guarantees.roles.get(ISSUER), self.guarantees
        if issuer is None or occurrence.call is None or issuer in (occurrence.call.sender, occurrence.call.to):
            return False
        minted: list[tuple[DayModel, int]] = []
        for id_, amount_wh in found.items():
            number, day = device_of(id_), slot_of(id_) // DAY_S
            committed = guarantees.days.get((guarantees.market_of(number) or b"", day))
            if committed is None or not guarantees.devices[number].device.standing:
                return False
            minted.append((committed, amount_wh))
        for committed, amount_wh in minted:
            self._count_minted(f"mint in block {occurrence.block}", committed, amount_wh)
        return True

    def _check_amounts(
        self,
        rule: str,
        known: DeviceModel,
        first_slot: int,
        amounts_wh: Mapping[int, int],
        found: Mapping[int, int],
    ) -> None:
        device, where = known.device, f"certificates of device {known.device.device}"
        try:
            expected = {
                int(
                    CertificateId(
                        first_slot + place * device.slot_length_s, device.device, CERTIFICATE_KINDS[device.kind]
                    )
                ): amount_wh
                for place, amount_wh in amounts_wh.items()
                if amount_wh
            }
        except CertificateIdError as error:
            self.findings.require(rule, where, False, expected="slots", found=error)
            return
        self.findings.check(rule, where, expected=expected, found=found)
