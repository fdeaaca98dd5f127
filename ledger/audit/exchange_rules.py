"""Replays the exchange's events on the model, and checks what the contract promises of them.

That is: who may trade, limits, quantities, epochs, expiry, conservation of energy and credits, deadlines, and the
notice of tariffs and withdrawals.
"""

from collections.abc import Callable

from ledger.audit.findings import Findings
from ledger.audit.history import History, Occurrence
from ledger.audit.model import AccountModel, Model, SlotModel
from ledger.batches import FilledOrder, MemberReading
from ledger.eip712 import order_signer
from ledger.keys import InvalidSignatureError
from ledger.market import Market
from ledger.trades import trades_of
from matching.orders import Side
from matching.tariff import Tariff

# As in the contract.
_TARIFF_NOTICE_S = 8 * 86_400
_WITHDRAWAL_WINDOW_S = 7 * 86_400


class ExchangeRules:
    """Applies exchange events in chain order."""

    def __init__(self, history: History, model: Model, findings: Findings) -> None:
        self._history = history
        self._model = model
        self._findings = findings
        self._handlers: dict[str, Callable[[Occurrence], None]] = {
            "MarketOpened": self._market_opened,
            "TariffSet": self._tariff_set,
            "MemberRegistered": self._member_registered,
            "Deposited": self._deposited,
            "WithdrawalRequested": self._withdrawal_requested,
            "Withdrawn": self._withdrawn,
            "EpochRaised": self._epoch_raised,
            "BookCommitted": self._book_committed,
            "Settled": self._settled,
            "Delivered": self._delivered,
            "Voided": self._voided,
        }

    def apply(self, occurrence: Occurrence) -> None:
        """Check one event and let it take its effect on the model."""
        handler = self._handlers.get(occurrence.event.name)
        if handler is not None:
            handler(occurrence)

    def _market_opened(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        market = arguments["market"]
        number = len(self._model.market_numbers) + 1
        self._findings.check("market.number", _hex(market), expected=number, found=arguments["number"])
        self._model.market_numbers[number] = market
        self._model.markets[market] = Market(id=market, **arguments["terms"])

    def _tariff_set(self, occurrence: Occurrence) -> None:
        market, fields = occurrence.event.arguments["market"], dict(occurrence.event.arguments["tariff"])
        from_slot = fields.pop("from_slot")
        earlier = self._model.tariffs[market]
        if earlier:
            self._findings.require(
                "tariff.notice",
                f"market {_hex(market)}, block {occurrence.block}",
                from_slot > occurrence.timestamp + _TARIFF_NOTICE_S,
                expected=f"a tariff for slots after {occurrence.timestamp + _TARIFF_NOTICE_S}",
                found=from_slot,
            )
        earlier.append((from_slot, Tariff(**fields)))

    def _member_registered(self, occurrence: Occurrence) -> None:
        account, market = occurrence.event.arguments["account"], occurrence.event.arguments["market"]
        where = f"account {_hex(account)}"
        self._findings.require(
            "member.once", where, account not in self._model.accounts, expected="one market for good", found=market
        )
        self._model.accounts[account] = AccountModel(market)

    def _deposited(self, occurrence: Occurrence) -> None:
        self._account(occurrence).balance_nano += occurrence.event.arguments["amount"]

    def _withdrawal_requested(self, occurrence: Occurrence) -> None:
        account = self._account(occurrence)
        amount, ready_at = (occurrence.event.arguments[name] for name in ("amount", "ready_at"))
        where = f"request of {_hex(occurrence.event.arguments['account'])} in block {occurrence.block}"
        expected = occurrence.timestamp + self._history.withdrawal_notice_s
        self._findings.check("withdraw.notice", where, expected=expected, found=ready_at)
        account.withdrawal_nano, account.withdrawal_ready_at = amount, ready_at

    def _withdrawn(self, occurrence: Occurrence) -> None:
        account = self._account(occurrence)
        amount, debt_paid = (occurrence.event.arguments[name] for name in ("amount", "debt_paid"))
        where = f"withdrawal of {_hex(occurrence.event.arguments['account'])} in block {occurrence.block}"
        expected = min(account.debt_nano, account.balance_nano)
        self._findings.check("withdraw.debt", where, expected=expected, found=debt_paid)
        first = account.withdrawal_ready_at
        self._findings.require(
            "withdraw.time", where, first <= occurrence.timestamp <= first + _WITHDRAWAL_WINDOW_S,
            expected=f"{first} to {first + _WITHDRAWAL_WINDOW_S}", found=occurrence.timestamp,
        )  # fmt: skip
        payable = min(account.withdrawal_nano, account.balance_nano - debt_paid)
        self._findings.check("withdraw.amount", where, expected=payable, found=amount)
        account.withdrawal_nano = 0
        account.debt_nano -= debt_paid
        account.balance_nano -= amount + debt_paid
        self._model.accounts[self._model.markets[account.market].utility].balance_nano += debt_paid
        self._not_negative(account, where)

    def _epoch_raised(self, occurrence: Occurrence) -> None:
        account = self._account(occurrence)
        epoch = occurrence.event.arguments["epoch"]
        where = f"account {_hex(occurrence.event.arguments['account'])}"
        self._findings.check("epoch.grows", where, expected=account.epoch + 1, found=epoch)
        market, from_slot = self._model.markets[account.market], occurrence.event.arguments["from_slot"]
        # The first slot whose gate is open when the orders are cancelled, and once per slot.
        length = market.slot_length_s
        first_open = ((occurrence.timestamp + market.gate_lead_s) // length + 1) * length
        self._findings.check("epoch.slot", where, expected=first_open, found=from_slot)
        self._findings.require(
            "epoch.once", where, from_slot > account.epoch_from_slot,
            expected=f"a slot after {account.epoch_from_slot}", found=from_slot,
        )  # fmt: skip
        account.epoch_starts.append(from_slot)

    def _book_committed(self, occurrence: Occurrence) -> None:
        slot = self._slot(occurrence, "commit")
        closes_at = self._model.markets[slot.market].gate_closes_at(slot.slot)
        self._findings.require(
            "book.gate",
            _where(slot),
            occurrence.timestamp >= closes_at,
            expected=f"a book committed at {closes_at} or later",
            found=occurrence.timestamp,
        )
        self._check_in_time("book.time", slot, occurrence)
        self._findings.check("book.once", _where(slot), expected=None, found=slot.book_root)
        slot.book_root = occurrence.event.arguments["root"]
        slot.book_size = occurrence.event.arguments["size"]

    def _voided(self, occurrence: Occurrence) -> None:
        slot = self._slot(occurrence, "void")
        void_after = self._model.markets[slot.market].void_after(slot.slot)
        self._findings.require(
            "void.time", _where(slot), occurrence.timestamp > void_after, expected=f"voided after {void_after}",
            found=occurrence.timestamp,
        )  # fmt: skip
        self._findings.check("void.state", _where(slot), expected="open", found=slot.state)
        slot.state = "voided"

    # Settlement

    def _settled(self, occurrence: Occurrence) -> None:
        slot = self._slot(occurrence, "settle")
        where = _where(slot)
        self._check_in_time("settle.time", slot, occurrence)
        self._findings.check("settle.once", where, expected="open", found=slot.state)
        self._findings.require(
            "settle.book", where, slot.book_root is not None, expected="a committed book", found="none"
        )
        slot.state = "settled"
        slot.price, slot.fills = self._history.fills(occurrence)
        if self._model.markets[slot.market].uniform_price:
            slot.trades = trades_of(slot.fills)
        arguments = occurrence.event.arguments
        self._findings.check("settle.price", where, expected=slot.price, found=arguments["price"])
        self._findings.check("settle.orders", where, expected=len(slot.fills), found=arguments["orders"])
        self._findings.require(
            "settle.size", where, len(slot.fills) <= slot.book_size, expected=f"at most {slot.book_size} orders",
            found=len(slot.fills),
        )  # fmt: skip
        hashes = [fill.signed.hash for fill in slot.fills]
        self._findings.require(
            "settle.unique", where, hashes == sorted(set(hashes)), expected="ascending hashes", found="other"
        )

        credits_before = self._model.credits_nano
        bought_wh = sold_wh = 0
        for fill in slot.fills:
            self._check_fill(slot, fill, occurrence.timestamp)
            if fill.signed.order.side is Side.BID:
                bought_wh += fill.fill_wh
            else:
                sold_wh += fill.fill_wh
            self._apply_fill(slot, fill)
        self._findings.check("settle.energy", where, expected=bought_wh, found=sold_wh)
        self._findings.check("settle.event", where, expected=bought_wh, found=arguments["bought_wh"])
        self._findings.check("settle.credits", where, expected=credits_before, found=self._model.credits_nano)

    def _check_fill(self, slot: SlotModel, fill: FilledOrder, timestamp: int) -> None:
        order = fill.signed.order
        where = f"{_where(slot)}, order {_hex(fill.signed.hash)}"
        try:
            signer = order_signer(fill.signed)
        except InvalidSignatureError as error:
            self._findings.check("settle.signature", where, expected=order.account, found=str(error))
        else:
            self._findings.check("settle.signature", where, expected=order.account, found=signer)
        account = self._model.accounts.get(order.account)
        member_of = account.market if account else None
        self._findings.check("settle.member", where, expected=slot.market, found=member_of)
        if account is not None:
            holds = account.epoch_holds(slot.slot, order.epoch)
            self._findings.require(
                "settle.epoch", where, holds, expected="an order that is not cancelled", found=order.epoch
            )
        self._findings.require(
            "settle.expiry",
            where,
            timestamp <= order.expires_at,
            expected=f"by {order.expires_at}",
            found=timestamp,
        )
        self._findings.require(
            "settle.quantity", where, 0 < fill.fill_wh <= order.quantity_wh,
            expected=f"1 to {order.quantity_wh} Wh", found=fill.fill_wh,
        )  # fmt: skip
        amount, limit = self._amount(slot, fill), order.price * fill.fill_wh
        within = amount <= limit if order.side is Side.BID else amount >= limit
        self._findings.require("settle.limit", where, within, expected=f"within the limit {limit}", found=amount)
        if self._model.markets[slot.market].has_priority and order.price != slot.price:
            self._findings.check("settle.priority", where, expected=order.quantity_wh, found=fill.fill_wh)

    def _apply_fill(self, slot: SlotModel, fill: FilledOrder) -> None:
        order = fill.signed.order
        account = self._model.accounts.setdefault(order.account, AccountModel(slot.market))
        sign = 1 if order.side is Side.BID else -1
        account.balance_nano -= sign * self._amount(slot, fill)
        self._model.positions[order.account, slot.slot] += sign * fill.fill_wh
        self._not_negative(account, f"{_where(slot)}, account {_hex(order.account)}")

    def _amount(self, slot: SlotModel, fill: FilledOrder) -> int:
        if self._model.markets[slot.market].uniform_price:
            return slot.price * fill.fill_wh
        return fill.amount_nano

    # Delivery

    def _delivered(self, occurrence: Occurrence) -> None:
        slot = self._slot(occurrence, "deliver")
        where = _where(slot)
        self._findings.require(
            "deliver.state",
            where,
            slot.state in ("settled", "voided"),
            expected="settled or voided",
            found=slot.state,
        )
        self._findings.require(
            "deliver.over", where, occurrence.timestamp >= self._model.markets[slot.market].ends_at(slot.slot),
            expected="a slot that is over", found=occurrence.timestamp,
        )  # fmt: skip
        readings = self._history.readings(occurrence)
        credits_before = self._model.credits_nano
        contracted = slot.state == "settled"
        tariff = self._model.tariff_at(slot.market, slot.slot)
        for reading in readings:
            self._deliver_member(slot, reading, tariff, contracted=contracted)
        self._findings.check("deliver.credits", where, expected=credits_before, found=self._model.credits_nano)
        slot.readings += readings
        if occurrence.event.arguments["complete"]:
            slot.state = "delivered"
            covered = [reading.account for reading in slot.readings]
            self._findings.check(
                "deliver.members", where, expected=self._model.members(slot.market), found=covered
            )

    def _deliver_member(
        self, slot: SlotModel, reading: MemberReading, tariff: Tariff, *, contracted: bool
    ) -> None:
        where = f"{_where(slot)}, account {_hex(reading.account)}"
        account = self._model.accounts.get(reading.account)
        member_of = account.market if account else None
        if not self._findings.check("deliver.member", where, expected=slot.market, found=member_of):
            return
        assert account is not None  # noqa: S101 - for the type checker; checked just above
        position = self._model.positions.pop((reading.account, slot.slot), 0) if contracted else 0
        imbalance = reading.consumption_wh - reading.generation_wh - position
        due = account.debt_nano + tariff.grid_fee * max(position, 0) + tariff.retail_price * max(imbalance, 0)
        credit = tariff.feed_in_price * max(-imbalance, 0)
        payment = min(due, account.balance_nano + credit)
        account.balance_nano += credit - payment
        account.debt_nano = due - payment
        utility = self._model.accounts[self._model.markets[slot.market].utility]
        utility.balance_nano += payment - credit

    def _check_in_time(self, rule: str, slot: SlotModel, occurrence: Occurrence) -> None:
        last = self._model.markets[slot.market].void_after(slot.slot)
        in_time = occurrence.timestamp <= last
        self._findings.require(rule, _where(slot), in_time, expected=f"by {last}", found=occurrence.timestamp)

    def _slot(self, occurrence: Occurrence, step: str) -> SlotModel:
        slot = self._model.slot(occurrence.event.arguments["market"], occurrence.event.arguments["slot"])
        slot.blocks[step] = occurrence.block
        slot.transactions[step] = occurrence.transaction
        return slot

    def _account(self, occurrence: Occurrence) -> AccountModel:
        return self._model.accounts[occurrence.event.arguments["account"]]

    def _not_negative(self, account: AccountModel, where: str) -> None:
        self._findings.require(
            "escrow.negative", where, account.balance_nano >= 0, expected="0 or more", found=account.balance_nano
        )


def _where(slot: SlotModel) -> str:
    return f"slot {slot.slot}"


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
