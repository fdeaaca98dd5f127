"""A small world on a real chain: contracts, one market, members with escrow. For tests only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ledger.abi import Contract
from ledger.batches import FilledOrder, MemberReading, deliver_calldata, settle_calldata
from ledger.chain import CallRevertedError, Receipt
from ledger.deployment import Contracts, MarketTerms, Roles, deploy, open_market, transact
from ledger.devchain.accounts import dev_accounts
from ledger.eip712 import Domain, SignedOrder, sign_order
from ledger.keys import Key
from matching.orders import CertificatePreference, Order, Side
from matching.tariff import Tariff
from tests.chains import EMBEDDED, WorldChain, opened_chain

MARKET = b"fontana".ljust(32, b"\0")
SLOT = 1_700_000_100  # a multiple of 900
ONE_CREDIT = 10**9
TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=20_000)
TERMS = MarketTerms(slot_length_s=900, gate_lead_s=300, settle_within_s=86_400)


@dataclass
class Time:
    now: int

    def __call__(self) -> int:
        return self.now


@dataclass
class World:
    """Everything a test needs to act as any of the parties."""

    chain: WorldChain
    time: Time
    contracts: Contracts
    keys: dict[str, Key]
    members: list[Key]
    strangers: list[Key]  # have money for gas, and no part in the market
    market: bytes = MARKET
    salt: int = field(default=0)

    @property
    def exchange(self) -> Contract:
        return self.contracts.exchange

    @property
    def domain(self) -> Domain:
        return Domain(self.chain.chain_id, self.exchange.address)

    def send(self, who: str | Key, contract: Contract, function: str, *arguments: object) -> Receipt:
        key = self.keys[who] if isinstance(who, str) else who
        return transact(contract, key, contract.interface.call(function, *arguments))

    def act(self, who: str | Key, function: str, *arguments: object) -> Receipt:
        """Call a function of the exchange, of the escrow, of the markets or of the challenges."""
        return self.send(who, self._contract_with(function), function, *arguments)

    def read(self, function: str, *arguments: object) -> Any:
        """Ask a view of one of these contracts."""
        return self._contract_with(function).read(function, *arguments)

    def _contract_with(self, function: str) -> Contract:
        contracts = self.contracts
        candidates = (contracts.exchange, contracts.escrow, contracts.markets, contracts.challenges)
        return next(each for each in candidates if each.interface.has_function(function))

    def fund(self, account: bytes, amount: int) -> None:
        self.fund_all([account], amount)

    def fund_all(self, accounts: Sequence[bytes], amount: int) -> None:
        treasurer, total = self.keys["treasurer"], amount * len(accounts)
        self.send("treasurer", self.contracts.credit, "mint", treasurer.address, total)
        self.send("treasurer", self.contracts.credit, "approve", self.contracts.escrow.address, total)
        for account in accounts:
            self.act("treasurer", "deposit", account, amount)

    def balance(self, account: bytes) -> int:
        balance: int = self.exchange.read("account_of", account)["balance"]
        return balance

    def debt(self, account: bytes) -> int:
        debt: int = self.exchange.read("account_of", account)["debt"]
        return debt

    def order(
        self,
        member: int,
        side: Side,
        quantity_wh: int,
        price: int,
        *,
        slot: int = SLOT,
        market: bytes = MARKET,
        epoch: int = 0,
        expires_at: int = 2**40 - 1,
        certificates: CertificatePreference = CertificatePreference.AUTO_RETIRE,
        domain: Domain | None = None,
    ) -> SignedOrder:
        self.salt += 1
        key = self.members[member]
        order = Order(
            account=key.address,
            market=market,
            slot=slot,
            side=side,
            price=price,
            quantity_wh=quantity_wh,
            certificates=certificates,
            epoch=epoch,
            expires_at=expires_at,
            salt=self.salt,
        )
        return sign_order(domain or self.domain, order, key)

    def at(self, now: int) -> None:
        """Let the next transaction be mined at exactly this second."""
        assert self.chain.head().timestamp < now
        self.time.now = now

    def bid(self, member: int, quantity_wh: int, price: int, **more: object) -> SignedOrder:
        return self.order(member, Side.BID, quantity_wh, price, **more)  # type: ignore[arg-type]

    def offer(self, member: int, quantity_wh: int, price: int, **more: object) -> SignedOrder:
        return self.order(member, Side.OFFER, quantity_wh, price, **more)  # type: ignore[arg-type]

    def close_gate(self, slot: int = SLOT) -> None:
        self.time.now = max(self.time.now, slot - TERMS.gate_lead_s)

    def commit(self, slot: int = SLOT, size: int = 0) -> Receipt:
        self.close_gate(slot)
        return self.act("operator", "commit_book", self.market, slot, bytes(32), size)

    def settle_data(
        self,
        fills: list[FilledOrder],
        price: int = 150_000,
        *,
        slot: int = SLOT,
        sort: bool = True,
        more: bool = False,
        approvals: Sequence[bytes] = (),
    ) -> bytes:
        if sort:
            fills = sorted(fills, key=lambda fill: fill.signed.hash)
        selector = self.exchange.interface.selector("settle")
        return settle_calldata(selector, self.market, slot, price, fills, more=more, approvals=approvals)

    def settle(
        self,
        fills: list[FilledOrder],
        price: int = 150_000,
        *,
        slot: int = SLOT,
        sort: bool = True,
        more: bool = False,
        approvals: Sequence[bytes] = (),
    ) -> Receipt:
        data = self.settle_data(fills, price, slot=slot, sort=sort, more=more, approvals=approvals)
        return transact(self.exchange, self.keys["operator"], data)

    def deliver(self, readings: list[MemberReading], *, slot: int = SLOT, sort: bool = True) -> Receipt:
        self.time.now = max(self.time.now, slot + TERMS.slot_length_s)
        if sort:
            readings = sorted(readings, key=lambda reading: reading.account)
        data = deliver_calldata(self.exchange.interface.selector("deliver"), self.market, slot, readings)
        return transact(self.exchange, self.keys["meter_authority"], data)


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The contract refuses what is done inside, for exactly this reason."""
    with pytest.raises(CallRevertedError) as caught:
        yield
    assert caught.value.reason == reason


