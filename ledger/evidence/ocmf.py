"""Open Charge Metering Format (SAFE e.V., revision 1.2): reads `OCMF|{payload}|{signature}` strictly.

A message has exactly these three sections. The format forbids the separator inside of a section, even in a JSON
string, so a fourth section (the public key that QR codes append) and a `|` in a text are refused alike. What was
signed are the payload section's bytes as received, white space included.

Signature algorithms (SA): ECDSA over SHA-256 on secp256r1 (the format's default), secp256k1, secp384r1,
brainpool256r1 and brainpool384r1; the brainpool curves also under the names `brainpoolP256r1` and
`brainpoolP384r1`, as meters in the field write them, and the 384-bit curves also over SHA-384. Not supported,
though the format names them: secp192k1, which `cryptography` does not offer, and secp192r1, whose 96 bits of
security are too few for a document of value. Curves that the format does not name, such as brainpoolP512r1, are
not supported either.

Fields of later minor versions are read over, since they are signed with the rest; another major version is
refused.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from ledger.evidence.errors import MalformedMessageError, MessageFieldError, UnsupportedAlgorithmError
from ledger.evidence.evidence import Context, Statement
from ledger.evidence.keys import MAX_SIGNATURE_BYTES, Digest, KeyAlgorithm
from ledger.evidence.ocmf_readings import Reading, readings

MAX_MESSAGE_BYTES = 65_536
MAX_PAGE = 2**63 - 1
MAX_TEXT = 250
"""Longest text of a field, characters: the format's own limit for its longest, TT."""

HEADER = b"OCMF"
_SEPARATOR = b"|"

ALGORITHMS: dict[str, tuple[KeyAlgorithm, Digest]] = {
    "ECDSA-secp256k1-SHA256": (KeyAlgorithm.SECP256K1, Digest.SHA256),
    "ECDSA-secp256r1-SHA256": (KeyAlgorithm.SECP256R1, Digest.SHA256),
    "ECDSA-brainpool256r1-SHA256": (KeyAlgorithm.BRAINPOOL_P256R1, Digest.SHA256),
    "ECDSA-brainpoolP256r1-SHA256": (KeyAlgorithm.BRAINPOOL_P256R1, Digest.SHA256),
    "ECDSA-secp384r1-SHA256": (KeyAlgorithm.SECP384R1, Digest.SHA256),
    "ECDSA-secp384r1-SHA384": (KeyAlgorithm.SECP384R1, Digest.SHA384),
    "ECDSA-brainpool384r1-SHA256": (KeyAlgorithm.BRAINPOOL_P384R1, Digest.SHA256),
    "ECDSA-brainpoolP384r1-SHA256": (KeyAlgorithm.BRAINPOOL_P384R1, Digest.SHA256),
    "ECDSA-brainpool384r1-SHA384": (KeyAlgorithm.BRAINPOOL_P384R1, Digest.SHA384),
    "ECDSA-brainpoolP384r1-SHA384": (KeyAlgorithm.BRAINPOOL_P384R1, Digest.SHA384),
}
DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256"
"""Since version 0.4 of the format."""

_PAGE = re.compile(r"([TF])(0|[1-9][0-9]{0,18})")
_VERSION = re.compile(r"[01]\.[0-9]{1,4}")
_LEVELS = frozenset(
    ("NONE", "HEARSAY", "TRUSTED", "VERIFIED", "CERTIFIED", "SECURE", "MISMATCH", "INVALID", "OUTDATED", "UNKNOWN")
)
_MAX_FLAGS = 4

Section = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identification:
    """The texts that say which gateway, meter and charge point it is; each None if not given.

    Attributes:
        gateway: GI, the signing component's kind.
        gateway_serial: GS.
        gateway_version: GV.
        meter_vendor: MV.
        meter_model: MM.
        meter_serial: MS.
        meter_firmware: MF.
        charge_point_type: CT.
        charge_point: CI.
    """

    gateway: str | None
    gateway_serial: str | None
    gateway_version: str | None
    meter_vendor: str | None
    meter_model: str | None
    meter_serial: str | None
    meter_firmware: str | None
    charge_point_type: str | None
    charge_point: str | None


@dataclass(frozen=True, slots=True)
class User:
    """Whom a transaction is assigned to: IS, IL, IF, IT and ID; each None (no flags) if not given."""

    assigned: bool | None
    level: str | None
    flags: tuple[str, ...]
    type: str | None
    data: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """One message: what was signed, and what it says.

    Attributes:
        statement: the payload as signed, and the signature, not yet verified.
        version: FV, such as "1.0"; None if not given.
        context: which page counter its page is of.
        page: PG, goes up by one with each record of a context.
        identification: of gateway, meter and charge point. A gateway's or a meter's serial number is always given.
        user: whom the transaction is assigned to.
        readings: RD, in order.
    """

    statement: Statement
    version: str | None
    context: Context
    page: int
    identification: Identification
    user: User
    readings: tuple[Reading, ...]


