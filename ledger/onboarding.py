"""Members, devices and money come on chain. Every function looks first, so that repeating it does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ledger.chain import CallRevertedError
from ledger.deployment import Contracts, confirmed, transact
from ledger.keys import Key
from ledger.transactions import build
from matching.errors import WattbookError

_REGISTRATIONS_PER_TRANSACTION = 256
FIRST_NATIVE_WEI = 10**17
"""What an account gets with its first deposit: enough for dozens of withdrawals at usual gas prices."""


class ForeignMemberError(WattbookError):
    """An account belongs to another market already."""

    code = "member.foreign"


class ForeignDeviceError(WattbookError):
    """A device's number is taken by another device, or its details differ from those on chain."""

    code = "device.foreign"


class Technology(IntEnum):
    """What a device is, as the Certificates contract numbers it; loads generate nothing."""

    LOAD = 0
    SOLAR = 1


@dataclass(frozen=True, slots=True)
class Device:
    """A metered device: its number, its member, and the Ed25519 public key of its meter.

    Attributes:
        device: unique among all devices of the Certificates contract, 64 bits.
        nameplate_w: the most it can generate, W; 0 for a load.
    """

    device: int
    owner: bytes
    technology: Technology
    nameplate_w: int
    meter_key: bytes


def register_members(contracts: Contracts, registrar: Key, market: bytes, accounts: Sequence[bytes]) -> None:
    """Make accounts members of a market, unless they are.

    Raises:
        ForeignMemberError: one belongs to another market.
    """
    escrow = contracts.escrow
    new = []
    for account in dict.fromkeys(accounts):  # once each, in their order
        number = contracts.exchange.read("account_of", account)["market_number"]
        if number == 0:
            new.append(account)
        elif contracts.markets.read("market_of_number", number) != market:
            raise ForeignMemberError(f"account 0x{account.hex()} is a member of market number {number}")
    for start in range(0, len(new), _REGISTRATIONS_PER_TRANSACTION):
        batch = new[start : start + _REGISTRATIONS_PER_TRANSACTION]
        transact(escrow, registrar, escrow.interface.call("register", market, batch))


def register_device(
    contracts: Contracts, registrar: Key, market: bytes, slot_length_s: int, device: Device
) -> None:
    """Enter a device in the Certificates contract, unless it is there.

    Raises:
        ForeignDeviceError: its number is another device's.
    """
    registered = registered_device(contracts, device.device)
    if registered == device:
        return
    if registered is not None:
        raise ForeignDeviceError(f"device {device.device} is registered on chain as another: {registered}")
    details = {
        "owner": device.owner,
        "market": market,
        "technology": int(device.technology),
        "nameplate_w": device.nameplate_w,
        "slot_length_s": slot_length_s,
        "meter_key": device.meter_key,
    }
    certificates = contracts.certificates
    transact(certificates, registrar, certificates.interface.call("register_device", device.device, details))


def registered_device(contracts: Contracts, number: int) -> Device | None:
    """The device with this number, or None if there is none."""
    try:
        details = contracts.certificates.read("device_of", number)
    except CallRevertedError:
        return None
    return Device(
        device=number,
        owner=details["owner"],
        technology=Technology(details["technology"]),
        nameplate_w=details["nameplate_w"],
        meter_key=details["meter_key"],
    )


def fund(contracts: Contracts, treasurer: Key, account: bytes, amount_nano: int) -> None:
    """Mint credits and put them into an account's escrow: what a treasurer does when money has arrived.

    An account without native money also gets some, so that it can pay for leaving without anybody's help.

    Not repeatable: each call is a payment. The caller keeps the books of what was paid in.
    """
    credit, escrow = contracts.credit, contracts.escrow
    if escrow.chain.balance(account) == 0:
        gift = build(escrow.chain, treasurer, to=account, data=b"", value_wei=FIRST_NATIVE_WEI)
        confirmed(escrow.chain, gift.raw)
    transact(credit, treasurer, credit.interface.call("mint", treasurer.address, amount_nano))
    transact(credit, treasurer, credit.interface.call("approve", escrow.address, amount_nano))
    transact(escrow, treasurer, escrow.interface.call("deposit", account, amount_nano))
