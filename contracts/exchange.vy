# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Exchange: escrow, clearing and delivery of a local energy market
@license GNU Affero General Public License v3.0 only
@notice Members hold credits in escrow and sign orders. For every slot the operator commits the set of orders it
        received, then settles the orders that clearing filled; after the slot the meter authority delivers: tokens
        are redeemed and what was metered but not contracted is traded with the utility at the tariff. Whatever
        the operator sends, no order trades without its owner's signature, beyond its quantity or past its limit;
        bought equals sold; paid equals received; and nothing is settled twice.

        Units: energy in Wh, price in nano-credit per Wh, money in nano-credits, time in Unix seconds UTC.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator

from contracts import accounts
from contracts import orders

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: eip712_domain_separator
initializes: accounts

exports: (
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    eip712_domain_separator.eip712Domain,
)


# What a market is made of. `operator`, the slot length, the gate lead, the settlement time and the pricing
# rule are needed in every settlement and share one word; see `_control`.
struct MarketTerms:
    operator: address
    meter_authority: address
    registrar: address
    utility: address
    slot_length_s: uint256
    gate_lead_s: uint256
    settle_within_s: uint256
    uniform_price: bool


# Retail is what the utility charges for a Wh, grid fee included; feed-in is what it pays for one. The grid fee is
# charged on each Wh taken under a trade. In force for slots from `from_slot` on.
struct Tariff:
    retail_price: uint256
    feed_in_price: uint256
    grid_fee: uint256
    from_slot: uint256


struct Withdrawal:
    amount: uint256
    ready_at: uint256


event MarketOpened:
    market: indexed(bytes32)
    number: uint256
    terms: MarketTerms


event TariffSet:
    market: indexed(bytes32)
    tariff: Tariff


event MemberRegistered:
    market: indexed(bytes32)
    account: indexed(address)


event Deposited:
    account: indexed(address)
    amount: uint256


event WithdrawalRequested:
    account: indexed(address)
    amount: uint256
    ready_at: uint256


event Withdrawn:
    account: indexed(address)
    amount: uint256
    # Paid to the utility on this occasion.
    debt_paid: uint256


event EpochRaised:
    account: indexed(address)
    epoch: uint256
    from_slot: uint256


event BookCommitted:
    market: indexed(bytes32)
    slot: indexed(uint256)
    root: bytes32
    size: uint256


event Settled:
    market: indexed(bytes32)
    slot: indexed(uint256)
    price: uint256
    bought_wh: uint256
    orders: uint256


event Delivered:
    market: indexed(bytes32)
    slot: indexed(uint256)
    members: uint256
    complete: bool


event Voided:
    market: indexed(bytes32)
    slot: indexed(uint256)


MAX_ORDERS: constant(uint256) = 1_024
MAX_READINGS: constant(uint256) = 1_024
MAX_REGISTRATIONS: constant(uint256) = 256
MAX_TARIFFS: constant(uint256) = 1_000
# A request that is not used in this time lapses, so that nobody keeps one ready and leaves without notice.
WITHDRAWAL_WINDOW_S: constant(uint256) = 7 * 86_400
# Operators take orders for a week ahead at most, so a tariff is known before the first order it applies to.
TARIFF_NOTICE_S: constant(uint256) = 8 * 86_400
MAX_PRICE: constant(uint256) = 2**32 - 1
MAX_TIME: constant(uint256) = 2**40 - 1

MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_160: constant(uint256) = 2**160 - 1

# A slot's state: nothing yet, or one of these. An empty slot is settled like any other.
SETTLED: constant(uint256) = 1
DELIVERED: constant(uint256) = 2
VOIDED: constant(uint256) = 3

CREDIT: immutable(IERC20)
ENERGY: immutable(address)
CERTIFICATES: immutable(address)
WITHDRAWAL_NOTICE_S: immutable(uint256)

market_count: public(uint256)
markets: HashMap[bytes32, MarketTerms]
controls: HashMap[bytes32, uint256]
market_of_number: public(HashMap[uint256, bytes32])
member_count: public(HashMap[bytes32, uint256])
tariffs: HashMap[bytes32, DynArray[Tariff, MAX_TARIFFS]]

withdrawals: public(HashMap[address, Withdrawal])

# Hash of the root and the size of the slot's order set; see `commit_book`.
books: public(HashMap[bytes32, HashMap[uint256, bytes32]])
slot_states: HashMap[bytes32, HashMap[uint256, uint256]]
# While a delivery is half done: the last account (bits 0-159), how many are done (160-191) and how many there are
# to do (192-223): whoever became a member since is not among them.
delivery_cursors: HashMap[bytes32, HashMap[uint256, uint256]]


