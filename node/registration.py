"""Onboarding: members and devices come on chain first and into the store then."""

from contextlib import AbstractContextManager
from dataclasses import replace

from ledger import devices
from ledger.deployment import Contracts
from ledger.devices import Area, DeviceKey, DeviceKind
from ledger.evidence.keys import MeterKey
from ledger.evidence.tree import DAY_S
from ledger.keys import Key
from ledger.market import Market, read_account
from ledger.onboarding import fund, register_members
from matching.errors import WattbookError
from node.clock import Clock
from node.refusals import NotAMemberError
from node.store import Store
from node.store.database import Section
from node.store.records import DeviceRecord, MemberRecord

_FOR = " nano-credits for "


class DepositKnownError(WattbookError):
    """A payment with this reference was entered before.

    Attributes:
        details: for programs: the `amount`, nano-credits, and the `account` that it was entered for.
    """

    code = "deposit.known"

    def __init__(self, reference: str, known: str) -> None:
        super().__init__(f"deposit field 'reference' is {reference!r}: was used for {known}")
        amount, _, account = known.partition(_FOR)
        self.details = {"amount": amount, "account": account}


class OwnerUnknownError(WattbookError):
    """A device is to belong to an account that is not a member."""

    code = "device.owner_unknown"


class DeviceUnknownError(WattbookError):
    """There is no device with this number."""

    code = "device.unknown"


class KeyTakenError(WattbookError):
    """A meter's key signs for another device, too: what it metered once could be certified twice."""

    code = "device.key_taken"


class PastChangeError(WattbookError):
    """A device cannot be changed for slots or days that have begun: they may be metered and certified already."""

    code = "device.past_change"


