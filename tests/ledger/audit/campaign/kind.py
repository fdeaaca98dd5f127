"""What a kind of tampering is, and how damages find their place in the honest history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from ledger.chain import ZERO_ADDRESS
from tests.contracts.devices import CONSUMPTION
from tests.ledger.audit.edited import Arguments, EditedChain

Damage = Callable[[EditedChain, int, Random], None]
"""Gets the honest history, which of its kind's histories it is to make, and a seeded source of chance."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of tampering.

    Attributes:
        name: what is wrong, for people.
        histories: how many of the campaign's are of this kind.
        rule: under which name the audit has to find it.
    """

    name: str
    histories: int
    rule: str
    damage: Damage


def pick(places: Sequence[T], turn: int) -> T:
    """Another place at each turn, as far as there are others."""
    return places[turn % len(places)]


def numbers(chain: EditedChain, name: str, is_wanted: Callable[[Arguments], bool] = lambda _: True) -> list[int]:
    """The numbers of events with such arguments."""
    return [number for number, arguments in enumerate(chain.events(name)) if is_wanted(arguments)]


def is_issuance(arguments: Arguments) -> bool:
    return bool(arguments["_from"] == ZERO_ADDRESS)


def is_issuance_of(kind: int) -> Callable[[Arguments], bool]:
    """What is issued first of a kind, and is no correction."""
    return lambda each: is_issuance(each) and each["_id"] >> 136 == kind and each["_id"] & 255 == 0


def is_transfer(arguments: Arguments) -> bool:
    """By its holder, to another."""
    return bool(arguments["_operator"] == arguments["_from"] and arguments["_to"] != ZERO_ADDRESS)


def is_burnt_consumption(arguments: Arguments) -> bool:
    return bool(arguments["_to"] == ZERO_ADDRESS and arguments["_id"] >> 136 == CONSUMPTION)


def certified_in(chain: EditedChain, number: int) -> int:
    """The number of the certification that an issuance or a move is part of."""
    return chain.number_in_call_of("Certified", "TransferSingle", number)


def device_of(certificate: int) -> int:
    return certificate >> 72 & 2**64 - 1


def people(chain: EditedChain) -> list[bytes]:
    """Whoever has no part in what happened."""
    return [key.address for key in chain.world.strangers[:4]]
