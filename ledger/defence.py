"""The operator's side of the Challenges contract: it reports accounts that overdrew, and answers challenges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ledger.challenges import report_overdrawn_calldata
from ledger.deployment import Contracts
from ledger.eip712 import SignedOrder
from ledger.keys import Key
from ledger.steps import Step, Stepper


class ChallengeKind(IntEnum):
    """What a challenge says, as the contract numbers it."""

    MISSING = 1
    LEFT_OUT = 2


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that is not decided; it can be upheld some time after `opened_at`."""

    number: int
    kind: ChallengeKind
    slot: int
    order_hash: bytes
    opened_at: int


class Defence:
    """Acts for the operator of one market. Every step can be repeated."""

    def __init__(self, contracts: Contracts, market: bytes, operator: Key, stepper: Stepper) -> None:
        self._challenges = contracts.challenges
        self._market = market
        self._operator = operator
        self._stepper = stepper

    def report_overdrawn(self, slot: int, bids: Sequence[SignedOrder], book: Sequence[bytes]) -> None:
        """Show that one account's bids of a slot's book, in any order, come to more than its escrow.

        Raises:
            CallRevertedError: they do not, by now; or the slot's settlement has begun.
        """
        account = bids[0].order.account

        def is_done() -> bool:
            reported: bool = self._challenges.read("is_overdrawn", self._market, slot, account)
            return reported

        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name=f"overdrawn-{account.hex()}",
                key=self._operator,
                to=self._challenges.address,
                event=self._challenges.interface.topic("Overdrawn"),
                topics=(account.rjust(32, b"\0"),),
                is_done=is_done,
                calldata=lambda: report_overdrawn_calldata(bids, book),
            )
        )

    def open_challenges(self) -> list[Challenge]:
        """The market's challenges that are not decided, the latest first. One call where there are none."""
        waiting = self._challenges.read("open_challenges", self._market)
        number, found = self._challenges.read("challenge_count") if waiting else 0, list[Challenge]()
        while number > 0 and len(found) < waiting:
            fields = self._challenges.read("challenge_of", number)
            if fields["kind"] and fields["market"] == self._market:
                kind = ChallengeKind(fields["kind"])
                found.append(Challenge(number, kind, fields["slot"], fields["order"], fields["opened_at"]))
            number -= 1
        return found

    def answer(self, challenge: Challenge, calldata: Callable[[], bytes]) -> None:
        """Answer a challenge with this call.

        Raises:
            CallRevertedError: the contract does not take it for an answer.
        """

        def is_done() -> bool:
            kind: int = self._challenges.read("challenge_of", challenge.number)["kind"]
            return kind == 0

        self._stepper.run(
            Step(
                market=self._market,
                slot=challenge.slot,
                name=f"answer-{challenge.number}",
                key=self._operator,
                to=self._challenges.address,
                event=self._challenges.interface.topic("Dismissed"),
                topics=(challenge.number.to_bytes(32, "big"),),
                names_slot=False,
                is_done=is_done,
                calldata=calldata,
            )
        )
