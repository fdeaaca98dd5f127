"""The challenges on a chain, decided ones included, from what the Challenges contract tells."""

from dataclasses import dataclass

from ledger.defence import ChallengeKind
from ledger.deployment import Contracts


@dataclass(frozen=True, slots=True)
class Dispute:
    """A challenge, and what came of it.

    Attributes:
        opened_at: Unix seconds UTC.
        due_at: until when it can be answered; if it was not, anybody may uphold it afterwards.
        outcome: `open`, `dismissed` (it was answered) or `upheld`.
        paid_nano: what the market's bond paid the challenger, if it is upheld.
    """

    number: int
    market: bytes
    slot: int
    kind: ChallengeKind
    order: bytes
    challenger: bytes
    opened_at: int
    due_at: int
    outcome: str
    paid_nano: int | None


def read_disputes(contracts: Contracts, market: bytes | None = None) -> list[Dispute]:
    """The challenges of a market, or of all, the latest first.

    Raises:
        ChainUnavailableError: the chain is out of reach.
    """
    challenges = contracts.challenges
    head = challenges.chain.head().number
    response_s = challenges.read("terms", block_number=head)[3]
    told = challenges.events(["Challenged", "Dismissed", "Upheld"], first_block=0, last_block=head)
    opened = {each.arguments["number"]: each.arguments for each in told if each.name == "Challenged"}
    ended = {each.arguments["number"]: each for each in told if each.name != "Challenged"}
    found = []
    for number, challenged in sorted(opened.items(), reverse=True):
        if market not in (None, challenged["market"]):
            continue
        opened_at = challenges.read("challenge_of", number, block_number=head)["opened_at"]
        end = ended.get(number)
        found.append(
            Dispute(
                number=number,
                market=challenged["market"],
                slot=challenged["slot"],
                kind=ChallengeKind(challenged["kind"]),
                order=challenged["order"],
                challenger=challenged["challenger"],
                opened_at=opened_at,
                due_at=opened_at + response_s,
                outcome="open" if end is None else end.name.lower(),
                paid_nano=None if end is None else end.arguments.get("paid"),
            )
        )
    return found
