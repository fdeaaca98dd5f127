"""Evidence as rows: what it rests on as JSON, what was signed as bytes, both exactly as they were."""

import json
import struct
from typing import Any

from ledger.evidence.evidence import Clock, Context, Count, Evidence, Method, Register, Statement, Substitution
from ledger.evidence.keys import Digest, KeyAlgorithm

# Algorithm, digest, time; then the lengths of signature and source, and where in the source the message is.
_STATEMENT = struct.Struct(">BBQHIII")
_DIGESTS = tuple(Digest)


def encoded_basis(basis: Count | Substitution) -> str:
    """A count or a substitution as JSON."""
    if isinstance(basis, Substitution):
        fields: dict[str, Any] = {"method": int(basis.method), "reason": basis.reason}
    else:
        fields = {
            "opening_mwh": basis.opening_mwh,
            "register_mwh": basis.register_mwh,
            "first_sequence": basis.first_sequence,
            "sequence": basis.sequence,
            "clock": basis.clock.value,
            "register": None if basis.register is None else encoded_register(basis.register),
        }
    return json.dumps(fields, separators=(",", ":"))


def decoded_basis(text: str) -> Count | Substitution:
    """The inverse of `encoded_basis`."""
    fields = json.loads(text)
    if "method" in fields:
        return Substitution(Method(fields["method"]), fields["reason"])
    register = fields["register"]
    return Count(
        opening_mwh=fields["opening_mwh"],
        register_mwh=fields["register_mwh"],
        first_sequence=fields["first_sequence"],
        sequence=fields["sequence"],
        clock=Clock(fields["clock"]),
        register=None if register is None else decoded_register(register),
    )


def encoded_register(register: Register) -> str:
    """A register's names as JSON."""
    names = [register.gateway_serial, register.meter_serial, register.obis, register.context.value]
    return json.dumps(names, separators=(",", ":"))


def decoded_register(text: str) -> Register:
    """The inverse of `encoded_register`."""
    gateway, meter, obis, context = json.loads(text)
    return Register(gateway, meter, obis, Context(context))


def encoded_statements(statements: tuple[Statement, ...]) -> bytes:
    """What was signed, one after the other; each message is a part of its source, so it is not kept twice."""
    parts = []
    for each in statements:
        head = _STATEMENT.pack(
            each.algorithm,
            _DIGESTS.index(each.digest),
            each.made_at,
            len(each.signature),
            len(each.source),
            each.source.index(each.message),
            len(each.message),
        )
        parts.append(head + each.signature + each.source)
    return b"".join(parts)


def decoded_statements(data: bytes) -> tuple[Statement, ...]:
    """The inverse of `encoded_statements`."""
    found, at = list[Statement](), 0
    while at < len(data):
        algorithm, digest, made_at, signed, length, start, span = _STATEMENT.unpack_from(data, at)
        at += _STATEMENT.size
        signature, source = data[at : at + signed], data[at + signed : at + signed + length]
        at += signed + length
        message = source[start : start + span]
        found.append(Statement(message, KeyAlgorithm(algorithm), _DIGESTS[digest], made_at, signature, source))
    return tuple(found)


def columns(evidence: Evidence) -> dict[str, Any]:
    """The columns of a reading that say what was metered."""
    return {
        "device": evidence.device,
        "slot": evidence.slot,
        "energy_wh": evidence.energy_wh,
        "quality": int(evidence.quality),
        "basis": encoded_basis(evidence.basis),
        "statements": encoded_statements(evidence.statements),
    }
