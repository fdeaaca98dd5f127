"""Claims: what a retired certificate was used up for, in ERC-1888's vocabulary.

A claim's topic says how it came about, and its data says more: for which consumption certificate, or for whom,
what, where and when. Private words stay off chain: only their salted hash goes there, and whoever got words and
salt from the holder can check them.
"""

from dataclasses import dataclass
from enum import IntEnum

from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from ledger.abi import decode
from ledger.certificates.ids import MAX_SLOT
from ledger.chain import ZERO_ADDRESS
from matching.errors import WattbookError

SALT_BYTES = 32
NO_TEXT = bytes(32)

_CLAIM_TYPES = ("uint256", "string", "uint256", "uint256", "bytes32")


class ClaimError(WattbookError):
    """A claim's field is outside its limits."""

    code = "certificates.claim"


class Topic(IntEnum):
    """How certificates were used up, as the Certificates contract numbers it."""

    RETIRED = 1
    """By their holder, who said what for."""
    MATCHED = 2
    """Against the metered consumption, in the same slot, of somebody who bought the energy."""
    SELF_CONSUMED = 3
    """Against the generating member's own metered consumption in the same slot."""
    STORED = 4
    """The energy charged a storage, and comes back as certificates of its discharge."""
    EXPORTED = 5
    """Another registry certifies them from here on."""


class Purpose(IntEnum):
    """What certificates are retired for."""

    CONSUMPTION = 1
    """To show the origin of what the beneficiary consumed."""
    DISCLOSURE = 2
    """For a supplier's statement of its energy's origin."""
    PRODUCT = 3
    """To show the origin of the energy in a product or service."""
    CANCELLATION = 4
    """So that nobody claims them any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What certificates are retired for.

    Whoever holds certificates may write anything here that the contract takes; `check` is for our own.

    Attributes:
        purpose: a `Purpose`.
        country: where the energy was consumed, two letters of ISO 3166-1.
        first_slot, last_slot: when it was consumed, starts of the first and the last slot, Unix seconds UTC.
        beneficiary: whose claim it is; zero for the holder itself.
        text_hash: of private words, see `text_hash`; `NO_TEXT` for none.
    """

    purpose: int
    country: str
    first_slot: int
    last_slot: int
    beneficiary: bytes = ZERO_ADDRESS
    text_hash: bytes = NO_TEXT

    def check(self) -> None:
        """Refuse a claim that would say nothing.

        Raises:
            ClaimError: a field is outside its limits.
        """
        if self.purpose not in tuple(Purpose):
            purposes = ", ".join(str(int(each)) for each in Purpose)
            raise ClaimError(f"claim field 'purpose' is {self.purpose}: must be one of {purposes}")
        country = self.country
        if len(country) != 2 or not (country.isascii() and country.isupper()):
            raise ClaimError(f"claim field 'country' is {country!r}: must be two capital letters of ISO 3166-1")
        if not 0 <= self.first_slot <= self.last_slot <= MAX_SLOT:
            raise ClaimError(
                f"claim field 'last_slot' is {self.last_slot}: must be from 'first_slot', "
                f"which is {self.first_slot}, to {MAX_SLOT}"
            )
        if len(self.beneficiary) != len(ZERO_ADDRESS):
            raise ClaimError(
                f"claim field 'beneficiary' has {len(self.beneficiary)} bytes: must be an address of 20"
            )
        if len(self.text_hash) != len(NO_TEXT):
            raise ClaimError(f"claim field 'text_hash' has {len(self.text_hash)} bytes: must be 32")


def text_hash(text: str, salt: bytes) -> bytes:
    """What stands on chain for private words: without the salt, nobody can find out by guessing.

    Raises:
        ClaimError: the salt is not 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise ClaimError(f"claim field 'salt' has {len(salt)} bytes: must be {SALT_BYTES}")
    return keccak(salt + text.encode())


def claim_of(data: bytes, beneficiary: bytes) -> Claim:
    """The claim behind the data of a RETIRED event, and its subject.

    Raises:
        ClaimError: the data are not a claim's.
    """
    try:
        purpose, country, first_slot, last_slot, hashed = decode(_CLAIM_TYPES, data)
    except DecodingError as error:
        raise ClaimError(f"claim data 0x{data.hex()} are not ({', '.join(_CLAIM_TYPES)})") from error
    return Claim(purpose, country, first_slot, last_slot, beneficiary, hashed)


def claim_data(claim: Claim) -> bytes:
    """What a RETIRED event says of a claim; the beneficiary is the event's subject."""
    values = (claim.purpose, claim.country, claim.first_slot, claim.last_slot, claim.text_hash)
    return encode(_CLAIM_TYPES, values)


def consumption_of(data: bytes) -> int:
    """The consumption certificate, a token id, behind the data of a MATCHED, SELF_CONSUMED or STORED event.

    Raises:
        ClaimError: the data are not that.
    """
    if len(data) != 32:
        raise ClaimError(f"claim data 0x{data.hex()} have {len(data)} bytes: must be a token id of 32")
    return int.from_bytes(data)
