"""Replays deliveries: who was metered, what is owed at the tariff, and that positions end."""

from ledger.audit.calls import Calls, UnreadableCallError
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import Model, SlotModel
from ledger.audit.rulebook import Rulebook, Terms, hexed, where_of
from ledger.batches import MemberReading
from matching.tariff import Tariff


class DeliveryRules(Rulebook):
    """Applies the deliveries of the Exchange in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self.handlers = {"Delivered": self._delivered}

    def _delivered(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        # Transactions before the last one, as the ledger numbers their steps.
        step = "deliver" if arguments["complete"] else None
        slot = self.slot_of(occurrence, step)
        if slot is None:
            return
        market, state, where = self.model.markets[slot.market], self.model.states[slot.market], where_of(slot)
        if step is None:
            done = sum(name.startswith("deliver-") for name in slot.blocks)
            slot.blocks[f"deliver-{done}"] = occurrence.block
            slot.transactions[f"deliver-{done}"] = occurrence.transaction
        self.check_sender("deliver.meter_authority", where, occurrence, market.meter_authority)
        is_closed = slot.state in ("settled", "voided")
        self.findings.require("deliver.state", where, is_closed, expected="settled or voided", found=slot.state)
        self.findings.require(
            "deliver.over", where, occurrence.timestamp >= market.ends_at(slot.slot),
            expected="a slot that is over", found=occurrence.timestamp,
        )  # fmt: skip
        self.findings.check("unfinished.deliver", where, expected=None, found=state.unfinished_slot)
        if arguments["start"] == 0:
            slot.delivery_members = len(state.members)
        try:
            readings = self.calls.readings(occurrence)
        except UnreadableCallError as error:
            self.unread(error, slot, occurrence)
        else:
            self._deliver(slot, readings, occurrence)
        if arguments["complete"]:
            self._complete(slot)

    def _deliver(self, slot: SlotModel, readings: list[MemberReading], occurrence: Occurrence) -> None:
        where, arguments = where_of(slot), occurrence.event.arguments
        if not slot.is_unread:
            self.findings.check("deliver.start", where, expected=len(slot.readings), found=arguments["start"])
        self.findings.check("deliver.count", where, expected=len(readings), found=arguments["members"])
        tariff = self.model.tariff_at(slot.market, slot.slot)
        for reading in readings:
            self._deliver_member(slot, reading, tariff)
        utility = self.model.accounts.get(self.model.markets[slot.market].utility)
        if utility is not None:
            self.not_negative(utility, f"{where}, the utility")
        slot.readings += readings

    def _deliver_member(self, slot: SlotModel, reading: MemberReading, tariff: Tariff) -> None:
        where = f"{where_of(slot)}, account {hexed(reading.account)}"
        account = self.model.accounts.get(reading.account)
        utility = self.model.accounts.get(self.model.markets[slot.market].utility)
        member_of = account.market if account and account is not utility else None
        is_member = self.findings.check("deliver.member", where, expected=slot.market, found=member_of)
        if not is_member or account is None or utility is None:
            return
        position = slot.positions.pop(reading.account, 0)
        imbalance = reading.consumption_wh - reading.generation_wh - position
        due = account.debt_nano + tariff.grid_fee * max(position, 0) + tariff.retail_price * max(imbalance, 0)
        credit = tariff.feed_in_price * max(-imbalance, 0)
        payment = min(due, account.balance_nano + credit)
        account.balance_nano += credit - payment
        account.debt_nano = due - payment
        utility.balance_nano += payment - credit

    def _complete(self, slot: SlotModel) -> None:
        """All members once, in the order of their addresses; and no position is left."""
        slot.state = "delivered"
        slot.positions = {}
        if slot.is_unread:
            return
        covered = [reading.account for reading in slot.readings]
        members = self.model.states[slot.market].members[: slot.delivery_members]
        self.findings.require(
            "deliver.members", where_of(slot), covered == sorted(members),
            expected=f"{len(members)} members, once each", found=[hexed(each) for each in covered],
        )  # fmt: skip
        metered = {each.account: [each.consumption_wh, each.generation_wh] for each in slot.readings}
        self.model.guarantees.metered_wh[slot.market, slot.slot] = metered
