"""Who gets the certificates of a slot: `rule` says it, `parts` cuts it into what one transaction can carry."""

from ledger.allocation.model import Allocation, BrokenAllocationError, Consumption, Issuance, Match, Move
from ledger.allocation.parts import SlotPart, parts_of
from ledger.allocation.rule import allocate

__all__ = [
    "Allocation",
    "BrokenAllocationError",
    "Consumption",
    "Issuance",
    "Match",
    "Move",
    "SlotPart",
    "allocate",
    "parts_of",
]
