"""What an order says about whom it trades with, as its member signs it.

The signed order has no room for wishes, and the contract does not look at them. Instead the order's salt is the
first 64 bits of the hash of its statement, so the signature covers the wishes too: nobody can add, change or drop
them and still have the member's order. An order without a statement may have any salt.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from eth_hash.auto import keccak

from ledger.hexcodec import from_data
from matching.errors import WattbookError
from matching.orders import ACCOUNT_BYTES, MAX_PRICE
from matching.wishes import Trait

MAX_WISHES = 8
MAX_ACCEPTED = 64
_TAG = b"wattbook.wishes/1\n"


class InvalidStatementError(WattbookError):
    """A statement of wishes is malformed, or is not the one that the order's salt commits to."""

    code = "order.wishes"


class Source(StrEnum):
    """What energy can come from."""

    OTHER = "other"
    SOLAR = "solar"


SOURCES = tuple(Source)
"""A source's place here is its number in `matching.preferences`."""


@dataclass(frozen=True, slots=True)
class StatedWish:
    """One wish; see `matching.wishes.Wish`.

    Attributes:
        trait: `Trait.SOURCE`, of bids only, or `Trait.ACCOUNT`.
        accepted: names of `Source`, or accounts' addresses as 0x and 40 hexadecimal digits, lower case.
        premium: how much less a bid pays for other energy, nano-credit per Wh; None: it trades with no other.

    Raises:
        InvalidStatementError: any of these is not as said.
    """

    trait: Trait
    accepted: tuple[str, ...]
    premium: int | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.trait not in (Trait.SOURCE, Trait.ACCOUNT):
            raise InvalidStatementError(f"wish field 'trait' is {self.trait!r}: must be 'source' or 'account'")
        if not 1 <= len(self.accepted) <= MAX_ACCEPTED:
            raise InvalidStatementError(
                f"wish field 'accepted' has {len(self.accepted)} entries: must have 1 to {MAX_ACCEPTED}"
            )
        for entry in self.accepted:
            if not (_is_source(entry) if self.trait is Trait.SOURCE else _is_address(entry)):
                raise InvalidStatementError(f"wish field 'accepted' has {entry!r}: must be a known {self.trait}")
        if self.premium is not None and not 1 <= self.premium <= MAX_PRICE:
            raise InvalidStatementError(f"wish field 'premium' is {self.premium}: must be 1 to {MAX_PRICE}")


@dataclass(frozen=True, slots=True)
class Statement:
    """An order's wishes, and a number that makes two orders with equal wishes two orders.

    Raises:
        InvalidStatementError: there is no wish, or too many.
    """

    wishes: tuple[StatedWish, ...]
    nonce: int

    def __post_init__(self) -> None:
        """Check the number of wishes."""
        if not 1 <= len(self.wishes) <= MAX_WISHES:
            raise InvalidStatementError(f"statement has {len(self.wishes)} wishes: must have 1 to {MAX_WISHES}")

    def encoded(self) -> str:
        """The statement as JSON, the same for equal statements: sorted keys, no spaces."""
        wishes = [
            {"trait": wish.trait.value, "accepted": list(wish.accepted), "premium": wish.premium}
            for wish in self.wishes
        ]
        return json.dumps({"nonce": self.nonce, "wishes": wishes}, sort_keys=True, separators=(",", ":"))

    @property
    def salt(self) -> int:
        """The salt of an order with these wishes."""
        return int.from_bytes(keccak(_TAG + self.encoded().encode())[:8], "big")


def decoded(text: str) -> Statement:
    """The inverse of `Statement.encoded`.

    Raises:
        InvalidStatementError: the text does not hold a statement.
    """
    try:
        fields = json.loads(text)
        wishes = tuple(
            StatedWish(Trait(wish["trait"]), tuple(wish["accepted"]), wish["premium"]) for wish in fields["wishes"]
        )
        return Statement(wishes, int(fields["nonce"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidStatementError(f"statement of wishes cannot be read: {error!r}") from error


def _is_source(name: str) -> bool:
    return name in SOURCES


def _is_address(text: str) -> bool:
    try:
        return text == text.lower() and len(from_data(text)) == ACCOUNT_BYTES
    except ValueError:
        return False