@deploy
def __init__(
    owner: address, credit: address, energy: address, certificates: address, withdrawal_notice_s: uint256
):
    """
    @param owner Opens markets. Cannot touch an account.
    @param withdrawal_notice_s How long a member waits between asking for credits and taking them.
    """
    assert credit != empty(address), "exchange: credit"
    ownable.__init__()
    ownable_2step.__init__()
    ownable_2step._transfer_ownership(owner)
    eip712_domain_separator.__init__("Wattbook", "1")
    CREDIT = IERC20(credit)
    ENERGY = energy
    CERTIFICATES = certificates
    WITHDRAWAL_NOTICE_S = withdrawal_notice_s


# ---------------------------------------------------------------------------------------------- markets


@external
def open_market(market: bytes32, terms: MarketTerms, tariff: Tariff):
    """
    @notice Register a market and its first tariff, in force from the first slot on.
    """
    ownable._check_owner()
    assert market != empty(bytes32), "exchange: no market id"
    assert self.controls[market] == 0, "exchange: market exists"
    assert terms.operator != empty(address), "exchange: no operator"
    assert terms.meter_authority != empty(address), "exchange: no meter authority"
    assert terms.registrar != empty(address), "exchange: no registrar"
    assert terms.utility != empty(address), "exchange: no utility"
    assert terms.slot_length_s in [300, 900, 1_800, 3_600], "exchange: slot length"
    assert terms.gate_lead_s <= MASK_24, "exchange: gate lead"
    assert terms.settle_within_s > 0, "exchange: no time to settle"
    assert terms.settle_within_s <= MASK_24, "exchange: settle within"
    assert tariff.from_slot == 0, "exchange: first tariff"
    number: uint256 = self.market_count + 1
    assert number <= MASK_24, "exchange: too many markets"

    self.market_count = number
    self.market_of_number[number] = market
    self.markets[market] = terms
    self.controls[market] = self._control(terms, number)
    log MarketOpened(market=market, number=number, terms=terms)
    self._add_tariff(market, tariff)
    self._register(market, number, terms.utility, 0)


@external
def set_tariff(market: bytes32, tariff: Tariff):
    """
    @notice The utility announces the tariff of slots that nobody has signed orders for yet.
    """
    assert msg.sender == self.markets[market].utility, "exchange: not the utility"
    terms: MarketTerms = self.markets[market]
    count: uint256 = len(self.tariffs[market])
    assert tariff.from_slot % terms.slot_length_s == 0, "exchange: slot"
    assert tariff.from_slot > block.timestamp + TARIFF_NOTICE_S, "exchange: tariff notice"
    assert tariff.from_slot > self.tariffs[market][count - 1].from_slot, "exchange: tariff order"
    self._add_tariff(market, tariff)


@external
def register(market: bytes32, members: DynArray[address, MAX_REGISTRATIONS]):
    """
    @notice Make accounts members of a market. An account belongs to one market for good.
    """
    assert msg.sender == self.markets[market].registrar, "exchange: not the registrar"
    number: uint256 = (self.controls[market] >> 224) & MASK_24
    count: uint256 = self.member_count[market]
    for member: address in members:
        count += 1
        self._register(market, number, member, count)
    self.member_count[market] = count


@internal
def _register(market: bytes32, number: uint256, account: address, member_number: uint256):
    assert account != empty(address), "exchange: no account"
    state: accounts.Account = accounts.load(account)
    assert state.market_number == 0, "exchange: already a member"
    state.market_number = number
    state.member_number = member_number
    accounts.store(account, state)
    log MemberRegistered(market=market, account=account)


@internal
def _add_tariff(market: bytes32, tariff: Tariff):
    assert tariff.retail_price <= MAX_PRICE, "exchange: retail price"
    # Otherwise a member could buy from the utility and sell back at a profit.
    assert tariff.feed_in_price <= tariff.retail_price, "exchange: feed-in price"
    assert tariff.grid_fee <= MAX_PRICE, "exchange: grid fee"
    assert tariff.from_slot <= MAX_TIME, "exchange: slot"
    self.tariffs[market].append(tariff)
    log TariffSet(market=market, tariff=tariff)