class Registration:
    """Registers members, devices and payments of one market. Thread-safe.

    Repeating a registration changes nothing; a payment is entered at most once.
    """

    def __init__(
        self,
        *,
        contracts: Contracts,
        market: Market,
        zone: str,
        registrar: Key,
        treasurer: Key,
        store: Store,
        clock: Clock,
    ) -> None:
        """`zone` is the grid area or bidding zone of devices for which no other is named."""
        self._contracts = contracts
        self._market = market
        self._zone = zone
        self._registrar = registrar
        self._treasurer = treasurer
        self._store = store
        self._clock = clock
        self._areas: dict[str, int] = {}

    def register_member(self, account: bytes, name: str) -> MemberRecord:
        """Make an account a member.

        Raises:
            ForeignMemberError: it belongs to another market.
        """
        member = MemberRecord(account=account, name=name)
        with self._acting():
            register_members(self._contracts, self._registrar, self._market.id, [account])
            self._store.add_member(member)
        return member

    def area(self, zone: str | None = None) -> int:
        """The number of the market's area in a zone, by default in the market's own.

        Raises:
            DeviceError: the zone's name is empty or too long.
        """
        name = self._zone if zone is None else zone
        with self._acting():
            if name not in self._areas:
                area = Area(self._market.id, name)
                self._areas[name] = devices.register_area(self._contracts, self._registrar, area)
            return self._areas[name]

    def zone(self, area: int) -> str:
        """The zone that an area lies in."""
        for name, number in self._areas.items():
            if number == area:
                return name
        name = devices.registered_area(self._contracts, area).zone
        self._areas[name] = area
        return name

    def register_device(self, device: DeviceRecord) -> DeviceRecord:
        """Enter a member's device and its meter's key; deliveries wait for its readings from the next slot on.

        Whatever `first_slot` the caller gives does not matter: the device's is set here, once.

        Raises:
            OwnerUnknownError: its owner is not a member.
            ForeignDeviceError: its number is another device's.
            KeyTakenError: its meter's key is another device's.
            CallRevertedError: the contract refuses, e.g. as its metering point is another's.
        """
        with self._acting():
            if self._store.member(device.account) is None:
                raise OwnerUnknownError(
                    f"device field 'account' is 0x{device.account.hex()}: must be a member, register it first"
                )
            known = self._store.device(device.device)
            if known is None:
                length = self._market.slot_length_s
                device = replace(device, first_slot=self._clock.now() // length * length + length)
                self._require_free(device, device.keys.spans[0][1], device.first_slot)
            else:
                # What has changed since it was registered is no part of its registration.
                is_known_key = known.keys.spans[: len(device.keys.spans)] == device.keys.spans
                device = replace(
                    device,
                    first_slot=known.first_slot,
                    closed_day=known.closed_day,
                    keys=known.keys if is_known_key else device.keys,
                )
            devices.register_device(self._contracts, self._registrar, device.details)
            self._store.add_device(device)
        return device

    def rotate_key(self, number: int, from_slot: int, key: MeterKey | None) -> DeviceRecord:
        """From a slot that has not begun on, another key signs for a device's meter; None: no key does.

        Raises:
            DeviceUnknownError: there is no such device.
            PastChangeError: the slot has begun.
            KeyTakenError: the key is another device's then.
            CallRevertedError: the contract refuses, as a key of the same slot or a later one is there.
        """
        with self._acting():
            known = self._known(number)
            if (from_slot, key) not in known.keys.spans:
                self._require_ahead("from_slot", from_slot, self._clock.now())
                self._require_free(known, key, from_slot)
                change = DeviceKey.of(key, from_slot)
                devices.rotate_key(self._contracts, self._registrar, number, change)
                self._store.add_meter_key(number, from_slot, key)
            return self._known(number)

    def close_device(self, number: int, day: int) -> DeviceRecord:
        """Certify and meter nothing more of a device from a Unix day on that has not begun.

        Raises:
            DeviceUnknownError: there is no such device.
            PastChangeError: the day has begun.
            ForeignDeviceError: it is closed from another day on, for good.
        """
        with self._acting():
            if self._known(number).closed_day != day:
                self._require_ahead("day", day, self._clock.now() // DAY_S)
                devices.close_device(self._contracts, self._registrar, number, day)
                self._store.close_device(number, day)
            return self._known(number)

    def deposit(self, account: bytes, amount_nano: int, reference: str) -> None:
        """Put money that has arrived into an account's escrow; `reference` names the payment.

        The reference is written down first, so that a payment is never entered twice; if the node is stopped in
        between, look at the balance, and enter what is missing under another reference.

        Raises:
            DepositKnownError: the reference was used before.
            NotAMemberError: the account is not a member.
        """
        key = f"deposit {reference}"
        with self._acting():
            # Refused here, before anything is minted, if the account cannot hold a deposit.
            if read_account(self._contracts, account).market is None:
                raise NotAMemberError(f"0x{account.hex()} is not a member: cannot hold a deposit")
            known = self._store.add_fact(key, f"{amount_nano}{_FOR}0x{account.hex()}")
            if known is not None:
                raise DepositKnownError(reference, known)
            fund(self._contracts, self._treasurer, account, amount_nano)

    def _acting(self) -> AbstractContextManager[Section]:
        """One registration at a time, of all nodes: two transactions of one sender would take the same nonce."""
        return self._store.exclusively("registration")

    def _known(self, number: int) -> DeviceRecord:
        device = self._store.device(number)
        if device is None:
            raise DeviceUnknownError(f"there is no device {number}")
        return device

    def _require_free(self, device: DeviceRecord, key: MeterKey | None, from_slot: int) -> None:
        """An OCMF message does not say which of our devices it is of: only its key does."""
        if key is None:
            return
        for other in self._store.devices():
            is_other = other.device != device.device
            if is_other and not _counts_other_way(device, other) and other.is_signed_by(key, from_slot):
                raise KeyTakenError(f"device field 'key' is the key of device {other.device}: must be its own")

    def _require_ahead(self, field: str, value: int, now: int) -> None:
        if value <= now:
            raise PastChangeError(f"device field '{field}' is {value}: must be later than {now}, which has begun")


def _counts_other_way(one: DeviceRecord, other: DeviceRecord) -> bool:
    """Whether they are a storage and what charges it, which one meter may count in two registers."""
    is_pair = one.details.storage == other.device or other.details.storage == one.device
    by_kind = {one.details.kind, other.details.kind} == {DeviceKind.STORAGE, DeviceKind.CHARGE}
    registers = one.register, other.register
    return is_pair and by_kind and (None in registers or len({each.obis for each in registers if each}) == 2)
