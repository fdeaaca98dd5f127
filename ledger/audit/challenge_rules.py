"""Replays bonds, challenges and their outcomes: credits of their own, apart from all accounts."""

from typing import Any

from ledger import merkle
from ledger.audit.calls import Calls, UnreadableCallError
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import ChallengeModel, MarketModel, Model, SlotModel
from ledger.audit.rulebook import Rulebook, Terms, hexed
from ledger.batches import FilledOrder
from ledger.eip712 import order_signer
from ledger.keys import InvalidSignatureError
from ledger.market import Market
from matching.orders import Side

# As in the contract.
MISSING, LEFT_OUT = 1, 2
_RELEASE_WINDOW_S = 86_400


class ChallengeRules(Rulebook):
    """Applies the events of the Challenges contract in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self.handlers = {
            "BondPosted": self._bond_posted,
            "BondReleaseRequested": self._release_requested,
            "BondReleased": self._released,
            "Overdrawn": self._overdrawn,
            "Challenged": self._challenged,
            "Dismissed": self._dismissed,
            "Upheld": self._upheld,
        }

    # Bonds

    def _bond_posted(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is not None:
            found[1].bond_nano += occurrence.event.arguments["amount"]

    def _release_requested(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        where = f"bond of {hexed(market.id)}, block {occurrence.block}"
        self.check_sender("bond.operator", where, occurrence, market.operator)
        ready_at = occurrence.event.arguments["ready_at"]
        notice_s = self.terms.claim_period_s + self.terms.response_s
        self.findings.check("bond.notice", where, expected=occurrence.timestamp + notice_s, found=ready_at)
        state.bond_ready_at = ready_at

    def _released(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        where = f"bond of {hexed(market.id)}, block {occurrence.block}"
        self.check_sender("bond.operator", where, occurrence, market.operator)
        first, last = state.bond_ready_at, state.bond_ready_at + _RELEASE_WINDOW_S
        self.findings.require(
            "bond.time", where, first > 0 and first <= occurrence.timestamp <= last,
            expected=f"released from {first} to {last}, if asked for", found=occurrence.timestamp,
        )  # fmt: skip
        self.findings.check("bond.challenged", where, expected=0, found=state.open_challenges)
        self.findings.check(
            "bond.amount", where, expected=state.bond_nano, found=occurrence.event.arguments["amount"]
        )
        state.bond_nano = state.bond_ready_at = 0

    def _overdrawn(self, occurrence: Occurrence) -> None:
        slot = self.slot_of(occurrence, None)
        if slot is None:
            return
        account_of, state = occurrence.event.arguments["account"], slot.state
        where = f"slot {slot.slot}, overdrawn account {hexed(account_of)}"
        self.check_sender("overdrawn.operator", where, occurrence, self.model.markets[slot.market].operator)
        has_book = slot.book_root is not None and state == "open"
        self.findings.require("overdrawn.open", where, has_book, expected="an open slot with a book", found=state)
        try:
            bids, places = self.calls.overdrawn(occurrence)
        except UnreadableCallError as error:
            self.findings.require(
                error.rule, where, False, expected="a call that calldata shows", found=str(error)
            )
            return
        account = self.account(occurrence, account_of)
        cost = sum(bid.signed.order.price * bid.signed.order.quantity_wh for bid in bids)
        balance = account.balance_nano - account.requested_nano(occurrence.timestamp)
        self.findings.require(
            "overdrawn.cost", where, cost > balance, expected=f"bids for more than {balance}", found=cost
        )
        hashes = [bid.signed.hash for bid in bids]
        good = hashes == sorted(set(hashes)) and all(_is_bid_of(bid, account_of) for bid in bids)
        hold = all(
            account.epoch_holds(slot.slot, bid.signed.order.epoch)
            and occurrence.timestamp <= bid.signed.order.expires_at
            for bid in bids
        )
        self.findings.require(
            "overdrawn.bids", where, good and hold,
            expected="bids of the account, once each, not cancelled, not expired",
            found=[hexed(each) for each in hashes],
        )  # fmt: skip
        in_book = [_leads_to(slot, each, place) for each, place in zip(hashes, places, strict=False)]
        self.findings.require(
            "overdrawn.places", where, len(places) == len(bids) and all(in_book),
            expected="each bid's place in the book", found=in_book,
        )  # fmt: skip

    # Challenges

    def _challenged(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        arguments = occurrence.event.arguments
        number, kind, slot = (arguments[name] for name in ("number", "kind", "slot"))
        where = f"challenge {number}"
        self.model.challenge_count += 1
        self.findings.check("challenge.number", where, expected=self.model.challenge_count, found=number)
        kinds = (MISSING, LEFT_OUT) if market.has_priority else (MISSING,)
        self.findings.require("challenge.kind", where, kind in kinds, expected=f"one of {kinds}", found=kind)
        last = slot + self.terms.claim_period_s
        self.findings.require(
            "challenge.time",
            where,
            occurrence.timestamp <= last,
            expected=f"by {last}",
            found=occurrence.timestamp,
        )
        subject = (kind, arguments["order"])
        is_first = subject not in self.model.challenged
        self.findings.require("challenge.once", where, is_first, expected="one challenge", found="another")
        self.findings.require(
            "challenge.due", where, self._is_due(state, market, slot, kind),
            expected="a committed book, and for an order that was left out a settlement", found="none",
        )  # fmt: skip
        self.model.challenged.append(subject)
        state.open_challenges += 1
        self.model.challenges[number] = ChallengeModel(
            market=market.id, slot=slot, kind=kind, order=arguments["order"], opened_at=occurrence.timestamp
        )

    def _is_due(self, state: MarketModel, market: Market, slot: int, kind: int) -> bool:
        if state.has_finished(slot):
            return True
        known = self.model.slots.get((market.id, slot))
        if known is None or known.book_root is None:
            return False
        return kind == MISSING or "settle" in known.blocks

    def _dismissed(self, occurrence: Occurrence) -> None:
        challenge = self._decided(occurrence)
        if challenge is not None:
            self.model.states[challenge.market].bond_nano += self.terms.stake_nano

    def _upheld(self, occurrence: Occurrence) -> None:
        challenge = self._decided(occurrence)
        if challenge is None:
            return
        state, arguments = self.model.states[challenge.market], occurrence.event.arguments
        where = f"challenge {arguments['number']}"
        first = challenge.opened_at + self.terms.response_s + 1
        self.findings.require(
            "upheld.time", where, occurrence.timestamp >= first, expected=f"{first} or later",
            found=occurrence.timestamp,
        )  # fmt: skip
        payable = min(self.terms.penalty_nano, state.bond_nano)
        self.findings.check("upheld.paid", where, expected=payable, found=arguments["paid"])
        state.bond_nano -= arguments["paid"]
        state.freeze_due = occurrence.transaction

    def _decided(self, occurrence: Occurrence) -> ChallengeModel | None:
        number = occurrence.event.arguments["number"]
        challenge = self.model.challenges.pop(number, None)
        self.findings.require(
            "challenge.open",
            f"challenge {number}",
            challenge is not None,
            expected="an open challenge",
            found="none",
        )
        if challenge is not None:
            self.model.states[challenge.market].open_challenges -= 1
        return challenge


def _leads_to(slot: SlotModel, order_hash: bytes, place: dict[str, Any]) -> bool:
    """Whether an order lies at this place of the slot's book."""
    root = merkle.root_by_path(order_hash, place["index"], place["size"], place["path"])
    return (slot.book_root, slot.book_size) == (root, place["size"])


def _is_bid_of(bid: FilledOrder, account: bytes) -> bool:
    order = bid.signed.order
    try:
        signer = order_signer(bid.signed)
    except InvalidSignatureError:
        return False
    return order.side is Side.BID and order.account == account == signer