@internal
@pure
def _control(terms: MarketTerms, number: uint256) -> uint256:
    """
    @notice bits 0-159 operator, 160-175 slot length, 176-199 gate lead, 200-223 settlement time, 224-247 number,
            248 uniform price.
    """
    control: uint256 = convert(terms.operator, uint256)
    control |= terms.slot_length_s << 160
    control |= terms.gate_lead_s << 176
    control |= terms.settle_within_s << 200
    control |= number << 224
    control |= convert(terms.uniform_price, uint256) << 248
    return control


# ----------------------------------------------------------------------------------------------- escrow


@external
def deposit(account: address, amount: uint256):
    """
    @notice Move the caller's credits into a member's escrow.
    """
    state: accounts.Account = accounts.load(account)
    assert state.market_number != 0, "exchange: not a member"
    assert amount > 0, "exchange: nothing to deposit"
    state.balance += amount
    accounts.store(account, state)
    log Deposited(account=account, amount=amount)
    assert extcall CREDIT.transferFrom(msg.sender, self, amount), "exchange: transfer"


@external
def request_withdrawal(amount: uint256):
    """
    @notice Start the notice period, after which `withdraw` pays out. A new request replaces the old one; zero cancels.
    @dev Until then the amount still covers the orders that were accepted on the strength of it.
    """
    ready_at: uint256 = block.timestamp + WITHDRAWAL_NOTICE_S
    assert amount <= accounts.load(msg.sender).balance, "exchange: more than the balance"
    self.withdrawals[msg.sender] = Withdrawal(amount=amount, ready_at=ready_at)
    log WithdrawalRequested(account=msg.sender, amount=amount, ready_at=ready_at)


@external
def withdraw():
    """
    @notice Pay out the requested amount, or what is left of it after trades settled since and debt to the utility
            is paid. Needs nobody's consent.
    """
    request: Withdrawal = self.withdrawals[msg.sender]
    assert request.amount > 0, "exchange: nothing requested"
    assert block.timestamp >= request.ready_at, "exchange: notice period"
    assert block.timestamp <= request.ready_at + WITHDRAWAL_WINDOW_S, "exchange: request lapsed"
    self.withdrawals[msg.sender] = empty(Withdrawal)
    state: accounts.Account = accounts.load(msg.sender)
    payment: uint256 = min(state.debt, state.balance)
    if payment > 0:
        state.debt -= payment
        state.balance -= payment
        self._pay_utility(state.market_number, payment)
    amount: uint256 = min(request.amount, state.balance)
    state.balance -= amount
    accounts.store(msg.sender, state)
    log Withdrawn(account=msg.sender, amount=amount, debt_paid=payment)
    assert extcall CREDIT.transfer(msg.sender, amount), "exchange: transfer"


@internal
def _pay_utility(market_number: uint256, amount: uint256):
    account: address = self.markets[self.market_of_number[market_number]].utility
    utility: accounts.Account = accounts.load(account)
    utility.balance += amount
    accounts.store(account, utility)


