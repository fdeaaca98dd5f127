"""The issuer's part: certify a delivered slot's generation and pass the certificates on."""

from collections.abc import Sequence

from ledger.abi import Contract
from ledger.allocation import Issuance, Move
from ledger.keys import Key
from ledger.steps import Step, Stepper
from matching.errors import WattbookError

MAX_ISSUANCES = 256
MAX_MOVES = 1_024
"""Most issuances and moves of one certification."""

GENERATION = 1
"""The kind of certificate that stands for generation."""

SLOT_UNIT_S = 300
"""Token ids count slots in steps of this many seconds, of which every slot length is a multiple."""


class TooManyCertificatesError(WattbookError):
    """More devices or moves than one certification can carry."""

    code = "certificates.too_many"


def token_id(device: int, slot: int) -> int:
    """The ERC-1155 id of a device's generation in a slot, first revision; see `contracts/certificates.vy`."""
    return GENERATION << 136 | device << 72 | slot // SLOT_UNIT_S << 8


class Certification:
    """Certifies the slots of one market. Every step can be repeated."""

    def __init__(self, certificates: Contract, market: bytes, issuer: Key, stepper: Stepper) -> None:
        self._certificates = certificates
        self._market = market
        self._issuer = issuer
        self._stepper = stepper

    def certify(self, slot: int, issuances: Sequence[Issuance], moves: Sequence[Move]) -> None:
        """Issue and move a slot's certificates in one transaction; none if nothing was generated.

        Raises:
            TooManyCertificatesError: more than `MAX_ISSUANCES` or `MAX_MOVES`.
            CallRevertedError: the contract finds an issuance or a move that breaks its rules.
        """
        if not issuances:
            return
        if len(issuances) > MAX_ISSUANCES or len(moves) > MAX_MOVES:
            raise TooManyCertificatesError(
                f"slot {slot} has {len(issuances)} issuances and {len(moves)} moves: "
                f"at most {MAX_ISSUANCES} and {MAX_MOVES}"
            )
        first = token_id(issuances[0].device, slot)
        index = {issuance.device: position for position, issuance in enumerate(issuances)}
        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name="certify",
                key=self._issuer,
                to=self._certificates.address,
                event=self._certificates.interface.topic("Certified"),
                is_done=lambda: self._certificates.read("issued_of", first) > 0,
                calldata=lambda: self._certificates.interface.call(
                    "certify",
                    self._market,
                    slot,
                    [(issuance.device, issuance.amount_wh) for issuance in issuances],
                    [(index[move.device], move.account, move.amount_wh, move.retired) for move in moves],
                ),
            )
        )
