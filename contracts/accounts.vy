# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Accounts: everything the exchange keeps of a member, in one word, and its positions, eight slots to a word
@license GNU Affero General Public License v3.0 only
@notice A changed storage word costs 5,000 gas and a fresh one 22,100, so what changes together lies together:

        account   bits 0-87 balance (nano-credits)   88-143 debt (nano-credits)   144-167 epoch
                  168-207 first slot of the epoch    208-231 number of its market
                  232-255 its number among the market's members

        A position is the signed number of Wh an account bought (positive) or sold (negative) in one slot,
        32 bits, two's complement. Eight consecutive slots share a word.
"""


struct Account:
    balance: uint256
    debt: uint256
    epoch: uint256
    # Orders for this slot and later ones must be of this epoch; for earlier ones, of the epoch before.
    epoch_from_slot: uint256
    market_number: uint256
    # Counts from 1 in the order of registration; 0 for the utility.
    member_number: uint256


MASK_24: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_56: constant(uint256) = 2**56 - 1
MASK_88: constant(uint256) = 2**88 - 1
MAX_POSITION: constant(int256) = 2**31 - 1
MAX_LANE: constant(int256) = 2**32 - 1

accounts: HashMap[address, uint256]
positions: HashMap[uint256, uint256]


@internal
@pure
def balance_of(word: uint256) -> uint256:
    return word & MASK_88


@internal
@pure
def epoch_at(word: uint256, slot: uint256) -> uint256:
    """
    @notice The epoch that an order for the slot must be of: cancelling does not reach slots whose gate had closed.
    """
    epoch: uint256 = (word >> 144) & MASK_24
    if slot < (word >> 168) & MASK_40:
        return epoch - 1
    return epoch


@internal
@pure
def market_number_of(word: uint256) -> uint256:
    return (word >> 208) & MASK_24


@internal
@pure
def credited(word: uint256, amount: uint256) -> uint256:
    assert self.balance_of(word) + amount <= MASK_88, "account: balance"
    return word + amount


@internal
@view
def load(account: address) -> Account:
    word: uint256 = self.accounts[account]
    return Account(
        balance=self.balance_of(word),
        debt=(word >> 88) & MASK_56,
        epoch=(word >> 144) & MASK_24,
        epoch_from_slot=(word >> 168) & MASK_40,
        market_number=self.market_number_of(word),
        member_number=word >> 232,
    )


@internal
def store(account: address, state: Account):
    assert state.balance <= MASK_88, "account: balance"
    assert state.debt <= MASK_56, "account: debt"
    assert state.epoch <= MASK_24, "account: epoch"
    self.accounts[account] = (
        state.balance
        | (state.debt << 88)
        | (state.epoch << 144)
        | (state.epoch_from_slot << 168)
        | (state.market_number << 208)
        | (state.member_number << 232)
    )


@internal
@view
def position(account: address, slot_index: uint256) -> int256:
    """
    @param slot_index The slot's start divided by the market's slot length.
    """
    return self._lane(self.positions[self._position_key(account, slot_index)], slot_index)


@internal
def add_to_position(account: address, slot_index: uint256, change: int256):
    key: uint256 = self._position_key(account, slot_index)
    word: uint256 = self.positions[key]
    position: int256 = self._lane(word, slot_index) + change
    assert abs(position) <= MAX_POSITION, "account: position"
    lane: uint256 = convert(position & MAX_LANE, uint256)
    offset: uint256 = 32 * (slot_index % 8)
    self.positions[key] = (word & ~(MASK_32 << offset)) | (lane << offset)


@internal
@pure
def _lane(word: uint256, slot_index: uint256) -> int256:
    lane: uint256 = (word >> (32 * (slot_index % 8))) & MASK_32
    if lane >= 2**31:
        return convert(lane, int256) - 2**32
    return convert(lane, int256)


@internal
@pure
def _position_key(account: address, slot_index: uint256) -> uint256:
    return (convert(account, uint256) << 64) | (slot_index // 8)
