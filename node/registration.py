"""Onboarding: members and devices come on chain first and into the store then."""

from dataclasses import replace

from ledger.deployment import Contracts
from ledger.keys import Key
from ledger.market import Market
from ledger.onboarding import Device, Technology, register_device, register_members
from node.clock import Clock
from node.store import Store
from node.store.records import DeviceRecord, MemberRecord


class Registration:
    """Registers members and devices of one market. Repeating a registration changes nothing."""

    def __init__(
        self, *, contracts: Contracts, market: Market, registrar: Key, store: Store, clock: Clock
    ) -> None:
        self._contracts = contracts
        self._market = market
        self._registrar = registrar
        self._store = store
        self._clock = clock

    def register_member(self, account: bytes, name: str) -> MemberRecord:
        """Make an account a member.

        Raises:
            ForeignMemberError: it belongs to another market.
        """
        register_members(self._contracts, self._registrar, self._market.id, [account])
        member = MemberRecord(account=account, name=name)
        self._store.add_member(member)
        return member

    def register_device(self, device: DeviceRecord) -> DeviceRecord:
        """Enter a member's device and its meter's key; deliveries wait for its readings from the next slot on.

        Whatever `first_slot` the caller gives does not matter: the device's is set here, once.
        """
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
