"""Statements that no chain was asked for: well formed, signed, and good for everything but verification."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.keys import Key
from ledger.statements.model import (
    FORMAT,
    Carbon,
    ChainPoint,
    Device,
    Discharge,
    Disclosure,
    Flow,
    ImportedFrom,
    Kind,
    Origin,
    Part,
    Retirement,
    Scope,
    Share,
    Statement,
)
from ledger.statements.signing import SignedStatement, StatementKey, endorse, public_key_of, sign

ISSUER = Key(b"\x01" * 32)
SECRET = b"\x02" * 32
ACCOUNT = b"\xaa" * 20
MARKET = b"fontana".ljust(32, b"\0")
FIRST = 1_774_738_800  # 2026-03-29 00:00 in Amsterdam, a day of 23 hours
POINT = ChainPoint(1337, b"\x0e" * 20, b"\x0c" * 20, b"\x0d" * 20, 42, b"\xb1" * 32, 1_775_000_000)
SCOPE = Scope(ACCOUNT, None, FIRST, FIRST + 30 * 86_400 - 3_600, "Europe/Amsterdam", (), None)

PHOTOVOLTAIC = Device(
    7, b"\xbb" * 20, "generator", "T010100", "F01040100", 6_000, 900, 5_237, 490,
    MARKET, "10YNL----------L", 19_000, "none",
)  # fmt: skip
BATTERY = Device(
    9, b"\xbb" * 20, "storage", "T010100", "F01040100", 3_000, 900, -5_237, -490,
    MARKET, "10YNL----------L", 19_500, "investment",
)  # fmt: skip
IMPORTED = ImportedFrom(3, "NO-STATNETT", "serial 1", "10YNO-1--------2", 3_600, "T020001", "F01050100")


def retirement(place: int = 0, **changes: object) -> Retirement:
    """The retirement of some certificate; `place` counts slots."""
    slot = FIRST + 900 * place
    values: dict[str, object] = {
        "certificate": CertificateId(slot, 7),
        "amount_wh": 1_000 + place,
        "origin": Origin.BOUGHT,
        "holder": b"\xbb" * 20,
        "beneficiary": ACCOUNT,
        "consumption": CertificateId(slot, 8, CertificateKind.CONSUMPTION),
        "purpose": None,
        "country": None,
        "first_slot": None,
        "last_slot": None,
        "text_hash": None,
        "text": None,
        "salt": None,
        "withdrawn": False,
        "block": 40,
        "time": slot + 1_000,
        "transaction": b"\x77" * 32,
    }
    return Retirement(**values | changes)  # type: ignore[arg-type]


def declared(text: str, place: int = 1) -> Retirement:
    """A retirement by hand, for something said in these words."""
    slot = FIRST + 900 * place
    return retirement(
        place, consumption=None, purpose="consumption", country="NL", first_slot=slot, last_slot=slot,
        text_hash=b"\x55" * 32, text=text, salt=b"\x66" * 32,
    )  # fmt: skip


def retirement_statement(*retirements: Retirement) -> Statement:
    """A retirement statement of these lines, or of a few of every origin."""
    lines = retirements or (
        retirement(0, origin=Origin.SELF_CONSUMED),
        declared("Bäckerei Ωmega"),
        retirement(2, certificate=CertificateId(FIRST + 1_800, 9, CertificateKind.STORED), origin=Origin.STORAGE),
        retirement(
            3, certificate=CertificateId(FIRST + 2_700, 3, CertificateKind.IMPORTED), origin=Origin.IMPORTED
        ),
    )
    discharge = Discharge(
        CertificateId(FIRST + 1_800, 9, CertificateKind.STORED), 1_100, 1_002,
        (Part(CertificateId(FIRST, 7), 1_002_000_000), Part(None, 98_000_000)),
    )  # fmt: skip
    last_slot = max(line.certificate.slot for line in lines)
    scope = replace(SCOPE, end_slot=max(SCOPE.end_slot, last_slot + 900))
    return Statement(
        FORMAT, Kind.RETIREMENT, POINT, ISSUER.address, scope, sum(line.amount_wh for line in lines), tuple(lines),
        (PHOTOVOLTAIC, BATTERY), (IMPORTED,), (discharge,), None,
    )  # fmt: skip


def disclosure_statement() -> Statement:
    """A community's disclosure."""
    disclosure = Disclosure(
        members=2,
        consumption_wh=10_000,
        retired_wh=7_800,
        matched_wh=7_500,
        claimed_wh=200,
        score_ppm=750_000,
        annual_ppm=800_000,
        pool_score_ppm=780_000,
        shares=(Share(Origin.SELF_CONSUMED, "T010100", "F01040100", 7_500),),
        flow=Flow(9_000, 500, 300, 8_000, 100, 200, 50, 150, 700),
        carbon=Carbon("NL 2023: AIB, CO2", 250, 400, 2_500_000, 1_000_000),
    )
    scope = Scope(None, MARKET, SCOPE.first_slot, SCOPE.end_slot, SCOPE.time_zone, (), "NL/2023")
    return Statement(
        FORMAT, Kind.DISCLOSURE, POINT, ISSUER.address, scope, 10_000, (), (PHOTOVOLTAIC,), (), (), disclosure
    )


def key_for(point: ChainPoint = POINT, issuer: Key = ISSUER, secret: bytes = SECRET) -> StatementKey:
    """A statement key that this issuer endorsed for these contracts."""
    endorsement = endorse(issuer, public_key_of(secret), chain_id=point.chain_id, devices=point.devices)
    return StatementKey(secret, endorsement)


def signed(statement: Statement | None = None) -> SignedStatement:
    """A statement, signed by the sample issuer's key."""
    return sign(statement or retirement_statement(), key_for())


def encoded(value: object) -> bytes:
    """A part of a token: bytes, or a value as JSON, in base64."""
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return urlsafe_b64encode(text).rstrip(b"=")