@contextmanager
def one_world_for_a_test(world: World) -> Iterator[World]:
    """Lend a world to one test and take back whatever the test did to it."""
    snapshot, now = world.chain.snapshot(), world.time.now
    try:
        yield replace(world, members=list(world.members))
    finally:
        world.chain.revert(snapshot)
        world.time.now = now


ROLE_NAMES = ("owner", "treasurer", "operator", "meter_authority", "issuer", "registrar", "utility")
STRANGERS = 6


def accounts_for(members: int) -> int:
    """How many development accounts a world with so many members needs: deployer, roles, members, strangers."""
    return 1 + len(ROLE_NAMES) + members + STRANGERS


@contextmanager
def new_world(
    members: int = 4,
    *,
    uniform_price: bool = True,
    escrow: int = 1_000 * ONE_CREDIT,
    chain_kind: str = EMBEDDED,
) -> Iterator[World]:
    """Everything deployed on a fresh chain, with some escrow for each member and the utility."""
    time = Time(SLOT - 3_600)
    with opened_chain(chain_kind, time, accounts_for(members)) as chain:
        yield world_on(chain, time, members, uniform_price=uniform_price, escrow=escrow)


def world_on(
    chain: WorldChain, time: Time, members: int, *, uniform_price: bool = True, escrow: int = 1_000 * ONE_CREDIT
) -> World:
    """Deploy and register everything on a new chain."""
    accounts = dev_accounts(accounts_for(members))
    keys = [Key(account.private_key) for account in accounts]
    roles = dict(zip(ROLE_NAMES, keys[1:], strict=False))
    named = Roles(**{name: key.address for name, key in roles.items()})
    contracts = deploy(chain, keys[0], named)
    terms = MarketTerms(
        slot_length_s=TERMS.slot_length_s,
        gate_lead_s=TERMS.gate_lead_s,
        settle_within_s=TERMS.settle_within_s,
        uniform_price=uniform_price,
    )
    open_market(contracts, roles["owner"], MARKET, roles=named, terms=terms, tariff=TARIFF)
    people = keys[len(ROLE_NAMES) + 1 :]
    world = World(
        chain,
        time,
        contracts,
        {"deployer": keys[0], **roles},
        members=people[:members],
        strangers=people[members:],
    )
    addresses = [key.address for key in world.members]
    for start in range(0, members, 256):
        world.act("registrar", "register", MARKET, addresses[start : start + 256])
    world.fund_all([*addresses, world.keys["utility"].address], escrow)
    return world
