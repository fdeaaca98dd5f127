"""What holders of certificates, and owners of devices, do by themselves; minting from a day's root anybody does.

Every function checks what it can in words and gives the call to make: `carry_out` makes it with the caller's own
key and waits until it is mined; a wallet may sign it as well. The contracts decide, and their refusals come as
`CallRevertedError`. Nothing here is repeatable: each call is an act.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from ledger.abi import Contract
from ledger.certificates.claims import Claim
from ledger.certificates.days import DAY_S, Day
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.selection import MAX_IDS, Part
from ledger.chain import Receipt
from ledger.deployment import Contracts, transact
from ledger.keys import Key
from matching.errors import WattbookError

MAX_REQUEST_S = 366 * DAY_S
MAX_REGISTRY_BYTES, MAX_SERIAL_BYTES = 32, 64


class ActionError(WattbookError):
    """What was asked for cannot be done with certificates."""

    code = "certificates.action"


@dataclass(frozen=True, slots=True)
class Call:
    """What has to be sent to a contract."""

    contract: Contract
    data: bytes


@dataclass(frozen=True, slots=True)
class Pair:
    """Some Wh of a certificate, to be retired against a consumption certificate of the same slot and zone."""

    id: CertificateId
    consumption: CertificateId
    amount_wh: int


def carry_out(call: Call, key: Key) -> Receipt:
    """Send a call with this key, and wait until it is mined.

    Raises:
        CallRevertedError: the contract refuses it.
        DeploymentError: it was mined, and failed all the same.
    """
    return transact(call.contract, key, call.data)


def transfer(contracts: Contracts, holder: bytes, to: bytes, parts: Sequence[Part]) -> Call:
    """Give a holder's certificates to another account.

    Raises:
        ActionError: there are none, too many, or some that cannot be transferred.
    """
    _check_parts(parts)
    if len(to) != 20 or not any(to):
        raise ActionError(f"transfer field 'to' is 0x{to.hex()}: must be an account's address")
    ids, amounts = _columns(parts)
    if len(parts) == 1:
        return _call(contracts, "safeTransferFrom", holder, to, ids[0], amounts[0], b"")
    return _call(contracts, "safeBatchTransferFrom", holder, to, ids, amounts, b"")


def retire(contracts: Contracts, parts: Sequence[Part], claim: Claim) -> Call:
    """Use the sender's certificates up, forever, for what the claim says.

    Raises:
        ActionError: there are none, too many, or some that cannot be retired by their holder.
        ClaimError: a field of the claim is outside its limits.
    """
    _check_parts(parts)
    claim.check()
    ids, amounts = _columns(parts)
    return _call(contracts, "retire", ids, amounts, asdict(claim))


def retire_pairs(contracts: Contracts, pairs: Sequence[Pair]) -> Call:
    """Retire certificates against the sender's own metered consumption, all in one transaction.

    Raises:
        ActionError: there are none, too many, or a pair that does not match.
    """
    _check_count("pairs", len(pairs), MAX_IDS)
    for pair in pairs:
        _check_amount(pair.amount_wh)
        if pair.consumption.kind is not CertificateKind.CONSUMPTION:
            raise ActionError(f"pair field 'consumption' is {pair.consumption}: must be of kind consumption")
        if pair.id.kind is CertificateKind.CONSUMPTION or pair.id.slot != pair.consumption.slot:
            raise ActionError(
                f"pair field 'id' is {pair.id}: must be of generation, and of slot {pair.consumption.slot}"
            )
    words = [(int(pair.id), int(pair.consumption), pair.amount_wh) for pair in pairs]
    return _call(contracts, "retire_pairs", words)


def export(contracts: Contracts, parts: Sequence[Part], *, registry: str, serial: str) -> Call:
    """Retire the sender's certificates so that another registry issues them, under its serial number.

    Raises:
        ActionError: there are none, too many, or a field is outside its limits.
    """
    _check_parts(parts)
    check_serial("export", registry, serial)
    ids, amounts = _columns(parts)
    return _call(contracts, "export", ids, amounts, registry, serial)


def request(contracts: Contracts, *, device: int, first_slot: int, last_slot: int, evidence: bytes) -> Call:
    """Ask for certificates of what the sender's device metered in these slots; see `request_number`.

    Args:
        contracts: where.
        device: its number.
        first_slot: start of the first slot, Unix seconds UTC.
        last_slot: start of the last slot, less than 366 days later.
        evidence: hash of what shows the metering, 32 bytes.

    Raises:
        ActionError: a field is outside its limits.
    """
    if not first_slot <= last_slot < first_slot + MAX_REQUEST_S:
        raise ActionError(
            f"request field 'last_slot' is {last_slot}: must be from {first_slot} to less than 366 days later"
        )
    if len(evidence) != 32:
        raise ActionError(f"request field 'evidence' has {len(evidence)} bytes: must be 32")
    devices = contracts.devices
    return Call(devices, devices.interface.call("request", device, first_slot, last_slot, evidence))


def request_number(contracts: Contracts, receipt: Receipt) -> int:
    """The number of the request that was made in a transaction."""
    devices = contracts.devices
    found = (devices.interface.decode_event(log) for log in receipt.logs if log.address == devices.address)
    number: int = next(each.arguments["number"] for each in found if each is not None)
    return number


def mint(contracts: Contracts, market: bytes, day: Day, device: int, places: Collection[int]) -> Call:
    """Have the certificates of some slots of a committed day issued to their device's owner.

    Args:
        contracts: where.
        market: whose day it is.
        day: all of it, as the issuer published it.
        device: whose slots.
        places: which of its slots, counted from 0.

    Raises:
        DayError: the day has no such device.
        ActionError: there is no such slot, or nothing was generated in it.
    """
    proof = day.proof(device)
    count = len(proof.amounts_wh)
    _check_count("places", len(places), count)
    for place in places:
        if not 0 <= place < count or proof.amounts_wh[place] == 0:
            raise ActionError(
                f"mint field 'places' has {place}: must be one of the {count} slots in which device {device} "
                "generated"
            )
    amounts, path = list(proof.amounts_wh), list(proof.path)
    arguments = (market, day.day, device, amounts, sorted(set(places)), proof.index, path)
    return Call(contracts.issuance, contracts.issuance.interface.call("mint", *arguments))


def check_serial(of: str, registry: str, serial: str) -> None:
    """Refuse a registry's name, or a serial number, that does not fit.

    Raises:
        ActionError: it is empty or too long.
    """
    for name, value, most in (("registry", registry, MAX_REGISTRY_BYTES), ("serial", serial, MAX_SERIAL_BYTES)):
        if not 0 < len(value.encode()) <= most:
            raise ActionError(f"{of} field '{name}' is {value!r}: must have 1 to {most} bytes")


def _check_parts(parts: Sequence[Part]) -> None:
    _check_count("ids", len(parts), MAX_IDS)
    for part in parts:
        _check_amount(part.amount_wh)
        if part.id.kind is CertificateKind.CONSUMPTION:
            raise ActionError(f"certificate field 'id' is {part.id}: consumption stays with who consumed")


def _check_count(name: str, count: int, most: int) -> None:
    if not 0 < count <= most:
        raise ActionError(f"certificate field '{name}' has {count} entries: must have 1 to {most}")


def _check_amount(amount_wh: int) -> None:
    if amount_wh <= 0:
        raise ActionError(f"certificate field 'amount_wh' is {amount_wh}: must be at least 1")


def _columns(parts: Sequence[Part]) -> tuple[list[int], list[int]]:
    return [int(part.id) for part in parts], [part.amount_wh for part in parts]


def _call(contracts: Contracts, function: str, *arguments: object) -> Call:
    certificates = contracts.certificates
    return Call(certificates, certificates.interface.call(function, *arguments))
