"""What a transaction must be for a member to sign it: made here once more, and compared with what a node prepared.

The member knows what it asked for. The node adds what only it can know, and says so in its answer: which of the
account's certificates make up an amount, a hash of what was metered, the salt of private words. It may choose
certificates within what was asked; all else is as asked.
"""

from dataclasses import asdict
from functools import cache

from eth_abi.exceptions import EncodingError

from ledger.abi import Interface, interface
from ledger.certificates.claims import NO_TEXT, Claim, ClaimError, Purpose, text_hash
from ledger.certificates.ids import CertificateId, CertificateIdError, CertificateKind
from ledger.chain import ZERO_ADDRESS
from ledger.hexcodec import from_data, from_quantity
from node.answers import Json
from node.client.errors import WrongTransactionError

_HASH_BYTES = 32


def expected_call(account: bytes, action: str, asked: Json, prepared: Json) -> tuple[str, bytes]:
    """The contract, as `/v1/market` names it, and the calldata that do what was asked for.

    Args:
        account: who asks.
        action: transfer, retire, retire_pairs, export or request.
        asked: the fields of the action, as the API documents them.
        prepared: what the node answered.

    Raises:
        WrongTransactionError: the node chose what was not asked for, or nobody here knows the action.
        KeyError, TypeError, ValueError, AttributeError: it does not answer like a node.
    """
    try:
        match action:
            case "transfer":
                return _transfer(account, from_data(asked["to"]), _chosen(asked, prepared))
            case "retire":
                ids, amounts = _columns(_chosen(asked, prepared))
                return _certificates("retire", ids, amounts, asdict(_claim(asked["claim"], prepared)))
            case "retire_pairs":
                return _certificates("retire_pairs", _pairs(asked, prepared))
            case "export":
                ids, amounts = _columns(_chosen(asked, prepared))
                return _certificates("export", ids, amounts, asked["registry"], asked["serial"])
            case "request":
                evidence = from_data(prepared["evidence"])
                _require(len(evidence) == _HASH_BYTES, f"evidence of {len(evidence)} bytes")
                device, first_slot, last_slot = int(asked["device"]), asked["first_slot"], asked["last_slot"]
                return "devices", _contract("devices").call("request", device, first_slot, last_slot, evidence)
    except (CertificateIdError, ClaimError, EncodingError) as error:
        raise WrongTransactionError(f"the node prepared something else than was asked for: {error}") from error
    raise WrongTransactionError(f"what '{action}' does cannot be checked here: not signed")


@cache
def _contract(name: str) -> Interface:
    return interface(name)


def _certificates(function: str, *arguments: object) -> tuple[str, bytes]:
    return "certificates", _contract("certificates").call(function, *arguments)


def _transfer(account: bytes, to: bytes, parts: list[tuple[CertificateId, int]]) -> tuple[str, bytes]:
    ids, amounts = _columns(parts)
    if len(parts) == 1:
        return _certificates("safeTransferFrom", account, to, ids[0], amounts[0], b"")
    return _certificates("safeBatchTransferFrom", account, to, ids, amounts, b"")


def _chosen(asked: Json, prepared: Json) -> list[tuple[CertificateId, int]]:
    """The certificates that are taken: those that were named, or some of those that were described."""
    parts = _parts(prepared["parts"])
    if asked.get("parts"):
        _require(parts == _parts(asked["parts"]), "other certificates than were named")
        return parts
    _require(sum(amount_wh for _, amount_wh in parts) == asked["amount_wh"], "another amount")
    kind = asked.get("kind")
    for each, _ in parts:
        _require_slot(asked, each)
        if asked.get("device") is not None:
            _require(each.device == int(asked["device"]), f"{each}, of another device")
        _require(kind is None or each.kind is CertificateKind[kind.upper()], f"{each}, of another kind")
    return parts


def _pairs(asked: Json, prepared: Json) -> list[tuple[int, int, int]]:
    pairs = []
    for pair in prepared["pairs"]:
        ((each, amount_wh),) = _parts([pair])
        consumption = CertificateId.of(from_quantity(pair["consumption"]))
        _require_slot(asked, each)
        _require(consumption.slot == each.slot, f"{each}, against consumption of slot {consumption.slot}")
        pairs.append((int(each), int(consumption), amount_wh))
    most_wh = asked.get("amount_wh")
    _require(most_wh is None or sum(amount_wh for _, _, amount_wh in pairs) <= most_wh, "a larger amount")
    return pairs


def _parts(rows: list[Json]) -> list[tuple[CertificateId, int]]:
    # An amount below zero, which would hide another, cannot be encoded.
    return [(CertificateId.of(from_quantity(row["id"])), int(row["amount_wh"])) for row in rows]


def _columns(parts: list[tuple[CertificateId, int]]) -> tuple[list[int], list[int]]:
    return [int(each) for each, _ in parts], [amount_wh for _, amount_wh in parts]


def _claim(asked: Json, prepared: Json) -> Claim:
    text, beneficiary = asked.get("text"), asked.get("beneficiary")
    return Claim(
        purpose=Purpose[asked["purpose"].upper()],
        country=asked["country"],
        first_slot=asked["first_slot"],
        last_slot=asked["last_slot"],
        beneficiary=ZERO_ADDRESS if beneficiary is None else from_data(beneficiary),
        text_hash=text_hash(text, from_data(prepared["salt"])) if text else NO_TEXT,
    )


def _require_slot(asked: Json, each: CertificateId) -> None:
    first_slot, last_slot = asked.get("first_slot"), asked.get("last_slot")
    is_within = (first_slot is None or first_slot <= each.slot) and (last_slot is None or each.slot <= last_slot)
    _require(is_within, f"{each}, of another time")


def _require(holds: bool, chosen: str) -> None:
    if not holds:
        raise WrongTransactionError(f"the node chose {chosen}: not signed")
