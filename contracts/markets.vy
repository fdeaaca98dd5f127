# pragma version ==0.4.3
# pragma evm-version london
# pragma nonreentrancy off
"""
@title Markets: what is agreed in each market, and who acts in it
@license GNU Affero General Public License v3.0 only
@notice A market has terms, which never change; tariffs, which its utility announces; and roles, each of which its
        holder can hand over in two steps. What settling a slot needs of this is also kept in one word by the
        exchange, which this contract updates.

        Units: energy in Wh, price in nano-credit per Wh, time in seconds, points in time in Unix seconds UTC.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from contracts import market_word


initializes: ownable
initializes: ownable_2step[ownable := ownable]

exports: (
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
)


interface Exchange:
    def set_control(market: bytes32, control: uint256): nonpayable


interface Escrow:
    def open_utility_account(market: bytes32, utility: address): nonpayable
    def move_utility_account(market: bytes32, former: address, utility: address): nonpayable


struct MarketTerms:
    operator: address
    meter_authority: address
    registrar: address
    utility: address
    slot_length_s: uint256
    gate_lead_s: uint256
    settle_within_s: uint256
    # One price for all fills of a slot, or an amount for each.
    uniform_price: bool
    # Where lines limit what can flow, an order better than the price may have to be left out.
    grid_limits: bool


# Retail is what the utility charges for a Wh, grid fee included; feed-in is what it pays for one. The grid fee is
# charged on each Wh taken under a trade. In force for slots from `from_slot` on.
struct Tariff:
    retail_price: uint256
    feed_in_price: uint256
    grid_fee: uint256
    from_slot: uint256


event MarketOpened:
    market: indexed(bytes32)
    number: uint256
    terms: MarketTerms
    validators: DynArray[address, MAX_VALIDATORS]
    approvals_needed: uint256


event TariffSet:
    market: indexed(bytes32)
    tariff: Tariff


event RoleOffered:
    market: indexed(bytes32)
    role: indexed(uint256)
    account: indexed(address)


event RoleTaken:
    market: indexed(bytes32)
    role: indexed(uint256)
    account: indexed(address)


event Frozen:
    market: indexed(bytes32)


event Unfrozen:
    market: indexed(bytes32)


# Roles. A market's n validators have the numbers from VALIDATOR on.
OPERATOR: constant(uint256) = 0
METER_AUTHORITY: constant(uint256) = 1
REGISTRAR: constant(uint256) = 2
UTILITY: constant(uint256) = 3
VALIDATOR: constant(uint256) = 16

MAX_VALIDATORS: constant(uint256) = 16
MAX_TARIFFS: constant(uint256) = 1_000
# Operators take orders for a week ahead at most.
ORDERS_AHEAD_S: constant(uint256) = 8 * 86_400
# So a tariff is known before the first order it applies to.
TARIFF_NOTICE_S: constant(uint256) = ORDERS_AHEAD_S
# A slot is settled well within the time in which it can be challenged, and a withdrawal requested.
MAX_SETTLE_WITHIN_S: constant(uint256) = 3 * 86_400
MAX_PRICE: constant(uint256) = 2**32 - 1
MAX_TIME: constant(uint256) = 2**40 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1

EXCHANGE: immutable(Exchange)
ESCROW: immutable(Escrow)
ENERGY: immutable(address)
CERTIFICATES: immutable(address)
CHALLENGES: immutable(address)

market_count: public(uint256)
market_of_number: public(HashMap[uint256, bytes32])
numbers: HashMap[bytes32, uint256]
# As opened; who holds a role by now is in `holders`.
terms: HashMap[bytes32, MarketTerms]
holders: HashMap[bytes32, HashMap[uint256, address]]
offers: HashMap[bytes32, HashMap[uint256, address]]
# Until when each account was the operator; MAX_TIME for the present one.
operator_until: HashMap[bytes32, HashMap[address, uint256]]
validator_count: public(HashMap[bytes32, uint256])
approvals_needed: public(HashMap[bytes32, uint256])
is_frozen: public(HashMap[bytes32, bool])
tariffs: HashMap[bytes32, DynArray[Tariff, MAX_TARIFFS]]


@deploy
def __init__(
    owner: address, exchange: address, escrow: address, energy: address, certificates: address, challenges: address
):
    """
    @param owner Opens markets, freezes and unfreezes them. Cannot touch an account.
    @param energy And `certificates`: where whoever has this contract's address finds them.
    @param challenges The contract that freezes a market whose operator was shown to be dishonest.
    """
    assert exchange != empty(address), "markets: exchange"
    assert escrow != empty(address), "markets: escrow"
    assert challenges != empty(address), "markets: challenges"
    ownable.__init__()
    ownable_2step.__init__()
    ownable_2step._transfer_ownership(owner)
    EXCHANGE = Exchange(exchange)
    ESCROW = Escrow(escrow)
    ENERGY = energy
    CERTIFICATES = certificates
    CHALLENGES = challenges


@external
def open_market(
    market: bytes32,
    terms: MarketTerms,
    tariff: Tariff,
    validators: DynArray[address, MAX_VALIDATORS],
    approvals_needed: uint256,
):
    """
    @notice Register a market and its first tariff, in force from the first slot on.
    @param validators Who recompute each clearing, addresses ascending; empty for none.
    @param approvals_needed How many of them must sign a settlement.
    """
    ownable._check_owner()
    assert market != empty(bytes32), "markets: no market id"
    assert self.numbers[market] == 0, "markets: market exists"
    assert terms.operator != empty(address), "markets: no operator"
    assert terms.meter_authority != empty(address), "markets: no meter authority"
    assert terms.registrar != empty(address), "markets: no registrar"
    assert terms.utility != empty(address), "markets: no utility"
    assert terms.slot_length_s in [300, 900, 1_800, 3_600], "markets: slot length"
    assert terms.gate_lead_s <= MASK_24, "markets: gate lead"
    assert terms.settle_within_s > 0, "markets: no time to settle"
    assert terms.settle_within_s <= MAX_SETTLE_WITHIN_S, "markets: settle within"
    assert tariff.from_slot == 0, "markets: first tariff"
    assert approvals_needed <= len(validators), "markets: approvals"
    assert approvals_needed > 0 or len(validators) == 0, "markets: approvals"
    number: uint256 = self.market_count + 1
    assert number <= MASK_16, "markets: too many markets"

    self.market_count = number
    self.market_of_number[number] = market
    self.numbers[market] = number
    self.terms[market] = terms
    self.holders[market][OPERATOR] = terms.operator
    self.holders[market][METER_AUTHORITY] = terms.meter_authority
    self.holders[market][REGISTRAR] = terms.registrar
    self.holders[market][UTILITY] = terms.utility
    self.operator_until[market][terms.operator] = MAX_TIME
    self.validator_count[market] = len(validators)
    self.approvals_needed[market] = approvals_needed
    last: uint256 = 0
    role: uint256 = VALIDATOR
    for validator: address in validators:
        assert convert(validator, uint256) > last, "markets: order of validators"
        last = convert(validator, uint256)
        self.holders[market][role] = validator
        role += 1
    log MarketOpened(
        market=market, number=number, terms=terms, validators=validators, approvals_needed=approvals_needed
    )
    self._add_tariff(market, tariff)
    self._update_control(market)
    extcall ESCROW.open_utility_account(market, terms.utility)


@external
def set_tariff(market: bytes32, tariff: Tariff):
    """
    @notice The utility announces the tariff of slots that nobody has signed orders for yet.
    """
    assert msg.sender == self.holders[market][UTILITY], "markets: not the utility"
    count: uint256 = len(self.tariffs[market])
    assert tariff.from_slot % self.terms[market].slot_length_s == 0, "markets: slot"
    assert tariff.from_slot > block.timestamp + TARIFF_NOTICE_S, "markets: tariff notice"
    assert tariff.from_slot > self.tariffs[market][count - 1].from_slot, "markets: tariff order"
    self._add_tariff(market, tariff)


@internal
def _add_tariff(market: bytes32, tariff: Tariff):
    assert tariff.retail_price <= MAX_PRICE, "markets: retail price"
    # Otherwise a member could buy from the utility and sell back at a profit.
    assert tariff.feed_in_price <= tariff.retail_price, "markets: feed-in price"
    assert tariff.grid_fee <= MAX_PRICE, "markets: grid fee"
    assert tariff.from_slot <= MAX_TIME, "markets: slot"
    self.tariffs[market].append(tariff)
    log TariffSet(market=market, tariff=tariff)


# ------------------------------------------------------------------------------------------------- roles


@external
def offer_role(market: bytes32, role: uint256, account: address):
    """
    @notice Offer one's role to another account, which then accepts it. Zero takes the offer back. The owner, and
            nobody else, offers the operator's role while the market is frozen: whoever was caught cannot stay
            against the owner's will, as it could if it replaced each offer by its own.
    """
    if role == OPERATOR and self.is_frozen[market]:
        ownable._check_owner()
    else:
        assert msg.sender == self.holders[market][role], "markets: not the holder"
    self.offers[market][role] = account
    log RoleOffered(market=market, role=role, account=account)


@external
def accept_role(market: bytes32, role: uint256):
    """
    @notice Take over a role. Its former holder loses it at once. A utility's escrow goes along with the role.
    """
    assert self.offers[market][role] == msg.sender, "markets: not offered"
    former: address = self.holders[market][role]
    if role >= VALIDATOR:
        assert not self._is_validator(market, msg.sender), "markets: already a validator"
    self.offers[market][role] = empty(address)
    self.holders[market][role] = msg.sender
    log RoleTaken(market=market, role=role, account=msg.sender)
    if role == OPERATOR:
        self.operator_until[market][former] = block.timestamp
        self.operator_until[market][msg.sender] = MAX_TIME
        self._update_control(market)
    elif role == UTILITY:
        extcall ESCROW.move_utility_account(market, former, msg.sender)


# ---------------------------------------------------------------------------------------------- freezing


@external
def freeze(market: bytes32):
    """
    @notice Stop commitments and settlements. Deliveries, voiding and withdrawals go on.
    """
    assert msg.sender == ownable.owner or msg.sender == CHALLENGES, "markets: not the owner"
    assert self.numbers[market] != 0, "markets: no such market"
    self.is_frozen[market] = True
    self._update_control(market)
    log Frozen(market=market)


@external
def unfreeze(market: bytes32):
    """
    @notice Let the market go on, once whatever was wrong is put right.
    """
    ownable._check_owner()
    assert self.is_frozen[market], "markets: not frozen"
    self.is_frozen[market] = False
    self._update_control(market)
    log Unfrozen(market=market)


@internal
def _update_control(market: bytes32):
    terms: MarketTerms = self.terms[market]
    control: uint256 = market_word.packed(
        self.holders[market][OPERATOR],
        terms.slot_length_s,
        terms.gate_lead_s,
        terms.settle_within_s,
        self.numbers[market],
        terms.uniform_price,
        terms.grid_limits,
        self.is_frozen[market],
        self.approvals_needed[market],
    )
    extcall EXCHANGE.set_control(market, control)


# ------------------------------------------------------------------------------------------------- views


@external
@view
def exchange() -> address:
    return EXCHANGE.address


@external
@view
def escrow() -> address:
    return ESCROW.address


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
def challenges() -> address:
    return CHALLENGES


@external
@view
def terms_of(market: bytes32) -> MarketTerms:
    """
    @return The terms, with the roles' present holders.
    """
    assert self.numbers[market] != 0, "markets: no such market"
    terms: MarketTerms = self.terms[market]
    terms.operator = self.holders[market][OPERATOR]
    terms.meter_authority = self.holders[market][METER_AUTHORITY]
    terms.registrar = self.holders[market][REGISTRAR]
    terms.utility = self.holders[market][UTILITY]
    return terms


@external
@view
def holder_of(market: bytes32, role: uint256) -> address:
    """
    @param role 0 operator, 1 meter authority, 2 registrar, 3 utility, 16 and on the validators.
    """
    return self.holders[market][role]


@external
@view
def may_have_taken(market: bytes32, account: address, slot: uint256) -> bool:
    """
    @return Whether the account can have taken orders for the slot as the market's operator: receipts of a former one
            bind the market for the slots that it took orders for, and no longer.
    """
    until: uint256 = self.operator_until[market][account]
    return until != 0 and slot <= until + ORDERS_AHEAD_S


@external
@view
def are_validators(market: bytes32, accounts: DynArray[address, MAX_VALIDATORS]) -> bool:
    for account: address in accounts:
        if not self._is_validator(market, account):
            return False
    return True


@internal
@view
def _is_validator(market: bytes32, account: address) -> bool:
    for seat: uint256 in range(self.validator_count[market], bound=MAX_VALIDATORS):
        if self.holders[market][VALIDATOR + seat] == account:
            return True
    return False


@external
@view
def tariff_at(market: bytes32, slot: uint256) -> Tariff:
    return self._tariff_at(market, slot)


@external
@view
def delivery_terms(market: bytes32, slot: uint256) -> (address, address, Tariff):
    """
    @return Meter authority, utility, and the tariff in force in the slot.
    """
    return (
        self.holders[market][METER_AUTHORITY], self.holders[market][UTILITY], self._tariff_at(market, slot)
    )


@internal
@view
def _tariff_at(market: bytes32, slot: uint256) -> Tariff:
    count: uint256 = len(self.tariffs[market])
    for back: uint256 in range(1, count + 1, bound=MAX_TARIFFS):
        tariff: Tariff = self.tariffs[market][count - back]
        if tariff.from_slot <= slot:
            return tariff
    raise "markets: no tariff"
