# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Exchange: clearing and delivery of a local energy market
@license GNU Affero General Public License v3.0 only
@notice Members hold credits in escrow and sign orders. For every slot the operator commits the set of orders it
        received, then settles the orders that clearing filled; after the slot the meter authority delivers: tokens
        are redeemed and what was metered but not contracted is traded with the utility at the tariff. Whatever
        the operator sends, no order trades without its owner's signature, beyond its quantity or past its limit;
        bought equals sold; paid equals received; and nothing is settled twice.

        This contract keeps the accounts. What members do by themselves, from deposit to withdrawal, is in
        `escrow.vy`, and what is agreed in a market in `markets.vy`; no others are trusted.

        More orders than fit a transaction are settled in chunks. Until the last one is in, nothing else of the
        market moves and nobody who traded can withdraw; a slot that is not finished in time is unwound, chunk by
        chunk, by anyone, until everything is as it was.

        One thing: the life of a slot. Each step from commitment to delivery, or back, moves the same accounts and
        relies on what the step before it left, so they are in one contract, in this order.

        Units: energy in Wh, price in nano-credit per Wh, money in nano-credits, time in Unix seconds UTC.
"""

from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator

from contracts import accounts
from contracts import market_word
from contracts import orders

initializes: eip712_domain_separator
initializes: accounts

exports: eip712_domain_separator.eip712Domain


interface Escrow:
    def member_count(market: bytes32) -> uint256: view
    def fill_posted(market: bytes32, slot: uint256, digest: bytes32) -> uint256: nonpayable
    def close_posted(market: bytes32, slot: uint256, price: uint256, settled: bool): nonpayable


interface Markets:
    def are_validators(market: bytes32, accounts: DynArray[address, MAX_VALIDATORS]) -> bool: view
    def delivery_terms(market: bytes32, slot: uint256) -> (address, address, Tariff): view


struct Tariff:
    retail_price: uint256
    feed_in_price: uint256
    grid_fee: uint256
    from_slot: uint256


# What the chunks of a slot add up to so far. `clearing` is what sellers were credited less what buyers paid.
struct Tally:
    last_digest: uint256
    fills_hash: bytes32
    bought_wh: uint256
    sold_wh: uint256
    clearing: int256
    orders: uint256


# A validator's signature.
struct Approval:
    v: uint256
    r: uint256
    s: uint256


# See `slot_of`.
struct Slot:
    state: uint256
    price: uint256
    settled_at: uint256
    posted: bool
    chunks: uint256


event BookCommitted:
    market: indexed(bytes32)
    slot: indexed(uint256)
    root: bytes32
    size: uint256


event ChunkSettled:
    market: indexed(bytes32)
    slot: indexed(uint256)
    chunk: indexed(uint256)
    price: uint256
    orders: uint256


event Settled:
    market: indexed(bytes32)
    slot: indexed(uint256)
    price: uint256
    bought_wh: uint256
    # Of all chunks.
    orders: uint256


event Delivered:
    market: indexed(bytes32)
    slot: indexed(uint256)
    # How many members were delivered before.
    start: indexed(uint256)
    members: uint256
    complete: bool


event ChunkUnwound:
    market: indexed(bytes32)
    slot: indexed(uint256)
    chunk: indexed(uint256)


event Voided:
    market: indexed(bytes32)
    slot: indexed(uint256)


MAX_ORDERS: constant(uint256) = 1_024
MAX_CHUNKS: constant(uint256) = 64
MAX_READINGS: constant(uint256) = 1_024
MAX_VALIDATORS: constant(uint256) = 16
MAX_PRICE: constant(uint256) = 2**32 - 1
MAX_TIME: constant(uint256) = 2**40 - 1

MASK_8: constant(uint256) = 2**8 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_160: constant(uint256) = 2**160 - 1

# A slot's state: nothing yet, or one of these. An empty slot is settled like any other.
SETTLED: constant(uint256) = 1
DELIVERED: constant(uint256) = 2
VOIDED: constant(uint256) = 3
# Some chunks of its settlement are in.
PARTIAL: constant(uint256) = 4
# Too late to be settled: the chunks that are in are being taken back.
UNWINDING: constant(uint256) = 5

# In a slot's word, whether orders were posted.
POSTED: constant(uint256) = 1 << 80

SETTLEMENT_TYPE_HASH: constant(bytes32) = keccak256(
    "Settlement(bytes32 market,uint64 slot,bytes32 book,uint256 price,bytes32 fills)"
)

ESCROW: immutable(Escrow)
MARKETS: immutable(Markets)

# What settling needs of a market, see `market_word.vy`.
controls: public(HashMap[bytes32, uint256])
market_of_number: HashMap[uint256, bytes32]

# Hash of the root and the size of the slot's order set; see `commit_book`.
books: public(HashMap[bytes32, HashMap[uint256, bytes32]])
# bits 0-7 state, 8-39 price, 40-79 when it was settled, 80 whether orders were posted, 88-95 number of chunks
slots: HashMap[bytes32, HashMap[uint256, uint256]]
# After each chunk: a chain of hashes over the digest and the terms of every filled order so far.
fills_hashes: public(HashMap[bytes32, HashMap[uint256, HashMap[uint256, bytes32]]])
tallies: HashMap[bytes32, HashMap[uint256, Tally]]
# The slot of a market whose chunks are not all in, or not all unwound; zero if there is none.
unfinished_slot: public(HashMap[bytes32, uint256])
# While a delivery is half done: the last account (bits 0-159), how many are done (160-191) and how many there are
# to do (192-223): whoever became a member since is not among them.
delivery_cursors: HashMap[bytes32, HashMap[uint256, uint256]]


@deploy
def __init__(escrow: address, markets: address):
    assert escrow != empty(address), "exchange: escrow"
    assert markets != empty(address), "exchange: markets"
    eip712_domain_separator.__init__("Wattbook", "1")
    ESCROW = Escrow(escrow)
    MARKETS = Markets(markets)


# ------------------------------------------------------------------------- for the escrow and the markets


@external
def set_control(market: bytes32, control: uint256):
    """
    @notice Take over what changed in a market.
    """
    assert msg.sender == MARKETS.address, "exchange: not the markets"
    self.controls[market] = control
    self.market_of_number[market_word.number_of(control)] = market


@external
def set_word(account: address, word: uint256):
    """
    @notice Take over what an account's owner, or its registrar, did.
    """
    assert msg.sender == ESCROW.address, "exchange: not the escrow"
    accounts.words[account] = word


@external
def raise_epoch(account: address, from_slot: uint256) -> uint256:
    """
    @notice Cancel the account's orders for `from_slot` and later ones.
    """
    assert msg.sender == ESCROW.address, "exchange: not the escrow"
    return accounts.raise_epoch(account, from_slot)


@external
def note_posted(market: bytes32, slot: uint256):
    """
    @notice Remember that orders were posted for a slot, so that it cannot be closed without them.
    """
    assert msg.sender == ESCROW.address, "exchange: not the escrow"
    self.slots[market][slot] |= POSTED


# ------------------------------------------------------------------------------------ the life of a slot


@external
def commit_book(market: bytes32, slot: uint256, root: bytes32, size: uint256):
    """
    @notice Fix the set of orders received for a slot, after gate closure and before any price is known.
    @param root Merkle root over the order hashes in ascending order; zero for an empty set.
    @param size Number of orders.
    """
    control: uint256 = self.controls[market]
    self._check_operator(control)
    assert slot % market_word.slot_length_of(control) == 0, "exchange: slot"
    assert block.timestamp >= slot - market_word.gate_lead_of(control), "exchange: gate open"
    assert block.timestamp <= market_word.deadline_of(control, slot), "exchange: too late"
    assert self.books[market][slot] == empty(bytes32), "exchange: book committed"
    self.books[market][slot] = keccak256(abi_encode(root, size))
    log BookCommitted(market=market, slot=slot, root=root, size=size)


@external
def settle(
    market: bytes32,
    slot: uint256,
    price: uint256,
    fills: DynArray[orders.Fill, MAX_ORDERS],
    more: bool,
    approvals: DynArray[Approval, MAX_VALIDATORS],
):
    """
    @notice Settle a slot, or a chunk of it: filled orders, in ascending order of their hashes. An empty list settles
            an empty slot.
    @param price The price of all fills in a market with a uniform price, the same in every chunk; zero where each
           fill has its own amount.
    @param more Whether further chunks follow.
    @param approvals With the last chunk, the signatures of the market's validators, if it has any, their addresses
           ascending.
    """
    control: uint256 = self.controls[market]
    self._check_operator(control)
    assert self.books[market][slot] != empty(bytes32), "exchange: no book"
    record: uint256 = self.slots[market][slot]
    state: uint256 = record & MASK_8
    assert state == 0 or state == PARTIAL, "exchange: slot closed"
    assert block.timestamp <= market_word.deadline_of(control, slot), "exchange: too late"
    unfinished: uint256 = self.unfinished_slot[market]
    assert unfinished == 0 or unfinished == slot, "exchange: a slot is unfinished"

    uniform_price: bool = market_word.has_one_price(control)
    has_priority: bool = market_word.has_priority(control)
    assert price <= MAX_PRICE, "exchange: price"
    assert uniform_price or price == 0, "exchange: price"
    tally: Tally = empty(Tally)
    chunk: uint256 = 0
    if state == PARTIAL:
        assert price == (record >> 8) & MASK_32, "exchange: price"
        tally = self.tallies[market][slot]
        chunk = record >> 88

    domain: bytes32 = eip712_domain_separator._domain_separator_v4()
    slot_index: uint256 = slot // market_word.slot_length_of(control)
    number: uint256 = market_word.number_of(control)
    last_digest: uint256 = tally.last_digest
    fills_hash: bytes32 = tally.fills_hash
    bought_wh: uint256 = tally.bought_wh
    sold_wh: uint256 = tally.sold_wh
    paid: uint256 = 0
    received: uint256 = 0

    for fill: orders.Fill in fills:
        assert orders.is_well_formed(fill), "exchange: malformed fill"
        digest: bytes32 = orders.digest_of(fill, market, slot, domain)
        # Strictly ascending, so that no order is in the batch twice.
        assert convert(digest, uint256) > last_digest, "exchange: order of orders"
        last_digest = convert(digest, uint256)
        assert orders.signed_by_account(fill, digest), "exchange: signature"

        terms: uint256 = fill.terms
        fills_hash = keccak256(concat(fills_hash, digest, convert(terms, bytes32)))
        fill_wh: uint256 = orders.fill_of(terms)
        limit: uint256 = orders.price_of(terms)
        assert fill_wh > 0, "exchange: empty fill"
        assert fill_wh <= orders.quantity_of(terms), "exchange: fill"
        assert block.timestamp <= orders.expiry_of(terms), "exchange: expired"

        amount: uint256 = orders.amount_of(terms)
        if uniform_price:
            assert amount == 0, "exchange: amount"
            amount = price * fill_wh
            # Whoever is better than the price is served whole; only the margin is rationed.
            if has_priority:
                assert limit == price or fill_wh == orders.quantity_of(terms), "exchange: priority"

        account: address = orders.account_of(fill)
        word: uint256 = accounts.words[account]
        assert accounts.market_number_of(word) == number, "exchange: not a member"
        # Its positions would never be delivered.
        assert accounts.member_number_of(word) != 0, "exchange: utility order"
        assert accounts.is_current(account, word, slot, orders.epoch_of(terms)), "exchange: cancelled"
        if orders.is_posted(terms):
            # What was set aside for it pays for it.
            word = accounts.credited(word, extcall ESCROW.fill_posted(market, slot, digest))
        if orders.is_offer(terms):
            assert amount >= limit * fill_wh, "exchange: below limit"
            sold_wh += fill_wh
            received += amount
            word = accounts.credited(word, amount)
            accounts.words[account] = accounts.moved(account, word, slot_index, -convert(fill_wh, int256))
        else:
            assert amount <= limit * fill_wh, "exchange: above limit"
            bought_wh += fill_wh
            paid += amount
            word = accounts.debited(word, amount)
            accounts.words[account] = accounts.moved(account, word, slot_index, convert(fill_wh, int256))

    tally.last_digest = last_digest
    tally.fills_hash = fills_hash
    tally.bought_wh = bought_wh
    tally.sold_wh = sold_wh
    tally.clearing += convert(received, int256) - convert(paid, int256)
    tally.orders += len(fills)
    if len(fills) > 0:
        self.fills_hashes[market][slot][chunk] = fills_hash
        chunk += 1
    if more:
        assert len(fills) > 0, "exchange: empty chunk"
        assert chunk < MAX_CHUNKS, "exchange: too many chunks"
        self.tallies[market][slot] = tally
        self.slots[market][slot] = PARTIAL | (price << 8) | (record & POSTED) | (chunk << 88)
        self.unfinished_slot[market] = slot
        log ChunkSettled(market=market, slot=slot, chunk=chunk - 1, price=price, orders=len(fills))
        return

    assert bought_wh == sold_wh, "exchange: energy"
    assert tally.clearing == 0, "exchange: credits"
    self._check_approvals(control, market, slot, price, tally.fills_hash, domain, approvals)
    if state == PARTIAL:
        self.tallies[market][slot] = empty(Tally)
        self.unfinished_slot[market] = 0
    self.slots[market][slot] = (
        SETTLED | (price << 8) | (block.timestamp << 40) | (record & POSTED) | (chunk << 88)
    )
    if record & POSTED != 0:
        extcall ESCROW.close_posted(market, slot, price, True)
    log Settled(market=market, slot=slot, price=price, bought_wh=bought_wh, orders=tally.orders)


@internal
@view
def _check_approvals(
    control: uint256,
    market: bytes32,
    slot: uint256,
    price: uint256,
    fills_hash: bytes32,
    domain: bytes32,
    approvals: DynArray[Approval, MAX_VALIDATORS],
):
    needed: uint256 = market_word.approvals_needed_of(control)
    if needed == 0:
        assert len(approvals) == 0, "exchange: no validators"
        return
    assert len(approvals) >= needed, "exchange: too few approvals"
    content: bytes32 = keccak256(
        abi_encode(SETTLEMENT_TYPE_HASH, market, slot, self.books[market][slot], price, fills_hash)
    )
    digest: bytes32 = keccak256(concat(x"1901", domain, content))
    signers: DynArray[address, MAX_VALIDATORS] = []
    last: uint256 = 0
    for approval: Approval in approvals:
        signer: address = ecdsa._try_recover_vrs(digest, approval.v, approval.r, approval.s)
        assert convert(signer, uint256) > last, "exchange: order of approvals"
        last = convert(signer, uint256)
        signers.append(signer)
    assert staticcall MARKETS.are_validators(market, signers), "exchange: not a validator"


@external
def deliver(market: bytes32, slot: uint256, readings: DynArray[uint256, MAX_READINGS]):
    """
    @notice Redeem the energy tokens of a slot and settle every member's imbalance with the utility.
    @param readings One word per member, accounts ascending: bits 0-159 account, 160-191 consumption, 192-223 generation,
           in Wh. All members, in one call or several.
    """
    meter_authority: address = empty(address)
    utility: address = empty(address)
    tariff: Tariff = empty(Tariff)
    meter_authority, utility, tariff = staticcall MARKETS.delivery_terms(market, slot)
    assert msg.sender == meter_authority, "exchange: not the meter authority"
    record: uint256 = self.slots[market][slot]
    is_settled: bool = record & MASK_8 == SETTLED
    assert is_settled or record & MASK_8 == VOIDED, "exchange: slot not settled"
    assert self.unfinished_slot[market] == 0, "exchange: a slot is unfinished"
    control: uint256 = self.controls[market]
    slot_length_s: uint256 = market_word.slot_length_of(control)
    assert block.timestamp >= slot + slot_length_s, "exchange: slot not over"

    slot_index: uint256 = slot // slot_length_s
    number: uint256 = market_word.number_of(control)
    cursor: uint256 = self.delivery_cursors[market][slot]
    last_account: uint256 = cursor & MASK_160
    members: uint256 = cursor >> 192
    if cursor == 0:
        members = staticcall ESCROW.member_count(market)
    to_utility: uint256 = 0
    from_utility: uint256 = 0

    for reading: uint256 in readings:
        assert reading >> 224 == 0, "exchange: reading"
        assert reading & MASK_160 > last_account, "exchange: order of readings"
        last_account = reading & MASK_160
        account: address = convert(last_account, address)
        word: uint256 = accounts.words[account]
        assert accounts.market_number_of(word) == number, "exchange: not a member"
        member_number: uint256 = accounts.member_number_of(word)
        assert member_number != 0, "exchange: utility reading"
        assert member_number <= members, "exchange: new member"

        contracted: int256 = 0
        if is_settled:
            contracted = accounts.position(account, word, slot_index)
            if contracted != 0:
                word = accounts.moved(account, word, slot_index, -contracted)
        metered: int256 = convert((reading >> 160) & MASK_32, int256) - convert(reading >> 192, int256)
        imbalance: int256 = metered - contracted

        balance: uint256 = accounts.balance_of(word)
        due: uint256 = accounts.debt_of(word)
        if contracted > 0:
            due += tariff.grid_fee * convert(contracted, uint256)
        if imbalance > 0:
            due += tariff.retail_price * convert(imbalance, uint256)
        else:
            credit: uint256 = tariff.feed_in_price * convert(-imbalance, uint256)
            from_utility += credit
            balance += credit
        # What the escrow does not cover stays owed, and is taken before anything can be withdrawn.
        payment: uint256 = min(due, balance)
        to_utility += payment
        accounts.words[account] = accounts.with_money(word, balance - payment, due - payment)

    word_of_utility: uint256 = accounts.words[utility]
    funds: uint256 = accounts.balance_of(word_of_utility) + to_utility
    assert funds >= from_utility, "exchange: utility escrow"
    accounts.words[utility] = accounts.with_money(
        word_of_utility, funds - from_utility, accounts.debt_of(word_of_utility)
    )

    start: uint256 = (cursor >> 160) & MASK_32
    done: uint256 = start + len(readings)
    complete: bool = done == members
    if complete:
        self.slots[market][slot] = (record & ~MASK_8) | DELIVERED
    else:
        self.delivery_cursors[market][slot] = last_account | (done << 160) | (members << 192)
    log Delivered(market=market, slot=slot, start=start, members=len(readings), complete=complete)


@external
def void(market: bytes32, slot: uint256):
    """
    @notice Close a slot that was not settled in time, without trades. Anyone may. If some chunks of a settlement are
            in, they are to be unwound next.
    """
    control: uint256 = self.controls[market]
    assert control != 0, "exchange: no such market"
    assert slot % market_word.slot_length_of(control) == 0, "exchange: slot"
    assert block.timestamp > market_word.deadline_of(control, slot), "exchange: not yet"
    record: uint256 = self.slots[market][slot]
    state: uint256 = record & MASK_8
    assert state == 0 or state == PARTIAL, "exchange: slot closed"
    if state == PARTIAL:
        self.slots[market][slot] = (record & ~MASK_8) | UNWINDING
        self.tallies[market][slot] = empty(Tally)
    else:
        self._close_void(market, slot, record)
    log Voided(market=market, slot=slot)


@external
def unwind(market: bytes32, slot: uint256, fills: DynArray[orders.Fill, MAX_ORDERS]):
    """
    @notice Take back the last chunk of a slot that is being voided. Anyone may.
    @param fills The chunk's fills, as they were settled.
    """
    record: uint256 = self.slots[market][slot]
    assert record & MASK_8 == UNWINDING, "exchange: nothing to unwind"
    control: uint256 = self.controls[market]
    domain: bytes32 = eip712_domain_separator._domain_separator_v4()
    chunk: uint256 = (record >> 88) - 1
    fills_hash: bytes32 = empty(bytes32)
    if chunk > 0:
        fills_hash = self.fills_hashes[market][slot][chunk - 1]
    for fill: orders.Fill in fills:
        digest: bytes32 = orders.digest_of(fill, market, slot, domain)
        fills_hash = keccak256(concat(fills_hash, digest, convert(fill.terms, bytes32)))
    assert fills_hash == self.fills_hashes[market][slot][chunk], "exchange: not the chunk's fills"

    slot_index: uint256 = slot // market_word.slot_length_of(control)
    price: uint256 = (record >> 8) & MASK_32
    uniform_price: bool = market_word.has_one_price(control)
    for back: uint256 in range(1, len(fills) + 1, bound=MAX_ORDERS):
        # Backwards, as a balance that was spent in the slot was there before it was spent.
        fill: orders.Fill = fills[len(fills) - back]
        terms: uint256 = fill.terms
        fill_wh: uint256 = orders.fill_of(terms)
        amount: uint256 = price * fill_wh if uniform_price else orders.amount_of(terms)
        account: address = orders.account_of(fill)
        word: uint256 = accounts.words[account]
        if orders.is_offer(terms):
            word = accounts.debited(word, amount)
            accounts.words[account] = accounts.moved(account, word, slot_index, convert(fill_wh, int256))
        else:
            word = accounts.credited(word, amount)
            accounts.words[account] = accounts.moved(account, word, slot_index, -convert(fill_wh, int256))

    self.fills_hashes[market][slot][chunk] = empty(bytes32)
    log ChunkUnwound(market=market, slot=slot, chunk=chunk)
    if chunk > 0:
        self.slots[market][slot] = record - (1 << 88)
    else:
        self.unfinished_slot[market] = 0
        self._close_void(market, slot, record)


@internal
def _close_void(market: bytes32, slot: uint256, record: uint256):
    self.slots[market][slot] = VOIDED | (record & POSTED)
    if record & POSTED != 0:
        extcall ESCROW.close_posted(market, slot, 0, False)


@internal
@view
def _check_operator(control: uint256):
    assert msg.sender == market_word.operator_of(control), "exchange: not the operator"
    assert not market_word.is_frozen(control), "exchange: frozen"


# ------------------------------------------------------------------------------------------------ views


@external
@view
def escrow() -> address:
    return ESCROW.address


@external
@view
def markets() -> address:
    return MARKETS.address


@external
@view
def domain_separator() -> bytes32:
    return eip712_domain_separator._domain_separator_v4()


@external
@view
def account_of(account: address) -> accounts.Account:
    """
    @return Balance and debt in nano-credits, epoch, and the number of the account's market (0: not a member).
    """
    return accounts.unpacked(accounts.words[account])


@external
@view
def word_of(account: address) -> uint256:
    """
    @return The account as `accounts.vy` lays it out.
    """
    return accounts.words[account]


@external
@view
def is_current(account: address, slot: uint256, epoch: uint256) -> bool:
    """
    @return Whether the account's orders of this epoch hold for the slot.
    """
    return accounts.is_current(account, accounts.words[account], slot, epoch)


@external
@view
def slot_of(market: bytes32, slot: uint256) -> Slot:
    """
    @return State (0 open, 1 settled, 2 delivered, 3 voided and not yet delivered, 4 settled in part, 5 being
            unwound), price, when it was settled (0: never), whether orders were posted and how many chunks are in.
    """
    record: uint256 = self.slots[market][slot]
    return Slot(
        state=record & MASK_8,
        price=(record >> 8) & MASK_32,
        settled_at=(record >> 40) & MASK_40,
        posted=record & POSTED != 0,
        chunks=record >> 88,
    )


@external
@view
def tally_of(market: bytes32, slot: uint256) -> Tally:
    """
    @return What the chunks of a slot that is settled in part add up to.
    """
    return self.tallies[market][slot]


@external
@view
def delivered_members(market: bytes32, slot: uint256) -> uint256:
    """
    @return How many members a half-done delivery has covered.
    """
    return (self.delivery_cursors[market][slot] >> 160) & MASK_32


@external
@view
def position_of(account: address, slot: uint256) -> int256:
    """
    @return Wh bought (positive) or sold (negative) by the account in the slot, from its settlement to its delivery.
    """
    word: uint256 = accounts.words[account]
    market: bytes32 = self.market_of_number[accounts.market_number_of(word)]
    if market == empty(bytes32) or slot > MAX_TIME or self.slots[market][slot] & MASK_8 != SETTLED:
        return 0
    return accounts.position(account, word, slot // market_word.slot_length_of(self.controls[market]))
