"""What intake and the API need of the rest of the node, which `node.composition` provides."""

from collections.abc import Collection, Sequence
from typing import Protocol

from ledger.evidence.keys import MeterKey
from ledger.market import AccountState
from matching.tariff import Tariff
from node.store.records import DeviceRecord, MemberRecord, SlotRecord


class Accounts(Protocol):
    """The accounts as the exchange keeps them."""

    def state(self, account: bytes) -> AccountState:
        """The account at the chain's head.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """

    def states(self, accounts: Collection[bytes]) -> dict[bytes, AccountState]:
        """Each of these accounts, all at the same head.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """

    def epoch_holds(self, account: bytes, slot: int, epoch: int) -> bool:
        """Whether the account's orders of this epoch hold for the slot.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """


class Tariffs(Protocol):
    """The market's tariff."""

    def tariff(self, slot: int) -> Tariff:
        """The tariff in force in a slot.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """

    def tariffs(self, first_slot: int, last_slot: int) -> list[tuple[int, Tariff]]:
        """Those in force from one slot to another, each with the first slot that it holds for, ascending.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """


class MarketState(Protocol):
    """What may become of a market."""

    def is_frozen(self) -> bool:
        """Whether the market is frozen: its slots wait, and are voided when their time is over.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """


class Onboarding(Protocol):
    """Brings members and their devices on chain and into the store. Repeating a registration changes nothing."""

    def register_member(self, account: bytes, name: str) -> MemberRecord:
        """Make an account a member."""

    def area(self, zone: str | None = None) -> int:
        """The number of the market's area in a zone, by default in the market's own."""

    def zone(self, area: int) -> str:
        """The zone that an area lies in."""

    def register_device(self, device: DeviceRecord) -> DeviceRecord:
        """Enter a member's device and its meter's key."""

    def rotate_key(self, number: int, from_slot: int, key: MeterKey | None) -> DeviceRecord:
        """From a slot on, another key signs for a device's meter; None: no key does."""

    def close_device(self, number: int, day: int) -> DeviceRecord:
        """Meter and certify nothing more of a device from a Unix day on."""

    def deposit(self, account: bytes, amount_nano: int, reference: str) -> None:
        """Put money that has arrived into an account's escrow; each reference once."""


class Lifecycle(Protocol):
    """Moves slots on. Thread-safe."""

    trouble: str | None
    """What went wrong when slots were last moved on, in words; None if nothing did."""

    @property
    def concerns(self) -> Sequence[str]:
        """What an operator should know although slots move on, in words."""

    def advance(self) -> Sequence[SlotRecord]:
        """Do everything that is due now, and return the slots that moved, as they are afterwards."""
