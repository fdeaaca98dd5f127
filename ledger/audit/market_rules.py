"""Replays what is agreed in markets, and who acts in them: terms, tariffs, roles and freezing."""

from dataclasses import replace

from ledger.audit.calls import Calls
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import ORDERS_AHEAD_S, MarketModel, Model
from ledger.audit.rulebook import Rulebook, Terms, hexed
from ledger.chain import ZERO_ADDRESS
from ledger.market import Market
from matching.tariff import InvalidTariffError, Tariff

# As in the contract.
OPERATOR, METER_AUTHORITY, REGISTRAR, UTILITY, VALIDATOR = 0, 1, 2, 3, 16
ROLE_FIELDS = {
    OPERATOR: "operator",
    METER_AUTHORITY: "meter_authority",
    REGISTRAR: "registrar",
    UTILITY: "utility",
}
_TARIFF_NOTICE_S = ORDERS_AHEAD_S


def holder(market: Market, state: MarketModel, role: int) -> bytes:
    """Who holds a role of a market; nobody is the zero address."""
    if role in ROLE_FIELDS:
        held: bytes = getattr(market, ROLE_FIELDS[role])
        return held
    seat = role - VALIDATOR
    return state.validators[seat] if 0 <= seat < len(state.validators) else ZERO_ADDRESS


class MarketRules(Rulebook):
    """Applies the events of the Markets contract in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self.handlers = {
            "OwnershipTransferred": self._owner,
            "MarketOpened": self._opened,
            "TariffSet": self._tariff_set,
            "RoleOffered": self._role_offered,
            "RoleTaken": self._role_taken,
            "Frozen": self._frozen,
            "Unfrozen": self._unfrozen,
        }

    def _owner(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        where = f"owner in block {occurrence.block}"
        former = self.model.owner or ZERO_ADDRESS
        self.findings.check("owner.follows", where, expected=former, found=arguments["previous_owner"])
        if occurrence.call is not None and occurrence.call.to is not None:  # not the deployment
            self.check_sender("owner.accepts", where, occurrence, arguments["new_owner"])
        self.model.owner = arguments["new_owner"]

    def _opened(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        market, where = arguments["market"], f"market {hexed(arguments['market'])}"
        self.check_sender("market.owner", where, occurrence, self.model.owner)
        expected = len(self.model.markets) + 1
        self.findings.check("market.number", where, expected=expected, found=arguments["number"])
        validators, needed = list(arguments["validators"]), arguments["approvals_needed"]
        seats = sorted(set(validators)) == validators and (1 if validators else 0) <= needed <= len(validators)
        self.findings.require(
            "market.validators", where, seats, expected="validators that differ, and enough of them",
            found=f"{needed} of {len(validators)}",
        )  # fmt: skip
        terms = arguments["terms"]
        self.model.markets[market] = Market(id=market, **terms)
        self.model.states[market] = MarketModel(
            validators=validators, approvals_needed=needed, operators={terms["operator"]: None}
        )
        self.model.tariffs[market] = []

    def _tariff_set(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, _ = found
        fields = dict(occurrence.event.arguments["tariff"])
        from_slot = fields.pop("from_slot")
        earlier = self.model.tariffs[market.id]
        where = f"tariff from slot {from_slot}, block {occurrence.block}"
        if earlier:
            self.check_sender("tariff.utility", where, occurrence, market.utility)
            first = max(occurrence.timestamp + _TARIFF_NOTICE_S, earlier[-1][0]) + 1
            self.findings.require(
                "tariff.notice", where, from_slot >= first, expected=f"a tariff from {first} or later",
                found=from_slot,
            )  # fmt: skip
        try:
            earlier.append((from_slot, Tariff(**fields)))
        except InvalidTariffError as error:
            self.findings.require("tariff.prices", where, False, expected="prices that fit", found=error)

    # Roles

    def _role_offered(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        role, account = occurrence.event.arguments["role"], occurrence.event.arguments["account"]
        allowed = {holder(market, state, role)}
        if role == OPERATOR and state.is_frozen and self.model.owner is not None:
            allowed = {self.model.owner}
        where = f"role {role}, block {occurrence.block}"
        self.check_sender("role.holder", where, occurrence, allowed)
        state.offers[role] = account

    def _role_taken(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        role, account = occurrence.event.arguments["role"], occurrence.event.arguments["account"]
        where = f"role {role}, block {occurrence.block}"
        offered = state.offers.pop(role, ZERO_ADDRESS)
        self.findings.check("role.offered", where, expected=offered, found=account)
        self.check_sender("role.accepts", where, occurrence, account)
        if role in ROLE_FIELDS:
            self.model.markets[market.id] = replace(market, **{ROLE_FIELDS[role]: account})
            if role == OPERATOR:
                state.operators[market.operator] = occurrence.timestamp
                state.operators[account] = None
        else:
            seat = role - VALIDATOR
            is_free = 0 <= seat < len(state.validators) and account not in state.validators
            if self.findings.require("role.seat", where, is_free, expected="one seat each", found=account):
                state.validators[seat] = account

    # Freezing

    def _frozen(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        if state.freeze_due == occurrence.transaction:
            self.findings.check(
                "upheld.frozen", _at(market, occurrence), expected=state.freeze_due, found=occurrence.transaction
            )
            state.freeze_due = None
        else:
            self.check_sender("freeze.owner", _at(market, occurrence), occurrence, self.model.owner)
        state.is_frozen = True

    def _unfrozen(self, occurrence: Occurrence) -> None:
        found = self.market_of(occurrence)
        if found is None:
            return
        market, state = found
        self.check_sender("unfreeze.owner", _at(market, occurrence), occurrence, self.model.owner)
        self.findings.check("unfreeze.frozen", _at(market, occurrence), expected=True, found=state.is_frozen)
        state.is_frozen = False


def _at(market: Market, occurrence: Occurrence) -> str:
    return f"market {hexed(market.id)}, block {occurrence.block}"
