# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Challenges: what becomes of an operator that leaves orders out
@license GNU Affero General Public License v3.0 only
@notice The exchange checks what the operator settles; this contract deals with what it does not settle. Whoever
        holds a receipt for an order that is not in the committed book, or finds an order of the book that was
        strictly better than the price and not filled, puts up a stake and challenges. The operator answers with
        proof, and the stake is added to its bond; or it does not answer in time, and the market freezes and the
        bond pays the challenger, who gets the stake back.

        Nothing here can touch an account: bonds and stakes are credits that their owners bring along.
        Units: energy in Wh, price in nano-credit per Wh, money in nano-credits, time in Unix seconds UTC.
"""

from ethereum.ercs import IERC20
from snekmate.utils import ecdsa

from contracts import accounts
from contracts import market_word
from contracts import merkle
from contracts import orders


interface Exchange:
    def controls(market: bytes32) -> uint256: view
    def books(market: bytes32, slot: uint256) -> bytes32: view
    def slot_of(market: bytes32, slot: uint256) -> Slot: view
    def fills_hashes(market: bytes32, slot: uint256, chunk: uint256) -> bytes32: view
    def word_of(account: address) -> uint256: view
    def is_current(account: address, slot: uint256, epoch: uint256) -> bool: view
    def domain_separator() -> bytes32: view


interface Escrow:
    def withdrawals(account: address) -> Withdrawal: view


interface Markets:
    def may_have_taken(market: bytes32, account: address, slot: uint256) -> bool: view
    def freeze(market: bytes32): nonpayable


struct Slot:
    state: uint256
    price: uint256
    settled_at: uint256
    posted: bool
    chunks: uint256


struct Withdrawal:
    amount: uint256
    ready_at: uint256


struct Signature:
    v: uint256
    r: uint256
    s: uint256


# The operator's signed word that it took an order.
struct Receipt:
    order: bytes32
    index: uint256
    received_at: uint256


# Where an order lies in a committed book.
struct Place:
    root: bytes32
    size: uint256
    index: uint256
    path: DynArray[bytes32, MAX_PATH]


# One link of the chain of hashes that the exchange keeps of a settlement's fills.
struct Link:
    digest: bytes32
    terms: uint256


struct Challenge:
    # MISSING or LEFT_OUT while it is open; zero once it is decided.
    kind: uint256
    market: bytes32
    slot: uint256
    order: bytes32
    challenger: address
    opened_at: uint256


event BondPosted:
    market: indexed(bytes32)
    amount: uint256


event BondReleaseRequested:
    market: indexed(bytes32)
    ready_at: uint256


event BondReleased:
    market: indexed(bytes32)
    amount: uint256


event Overdrawn:
    market: indexed(bytes32)
    slot: indexed(uint256)
    account: indexed(address)


event Challenged:
    market: indexed(bytes32)
    slot: indexed(uint256)
    number: indexed(uint256)
    kind: uint256
    order: bytes32
    challenger: address


event Dismissed:
    number: indexed(uint256)


event Upheld:
    number: indexed(uint256)
    paid: uint256


RECEIPT_TYPE_HASH: constant(bytes32) = keccak256(
    "Receipt(bytes32 order,bytes32 market,uint64 slot,uint64 index,uint64 receivedAt)"
)
CANCELLATION_TYPE_HASH: constant(bytes32) = keccak256("Cancellation(address account,bytes32 order)")

# The receipt's order is not in the book; the book's order was better than the price and not filled.
MISSING: constant(uint256) = 1
LEFT_OUT: constant(uint256) = 2

MAX_PATH: constant(uint256) = 32
MAX_LINKS: constant(uint256) = 1_024
MAX_BIDS: constant(uint256) = 64
# An order that expires within this time of the settlement may have expired when the operator cleared the slot.
CLEARING_TIME_S: constant(uint256) = 300
# A notice that is not used in this time lapses, so that no operator keeps one ready and leaves with its bond at once.
RELEASE_WINDOW_S: constant(uint256) = 86_400
# As in the escrow: a withdrawal that was requested longer ago has lapsed.
WITHDRAWAL_WINDOW_S: constant(uint256) = 7 * 86_400

CREDIT: immutable(IERC20)
EXCHANGE: immutable(Exchange)
ESCROW: immutable(Escrow)
MARKETS: immutable(Markets)
STAKE: immutable(uint256)
PENALTY: immutable(uint256)
CLAIM_PERIOD_S: immutable(uint256)
RESPONSE_S: immutable(uint256)

bonds: public(HashMap[bytes32, uint256])
# When an operator that asked for its bond back can have it; zero if it did not ask.
bond_ready_at: public(HashMap[bytes32, uint256])
open_challenges: public(HashMap[bytes32, uint256])
challenge_count: public(uint256)
challenges: HashMap[uint256, Challenge]
# Whether the same thing was challenged before.
was_challenged: HashMap[bytes32, bool]
# Accounts whose bids for a slot came to more than their escrow: they have no claim to be filled.
is_overdrawn: public(HashMap[bytes32, HashMap[uint256, HashMap[address, bool]]])


@deploy
def __init__(
    credit: address,
    exchange: address,
    escrow: address,
    markets: address,
    stake: uint256,
    penalty: uint256,
    claim_period_s: uint256,
    response_s: uint256,
):
    """
    @param stake What a challenge costs if it is wrong.
    @param penalty What the bond pays, at most, for a challenge that is upheld.
    @param claim_period_s How long after its start a slot can be challenged.
    @param response_s How long the operator has to answer.
    """
    assert credit != empty(address), "challenges: credit"
    assert stake > 0, "challenges: stake"
    assert response_s > 0, "challenges: response time"
    CREDIT = IERC20(credit)
    EXCHANGE = Exchange(exchange)
    ESCROW = Escrow(escrow)
    MARKETS = Markets(markets)
    STAKE = stake
    PENALTY = penalty
    CLAIM_PERIOD_S = claim_period_s
    RESPONSE_S = response_s


# ------------------------------------------------------------------------------------------------- bonds


@external
def post_bond(market: bytes32, amount: uint256):
    """
    @notice Add to a market's bond. Anyone may.
    """
    assert staticcall EXCHANGE.controls(market) != 0, "challenges: no such market"
    assert amount > 0, "challenges: no bond"
    self.bonds[market] += amount
    log BondPosted(market=market, amount=amount)
    assert extcall CREDIT.transferFrom(msg.sender, self, amount), "challenges: transfer"


@external
def request_bond_release(market: bytes32):
    """
    @notice The operator gives notice: once every slot until now is beyond challenge, it can have its bond back.
    """
    assert msg.sender == self._operator(market), "challenges: not the operator"
    ready_at: uint256 = block.timestamp + CLAIM_PERIOD_S + RESPONSE_S
    self.bond_ready_at[market] = ready_at
    log BondReleaseRequested(market=market, ready_at=ready_at)


@external
def release_bond(market: bytes32):
    """
    @notice Pay the bond out to the operator.
    """
    assert msg.sender == self._operator(market), "challenges: not the operator"
    ready_at: uint256 = self.bond_ready_at[market]
    assert ready_at != 0, "challenges: release not requested"
    assert block.timestamp >= ready_at, "challenges: notice period"
    assert block.timestamp <= ready_at + RELEASE_WINDOW_S, "challenges: notice lapsed"
    assert self.open_challenges[market] == 0, "challenges: open challenge"
    amount: uint256 = self.bonds[market]
    self.bonds[market] = 0
    self.bond_ready_at[market] = 0
    log BondReleased(market=market, amount=amount)
    assert extcall CREDIT.transfer(msg.sender, amount), "challenges: transfer"


@external
def report_overdrawn(
    market: bytes32, slot: uint256, bids: DynArray[orders.Fill, MAX_BIDS], places: DynArray[Place, MAX_BIDS]
):
    """
    @notice The operator shows, before it settles, that an account has bids in the book for more than its escrow;
            then it need not fill them.
    @param bids Of one account, in ascending order of their hashes, with no fill and no amount.
    @param places Where each of them lies in the book.
    """
    assert msg.sender == self._operator(market), "challenges: not the operator"
    assert staticcall EXCHANGE.books(market, slot) != empty(bytes32), "challenges: no book"
    state: Slot = staticcall EXCHANGE.slot_of(market, slot)
    assert state.state == 0, "challenges: slot closed"
    assert len(bids) > 0, "challenges: no bids"
    domain: bytes32 = staticcall EXCHANGE.domain_separator()
    account: address = orders.account_of(bids[0])
    last_digest: uint256 = 0
    cost: uint256 = 0
    assert len(places) == len(bids), "challenges: place"
    for index: uint256 in range(len(bids), bound=MAX_BIDS):
        bid: orders.Fill = bids[index]
        digest: bytes32 = self._checked(bid, market, slot, domain)
        self._check_place(market, slot, digest, places[index])
        assert block.timestamp <= orders.expiry_of(bid.terms), "challenges: expired"
        assert convert(digest, uint256) > last_digest, "challenges: order of bids"
        last_digest = convert(digest, uint256)
        assert orders.account_of(bid) == account, "challenges: another account"
        assert not orders.is_offer(bid.terms), "challenges: not a bid"
        cost += orders.price_of(bid.terms) * orders.quantity_of(bid.terms)
    withdrawal: Withdrawal = staticcall ESCROW.withdrawals(account)
    balance: uint256 = accounts.balance_of(staticcall EXCHANGE.word_of(account))
    if block.timestamp <= withdrawal.ready_at + WITHDRAWAL_WINDOW_S:
        cost += withdrawal.amount
    assert cost > balance, "challenges: covered"
    self.is_overdrawn[market][slot][account] = True
    log Overdrawn(market=market, slot=slot, account=account)


# -------------------------------------------------------------------------------------------- challenges


@external
def challenge_missing(market: bytes32, slot: uint256, receipt: Receipt, signature: Signature) -> uint256:
    """
    @notice The operator signed a receipt for an order; is it in the book?
    @return The challenge's number.
    """
    assert staticcall EXCHANGE.books(market, slot) != empty(bytes32), "challenges: no book"
    content: bytes32 = keccak256(
        abi_encode(RECEIPT_TYPE_HASH, receipt.order, market, slot, receipt.index, receipt.received_at)
    )
    signer: address = self._signer(content, signature)
    assert staticcall MARKETS.may_have_taken(market, signer, slot), "challenges: not the operator's receipt"
    return self._open(MISSING, market, slot, receipt.order)


@external
def challenge_left_out(market: bytes32, slot: uint256, order: orders.Fill, place: Place) -> uint256:
    """
    @notice An order of the book was strictly better than the price; was it filled?
    @param order As in a settlement, with no fill and no amount.
    @param place Where it lies in the book.
    @return The challenge's number.
    """
    control: uint256 = staticcall EXCHANGE.controls(market)
    assert market_word.has_priority(control), "challenges: no priority in this market"
    slot_then: Slot = staticcall EXCHANGE.slot_of(market, slot)
    assert slot_then.settled_at > 0, "challenges: not settled"
    digest: bytes32 = self._checked(order, market, slot, staticcall EXCHANGE.domain_separator())
    limit: uint256 = orders.price_of(order.terms)
    is_better: bool = limit > slot_then.price
    if orders.is_offer(order.terms):
        is_better = limit < slot_then.price
    assert is_better, "challenges: not better than the price"
    lasts: bool = orders.expiry_of(order.terms) >= slot_then.settled_at + CLEARING_TIME_S
    assert lasts, "challenges: expired"
    account: address = orders.account_of(order)
    assert not self.is_overdrawn[market][slot][account], "challenges: overdrawn"
    number: uint256 = accounts.market_number_of(staticcall EXCHANGE.word_of(account))
    assert number == market_word.number_of(control), "challenges: not a member"
    self._check_place(market, slot, digest, place)
    return self._open(LEFT_OUT, market, slot, digest)


@internal
def _open(kind: uint256, market: bytes32, slot: uint256, order: bytes32) -> uint256:
    assert block.timestamp <= slot + CLAIM_PERIOD_S, "challenges: too late"
    key: bytes32 = keccak256(abi_encode(kind, order))
    assert not self.was_challenged[key], "challenges: challenged before"
    self.was_challenged[key] = True
    self.challenge_count += 1
    self.open_challenges[market] += 1
    number: uint256 = self.challenge_count
    self.challenges[number] = Challenge(
        kind=kind, market=market, slot=slot, order=order, challenger=msg.sender, opened_at=block.timestamp
    )
    log Challenged(market=market, slot=slot, number=number, kind=kind, order=order, challenger=msg.sender)
    assert extcall CREDIT.transferFrom(msg.sender, self, STAKE), "challenges: transfer"
    return number


# ----------------------------------------------------------------------------------------------- answers


@external
def answer_in_book(number: uint256, place: Place):
    """
    @notice The order that is said to be missing is in the book. Anyone may answer.
    """
    challenge: Challenge = self._open_challenge(number, MISSING)
    self._check_place(challenge.market, challenge.slot, challenge.order, place)
    self._dismiss(number)


@external
def answer_cancelled(number: uint256, order: orders.Fill, signature: Signature):
    """
    @notice The order that is said to be missing was cancelled by its account, whose signature says so.
    """
    challenge: Challenge = self._open_challenge(number, MISSING)
    domain: bytes32 = staticcall EXCHANGE.domain_separator()
    digest: bytes32 = orders.digest_of(order, challenge.market, challenge.slot, domain)
    assert digest == challenge.order, "challenges: another order"
    account: address = orders.account_of(order)
    content: bytes32 = keccak256(abi_encode(CANCELLATION_TYPE_HASH, account, challenge.order))
    assert self._signer(content, signature) == account, "challenges: signature"
    self._dismiss(number)


@external
def answer_filled(number: uint256, chunk: uint256, before: bytes32, links: DynArray[Link, MAX_LINKS]):
    """
    @notice The order that is said to be left out was filled, in this chunk of the settlement.
    @param before The chain of hashes before the order.
    @param links The order's digest and terms, and those of every order after it in the chunk.
    @dev What `before` is need not be proved: nobody finds another beginning for the same end.
    """
    challenge: Challenge = self._open_challenge(number, LEFT_OUT)
    assert len(links) > 0, "challenges: no fills"
    assert links[0].digest == challenge.order, "challenges: another order"
    end: bytes32 = before
    for link: Link in links:
        end = keccak256(concat(end, link.digest, convert(link.terms, bytes32)))
    expected: bytes32 = staticcall EXCHANGE.fills_hashes(challenge.market, challenge.slot, chunk)
    assert end == expected, "challenges: not the chunk's fills"
    self._dismiss(number)


@external
def uphold(number: uint256):
    """
    @notice Decide a challenge that was not answered in time. Anyone may.
    """
    challenge: Challenge = self.challenges[number]
    assert challenge.kind != 0, "challenges: not open"
    assert block.timestamp > challenge.opened_at + RESPONSE_S, "challenges: time to answer"
    market: bytes32 = challenge.market
    paid: uint256 = min(PENALTY, self.bonds[market])
    self.bonds[market] -= paid
    self._close(number)
    log Upheld(number=number, paid=paid)
    extcall MARKETS.freeze(market)
    assert extcall CREDIT.transfer(challenge.challenger, STAKE + paid), "challenges: transfer"


@internal
def _dismiss(number: uint256):
    self.bonds[self.challenges[number].market] += STAKE
    self._close(number)
    log Dismissed(number=number)


@internal
def _close(number: uint256):
    self.open_challenges[self.challenges[number].market] -= 1
    self.challenges[number].kind = 0


@internal
@view
def _open_challenge(number: uint256, kind: uint256) -> Challenge:
    challenge: Challenge = self.challenges[number]
    assert challenge.kind == kind, "challenges: not open"
    return challenge


# ------------------------------------------------------------------------------------------------- proofs


@internal
@view
def _checked(order: orders.Fill, market: bytes32, slot: uint256, domain: bytes32) -> bytes32:
    """
    @return The hash of an unfilled order that its account signed and that holds for the slot.
    """
    assert orders.is_well_formed(order), "challenges: malformed order"
    assert order.terms >> 146 == 0, "challenges: malformed order"
    digest: bytes32 = orders.digest_of(order, market, slot, domain)
    assert orders.signed_by_account(order, digest), "challenges: signature"
    epoch: uint256 = orders.epoch_of(order.terms)
    assert staticcall EXCHANGE.is_current(orders.account_of(order), slot, epoch), "challenges: cancelled"
    return digest


@internal
@view
def _check_place(market: bytes32, slot: uint256, order: bytes32, place: Place):
    book: bytes32 = staticcall EXCHANGE.books(market, slot)
    assert keccak256(abi_encode(place.root, place.size)) == book, "challenges: not the book"
    assert merkle.has_leaf(place.root, place.size, order, place.index, place.path), "challenges: place"


@internal
@view
def _signer(content: bytes32, signature: Signature) -> address:
    digest: bytes32 = keccak256(concat(x"1901", staticcall EXCHANGE.domain_separator(), content))
    return ecdsa._try_recover_vrs(digest, signature.v, signature.r, signature.s)


@internal
@view
def _operator(market: bytes32) -> address:
    return market_word.operator_of(staticcall EXCHANGE.controls(market))


# ------------------------------------------------------------------------------------------------- views


@external
@view
def exchange() -> address:
    return EXCHANGE.address


@external
@view
def terms() -> (uint256, uint256, uint256, uint256):
    """
    @return Stake and penalty in nano-credits; how long a slot can be challenged, and answered, in seconds.
    """
    return (STAKE, PENALTY, CLAIM_PERIOD_S, RESPONSE_S)


@external
@view
def challenge_of(number: uint256) -> Challenge:
    return self.challenges[number]
