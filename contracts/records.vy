# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Records: what of each certificate is held, and what is retired
@license GNU Affero General Public License v3.0 only
@notice A token id says what it certifies, so the same energy cannot be certified twice:

            bits 136-143 kind   72-135 device   8-71 slot / 300 s   0-7 revision

        A fresh storage word costs 22,100 gas and a changed one 5,000, so one word keeps two consecutive slots of a
        device, 128 bits each, with the share of the device's owner, whom most of it belongs to:

            bits 0-30 held by the owner   31-61 retired for it   62-92 issued   93-123 retired by all
                 124 exists   125 withdrawn

        Every other account has a word of its own per id. How long its slots are,
        and who owns it, says its `title` (`titles.vy`). Nothing here checks whether an id is alive.
"""

from contracts import titles

# Kinds of certificates; what they are is in `certificates.vy`.
GENERATION: constant(uint256) = 1
STORED: constant(uint256) = 2
IMPORTED: constant(uint256) = 3
CONSUMPTION: constant(uint256) = 4

MASK_31: constant(uint256) = 2**31 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_128: constant(uint256) = 2**128 - 1
EXISTS: constant(uint256) = 1 << 124
WITHDRAWN: constant(uint256) = 1 << 125

# By id, with half the number of the slot among those of its length in the slot's place.
pairs: HashMap[uint256, uint256]
# id, account other than the owner: held (bits 0-63), retired for it (64-127)
holdings: HashMap[uint256, HashMap[address, uint256]]


@internal
@pure
def id_of(kind: uint256, device: uint256, slot: uint256, revision: uint256) -> uint256:
    return (kind << 136) | (device << 72) | ((slot // 300) << 8) | revision


@internal
@pure
def kind_of(id: uint256) -> uint256:
    return id >> 136


@internal
@pure
def device_of(id: uint256) -> uint64:
    return convert((id >> 72) & MASK_64, uint64)


@internal
@pure
def slot_of(id: uint256) -> uint256:
    return ((id >> 8) & MASK_64) * 300


# ----------------------------------------------------------------------------------------------- reading


@internal
@view
def record_of(id: uint256, title: uint256) -> uint256:
    """
    @return The half of a word that describes the id; 0 if nothing was issued under it.
    """
    slot_units: uint256 = titles.slot_units_of(title)
    # An id between two slots is none, and must not be taken for that of the slot before it.
    if slot_units == 0 or ((id >> 8) & MASK_64) % slot_units != 0:
        return 0
    key: uint256 = self._key(id, title)
    offset: uint256 = self._offset(id, title)
    return (self.pairs[key] >> offset) & MASK_128


@internal
@pure
def exists(record: uint256) -> bool:
    return record & EXISTS != 0


@internal
@pure
def is_withdrawn(record: uint256) -> bool:
    return record & WITHDRAWN != 0


@internal
@pure
def issued_wh(record: uint256) -> uint256:
    return (record >> 62) & MASK_31


@internal
@pure
def retired_wh(record: uint256) -> uint256:
    return (record >> 93) & MASK_31


@internal
@pure
def held_by_owner_wh(record: uint256) -> uint256:
    return record & MASK_31


@internal
@view
def held_wh(account: address, id: uint256, title: uint256) -> uint256:
    if account == titles.owner_of(title):
        return self.held_by_owner_wh(self.record_of(id, title))
    return self.holdings[id][account] & MASK_64


@internal
@view
def claimed_wh(account: address, id: uint256, title: uint256) -> uint256:
    if account == titles.owner_of(title):
        return (self.record_of(id, title) >> 31) & MASK_31
    return self.holdings[id][account] >> 64


# ---------------------------------------------------------------------------------------------- changing


@internal
def issue(id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice The device's owner holds all of it. Ids of slots that are none must not come here.
    """
    assert amount_wh <= MASK_31, "certificates: amount"
    key: uint256 = self._key(id, title)
    offset: uint256 = self._offset(id, title)
    pair: uint256 = self.pairs[key]
    assert not self.exists(pair >> offset), "certificates: issued"
    self.pairs[key] = pair | ((amount_wh | (amount_wh << 62) | EXISTS) << offset)


@internal
def withdraw(id: uint256, title: uint256):
    key: uint256 = self._key(id, title)
    offset: uint256 = self._offset(id, title)
    self.pairs[key] |= WITHDRAWN << offset


@internal
def take(account: address, id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice The account holds less; the caller puts that elsewhere, or retires it.
    """
    if account == titles.owner_of(title):
        key: uint256 = self._key(id, title)
        offset: uint256 = self._offset(id, title)
        pair: uint256 = self.pairs[key]
        assert amount_wh <= self.held_by_owner_wh(pair >> offset), "certificates: balance"
        self.pairs[key] = pair - (amount_wh << offset)
    else:
        holding: uint256 = self.holdings[id][account]
        assert amount_wh <= holding & MASK_64, "certificates: holding"
        self.holdings[id][account] = holding - amount_wh


@internal
def put(account: address, id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice The account holds more: what was taken from another.
    """
    if account == titles.owner_of(title):
        key: uint256 = self._key(id, title)
        offset: uint256 = self._offset(id, title)
        self.pairs[key] += amount_wh << offset
    else:
        self.holdings[id][account] += amount_wh


@internal
def retire(subject: address, id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice What was taken from an account is gone for good, and claimed for the subject.
    """
    key: uint256 = self._key(id, title)
    offset: uint256 = self._offset(id, title)
    retired: uint256 = amount_wh << 93
    if subject == titles.owner_of(title):
        retired |= amount_wh << 31
    else:
        self.holdings[id][subject] += amount_wh << 64
    self.pairs[key] += retired << offset


@internal
@pure
def _key(id: uint256, title: uint256) -> uint256:
    """
    @return Where the id's word is.
    """
    index: uint256 = ((id >> 8) & MASK_64) // titles.slot_units_of(title)
    return (id & ~(MASK_64 << 8)) | ((index >> 1) << 8)


@internal
@pure
def _offset(id: uint256, title: uint256) -> uint256:
    """
    @return How far from the word's right end the id's half begins.
    """
    index: uint256 = ((id >> 8) & MASK_64) // titles.slot_units_of(title)
    return (index & 1) << 7
