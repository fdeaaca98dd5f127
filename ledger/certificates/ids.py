"""The names of certificates: an ERC-1155 token id says what it certifies, so nothing is certified twice.

    bits 136-143 kind   72-135 device   8-71 slot / 300 s   0-7 revision

as `contracts/certificates.vy` lays them out. Of an imported certificate, the number of its import stands in the
device's place.
"""

from dataclasses import dataclass
from enum import IntEnum

from matching.errors import WattbookError

SLOT_UNIT_S = 300
"""Ids count slots in steps of this many seconds, of which every slot length is a multiple."""

MAX_DEVICE = 2**64 - 1
MAX_SLOT = 2**40 - 1
"""Latest Unix second that a slot may start at."""

MAX_REVISION = 15
"""How often the certificates of one device and slot can be corrected."""

_MASK_8, _MASK_64 = 2**8 - 1, 2**64 - 1


class CertificateIdError(WattbookError):
    """A number is not the id of a certificate, or an id's field is outside its limits."""

    code = "certificates.id"


class CertificateKind(IntEnum):
    """What a certificate stands for, as the Certificates contract numbers it."""

    GENERATION = 1
    """Energy that a device generated."""
    STORED = 2
    """Energy that a storage gave back, of the origin of what it took."""
    IMPORTED = 3
    """Energy that another registry certified, and has retired in favour of this one."""
    CONSUMPTION = 4
    """Energy that a load took: not transferable; certificates are claimed against it."""


@dataclass(frozen=True, slots=True, order=True)
class CertificateId:
    """What one certificate stands for. Ids sort by slot first, so the oldest come first.

    Attributes:
        slot: start of the delivery period, Unix seconds UTC.
        device: its number; of an imported certificate, the number of the import.
        kind: what it stands for.
        revision: 0 for what was issued first, one more for each correction.

    Raises:
        CertificateIdError: a field is outside its limits.
    """

    slot: int
    device: int
    kind: CertificateKind = CertificateKind.GENERATION
    revision: int = 0

    def __post_init__(self) -> None:
        """Check the limits."""
        if not 0 <= self.slot <= MAX_SLOT or self.slot % SLOT_UNIT_S:
            raise CertificateIdError(
                f"certificate field 'slot' is {self.slot}: must be a multiple of {SLOT_UNIT_S} up to {MAX_SLOT}"
            )
        if not 0 <= self.device <= MAX_DEVICE:
            raise CertificateIdError(
                f"certificate field 'device' is {self.device}: must be from 0 to {MAX_DEVICE}"
            )
        if not 0 <= self.revision <= MAX_REVISION:
            raise CertificateIdError(
                f"certificate field 'revision' is {self.revision}: must be from 0 to {MAX_REVISION}"
            )

    def __hash__(self) -> int:
        """As the fields', but faster: an enumeration's own hash is that of its name."""
        return hash((self.slot, self.device, int(self.kind), self.revision))

    def __int__(self) -> int:
        """The token id."""
        return self.kind << 136 | self.device << 72 | self.slot // SLOT_UNIT_S << 8 | self.revision

    def __str__(self) -> str:
        """As messages name it."""
        name = f"{self.kind.name.lower()} of device {self.device} in slot {self.slot}"
        if self.kind is CertificateKind.IMPORTED:
            name = f"import {self.device} of slot {self.slot}"
        return f"{name}, revision {self.revision}" if self.revision else name

    @classmethod
    def of(cls, token_id: int) -> "CertificateId":
        """The certificate that a token id names.

        Raises:
            CertificateIdError: it names none.
        """
        try:
            kind = CertificateKind(token_id >> 136)
        except ValueError as error:
            kinds = ", ".join(str(int(each)) for each in CertificateKind)
            raise CertificateIdError(
                f"token id {token_id:#x} is of kind {token_id >> 136}: must be one of {kinds}"
            ) from error
        return cls(
            slot=(token_id >> 8 & _MASK_64) * SLOT_UNIT_S,
            device=token_id >> 72 & _MASK_64,
            kind=kind,
            revision=token_id & _MASK_8,
        )

    @property
    def next_revision(self) -> "CertificateId":
        """The name of its correction.

        Raises:
            CertificateIdError: it cannot be corrected any more.
        """
        return CertificateId(self.slot, self.device, self.kind, self.revision + 1)
