"""EIP-712 messages: what members, operator and issuer sign, and its hashes. The only place that encodes them.

The reference is https://eips.ethereum.org/EIPS/eip-712; tests compare every hash with `eth_account`'s encoder
and with the contract.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_hash.auto import keccak

from ledger.keys import Key, recover
from matching.orders import Order

DOMAIN_NAME = "Wattbook"
DOMAIN_VERSION = "1"

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_DOMAIN_TYPE_HASH = keccak(_DOMAIN_TYPE.encode())

ORDER_FIELDS = (
    ("account", "address"),
    ("market", "bytes32"),
    ("slot", "uint64"),
    ("side", "uint8"),
    ("price", "uint32"),
    ("quantity", "uint32"),
    ("certificates", "uint8"),
    ("epoch", "uint32"),
    ("expiry", "uint64"),
    ("salt", "uint64"),
)
RECEIPT_FIELDS = (
    ("order", "bytes32"),
    ("market", "bytes32"),
    ("slot", "uint64"),
    ("index", "uint64"),
    ("receivedAt", "uint64"),
)
CANCELLATION_FIELDS = (("account", "address"), ("order", "bytes32"))
SETTLEMENT_FIELDS = (
    ("market", "bytes32"),
    ("slot", "uint64"),
    ("book", "bytes32"),
    ("price", "uint256"),
    ("fills", "bytes32"),
)
FOLLOWING_FIELDS = (("account", "address"), ("until", "uint64"))
STATEMENT_KEY_FIELDS = (("key", "bytes32"),)


def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())


_ORDER_TYPE_HASH = _type_hash("Order", ORDER_FIELDS)
_RECEIPT_TYPE_HASH = _type_hash("Receipt", RECEIPT_FIELDS)
_CANCELLATION_TYPE_HASH = _type_hash("Cancellation", CANCELLATION_FIELDS)
_FOLLOWING_TYPE_HASH = _type_hash("Following", FOLLOWING_FIELDS)
_SETTLEMENT_TYPE_HASH = _type_hash("Settlement", SETTLEMENT_FIELDS)
_STATEMENT_KEY_TYPE_HASH = _type_hash("StatementKey", STATEMENT_KEY_FIELDS)


@dataclass(frozen=True)
class Domain:
    """Where a signature counts: one exchange on one chain; of an endorsement, the Devices contract's address."""

    chain_id: int
    exchange: bytes

    @cached_property
    def separator(self) -> bytes:
        """The 32-byte domain separator."""
        return keccak(
            _DOMAIN_TYPE_HASH
            + keccak(DOMAIN_NAME.encode())
            + keccak(DOMAIN_VERSION.encode())
            + _word(self.chain_id)
            + self.exchange.rjust(32, b"\0")
        )

    def typed_data(self) -> dict[str, Any]:
        """The domain as wallets take it (`eth_signTypedData_v4`)."""
        return {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": self.chain_id,
            "verifyingContract": "0x" + self.exchange.hex(),
        }


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order, its EIP-712 hash, which is its id, and its owner's 65-byte signature."""

    order: Order
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The operator's signed word that it took an order, in time, as number `index` of its slot."""

    order_hash: bytes
    market: bytes
    slot: int
    index: int
    received_at: int


def order_hash(domain: Domain, order: Order) -> bytes:
    """The hash that an order's owner signs: the order's id."""
    return _digest(
        domain,
        _ORDER_TYPE_HASH
        + order.account.rjust(32, b"\0")
        + order.market
        + _word(order.slot)
        + _word(order.side)
        + _word(order.price)
        + _word(order.quantity_wh)
        + _word(order.certificates)
        + _word(order.epoch)
        + _word(order.expires_at)
        + _word(order.salt),
    )


def sign_order(domain: Domain, order: Order, key: Key) -> SignedOrder:
    """Sign an order with its account's key.

    Raises:
        ValueError: the key is another account's.
    """
    if key.address != order.account:
        raise ValueError(f"the key controls 0x{key.address.hex()}, the order is 0x{order.account.hex()}'s")
    digest = order_hash(domain, order)
    return SignedOrder(order=order, hash=digest, signature=key.sign(digest))


def order_signer(signed: SignedOrder) -> bytes:
    """The address that signed an order, to be compared with its account.

    Raises:
        InvalidSignatureError: the signature is malformed or malleable.
    """
    return recover(signed.hash, signed.signature)


def receipt_hash(domain: Domain, receipt: Receipt) -> bytes:
    """The hash that the operator signs when it takes an order."""
    return _digest(
        domain,
        _RECEIPT_TYPE_HASH
        + receipt.order_hash
        + receipt.market
        + _word(receipt.slot)
        + _word(receipt.index)
        + _word(receipt.received_at),
    )


def cancellation_hash(domain: Domain, account: bytes, order_hash: bytes) -> bytes:
    """The hash that a member signs to cancel one of its orders before gate closure."""
    return _digest(domain, _CANCELLATION_TYPE_HASH + account.rjust(32, b"\0") + order_hash)


def following_hash(domain: Domain, account: bytes, until: int) -> bytes:
    """The hash that a member signs to follow its account's events until a Unix second."""
    return _digest(domain, _FOLLOWING_TYPE_HASH + account.rjust(32, b"\0") + _word(until))


def settlement_hash(
    domain: Domain, *, market: bytes, slot: int, book: bytes, price: int, fills_hash: bytes
) -> bytes:
    """The hash that a validator signs to approve a settlement.

    `book` is the committed book, see `ledger.merkle.commitment`; for `fills_hash` see `ledger.batches.fills_hash`.
    """
    return _digest(domain, _SETTLEMENT_TYPE_HASH + market + _word(slot) + book + _word(price) + fills_hash)


def statement_key_hash(domain: Domain, public_key: bytes) -> bytes:
    """The hash that the issuer signs so that an Ed25519 key, 32 bytes, speaks for it."""
    return _digest(domain, _STATEMENT_KEY_TYPE_HASH + public_key)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _digest(domain: Domain, struct: bytes) -> bytes:
    return keccak(b"\x19\x01" + domain.separator + keccak(struct))
