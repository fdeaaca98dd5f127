# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Market word: what settling needs of a market, in one word
@license GNU Affero General Public License v3.0 only
@notice The markets' contract makes the word, and the exchange keeps it:

        bits    0-159 operator                        160-175 slot length (s)
              176-199 gate lead (s)                   200-223 time to settle in (s)
              224-239 number of the market            240     one price for all fills of a slot
              241     grid limits                     242     frozen
              243-247 approvals needed
"""

MASK_5: constant(uint256) = 2**5 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_160: constant(uint256) = 2**160 - 1


@internal
@pure
def operator_of(control: uint256) -> address:
    return convert(control & MASK_160, address)


@internal
@pure
def slot_length_of(control: uint256) -> uint256:
    return (control >> 160) & MASK_16


@internal
@pure
def gate_lead_of(control: uint256) -> uint256:
    return (control >> 176) & MASK_24


@internal
@pure
def deadline_of(control: uint256, slot: uint256) -> uint256:
    """
    @return The last second at which the slot can be settled.
    """
    return slot + ((control >> 200) & MASK_24)


@internal
@pure
def number_of(control: uint256) -> uint256:
    return (control >> 224) & MASK_16


@internal
@pure
def has_one_price(control: uint256) -> bool:
    return (control >> 240) & 1 == 1


@internal
@pure
def has_priority(control: uint256) -> bool:
    """
    @return Whether an order strictly better than the price must be filled whole: one price, and no grid limits.
    """
    return (control >> 240) & 3 == 1


@internal
@pure
def is_frozen(control: uint256) -> bool:
    return (control >> 242) & 1 == 1


@internal
@pure
def approvals_needed_of(control: uint256) -> uint256:
    return (control >> 243) & MASK_5


@internal
@pure
def packed(
    operator: address,
    slot_length_s: uint256,
    gate_lead_s: uint256,
    settle_within_s: uint256,
    number: uint256,
    one_price: bool,
    grid_limits: bool,
    frozen: bool,
    approvals_needed: uint256,
) -> uint256:
    control: uint256 = convert(operator, uint256)
    control |= slot_length_s << 160
    control |= gate_lead_s << 176
    control |= settle_within_s << 200
    control |= number << 224
    control |= convert(one_price, uint256) << 240
    control |= convert(grid_limits, uint256) << 241
    control |= convert(frozen, uint256) << 242
    control |= approvals_needed << 243
    return control