def parse(message: bytes) -> Record:
    """Read a message. Its signature is decoded, not verified: that takes the meter's key.

    Raises:
        MalformedMessageError: it is too long, has other sections, or they are no JSON objects of distinct keys.
        MessageFieldError: a field is missing or outside its limits.
        UnsupportedAlgorithmError: its signature's algorithm, encoding or type is not supported.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise MalformedMessageError(f"OCMF message is {len(message)} bytes long: at most {MAX_MESSAGE_BYTES}")
    sections = message.split(_SEPARATOR)
    if len(sections) != 3 or sections[0] != HEADER:
        raise MalformedMessageError(
            f"OCMF message has {len(sections)} sections, the first {sections[0][:16]!r}: must be "
            "OCMF|payload|signature"
        )
    payload, signature = _section("payload", sections[1]), _section("signature", sections[2])
    version = _text(payload, "FV")
    if version is not None and not _VERSION.fullmatch(version):
        raise MessageFieldError("FV", version, "must be 0.x or 1.x")
    context, page = _page(payload)
    points = readings(payload.get("RD"))
    algorithm, digest = _algorithm(signature)
    statement = Statement(
        message=sections[1],
        algorithm=algorithm,
        digest=digest,
        made_at=_made_at(points),
        signature=_signature(signature),
        source=message,
    )
    return Record(statement, version, context, page, _identification(payload), _user(payload), points)


def _section(name: str, text: bytes) -> Section:
    try:
        value = json.loads(
            text.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_distinct,
        )
    except (ValueError, RecursionError, InvalidOperation) as error:
        # ValueError is also what no UTF-8, and no JSON, are; InvalidOperation is an exponent beyond all bounds.
        raise MalformedMessageError(f"OCMF {name} section is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedMessageError(f"OCMF {name} section is a JSON {type(value).__name__}: must be an object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _distinct(pairs: list[tuple[str, Any]]) -> Section:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Two readers that take different ones of two equal keys would read different messages under one signature.
        raise ValueError("a key comes twice in one object")
    return fields


def _text(section: Section, key: str) -> str | None:
    value = section.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT):
        raise MessageFieldError(key, value, f"must be a string of at most {MAX_TEXT} characters")
    return value


def _page(payload: Section) -> tuple[Context, int]:
    found = _PAGE.fullmatch(_text(payload, "PG") or "")
    if found is None or int(found[2]) > MAX_PAGE:
        raise MessageFieldError("PG", payload.get("PG"), f"must be T or F and a number up to {MAX_PAGE}")
    return Context(found[1]), int(found[2])


def _identification(payload: Section) -> Identification:
    keys = ("GI", "GS", "GV", "MV", "MM", "MS", "MF", "CT", "CI")
    identification = Identification(*(_text(payload, key) for key in keys))
    if not identification.gateway_serial and not identification.meter_serial:
        raise MessageFieldError("MS", identification.meter_serial, "must be given, or GS")
    return identification


def _user(payload: Section) -> User:
    assigned, level, flags = payload.get("IS"), _text(payload, "IL"), payload.get("IF", [])
    if assigned is not None and not isinstance(assigned, bool):
        raise MessageFieldError("IS", assigned, "must be true or false")
    if level is not None and level not in _LEVELS:
        raise MessageFieldError("IL", level, f"must be one of {', '.join(sorted(_LEVELS))}")
    if (
        not isinstance(flags, list)
        or len(flags) > _MAX_FLAGS
        or not all(isinstance(flag, str) and len(flag) <= MAX_TEXT for flag in flags)
    ):
        raise MessageFieldError("IF", flags, f"must be an array of at most {_MAX_FLAGS} strings")
    return User(assigned, level, tuple(flags), _text(payload, "IT"), _text(payload, "ID"))


def _algorithm(section: Section) -> tuple[KeyAlgorithm, Digest]:
    name = _text(section, "SA") or DEFAULT_ALGORITHM
    if name not in ALGORITHMS:
        raise UnsupportedAlgorithmError(f"OCMF field 'SA' is {name!r}: must be one of {', '.join(ALGORITHMS)}")
    if (mime := _text(section, "SM") or "application/x-der") != "application/x-der":
        raise UnsupportedAlgorithmError(f"OCMF field 'SM' is {mime!r}: must be application/x-der")
    return ALGORITHMS[name]


def _signature(section: Section) -> bytes:
    encoding, data = _text(section, "SE") or "hex", section.get("SD")
    if encoding not in {"hex", "base64"}:
        raise UnsupportedAlgorithmError(f"OCMF field 'SE' is {encoding!r}: must be hex or base64")
    if not isinstance(data, str) or not 0 < len(data) <= 2 * MAX_SIGNATURE_BYTES:
        raise MessageFieldError("SD", data, f"must be a string of 1 to {2 * MAX_SIGNATURE_BYTES} characters")
    try:
        # unhexlify, unlike bytes.fromhex, passes over no white space.
        return binascii.unhexlify(data) if encoding == "hex" else base64.b64decode(data, validate=True)
    except ValueError as error:
        raise MessageFieldError("SD", data, f"must be {encoding}") from error


def _made_at(points: tuple[Reading, ...]) -> int:
    # A reading at the very end of a slot is the last of that slot, not the first of the next.
    return max(0, (max(point.at_ms for point in points) - 1) // 1_000)
