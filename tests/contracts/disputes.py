"""Challenges and answers, for the tests of `contracts/challenges.vy`."""

from collections.abc import Sequence

from ledger import merkle
from ledger.challenges import challenge_left_out_calldata, challenge_missing_calldata
from ledger.deployment import ChallengeTerms, transact
from ledger.eip712 import Receipt, SignedOrder, receipt_hash
from ledger.keys import Key
from tests.contracts.chunks import Fills, settle_chunks, split
from tests.contracts.fills import filled
from tests.world import MARKET, SLOT, World

TERMS = ChallengeTerms()
BOND = 3 * TERMS.penalty // 2


def committed(world: World, *signed: SignedOrder, slot: int = SLOT) -> list[bytes]:
    """Commit the book of these orders."""
    book = sorted(each.hash for each in signed)
    world.close_gate(slot)
    world.act("operator", "commit_book", world.market, slot, merkle.root(book), len(book))
    return book


def settled_but_for(world: World, left_out: SignedOrder, *others: SignedOrder, sizes: Sequence[int] = ()) -> Fills:
    """Settle the other orders of a committed book whole; returns their fills in the order of settlement."""
    chunks = split([filled(each) for each in others if each != left_out], *sizes)
    settle_chunks(world, chunks, more=False)
    return [fill for chunk in chunks for fill in chunk]


def receipt(
    world: World, order_hash: bytes, *, signer: Key | None = None, slot: int = SLOT
) -> tuple[Receipt, bytes]:
    """A receipt for an order, and the operator's signature under it."""
    word = Receipt(order_hash=order_hash, market=MARKET, slot=slot, index=7, received_at=slot - 3_000)
    key = signer or world.keys["operator"]
    return word, key.sign(receipt_hash(world.domain, word))


def with_credits(world: World, key: Key, amount: int) -> Key:
    """Give somebody credits of its own and let the challenges contract take them."""
    credit = world.contracts.credit
    world.send("treasurer", credit, "mint", key.address, amount)
    world.send(key, credit, "approve", world.contracts.challenges.address, 2**256 - 1)
    return key


def credits_of(world: World, account: bytes) -> int:
    balance: int = world.contracts.credit.read("balanceOf", account)
    return balance


def post_bond(world: World, amount: int = BOND) -> None:
    world.act(with_credits(world, world.keys["operator"], amount), "post_bond", MARKET, amount)


def send(world: World, who: Key, data: bytes) -> None:
    """Challenge, or answer."""
    transact(world.contracts.challenges, who, data)


def challenge_missing(world: World, order_hash: bytes, *, who: Key | None = None, slot: int = SLOT) -> int:
    """Challenge with a receipt of the operator; returns the challenge's number."""
    challenger = with_credits(world, who or world.strangers[0], TERMS.stake)
    send(world, challenger, challenge_missing_calldata(*receipt(world, order_hash, slot=slot)))
    number: int = world.read("challenge_count")
    return number


def challenge_left_out(world: World, signed: SignedOrder, book: list[bytes], *, who: Key | None = None) -> int:
    challenger = with_credits(world, who or world.strangers[0], TERMS.stake)
    send(world, challenger, challenge_left_out_calldata(signed, book))
    number: int = world.read("challenge_count")
    return number


def wait_out(world: World) -> None:
    """Let the time to answer pass, to the second at which a challenge opened just now can be upheld."""
    world.time.now = world.chain.head().timestamp + TERMS.response_s + 1
