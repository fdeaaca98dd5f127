"""Onboarding: members and devices come on chain first and into the store then."""

import threading
from dataclasses import replace

from ledger.deployment import Contracts
from ledger.keys import Key
from ledger.market import Market, read_account
from ledger.onboarding import Device, Technology, fund, register_device, register_members
from matching.errors import WattbookError
from node.clock import Clock
from node.refusals import NotAMemberError
from node.store import Store
from node.store.records import DeviceRecord, MemberRecord


class DepositKnownError(WattbookError):
    """A payment with this reference was entered before."""

    code = "deposit.known"


class OwnerUnknownError(WattbookError):
    """A device is to belong to an account that is not a member."""

    code = "device.owner_unknown"


class Registration:
    """Registers members, devices and payments of one market. Thread-safe.

    Repeating a member's or device's registration changes nothing; a payment is entered at most once.
    """

    def __init__(
        self, *, contracts: Contracts, market: Market, registrar: Key, treasurer: Key, store: Store, clock: Clock
    ) -> None:
        self._contracts = contracts
        self._market = market
        self._registrar = registrar
        self._treasurer = treasurer
        self._store = store
        self._clock = clock
        # Two transactions of one sender at once would take the same nonce.
        self._acting = threading.Lock()

    def register_member(self, account: bytes, name: str) -> MemberRecord:
        """Make an account a member.

        Raises:
            ForeignMemberError: it belongs to another market.
        """
        member = MemberRecord(account=account, name=name)
        with self._acting:
            register_members(self._contracts, self._registrar, self._market.id, [account])
            self._store.add_member(member)
        return member

    def register_device(self, device: DeviceRecord) -> DeviceRecord:
        """Enter a member's device and its meter's key; deliveries wait for its readings from the next slot on.

        Whatever `first_slot` the caller gives does not matter: the device's is set here, once.

        Raises:
            OwnerUnknownError: its owner is not a member.
            ForeignDeviceError: its number is another device's.
        """
        with self._acting:
            if device.account not in {member.account for member in self._store.members()}:
                raise OwnerUnknownError(
                    f"device field 'account' is 0x{device.account.hex()}: must be a member, register it first"
                )
            known = self._store.device(device.device)
            if known is None:
                length = self._market.slot_length_s
                device = replace(device, first_slot=self._clock.now() // length * length + length)
            else:
                device = replace(device, first_slot=known.first_slot)
            register_device(
                self._contracts,
                self._registrar,
                self._market.id,
                self._market.slot_length_s,
                Device(
                    device=device.device,
                    owner=device.account,
                    technology=Technology[device.technology.name],
                    nameplate_w=device.nameplate_w,
                    meter_key=device.meter_key,
                ),
            )
            self._store.add_device(device)
        return device

    def deposit(self, account: bytes, amount_nano: int, reference: str) -> None:
        """Put money that has arrived into an account's escrow; `reference` names the payment.

        The reference is written down first, so that a payment is never entered twice; if the node is stopped in
        between, look at the balance, and enter what is missing under another reference.

        Raises:
            DepositKnownError: the reference was used before.
            NotAMemberError: the account is not a member.
        """
        key = f"deposit {reference}"
        with self._acting:
            known = self._store.fact(key)
            if known is not None:
                raise DepositKnownError(f"deposit field 'reference' is {reference!r}: was used for {known}")
            # Refused here, before anything is minted, if the account cannot hold a deposit.
            if read_account(self._contracts, account).market is None:
                raise NotAMemberError(f"0x{account.hex()} is not a member: cannot hold a deposit")
            self._store.set_fact(key, f"{amount_nano} nano-credits for 0x{account.hex()}")
            fund(self._contracts, self._treasurer, account, amount_nano)
