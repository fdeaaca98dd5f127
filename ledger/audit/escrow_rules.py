"""Replays what members do by themselves: membership, deposits, withdrawals, cancellations and posted orders."""

from ledger.audit.calls import Calls, UnreadableCallError
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import AccountModel, Model, PostedOrder, SlotModel
from ledger.audit.rulebook import Rulebook, Terms, hexed, where_of
from ledger.batches import FilledOrder
from ledger.eip712 import order_signer
from ledger.keys import InvalidSignatureError
from ledger.market import WITHDRAWAL_WINDOW_S, Market
from matching.orders import Order, Side

# As in the contract.
_POSTING_HORIZON_S = 8 * 86_400
_MAX_POSTED = 32
_MAX_POSTED_WH = 1_000_000


class EscrowRules(Rulebook):
    """Applies the events of the Escrow contract in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self.handlers = {
            "MemberRegistered": self._registered,
            "UtilityMoved": self._utility_moved,
            "Deposited": self._deposited,
            "WithdrawalRequested": self._requested,
            "Withdrawn": self._withdrawn,
            "EpochRaised": self._epoch_raised,
            "OrderPosted": self._posted,
        }

    # Membership

    def _registered(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        account = occurrence.event.arguments["account"]
        where = f"account {hexed(account)}"
        self.findings.require(
            "member.once",
            where,
            account not in self.model.accounts,
            expected="one market for good",
            found=market.id,
        )
        self.model.accounts[account] = AccountModel(market.id)
        if self.calls.came_through(occurrence) == "markets":  # as the market was opened
            self.findings.check("member.utility", where, expected=market.utility, found=account)
        else:
            self.check_sender("member.registrar", where, occurrence, market.registrar)
            state.members.append(account)

    def _utility_moved(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        former, utility = (occurrence.event.arguments[name] for name in ("former", "utility"))
        where = f"utility of market {hexed(market.id)}, block {occurrence.block}"
        self.findings.check("utility.role", where, expected=market.utility, found=utility)
        self.findings.require(
            "utility.free", where, utility not in self.model.accounts, expected="an account of no market",
            found=utility,
        )  # fmt: skip
        self.findings.check("unfinished.utility", where, expected=None, found=state.unfinished_slot)
        account = self.account(occurrence, former)
        account.withdrawal_nano = 0
        del self.model.accounts[former]
        self.model.accounts[utility] = account
        for slot in self.model.slots.values():
            if former in slot.positions:
                slot.positions[utility] = slot.positions.pop(former)

    # Money

    def _deposited(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        self.account(occurrence, arguments["account"]).balance_nano += arguments["amount"]

    def _requested(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        account = self.account(occurrence, arguments["account"])
        where = f"request of {hexed(arguments['account'])} in block {occurrence.block}"
        self._check_own(occurrence, where)
        expected = occurrence.timestamp + self.terms.withdrawal_notice_s
        self.findings.check("withdraw.notice", where, expected=expected, found=arguments["ready_at"])
        self.findings.require(
            "withdraw.request", where, arguments["amount"] <= account.balance_nano,
            expected=f"at most {account.balance_nano}", found=arguments["amount"],
        )  # fmt: skip
        account.withdrawal_nano, account.withdrawal_ready_at = arguments["amount"], arguments["ready_at"]

    def _withdrawn(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        account = self.account(occurrence, arguments["account"])
        amount, debt_paid = arguments["amount"], arguments["debt_paid"]
        where = f"withdrawal of {hexed(arguments['account'])} in block {occurrence.block}"
        self._check_own(occurrence, where)
        self._check_untouched("unfinished.withdraw", where, account)
        expected = min(account.debt_nano, account.balance_nano)
        self.findings.check("withdraw.debt", where, expected=expected, found=debt_paid)
        first = account.withdrawal_ready_at
        self.findings.require(
            "withdraw.time", where, first <= occurrence.timestamp <= first + WITHDRAWAL_WINDOW_S,
            expected=f"{first} to {first + WITHDRAWAL_WINDOW_S}", found=occurrence.timestamp,
        )  # fmt: skip
        payable = min(account.withdrawal_nano, account.balance_nano - debt_paid)
        self.findings.check("withdraw.amount", where, expected=payable, found=amount)
        account.withdrawal_nano = 0
        account.debt_nano -= debt_paid
        account.balance_nano -= amount + debt_paid
        if account.market is not None:
            self.account(occurrence, self.model.markets[account.market].utility).balance_nano += debt_paid
        self.not_negative(account, where)

    def _check_untouched(self, rule: str, where: str, account: AccountModel) -> None:
        """Nothing that an unfinished slot may take back leaves an account."""
        unfinished = None
        if account.market is not None:
            unfinished = self.model.states[account.market].unfinished_slot
        is_free = unfinished is None or account.latest_slot < unfinished
        self.findings.require(rule, where, is_free, expected=f"no trade since slot {unfinished}", found="one")

    def _check_own(self, occurrence: Occurrence, where: str) -> None:
        """Only the account itself asks and cancels; one that is a contract is not seen to do so."""
        call = occurrence.call
        if call is not None and call.to == self.calls.addresses["escrow"]:
            account = occurrence.event.arguments["account"]
            self.findings.check("account.own", where, expected=account, found=call.sender)

    # Orders

    def _epoch_raised(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        account = self.account(occurrence, arguments["account"])
        where = f"account {hexed(arguments['account'])} in block {occurrence.block}"
        self._check_own(occurrence, where)
        self.findings.check("epoch.grows", where, expected=account.epoch + 1, found=arguments["epoch"])
        if account.market is None:
            return
        market, from_slot = self.model.markets[account.market], arguments["from_slot"]
        # The first slot whose gate is open when the orders are cancelled, and once per slot.
        length = market.slot_length_s
        first_open = ((occurrence.timestamp + market.gate_lead_s) // length + 1) * length
        self.findings.check("epoch.slot", where, expected=first_open, found=from_slot)
        self.findings.require(
            "epoch.once", where, from_slot > account.epoch_from_slot,
            expected=f"a slot after {account.epoch_from_slot}", found=from_slot,
        )  # fmt: skip
        account.epoch_starts.append(from_slot)

    def _posted(self, occurrence: Occurrence) -> None:
        slot = self.slot_of(occurrence, None)
        if slot is None:
            return
        digest = occurrence.event.arguments["digest"]
        where = f"{where_of(slot)}, posted order {hexed(digest)}"
        try:
            posted = self.calls.posted(occurrence)
        except UnreadableCallError as error:
            self.unread(error, slot, occurrence)
            return
        market, order = self.model.markets[slot.market], posted.signed.order
        self.findings.check("post.digest", where, expected=posted.signed.hash, found=digest)
        self.findings.check(
            "post.account", where, expected=order.account, found=occurrence.event.arguments["account"]
        )
        self._check_time(occurrence, market, slot, where)
        self._check_order(market, posted, where)
        account = self.account(occurrence, order.account)
        self._check_own(occurrence, where)
        # The utility's account can move to another address, and then its orders can no longer be filled.
        is_member = order.account in self.model.states[market.id].members
        self.findings.require("post.member", where, is_member, expected="a member", found=order.account)
        self.findings.require(
            "post.epoch", where, account.epoch_holds(slot.slot, order.epoch),
            expected="an order that is not cancelled", found=order.epoch,
        )  # fmt: skip
        others = [each.signed.order.account for each in slot.posted.values()]
        self.findings.require(
            "post.once", where, order.account not in others, expected="one order of each account", found="another"
        )
        self.findings.require(
            "post.number",
            where,
            len(others) < _MAX_POSTED,
            expected=f"at most {_MAX_POSTED}",
            found=len(others) + 1,
        )
        set_aside = self._set_aside_nano(order)
        self._check_untouched("unfinished.post", where, account)
        account.balance_nano -= set_aside
        self.not_negative(account, where)
        slot.posted[posted.signed.hash] = PostedOrder(posted.signed, set_aside)

    def _set_aside_nano(self, order: Order) -> int:
        """What a posted order may cost, as the contract sets it aside."""
        if order.side is Side.BID:
            return order.price * order.quantity_wh
        retail_price = self.model.tariff_at(order.market, order.slot).retail_price
        return max(retail_price - order.price, 0) * order.quantity_wh

    def _check_time(self, occurrence: Occurrence, market: Market, slot: SlotModel, where: str) -> None:
        self.findings.require("post.priority", where, market.has_priority, expected="priority", found="none")
        closes_at = market.gate_closes_at(slot.slot)
        first = slot.slot - _POSTING_HORIZON_S
        self.findings.require(
            "post.time", where, first <= occurrence.timestamp < closes_at,
            expected=f"from {first} to before {closes_at}", found=occurrence.timestamp,
        )  # fmt: skip

    def _check_order(self, market: Market, posted: FilledOrder, where: str) -> None:
        order = posted.signed.order
        try:
            signer: object = order_signer(posted.signed)
        except InvalidSignatureError as error:
            signer = str(error)
        self.findings.check("post.signature", where, expected=order.account, found=signer)
        deadline = market.void_after(order.slot)
        self.findings.require(
            "post.expiry",
            where,
            order.expires_at >= deadline,
            expected=f"{deadline} or later",
            found=order.expires_at,
        )
        has_no_fill = (posted.fill_wh, posted.amount_nano, posted.is_posted) == (0, 0, False)
        self.findings.require(
            "post.form",
            where,
            has_no_fill and 0 < order.quantity_wh <= _MAX_POSTED_WH,
            expected=f"an order for 1 to {_MAX_POSTED_WH} Wh, without a fill",
            found=posted,
        )
