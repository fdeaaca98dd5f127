# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Escrow: what members do without the operator
@license GNU Affero General Public License v3.0 only
@notice Holds the credits of all accounts. A member deposits, withdraws after a notice period that nobody can
        prolong, cancels its orders, and posts an order on chain if the operator does not take it. The accounts
        themselves are kept by the exchange, which changes them at every settlement and delivery.

        Units: energy in Wh, price in nano-credit per Wh, money in nano-credits, time in Unix seconds UTC.
"""

from ethereum.ercs import IERC20

from contracts import accounts
from contracts import market_word
from contracts import orders


interface Exchange:
    def controls(market: bytes32) -> uint256: view
    def word_of(account: address) -> uint256: view
    def is_current(account: address, slot: uint256, epoch: uint256) -> bool: view
    def unfinished_slot(market: bytes32) -> uint256: view
    def domain_separator() -> bytes32: view
    def set_word(account: address, word: uint256): nonpayable
    def raise_epoch(account: address, from_slot: uint256) -> uint256: nonpayable
    def note_posted(market: bytes32, slot: uint256): nonpayable


interface Markets:
    def market_of_number(number: uint256) -> bytes32: view
    def holder_of(market: bytes32, role: uint256) -> address: view
    def tariff_at(market: bytes32, slot: uint256) -> Tariff: view


struct Tariff:
    retail_price: uint256
    feed_in_price: uint256
    grid_fee: uint256
    from_slot: uint256


struct Withdrawal:
    amount: uint256
    ready_at: uint256


struct PostedOrder:
    digest: bytes32
    account: address
    price: uint256
    quantity: uint256
    epoch: uint256
    is_offer: bool
    is_filled: bool
    set_aside: uint256


event MemberRegistered:
    market: indexed(bytes32)
    account: indexed(address)


event UtilityMoved:
    market: indexed(bytes32)
    former: indexed(address)
    utility: indexed(address)


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


event OrderPosted:
    market: indexed(bytes32)
    slot: indexed(uint256)
    account: indexed(address)
    digest: bytes32
    order: orders.Fill


MAX_REGISTRATIONS: constant(uint256) = 256
MAX_POSTED: constant(uint256) = 32
# Well below what a position holds, so that no member can make a slot impossible to settle by posting an order that does
# not fit beside those it gave the operator.
MAX_POSTED_WH: constant(uint256) = 1_000_000
# A request that is not used in this time lapses, so that nobody keeps one ready and leaves without notice.
WITHDRAWAL_WINDOW_S: constant(uint256) = 7 * 86_400
# How far ahead an order can be posted.
POSTING_HORIZON_S: constant(uint256) = 8 * 86_400
REGISTRAR: constant(uint256) = 2
UTILITY: constant(uint256) = 3
MASK_16: constant(uint256) = 2**16 - 1

CREDIT: immutable(IERC20)
EXCHANGE: immutable(Exchange)
MARKETS: immutable(Markets)
WITHDRAWAL_NOTICE_S: immutable(uint256)

member_count: public(HashMap[bytes32, uint256])
withdrawals: public(HashMap[address, Withdrawal])
posted: HashMap[bytes32, HashMap[uint256, DynArray[PostedOrder, MAX_POSTED]]]


@deploy
def __init__(credit: address, exchange: address, markets: address, withdrawal_notice_s: uint256):
    """
    @param withdrawal_notice_s How long a member waits between asking for credits and taking them.
    """
    assert credit != empty(address), "escrow: credit"
    assert exchange != empty(address), "escrow: exchange"
    assert markets != empty(address), "escrow: markets"
    CREDIT = IERC20(credit)
    EXCHANGE = Exchange(exchange)
    MARKETS = Markets(markets)
    WITHDRAWAL_NOTICE_S = withdrawal_notice_s


# ---------------------------------------------------------------------------------------------- accounts


@external
def register(market: bytes32, members: DynArray[address, MAX_REGISTRATIONS]):
    """
    @notice Make accounts members of a market. An account belongs to one market for good.
    """
    assert msg.sender == staticcall MARKETS.holder_of(market, REGISTRAR), "escrow: not the registrar"
    number: uint256 = market_word.number_of(staticcall EXCHANGE.controls(market))
    count: uint256 = self.member_count[market]
    for member: address in members:
        count += 1
        self._open_account(market, number, member, count)
    self.member_count[market] = count


@external
def open_utility_account(market: bytes32, utility: address):
    """
    @notice The utility has an account in its market, and is not one of its members.
    """
    assert msg.sender == MARKETS.address, "escrow: not the markets"
    self._open_account(market, market_word.number_of(staticcall EXCHANGE.controls(market)), utility, 0)


@external
def move_utility_account(market: bytes32, former: address, utility: address):
    """
    @notice The utility's balance and debt go to its new address.
    """
    assert msg.sender == MARKETS.address, "escrow: not the markets"
    assert staticcall EXCHANGE.word_of(utility) == 0, "escrow: already a member"
    assert staticcall EXCHANGE.unfinished_slot(market) == 0, "escrow: a slot is unfinished"
    extcall EXCHANGE.set_word(utility, staticcall EXCHANGE.word_of(former))
    extcall EXCHANGE.set_word(former, 0)
    self.withdrawals[former] = empty(Withdrawal)
    log UtilityMoved(market=market, former=former, utility=utility)


@internal
def _open_account(market: bytes32, market_number: uint256, account: address, member_number: uint256):
    assert account != empty(address), "escrow: no account"
    assert staticcall EXCHANGE.word_of(account) == 0, "escrow: already a member"
    assert member_number <= MASK_16, "escrow: too many members"
    extcall EXCHANGE.set_word(account, accounts.opened(market_number, member_number))
    log MemberRegistered(market=market, account=account)


# ------------------------------------------------------------------------------------------------- money


@external
def deposit(account: address, amount: uint256):
    """
    @notice Move the caller's credits into a member's escrow.
    """
    word: uint256 = self._word_of_member(account)
    assert amount > 0, "escrow: nothing to deposit"
    extcall EXCHANGE.set_word(account, accounts.credited(word, amount))
    log Deposited(account=account, amount=amount)
    assert extcall CREDIT.transferFrom(msg.sender, self, amount), "escrow: transfer"


@external
def request_withdrawal(amount: uint256):
    """
    @notice Start the notice period, after which `withdraw` pays out. A new request replaces the old one; zero cancels.
    @dev Until then the amount still covers the orders that were accepted on the strength of it.
    """
    ready_at: uint256 = block.timestamp + WITHDRAWAL_NOTICE_S
    word: uint256 = staticcall EXCHANGE.word_of(msg.sender)
    assert amount <= accounts.balance_of(word), "escrow: more than the balance"
    self.withdrawals[msg.sender] = Withdrawal(amount=amount, ready_at=ready_at)
    log WithdrawalRequested(account=msg.sender, amount=amount, ready_at=ready_at)


@external
def withdraw():
    """
    @notice Pay out the requested amount, or what is left of it after trades settled since and debt to the utility
            is paid. Needs nobody's consent.
    """
    request: Withdrawal = self.withdrawals[msg.sender]
    assert request.amount > 0, "escrow: nothing requested"
    assert block.timestamp >= request.ready_at, "escrow: notice period"
    assert block.timestamp <= request.ready_at + WITHDRAWAL_WINDOW_S, "escrow: request lapsed"
    self.withdrawals[msg.sender] = empty(Withdrawal)
    word: uint256 = staticcall EXCHANGE.word_of(msg.sender)
    market: bytes32 = staticcall MARKETS.market_of_number(accounts.market_number_of(word))
    self._require_untouched(word, market)
    balance: uint256 = accounts.balance_of(word)
    debt: uint256 = accounts.debt_of(word)
    payment: uint256 = min(debt, balance)
    amount: uint256 = min(request.amount, balance - payment)
    extcall EXCHANGE.set_word(
        msg.sender, accounts.with_money(word, balance - payment - amount, debt - payment)
    )
    if payment > 0:
        utility: address = staticcall MARKETS.holder_of(market, UTILITY)
        extcall EXCHANGE.set_word(utility, accounts.credited(staticcall EXCHANGE.word_of(utility), payment))
    log Withdrawn(account=msg.sender, amount=amount, debt_paid=payment)
    assert extcall CREDIT.transfer(msg.sender, amount), "escrow: transfer"


@internal
@view
def _require_untouched(word: uint256, market: bytes32):
    """
    @notice Refuse to let credits go that an unfinished slot may still take back.
    @dev An account that traded in the slot has it, or a later one, as its latest.
    """
    unfinished: uint256 = staticcall EXCHANGE.unfinished_slot(market)
    if unfinished != 0:
        slot_index: uint256 = unfinished // market_word.slot_length_of(staticcall EXCHANGE.controls(market))
        assert accounts.latest_slot_index(word) < slot_index, "escrow: a slot is unfinished"


# ------------------------------------------------------------------------------------------------ orders


@external
def cancel_all():
    """
    @notice Cancel every order the caller signed so far for slots whose gate is still open, by raising its epoch.
    @dev Orders of a closed gate stay as they are: otherwise one member could stop the settlement of all.
    """
    word: uint256 = self._word_of_member(msg.sender)
    market: bytes32 = staticcall MARKETS.market_of_number(accounts.market_number_of(word))
    control: uint256 = staticcall EXCHANGE.controls(market)
    slot_length_s: uint256 = market_word.slot_length_of(control)
    from_slot: uint256 = ((block.timestamp + market_word.gate_lead_of(control)) // slot_length_s + 1) * slot_length_s
    epoch: uint256 = extcall EXCHANGE.raise_epoch(msg.sender, from_slot)
    log EpochRaised(account=msg.sender, epoch=epoch, from_slot=from_slot)


@external
def post_order(market: bytes32, slot: uint256, order: orders.Fill):
    """
    @notice Put one's signed order on chain before gate closure. The operator cannot settle the slot without it if it is
            strictly better than the price. What it may cost is set aside until the slot is closed: of a bid the limit
            price, of an offer that much of the retail price as the limit falls short of it.
    @param order As in a settlement, with no fill and no amount. It must last until the settlement's deadline.
    """
    control: uint256 = staticcall EXCHANGE.controls(market)
    # Elsewhere there is no price that the order could be held against.
    assert market_word.has_priority(control), "escrow: no priority in this market"
    assert slot % market_word.slot_length_of(control) == 0, "escrow: slot"
    assert block.timestamp + market_word.gate_lead_of(control) < slot, "escrow: gate closed"
    assert slot <= block.timestamp + POSTING_HORIZON_S, "escrow: too early"
    assert orders.is_well_formed(order), "escrow: malformed order"
    assert order.terms >> 146 == 0, "escrow: malformed order"
    terms: uint256 = order.terms
    assert orders.quantity_of(terms) > 0, "escrow: nothing ordered"
    assert orders.quantity_of(terms) <= MAX_POSTED_WH, "escrow: too large"
    deadline: uint256 = market_word.deadline_of(control, slot)
    assert orders.expiry_of(terms) >= deadline, "escrow: expires too early"
    digest: bytes32 = orders.digest_of(order, market, slot, staticcall EXCHANGE.domain_separator())
    assert orders.signed_by_account(order, digest), "escrow: signature"
    account: address = orders.account_of(order)
    # Otherwise whoever has an older order of a member posts that one and keeps the member from posting another.
    assert msg.sender == account, "escrow: not the account"
    word: uint256 = self._word_of_member(account)
    assert accounts.market_number_of(word) == market_word.number_of(control), "escrow: not a member"
    # The utility's account can move to another address, and then its orders can no longer be filled.
    assert accounts.member_number_of(word) != 0, "escrow: not a member"
    epoch: uint256 = orders.epoch_of(terms)
    assert staticcall EXCHANGE.is_current(account, slot, epoch), "escrow: cancelled"
    count: uint256 = len(self.posted[market][slot])
    assert count < MAX_POSTED, "escrow: too many posted orders"
    for index: uint256 in range(count, bound=MAX_POSTED):
        # One order for each member, so that no member keeps the others out.
        assert self.posted[market][slot][index].account != account, "escrow: already posted"

    cover_price: uint256 = orders.price_of(terms)
    if orders.is_offer(terms):
        tariff: Tariff = staticcall MARKETS.tariff_at(market, slot)
        cover_price = max(tariff.retail_price, cover_price) - cover_price
    posted: PostedOrder = PostedOrder(
        digest=digest,
        account=account,
        price=orders.price_of(terms),
        quantity=orders.quantity_of(terms),
        epoch=epoch,
        is_offer=orders.is_offer(terms),
        is_filled=False,
        set_aside=cover_price * orders.quantity_of(terms),
    )
    self.posted[market][slot].append(posted)
    self._require_untouched(word, market)
    extcall EXCHANGE.set_word(account, accounts.debited(word, posted.set_aside))
    if count == 0:
        extcall EXCHANGE.note_posted(market, slot)
    log OrderPosted(market=market, slot=slot, account=account, digest=digest, order=order)


@external
def fill_posted(market: bytes32, slot: uint256, digest: bytes32) -> uint256:
    """
    @notice The exchange fills a posted order.
    @return What was set aside for it, which the exchange gives back to the account.
    """
    assert msg.sender == EXCHANGE.address, "escrow: not the exchange"
    for index: uint256 in range(len(self.posted[market][slot]), bound=MAX_POSTED):
        posted: PostedOrder = self.posted[market][slot][index]
        if posted.digest == digest:
            self.posted[market][slot][index].is_filled = True
            return posted.set_aside
    raise "escrow: not posted"


@external
def close_posted(market: bytes32, slot: uint256, price: uint256, settled: bool):
    """
    @notice The exchange closes a slot: no posted order that is strictly better than the price was left out, and what
            was set aside for the unfilled is theirs again.
    """
    assert msg.sender == EXCHANGE.address, "escrow: not the exchange"
    for posted: PostedOrder in self.posted[market][slot]:
        if posted.is_filled:
            continue
        if settled and staticcall EXCHANGE.is_current(posted.account, slot, posted.epoch):
            is_better: bool = posted.price < price if posted.is_offer else posted.price > price
            assert not is_better, "escrow: posted order left out"
        word: uint256 = staticcall EXCHANGE.word_of(posted.account)
        extcall EXCHANGE.set_word(posted.account, accounts.credited(word, posted.set_aside))


@internal
@view
def _word_of_member(account: address) -> uint256:
    word: uint256 = staticcall EXCHANGE.word_of(account)
    assert word != 0, "escrow: not a member"
    return word


# ------------------------------------------------------------------------------------------------- views


@external
@view
def credit() -> address:
    return CREDIT.address


@external
@view
def exchange() -> address:
    return EXCHANGE.address


@external
@view
def markets() -> address:
    return MARKETS.address


@external
@view
def withdrawal_notice_s() -> uint256:
    return WITHDRAWAL_NOTICE_S


@external
@view
def standing_of(account: address) -> (accounts.Account, bytes32, Withdrawal):
    """
    @return The account, its market's id, and the withdrawal it asked for: all that decides what it may order.
    """
    state: accounts.Account = accounts.unpacked(staticcall EXCHANGE.word_of(account))
    market: bytes32 = staticcall MARKETS.market_of_number(state.market_number)
    return (state, market, self.withdrawals[account])


@external
@view
def posted_orders(market: bytes32, slot: uint256) -> DynArray[PostedOrder, MAX_POSTED]:
    return self.posted[market][slot]