@external
def cancel_all():
    """
    @notice Cancel every order the caller signed so far for slots whose gate is still open, by raising its epoch.
    @dev Orders of a closed gate stay as they are: otherwise one member could stop the settlement of all. For the
         same reason once per slot: only the latest epoch's first slot is kept.
    """
    state: accounts.Account = accounts.load(msg.sender)
    assert state.market_number != 0, "exchange: not a member"
    control: uint256 = self.controls[self.market_of_number[state.market_number]]
    slot_length_s: uint256 = self._slot_length(control)
    gate_lead_s: uint256 = (control >> 176) & MASK_24
    from_slot: uint256 = ((block.timestamp + gate_lead_s) // slot_length_s + 1) * slot_length_s
    assert from_slot > state.epoch_from_slot, "exchange: cancelled in this slot"
    state.epoch += 1
    state.epoch_from_slot = from_slot
    accounts.store(msg.sender, state)
    log EpochRaised(account=msg.sender, epoch=state.epoch, from_slot=from_slot)


# ------------------------------------------------------------------------------------ the life of a slot


@external
def commit_book(market: bytes32, slot: uint256, root: bytes32, size: uint256):
    """
    @notice Fix the set of orders received for a slot, after gate closure and before any price is known.
    @param root Merkle root over the order hashes in ascending order; zero for an empty set.
    @param size Number of orders.
    """
    control: uint256 = self.controls[market]
    assert msg.sender == convert(control & MASK_160, address), "exchange: not the operator"
    assert slot % self._slot_length(control) == 0, "exchange: slot"
    assert block.timestamp >= slot - ((control >> 176) & MASK_24), "exchange: gate open"
    assert block.timestamp <= slot + ((control >> 200) & MASK_24), "exchange: too late"
    assert self.books[market][slot] == empty(bytes32), "exchange: book committed"
    self.books[market][slot] = keccak256(abi_encode(root, size))
    log BookCommitted(market=market, slot=slot, root=root, size=size)


@external
def settle(market: bytes32, slot: uint256, price: uint256, fills: DynArray[orders.Fill, MAX_ORDERS]):
    """
    @notice Settle a slot: every filled order, in ascending order of its hash. An empty list settles an empty slot.
    @param price The price of all fills in a market with a uniform price; zero where each fill has its own amount.
    """
    control: uint256 = self.controls[market]
    assert msg.sender == convert(control & MASK_160, address), "exchange: not the operator"
    assert self.books[market][slot] != empty(bytes32), "exchange: no book"
    assert self.slot_states[market][slot] == 0, "exchange: slot closed"
    assert block.timestamp <= slot + ((control >> 200) & MASK_24), "exchange: too late"

    domain: bytes32 = eip712_domain_separator._domain_separator_v4()
    slot_index: uint256 = slot // self._slot_length(control)
    number: uint256 = (control >> 224) & MASK_24
    uniform_price: bool = control >> 248 == 1
    assert uniform_price or price == 0, "exchange: price"
    last_digest: uint256 = 0
    bought_wh: uint256 = 0
    sold_wh: uint256 = 0
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
            assert limit == price or fill_wh == orders.quantity_of(terms), "exchange: priority"

        account: address = orders.account_of(fill)
        word: uint256 = accounts.accounts[account]
        assert accounts.market_number_of(word) == number, "exchange: not a member"
        assert accounts.epoch_at(word, slot) == orders.epoch_of(terms), "exchange: cancelled"
        if orders.is_offer(terms):
            assert amount >= limit * fill_wh, "exchange: below limit"
            sold_wh += fill_wh
            received += amount
            accounts.accounts[account] = accounts.credited(word, amount)
            accounts.add_to_position(account, slot_index, -convert(fill_wh, int256))
        else:
            assert amount <= limit * fill_wh, "exchange: above limit"
            assert amount <= accounts.balance_of(word), "exchange: escrow"
            bought_wh += fill_wh
            paid += amount
            accounts.accounts[account] = word - amount
            accounts.add_to_position(account, slot_index, convert(fill_wh, int256))

    assert bought_wh == sold_wh, "exchange: energy"
    assert paid == received, "exchange: credits"
    self.slot_states[market][slot] = SETTLED
    log Settled(market=market, slot=slot, price=price, bought_wh=bought_wh, orders=len(fills))


@external
def deliver(market: bytes32, slot: uint256, readings: DynArray[uint256, MAX_READINGS]):
    """
    @notice Redeem the energy tokens of a slot and settle every member's imbalance with the utility.
    @param readings One word per member, accounts ascending: bits 0-159 account, 160-191 consumption, 192-223 generation,
           in Wh. All members, in one call or several.
    """
    terms: MarketTerms = self.markets[market]
    assert msg.sender == terms.meter_authority, "exchange: not the meter authority"
    state_of_slot: uint256 = self.slot_states[market][slot]
    assert state_of_slot == SETTLED or state_of_slot == VOIDED, "exchange: slot not settled"
    assert block.timestamp >= slot + terms.slot_length_s, "exchange: slot not over"

    tariff: Tariff = self._tariff_at(market, slot)
    slot_index: uint256 = slot // terms.slot_length_s
    number: uint256 = (self.controls[market] >> 224) & MASK_24
    cursor: uint256 = self.delivery_cursors[market][slot]
    last_account: uint256 = cursor & MASK_160
    members: uint256 = cursor >> 192
    if cursor == 0:
        members = self.member_count[market]
    to_utility: uint256 = 0
    from_utility: uint256 = 0

    for reading: uint256 in readings:
        assert reading >> 224 == 0, "exchange: reading"
        assert reading & MASK_160 > last_account, "exchange: order of readings"
        last_account = reading & MASK_160
        account: address = convert(last_account, address)
        state: accounts.Account = accounts.load(account)
        assert state.market_number == number, "exchange: not a member"
        assert state.member_number != 0, "exchange: utility reading"
        assert state.member_number <= members, "exchange: new member"

        contracted: int256 = 0
        if state_of_slot == SETTLED:
            contracted = accounts.position(account, slot_index)
        metered: int256 = convert((reading >> 160) & MASK_32, int256) - convert(reading >> 192, int256)
        imbalance: int256 = metered - contracted

        due: uint256 = state.debt + tariff.grid_fee * convert(max(contracted, 0), uint256)
        if imbalance > 0:
            due += tariff.retail_price * convert(imbalance, uint256)
        else:
            credit: uint256 = tariff.feed_in_price * convert(-imbalance, uint256)
            from_utility += credit
            state.balance += credit
        # What the escrow does not cover stays owed, and is taken before anything can be withdrawn.
        payment: uint256 = min(due, state.balance)
        to_utility += payment
        state.balance -= payment
        state.debt = due - payment
        accounts.store(account, state)

    utility: accounts.Account = accounts.load(terms.utility)
    assert utility.balance + to_utility >= from_utility, "exchange: utility escrow"
    utility.balance = utility.balance + to_utility - from_utility
    accounts.store(terms.utility, utility)

    done: uint256 = ((cursor >> 160) & MASK_32) + len(readings)
    complete: bool = done == members
    if complete:
        self.slot_states[market][slot] = DELIVERED
    else:
        self.delivery_cursors[market][slot] = last_account | (done << 160) | (members << 192)
    log Delivered(market=market, slot=slot, members=len(readings), complete=complete)


@external
def void(market: bytes32, slot: uint256):
    """
    @notice Close a slot that was not settled in time, without trades. Anyone may.
    """
    control: uint256 = self.controls[market]
    assert control != 0, "exchange: no such market"
    assert slot % self._slot_length(control) == 0, "exchange: slot"
    assert block.timestamp > slot + ((control >> 200) & MASK_24), "exchange: not yet"
    assert self.slot_states[market][slot] == 0, "exchange: slot closed"
    self.slot_states[market][slot] = VOIDED
    log Voided(market=market, slot=slot)


@internal
@pure
def _slot_length(control: uint256) -> uint256:
    return (control >> 160) & MASK_16


@internal
@view
def _tariff_at(market: bytes32, slot: uint256) -> Tariff:
    count: uint256 = len(self.tariffs[market])
    for back: uint256 in range(1, count + 1, bound=MAX_TARIFFS):
        tariff: Tariff = self.tariffs[market][count - back]
        if tariff.from_slot <= slot:
            return tariff
    raise "exchange: no tariff"


# ------------------------------------------------------------------------------------------------ views


@external
@view
def credit() -> address:
    return CREDIT.address


@external
@view
def energy() -> address:
    return ENERGY


@external
@view
def certificates() -> address:
    return CERTIFICATES


@external
@view
def withdrawal_notice_s() -> uint256:
    return WITHDRAWAL_NOTICE_S


@external
@view
def terms_of(market: bytes32) -> MarketTerms:
    assert self.controls[market] != 0, "exchange: no such market"
    return self.markets[market]


@external
@view
def tariff_at(market: bytes32, slot: uint256) -> Tariff:
    return self._tariff_at(market, slot)


@external
@view
def account_of(account: address) -> accounts.Account:
    """
    @return Balance and debt in nano-credits, epoch, and the number of the account's market (0: not a member).
    """
    return accounts.load(account)


@external
@view
def standing_of(account: address) -> (accounts.Account, bytes32, Withdrawal):
    """
    @return The account, its market's id, and the withdrawal it asked for: all that decides what it may order.
    """
    state: accounts.Account = accounts.load(account)
    return (state, self.market_of_number[state.market_number], self.withdrawals[account])


@external
@view
def slot_state(market: bytes32, slot: uint256) -> uint256:
    """
    @return 0 open, 1 settled, 2 delivered, 3 voided and not yet delivered.
    """
    return self.slot_states[market][slot]


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
    @notice Wh bought (positive) or sold (negative) by the account in the slot; stays readable after delivery.
    """
    return self._position(account, slot, False)


@external
@view
def undelivered_position_of(account: address, slot: uint256) -> int256:
    """
    @notice The position while its tokens and obligations exist: from settlement to delivery.
    """
    return self._position(account, slot, True)


@internal
@view
def _position(account: address, slot: uint256, undelivered: bool) -> int256:
    market: bytes32 = self.market_of_number[accounts.load(account).market_number]
    if market == empty(bytes32) or slot > MAX_TIME:
        return 0
    if undelivered and self.slot_states[market][slot] != SETTLED:
        return 0
    return accounts.position(account, slot // self._slot_length(self.controls[market]))
