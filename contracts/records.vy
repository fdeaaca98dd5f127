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
        and who owns it, says its `title` (`titles.vy`).
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

LIFETIME_S: immutable(uint256)

# By id, with half the number of the slot among those of its length in the slot's place.
pairs: HashMap[uint256, uint256]
# id, account other than the owner: held (bits 0-63), retired for it (64-127)
holdings: HashMap[uint256, HashMap[address, uint256]]


@deploy
def __init__(lifetime_s: uint256):
    """
    @param lifetime_s How long after its slot a certificate can be transferred and retired.
    """
    LIFETIME_S = lifetime_s


@internal
@pure
def id_of(kind: uint256, device: uint256, slot: uint256, revision: uint256) -> uint256:
    return (kind << 136) | (device << 72) | ((slot // 300) << 8) | revision


@internal
@pure
def id_after(id: uint256, title: uint256) -> uint256:
    """
    @return The id of the same device's next slot.
    """
    return id + (titles.slot_units_of(title) << 8)


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


@internal
@view
def expires_at(id: uint256) -> uint256:
    return self.slot_of(id) + LIFETIME_S


@internal
@view
def lifetime_s() -> uint256:
    return LIFETIME_S


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
    key: uint256 = 0
    offset: uint256 = 0
    key, offset = self._place(id, slot_units)
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
    @notice The device's owner holds all of it. Nothing is issued, and no debt paid, with what could not be used.
    @param id Of one of the device's slots.
    """
    assert block.timestamp < self.expires_at(id), "certificates: expired"
    key: uint256 = 0
    offset: uint256 = 0
    key, offset = self._place(id, titles.slot_units_of(title))
    pair: uint256 = self.pairs[key]
    assert (pair >> offset) & EXISTS == 0, "certificates: issued"
    self.pairs[key] = pair | ((amount_wh | (amount_wh << 62) | EXISTS) << offset)


@internal
def withdraw(id: uint256, title: uint256):
    """
    @param id Of a certificate that exists.
    """
    key: uint256 = 0
    offset: uint256 = 0
    key, offset = self._place(id, titles.slot_units_of(title))
    self.pairs[key] |= WITHDRAWN << offset


@internal
def transfer(holder: address, to: address, id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice Another account holds it from now on.
    """
    key: uint256 = 0
    offset: uint256 = 0
    key, offset = self._alive(id, title)
    owner: address = titles.owner_of(title)
    if holder == owner:
        assert amount_wh <= (self.pairs[key] >> offset) & MASK_31, "certificates: balance"
        self.pairs[key] -= amount_wh << offset
    else:
        self._take(holder, id, amount_wh)
    if to == owner:
        self.pairs[key] += amount_wh << offset
    else:
        self.holdings[id][to] += amount_wh


@internal
def retire(holder: address, subject: address, id: uint256, title: uint256, amount_wh: uint256):
    """
    @notice It is gone for good, and claimed for the subject.
    """
    key: uint256 = 0
    offset: uint256 = 0
    key, offset = self._alive(id, title)
    owner: address = titles.owner_of(title)
    pair: uint256 = self.pairs[key] + (amount_wh << (offset + 93))
    if subject == owner:
        pair += amount_wh << (offset + 31)
    else:
        self.holdings[id][subject] += amount_wh << 64
    if holder == owner:
        assert amount_wh <= (pair >> offset) & MASK_31, "certificates: balance"
        pair -= amount_wh << offset
    else:
        self._take(holder, id, amount_wh)
    self.pairs[key] = pair


@internal
def _take(holder: address, id: uint256, amount_wh: uint256):
    holding: uint256 = self.holdings[id][holder]
    assert amount_wh <= holding & MASK_64, "certificates: balance"
    self.holdings[id][holder] = holding - amount_wh


@internal
@view
def _alive(id: uint256, title: uint256) -> (uint256, uint256):
    """
    @return The key of the id's word, and how far from its right end the id's half begins: of what exists, and has
            neither been withdrawn nor expired.
    """
    record: uint256 = self.record_of(id, title)
    assert record & EXISTS != 0, "certificates: not issued"
    assert record & WITHDRAWN == 0, "certificates: withdrawn"
    assert block.timestamp < self.expires_at(id), "certificates: expired"
    return self._place(id, titles.slot_units_of(title))


@internal
@pure
def _place(id: uint256, slot_units: uint256) -> (uint256, uint256):
    index: uint256 = ((id >> 8) & MASK_64) // slot_units
    return (id & ~(MASK_64 << 8)) | ((index >> 1) << 8), (index & 1) << 7
