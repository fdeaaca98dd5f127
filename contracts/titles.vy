# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Titles: what certificates need of a device, in one word
@license GNU Affero General Public License v3.0 only
@notice The Devices contract keeps it, and certificates of imports have one made up like it:

        bits    0-159 owner                     160-189 nameplate (W), 0 for no limit
              190-193 slot length / 300 s       194-195 kind of device
              196     standing request          197-212 area
              213-228 Unix day of commissioning 229-244 Unix day of closing, 0 while it is open
"""

# Kinds of devices: a storage's meter counts what it gives, a charge's what a storage takes.
LOAD: constant(uint256) = 0
GENERATOR: constant(uint256) = 1
STORAGE: constant(uint256) = 2
CHARGE: constant(uint256) = 3

SLOT_UNIT_S: constant(uint256) = 300
MASK_4: constant(uint256) = 2**4 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_30: constant(uint256) = 2**30 - 1
MASK_160: constant(uint256) = 2**160 - 1


@internal
@pure
def owner_of(title: uint256) -> address:
    return convert(title & MASK_160, address)


@internal
@pure
def nameplate_w_of(title: uint256) -> uint256:
    return (title >> 160) & MASK_30


@internal
@pure
def slot_units_of(title: uint256) -> uint256:
    return (title >> 190) & MASK_4


@internal
@pure
def slot_length_of(title: uint256) -> uint256:
    return ((title >> 190) & MASK_4) * SLOT_UNIT_S


@internal
@pure
def kind_of(title: uint256) -> uint256:
    return (title >> 194) & 3


@internal
@pure
def is_standing(title: uint256) -> bool:
    return (title >> 196) & 1 == 1


@internal
@pure
def area_of(title: uint256) -> uint256:
    return (title >> 197) & MASK_16


@internal
@pure
def commissioned_day_of(title: uint256) -> uint256:
    return (title >> 213) & MASK_16


@internal
@pure
def closed_day_of(title: uint256) -> uint256:
    return (title >> 229) & MASK_16


@internal
@pure
def packed(
    owner: address,
    nameplate_w: uint256,
    slot_length_s: uint256,
    kind: uint256,
    standing: bool,
    area: uint256,
    commissioned_day: uint256,
) -> uint256:
    title: uint256 = convert(owner, uint256)
    title |= nameplate_w << 160
    title |= (slot_length_s // SLOT_UNIT_S) << 190
    title |= kind << 194
    title |= convert(standing, uint256) << 196
    title |= area << 197
    title |= commissioned_day << 213
    return title
