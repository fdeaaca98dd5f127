# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Accounts: everything the exchange keeps of a member, in one word
@license GNU Affero General Public License v3.0 only
@notice A changed storage word costs 5,000 gas and a fresh one 22,100, so what changes together lies together:

        bits    0-59  balance (nano-credits)          60-111 debt (nano-credits)
              112-127 epoch                          128-151 first slot of the epoch / 300 s
              152-167 number of its market           168-183 its number among the market's members
              184-207 latest slot traded in / slot length
              208-231 position in the even one of that slot and the one before
              232-255 position in the odd one

        A position is the signed number of Wh an account bought (positive) or sold (negative) in one slot, two's
        complement. It exists from settlement to delivery. A market that settles and delivers in time has two
        such slots, whose positions are changed with the balance at no extra word. A position that is still
        undelivered when a later slot needs its place moves to `positions`, eight 32-bit slots to a word.
"""


# An account as views show it.
struct Account:
    balance: uint256
    debt: uint256
    epoch: uint256
    # Orders for this slot and later ones must be of this epoch; for earlier ones, of the epoch then in force.
    epoch_from_slot: uint256
    market_number: uint256
    # Counts from 1 in the order of registration; 0 for the utility.
    member_number: uint256
    # The latest slot it traded in, divided by the slot length.
    latest_slot_index: uint256


MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_52: constant(uint256) = 2**52 - 1
MASK_60: constant(uint256) = 2**60 - 1
MASK_112: constant(uint256) = 2**112 - 1
MAX_POSITION: constant(int256) = 2**23 - 1
# Every allowed slot length is a multiple of this.
SLOT_UNIT_S: constant(uint256) = 300

words: HashMap[address, uint256]
# Undelivered positions that lost their place in the word, by account << 64 | slot index // 8.
positions: HashMap[uint256, uint256]
# The first slot of each epoch but the first, by account << 16 | epoch.
epoch_starts: HashMap[uint256, uint256]


# ------------------------------------------------------------------------------------------------- money


@internal
@pure
def balance_of(word: uint256) -> uint256:
    return word & MASK_60


@internal
@pure
def debt_of(word: uint256) -> uint256:
    return (word >> 60) & MASK_52


@internal
@pure
def credited(word: uint256, amount: uint256) -> uint256:
    assert self.balance_of(word) + amount <= MASK_60, "account: balance"
    return word + amount


@internal
@pure
def debited(word: uint256, amount: uint256) -> uint256:
    assert amount <= self.balance_of(word), "account: escrow"
    return word - amount


@internal
@pure
def with_money(word: uint256, balance: uint256, debt: uint256) -> uint256:
    assert balance <= MASK_60, "account: balance"
    assert debt <= MASK_52, "account: debt"
    return (word & ~MASK_112) | balance | (debt << 60)


# -------------------------------------------------------------------------------------------- membership


@internal
@pure
def market_number_of(word: uint256) -> uint256:
    return (word >> 152) & MASK_16


@internal
@pure
def member_number_of(word: uint256) -> uint256:
    return (word >> 168) & MASK_16


@internal
@pure
def opened(market_number: uint256, member_number: uint256) -> uint256:
    return (market_number << 152) | (member_number << 168)


# ------------------------------------------------------------------------------------------------ epochs


@internal
def raise_epoch(account: address, from_slot: uint256) -> uint256:
    """
    @notice From `from_slot` on, only orders of a new epoch hold, which is returned.
    """
    word: uint256 = self.words[account]
    # Once per slot, so that there are never more epochs than slots.
    assert from_slot > self._epoch_from_slot(word), "account: cancelled in this slot"
    epoch: uint256 = self._epoch_of(word) + 1
    assert epoch <= MASK_16, "account: epoch"
    self.epoch_starts[self._epoch_key(account, epoch)] = from_slot
    self.words[account] = (word & ~(2**40 - 1 << 112)) | (epoch << 112) | (from_slot // SLOT_UNIT_S << 128)
    return epoch


@internal
@view
def is_current(account: address, word: uint256, slot: uint256, epoch: uint256) -> bool:
    """
    @notice Whether an order of this epoch holds for the slot: cancelling does not reach slots whose gate had closed.
    """
    latest: uint256 = self._epoch_of(word)
    if slot >= self._epoch_from_slot(word):
        return epoch == latest
    if epoch >= latest or slot < self.epoch_starts[self._epoch_key(account, epoch)]:
        return False
    return slot < self.epoch_starts[self._epoch_key(account, epoch + 1)]


@internal
@pure
def _epoch_of(word: uint256) -> uint256:
    return (word >> 112) & MASK_16


@internal
@pure
def _epoch_from_slot(word: uint256) -> uint256:
    return ((word >> 128) & MASK_24) * SLOT_UNIT_S


@internal
@pure
def _epoch_key(account: address, epoch: uint256) -> uint256:
    return (convert(account, uint256) << 16) | epoch


# --------------------------------------------------------------------------------------------- positions


@internal
@pure
def latest_slot_index(word: uint256) -> uint256:
    return (word >> 184) & MASK_24


@internal
@view
def position(account: address, word: uint256, slot_index: uint256) -> int256:
    """
    @param slot_index The slot's start divided by the market's slot length.
    """
    latest: uint256 = self.latest_slot_index(word)
    if slot_index > latest:
        return 0
    if slot_index + 1 >= latest:
        return self._signed(word >> self._offset(slot_index), 24)
    return self._signed(self.positions[self._key(account, slot_index)] >> (32 * (slot_index % 8)), 32)


@internal
def moved(account: address, word: uint256, slot_index: uint256, change: int256) -> uint256:
    """
    @notice Add to the account's position in a slot.
    @return The word with the position in it, which the caller stores.
    """
    latest: uint256 = self.latest_slot_index(word)
    result: uint256 = word
    if slot_index > latest:
        result = self._advanced(account, word, latest, slot_index)
    elif slot_index + 1 < latest:
        self._move_elsewhere(account, slot_index, change)
        return word
    offset: uint256 = self._offset(slot_index)
    position: int256 = self._signed(result >> offset, 24) + change
    assert abs(position) <= MAX_POSITION, "account: position"
    return (result & ~(MASK_24 << offset)) | (self._unsigned(position, MASK_24) << offset)


@internal
def _advanced(account: address, word: uint256, latest: uint256, slot_index: uint256) -> uint256:
    """
    @notice Make room for a later slot: positions that lose their place, and are undelivered, go elsewhere.
    """
    result: uint256 = word
    lost: uint256 = word >> 208
    if slot_index == latest + 1:
        lost &= MASK_24 << (24 * (slot_index % 2))
    if lost != 0:
        for slots_back: uint256 in range(2):
            index: uint256 = latest - slots_back
            offset: uint256 = self._offset(index)
            if (lost << 208) & (MASK_24 << offset) != 0:
                self._move_elsewhere(account, index, self._signed(word >> offset, 24))
        result ^= lost << 208
    return result + ((slot_index - latest) << 184)


@internal
def _move_elsewhere(account: address, slot_index: uint256, change: int256):
    key: uint256 = self._key(account, slot_index)
    offset: uint256 = 32 * (slot_index % 8)
    word: uint256 = self.positions[key]
    position: int256 = self._signed(word >> offset, 32) + change
    assert abs(position) <= MAX_POSITION, "account: position"
    self.positions[key] = (word & ~(MASK_32 << offset)) | (self._unsigned(position, MASK_32) << offset)


@internal
@pure
def _signed(lane: uint256, bits: uint256) -> int256:
    """
    @return The number in the lowest bits of `lane`; higher bits are not looked at.
    """
    size: uint256 = 1 << bits
    number: uint256 = lane & (size - 1)
    if number >= size >> 1:
        return convert(number, int256) - convert(size, int256)
    return convert(number, int256)


@internal
@pure
def _unsigned(position: int256, mask: uint256) -> uint256:
    return convert(position & convert(mask, int256), uint256)


@internal
@pure
def _offset(slot_index: uint256) -> uint256:
    return 208 + 24 * (slot_index % 2)


@internal
@pure
def _key(account: address, slot_index: uint256) -> uint256:
    return (convert(account, uint256) << 64) | (slot_index // 8)


# ------------------------------------------------------------------------------------------------- views


@internal
@pure
def unpacked(word: uint256) -> Account:
    return Account(
        balance=self.balance_of(word),
        debt=self.debt_of(word),
        epoch=self._epoch_of(word),
        epoch_from_slot=self._epoch_from_slot(word),
        market_number=self.market_number_of(word),
        member_number=self.member_number_of(word),
        latest_slot_index=self.latest_slot_index(word),
    )
