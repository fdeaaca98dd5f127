"""What the contract promises of each filled order, and what a fill does to its account."""

from ledger.audit.findings import Findings
from ledger.audit.model import AccountModel, Model, SlotModel
from ledger.batches import FilledOrder
from ledger.eip712 import order_signer
from ledger.keys import InvalidSignatureError
from matching.orders import Side


class FillRules:
    """Checks and applies fills, and takes them back."""

    def __init__(self, model: Model, findings: Findings) -> None:
        self._model = model
        self._findings = findings

    def check(self, slot: SlotModel, fill: FilledOrder, timestamp: int, where: str) -> None:
        """Signature, membership, epoch, expiry, quantity, limit and priority of an order in a settlement."""
        order, market = fill.signed.order, self._model.markets[slot.market]
        try:
            signer: object = order_signer(fill.signed)
        except InvalidSignatureError as error:
            signer = str(error)
        self._findings.check("settle.signature", where, expected=order.account, found=signer)
        account = self._model.accounts.get(order.account)
        # The utility has an account in its market and is no member of it.
        member_of = account.market if account and order.account != market.utility else None
        self._findings.check("settle.member", where, expected=slot.market, found=member_of)
        holds = account is not None and account.epoch_holds(slot.slot, order.epoch)
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
        amount, limit = _amount(slot, fill), order.price * fill.fill_wh
        within = amount <= limit if order.side is Side.BID else amount >= limit
        self._findings.require("settle.limit", where, within, expected=f"within the limit {limit}", found=amount)
        no_amount = fill.amount_nano == 0 if slot.uniform_price else slot.price == 0
        self._findings.require(
            "settle.amount", where, no_amount, expected="one price, or amounts, as the market has it", found="both"
        )
        if market.has_priority and order.price != slot.price:
            self._findings.check("settle.priority", where, expected=order.quantity_wh, found=fill.fill_wh)

    def apply(self, slot: SlotModel, fill: FilledOrder, where: str) -> None:
        """Let a fill take its effect."""
        order = fill.signed.order
        account = self._model.accounts.setdefault(order.account, AccountModel(slot.market))
        if fill.is_posted:
            posted = slot.posted.get(fill.signed.hash)
            is_there = posted is not None and not posted.is_filled
            self._findings.require("settle.set_aside", where, is_there, expected="a posted order", found="none")
            if posted is not None:
                # What was set aside for it pays for it.
                account.balance_nano += posted.set_aside_nano
                posted.is_filled = True
        self._move(slot, fill, account, 1)
        self._not_negative(account, where)
        account.latest_slot = max(account.latest_slot, slot.slot)

    def take_back(self, slot: SlotModel, fill: FilledOrder, where: str) -> None:
        """Undo a fill, as the contract does: what was set aside stays with the account."""
        account = self._model.accounts[fill.signed.order.account]
        self._move(slot, fill, account, -1)
        self._not_negative(account, where)

    def _move(self, slot: SlotModel, fill: FilledOrder, account: AccountModel, times: int) -> None:
        sign = times if fill.signed.order.side is Side.BID else -times
        amount = sign * _amount(slot, fill)
        account.balance_nano -= amount
        slot.clearing_nano -= amount
        before = slot.positions.get(fill.signed.order.account, 0)
        slot.positions[fill.signed.order.account] = before + sign * fill.fill_wh

    def _not_negative(self, account: AccountModel, where: str) -> None:
        self._findings.require(
            "escrow.negative", where, account.balance_nano >= 0, expected="0 or more", found=account.balance_nano
        )


def _amount(slot: SlotModel, fill: FilledOrder) -> int:
    return slot.price * fill.fill_wh if slot.uniform_price else fill.amount_nano
