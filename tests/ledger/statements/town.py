"""A street whose certificates were matched, stored, imported, given, exported and retired, and what it states."""

from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.batches import MemberReading
from ledger.certificates import actions
from ledger.certificates.claims import Claim, text_hash
from ledger.certificates.ids import CertificateId
from ledger.certificates.issuer import Import
from ledger.certificates.selection import Part
from ledger.deployment import Contracts
from ledger.eecs import fuel_number, technology_number
from ledger.hexcodec import from_data
from ledger.keys import Key
from ledger.statements import canonical
from ledger.statements.building import Words
from ledger.statements.codec import to_plain
from ledger.statements.making import make
from ledger.statements.model import Kind, Scope, Statement
from ledger.statements.signing import SignedStatement, StatementKey, endorse, public_key_of, sign
from ledger.statements.verdict import Verdict
from ledger.statements.verification import verify
from tests.ledger.certificates.street import BATTERY, CHARGER, LOAD, OWN_LOAD, PV, Street, generation
from tests.ledger.statements.samples import SECRET, encoded
from tests.world import MARKET, SLOT, World, new_world

WORDS = Words("Invoice 17, Bäckerei Ωmega", b"\x5a" * 32)
SECOND, THIRD, FOURTH = SLOT + 900, SLOT + 1_800, SLOT + 2_700
END = SLOT + 3_600


@dataclass
class Town:
    """The street, the block up to which it lived as told below, and where two things happened."""

    street: Street
    block: int
    imported: CertificateId
    declared_in: bytes  # the transaction in which member 0 retired by hand
    made: dict[tuple[Kind, Scope, int], Statement] = field(
        default_factory=dict
    )  # what a block's are stays for good

    @property
    def world(self) -> World:
        return self.street.world

    @property
    def contracts(self) -> Contracts:
        return self.street.contracts

    def scope(self, member: int | None, **changes: Any) -> Scope:
        account = None if member is None else self.street.member(member).address
        scope = Scope(account, MARKET if member is None else None, SLOT, END, "Europe/Amsterdam", (), None)
        return replace(scope, **changes)

    def retirement(self, member: int = 0, *, block: int | None = None, **changes: Any) -> Statement:
        return self._make(Kind.RETIREMENT, self.scope(member, **changes), block, [WORDS] if member == 0 else [])

    def disclosure(self, member: int | None = None, *, block: int | None = None, **changes: Any) -> Statement:
        return self._make(Kind.DISCLOSURE, self.scope(member, **changes), block, [])

    def _make(self, kind: Kind, scope: Scope, block: int | None, revealed: list[Words]) -> Statement:
        if block is not None:
            return make(self.contracts, kind, scope, block=block, revealed=revealed)
        key = kind, scope, self.block
        if key not in self.made:
            self.made[key] = make(self.contracts, kind, scope, block=self.block, revealed=revealed)
        return self.made[key]

    def key(self, issuer: Key | None = None) -> StatementKey:
        devices = self.contracts.devices
        endorsement = endorse(
            issuer or self.world.keys["issuer"],
            public_key_of(SECRET),
            chain_id=devices.chain.chain_id,
            devices=devices.address,
        )
        return StatementKey(SECRET, endorsement)

    def signed(self, statement: Statement, issuer: Key | None = None) -> SignedStatement:
        return sign(statement, self.key(issuer))

    def verdict(self, statement: Statement, **more: Any) -> Verdict:
        """Of a statement as its issuer signs it."""
        return verify(self.signed(statement).token.encode(), self.world.chain, **more)

    def verdict_of(self, signed: SignedStatement) -> Verdict:
        return verify(signed.token.encode(), self.world.chain)

    def verdict_on(self, plain: Any) -> Verdict:
        """Of anything at all, as the issuer's statement key would sign it if it fell into the wrong hands."""
        return verify(self.token_of(plain), self.world.chain)

    def token_of(self, plain: Any) -> bytes:
        chain = plain["chain"]
        endorsement = endorse(
            self.world.keys["issuer"],
            public_key_of(SECRET),
            chain_id=chain["chain_id"],
            devices=from_data(chain["devices"]),
        )
        head = from_header(self.signed(self.retirement()).token) | {"endorsement": "0x" + endorsement.hex()}
        content = encoded(canonical.encode(head)) + b"." + encoded(canonical.encode(plain))
        return content + b"." + encoded(Ed25519PrivateKey.from_private_bytes(SECRET).sign(content))

    def mine(self) -> int:
        """One more block; its number."""
        self.world.send("treasurer", self.contracts.credit, "mint", self.street.member(0).address, 1)
        return self.world.chain.head().number


def from_header(token: str) -> dict[str, Any]:
    header: dict[str, Any] = canonical.decode(urlsafe_b64decode(token.split(".", 1)[0] + "=="))
    return header


def plain(statement: Statement) -> Any:
    return to_plain(statement)


@contextmanager
def new_town() -> Iterator[Town]:
    """Four members and what became of their energy in four slots.

    Delivered: in the first slot, member 0 consumed 1,200 Wh, member 1 800. Certified: first 2,000 Wh of what
    member 1 generated, of which it consumed 800 itself and 700 went to member 0's load, 200 to member 0 to hold;
    second 1,500, of which 900 charged member 2's battery; third what the battery gave, 500, of which 400 went to
    member 0's load of 600. An import of 250 for member 0, who retires 150 of what it holds and 100 of that by
    hand. Member 1 gives 50 to a stranger, and exports 60.
    """
    with new_world() as world:
        street = Street(world)
        addresses = [key.address for key in world.members]
        world.commit()
        world.settle([])
        world.deliver(
            [MemberReading(*row) for row in zip(addresses, (1_200, 800, 0, 0), (0, 2_000, 0, 0), strict=True)]
        )
        street.certify(
            {PV: 2_000, LOAD: 1_000, OWN_LOAD: 800},
            matches={(PV, OWN_LOAD): 800, (PV, LOAD): 700},
            moves={(PV, 0): 200},
        )
        street.certify({PV: 1_500, CHARGER: 1_000}, matches={(PV, CHARGER): 900}, slot=SECOND)
        street.certify({BATTERY: 500, LOAD: 600}, matches={(BATTERY, LOAD): 400}, slot=THIRD)
        imported = street.issuer.import_certificate(
            Import(
                registry="NO-STATNETT",
                serial="serial 1",
                to=addresses[0],
                area=street.abroad,
                slot=SECOND,
                slot_length_s=900,
                amount_wh=250,
                technology=technology_number("T020001"),
                fuel=fuel_number("F01050100"),
            )
        )
        claim = Claim(1, "NL", SLOT, THIRD, text_hash=text_hash(WORDS.text, WORDS.salt))
        parts = [Part(generation(PV), 150), Part(imported, 100)]
        declared = street.act(0, actions.retire(street.contracts, parts, claim))
        stranger = world.strangers[0].address
        street.act(1, actions.transfer(street.contracts, addresses[1], stranger, [Part(generation(PV), 50)]))
        sent_abroad = [Part(generation(PV, SECOND), 60)]
        street.act(1, actions.export(street.contracts, sent_abroad, registry="DE-UBA", serial="x 1"))
        yield Town(street, world.chain.head().number, imported, declared.transaction_hash)
