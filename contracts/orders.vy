# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Orders: what a member signs, and how a filled order is written in a settlement
@license GNU Affero General Public License v3.0 only
@notice An order is an EIP-712 message. A settlement carries each filled order in four words, because calldata
        and memory are what a batch pays for besides the signature check itself:

        who    bits   0-159  account     160-223  salt
        terms  bits   0-31   quantity     32-63   limit price    64-95   epoch       96-135  expiry
                    136-143  certificate preference            144      side (1 = offer)
                    145      parity of the signature           146-177  fill        178-240  amount
                    241      whether the order was posted on chain
        r, s   the signature

        Quantity and fill are Wh, price is nano-credit per Wh, amount is nano-credits. Bits above these are zero.
"""

from snekmate.utils import ecdsa


struct Fill:
    who: uint256
    terms: uint256
    r: uint256
    s: uint256


ORDER_TYPE_HASH: constant(bytes32) = keccak256(
    "Order(address account,bytes32 market,uint64 slot,uint8 side,uint32 price,uint32 quantity,uint8 certificates,uint32 epoch,uint64 expiry,uint64 salt)"
)

# Unbundled, bundled, auto-retire.
MAX_PREFERENCE: constant(uint256) = 2

MASK_8: constant(uint256) = 2**8 - 1
MASK_9: constant(uint256) = 2**9 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_63: constant(uint256) = 2**63 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_160: constant(uint256) = 2**160 - 1


@internal
@pure
def account_of(fill: Fill) -> address:
    return convert(fill.who & MASK_160, address)


@internal
@pure
def quantity_of(terms: uint256) -> uint256:
    return terms & MASK_32


@internal
@pure
def price_of(terms: uint256) -> uint256:
    return (terms >> 32) & MASK_32


@internal
@pure
def epoch_of(terms: uint256) -> uint256:
    return (terms >> 64) & MASK_32


@internal
@pure
def expiry_of(terms: uint256) -> uint256:
    return (terms >> 96) & MASK_40


@internal
@pure
def is_offer(terms: uint256) -> bool:
    return (terms >> 144) & 1 == 1


@internal
@pure
def fill_of(terms: uint256) -> uint256:
    return (terms >> 146) & MASK_32


@internal
@pure
def amount_of(terms: uint256) -> uint256:
    return (terms >> 178) & MASK_63


@internal
@pure
def is_posted(terms: uint256) -> bool:
    return (terms >> 241) & 1 == 1


@internal
@pure
def is_well_formed(fill: Fill) -> bool:
    """
    @notice Whether the words hold an order that a member can have meant: no stray bits, a quantity below
            2**23 Wh, as fits a position, a certificate preference that exists.
    """
    if (fill.who >> 224) | (fill.terms >> 242) | ((fill.terms >> 23) & MASK_9) != 0:
        return False
    return (fill.terms >> 136) & MASK_8 <= MAX_PREFERENCE


@internal
@pure
def digest_of(fill: Fill, market: bytes32, slot: uint256, domain: bytes32) -> bytes32:
    """
    @notice The EIP-712 hash that the member signed: the order's id.
    """
    terms: uint256 = fill.terms
    return keccak256(
        concat(
            x"1901",
            domain,
            keccak256(
                abi_encode(
                    ORDER_TYPE_HASH,
                    fill.who & MASK_160,
                    market,
                    slot,
                    (terms >> 144) & 1,
                    (terms >> 32) & MASK_32,
                    terms & MASK_32,
                    (terms >> 136) & MASK_8,
                    (terms >> 64) & MASK_32,
                    (terms >> 96) & MASK_40,
                    (fill.who >> 160) & MASK_64,
                )
            ),
        )
    )


@internal
@view
def signed_by_account(fill: Fill, digest: bytes32) -> bool:
    """
    @notice Whether the account named in the order signed it. Reverts on a malleable (high-s) signature.
    """
    return self.account_of(fill) == ecdsa._try_recover_vrs(digest, 27 + ((fill.terms >> 145) & 1), fill.r, fill.s)
