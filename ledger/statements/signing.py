"""The signature of a statement: a compact JWS (RFC 7515), Ed25519 (RFC 9864), by a key that the issuer endorsed.

The issuer of certificates holds a key of the chain, which should not sign documents all day. It signs once, by
EIP-712 under the Devices contract's address, that an Ed25519 key speaks for it. That endorsement goes into every
statement's header, so whoever can ask the chain who was issuer needs nothing else.

joserfc makes and checks the JWS: maintained, typed, and with the fully specified algorithm name `Ed25519`.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from ledger.eip712 import Domain, statement_key_hash
from ledger.hexcodec import to_data
from ledger.keys import InvalidSignatureError, Key, recover
from ledger.statements import canonical
from ledger.statements.codec import from_plain, to_plain
from ledger.statements.errors import InvalidStatementError, OtherFormatError, StatementSignatureError
from ledger.statements.model import FORMAT, Statement

ALGORITHM = "Ed25519"
TYPE = "wattbook-statement"
_ANY_FORMAT = re.compile(r"wattbook\.statement/[0-9]{1,9}", re.ASCII)

MAX_TOKEN_BYTES = 16 * 2**20
"""Longest signed statement that is read, in bytes."""

_SIGNATURE_CHARACTERS = 86  # 64 bytes


class _Registry(jws.JWSRegistry):
    """joserfc's rules of headers and sizes, with ours."""

    max_header_length = 1_024
    max_payload_length = MAX_TOKEN_BYTES


_REGISTRY = _Registry({"endorsement": HeaderParameter("Issuer's signature", "str", True)}, [ALGORITHM])


@dataclass(frozen=True)
class StatementKey:
    """A key that signs statements, and the issuer's endorsement of it. Its text form never shows the secret.

    Attributes:
        secret: the Ed25519 private key, 32 bytes.
        endorsement: see `endorse`.
    """

    secret: bytes = field(repr=False)
    endorsement: bytes

    @cached_property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return public_key_of(self.secret)


@dataclass(frozen=True, slots=True)
class _PublicKey:
    """An Ed25519 key as a JSON Web Key (RFC 8037), fields in alphabetical order."""

    crv: str
    kty: str
    x: str


@dataclass(frozen=True, slots=True)
class _Header:
    """The JWS header of a statement, fields in alphabetical order."""

    alg: str
    endorsement: bytes
    jwk: _PublicKey
    kid: str
    typ: str


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement whose signature holds.

    Attributes:
        token: the compact JWS.
        endorser: the address that endorsed the key which signed; whether it was issuer, the chain says.
        kid: thumbprint of that key (RFC 7638).
        digest: SHA-256 of the payload: the statement's id.
    """

    statement: Statement
    token: str
    endorser: bytes
    kid: str
    digest: bytes


def public_key_of(secret: bytes) -> bytes:
    """The 32-byte Ed25519 public key of a private key."""
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def endorse(issuer: Key, public_key: bytes, *, chain_id: int, devices: bytes) -> bytes:
    """The issuer's word that an Ed25519 key signs statements for it, under one Devices contract: 65 bytes."""
    return issuer.sign(statement_key_hash(Domain(chain_id, devices), public_key))


def sign(statement: Statement, key: StatementKey) -> SignedStatement:
    """Sign a statement.

    Raises:
        InvalidStatementError: it is too long, or holds a number that JSON cannot carry.
        StatementSignatureError: the issuer that it names did not endorse the key.
    """
    jwk = OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(key.secret))
    payload = canonical.encode(to_plain(statement))
    # The header's fields are in the order of their names, as its canonical form has them.
    header = to_plain(_header(key.public_key, key.endorsement))
    try:
        token = jws.serialize_compact(header, payload, jwk, registry=_REGISTRY)
    except JoseError as error:
        raise InvalidStatementError("statement", f"cannot be signed: {error}") from error
    signed = opened(token.encode())
    if signed.endorser != statement.issuer:
        raise StatementSignatureError(
            f"the key was endorsed by {to_data(signed.endorser)}, the issuer is {to_data(statement.issuer)}"
        )
    return signed


def _check_format(plain: object) -> None:
    """Another version's figures mean something else: that is no forgery, but nothing here can tell.

    Raises:
        OtherFormatError: it is a statement in another format.
    """
    stated = plain.get("format") if isinstance(plain, dict) else None
    if isinstance(stated, str) and stated != FORMAT and _ANY_FORMAT.fullmatch(stated):
        raise OtherFormatError(
            "format",
            f"is {stated!r}, and this version reads {FORMAT!r}: verify it with the version that made it, or have "
            "it made anew",
        )


def opened(token: bytes) -> SignedStatement:
    """Read a signed statement; every byte of it counts.

    Raises:
        InvalidStatementError: it is not a statement, or not written as this module writes it.
        StatementSignatureError: a signature does not hold.
        OtherFormatError: it is of another format than this version's.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidStatementError("statement", f"has {len(token)} bytes: at most {MAX_TOKEN_BYTES}")
    try:
        parts = jws.extract_compact(token, registry=_REGISTRY)
        header = from_plain(_Header, parts.protected, "header")
        public_key = urlsafe_b64decode(header.jwk.x + "=")
        key = OKPKey.import_key(Ed25519PublicKey.from_public_bytes(public_key))
        if header != _header(public_key, header.endorsement):
            raise InvalidStatementError("header", "is not that of a statement's signature")
        if not _is_only_spelling(token, header, parts.payload):
            raise InvalidStatementError("statement", "is not written as a signed statement must be")
        holds = jws.validate_compact(parts, key, registry=_REGISTRY)
    except (JoseError, ValueError, RecursionError) as error:
        raise InvalidStatementError("statement", f"is not a signed statement: {error}") from error
    if not holds:
        raise StatementSignatureError("the signature is not by the key in the header")
    plain = canonical.decode(parts.payload)
    _check_format(plain)
    statement = from_plain(Statement, plain, "statement")
    return SignedStatement(
        statement=statement,
        token=token.decode(),
        endorser=_endorser(statement, public_key, header.endorsement),
        kid=header.kid,
        digest=sha256(parts.payload).digest(),
    )


def _endorser(statement: Statement, public_key: bytes, endorsement: bytes) -> bytes:
    try:
        domain = Domain(statement.chain.chain_id, statement.chain.devices)
        return recover(statement_key_hash(domain, public_key), endorsement)
    except InvalidSignatureError as error:
        raise StatementSignatureError(f"nobody endorsed the key in the header: {error}") from error


def _is_only_spelling(token: bytes, header: _Header, payload: bytes) -> bool:
    """Whether the token is the one way to write these; base64 and JSON alone allow several."""
    head, body, signature = token.split(b".")
    return (
        head == _base64(canonical.encode(to_plain(header)))
        and body == _base64(payload)
        and len(signature) == _SIGNATURE_CHARACTERS
        and signature == _base64(urlsafe_b64decode(signature + b"=="))
    )


def _header(public_key: bytes, endorsement: bytes) -> _Header:
    key = _PublicKey(crv=ALGORITHM, kty="OKP", x=_base64(public_key).decode())
    # RFC 7638: the required members in the order of their names, without white space.
    thumbprint = _base64(sha256(canonical.encode(to_plain(key))).digest()).decode()
    return _Header(alg=ALGORITHM, endorsement=endorsement, jwk=key, kid=thumbprint, typ=TYPE)


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
