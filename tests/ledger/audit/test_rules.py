"""Every rule of the audit, each with a history that breaks it; and an honest one that breaks none."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ledger.audit
from ledger.audit.rules import NODE_RULES, RULES
from ledger.audit.run import AuditReport, audit
from tests.ledger.audit.changes import MANY, NOBODY, Tampering, first, flip, of, plus, put
from tests.ledger.audit.edited import Arguments, EditedChain, Recording
from tests.ledger.audit.origin_tamperings import ORIGIN_TAMPERINGS
from tests.ledger.audit.story import DAY_S, FIRST, LATER, tell
from tests.world import MARKET, World, new_world


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    with new_world() as world:
        town = tell(world)
        yield Recording(world, town)


def audited(chain: EditedChain) -> AuditReport:
    # In small windows, so that slots are let go of on the way.
    exchange, evidence = chain.world.exchange.address, chain.evidence_files
    return audit(chain, exchange, window_blocks=8, evidence=evidence)  # type: ignore[arg-type]


def member(world: World, number: int) -> bytes:
    return world.members[number].address


def terms(change: Callable[[int], int]) -> Callable[[Arguments], Arguments]:
    return lambda order: {**order, "terms": change(order["terms"])}


def fill(change: Callable[[int], int], word: str = "terms") -> Callable[[Arguments], None]:
    """Change a word of the first fill of a settlement."""

    def changed(arguments: Arguments) -> None:
        arguments["fills"][0][word] = change(arguments["fills"][0][word])

    return changed


def without(bits: int, at: int) -> Callable[[int], int]:
    return lambda word: word & ~((2**bits - 1) << at)


def repriced(price: int) -> Callable[[int], int]:
    return lambda word: without(32, 32)(word) | price << 32


def challenged_twice(chain: EditedChain) -> None:
    order = chain.event("Challenged", 0)[2]["order"]
    chain.edit("Challenged", 1, order=order)


def posted_often(chain: EditedChain) -> None:
    for number in range(1, 33):
        chain.repeat("OrderPosted", order=lambda o, salt=number << 160: {**o, "who": o["who"] ^ salt})


TAMPERINGS: dict[str, Tampering] = {
    "code.known": lambda c: c.code_of.update({c.world.exchange.address: b"\x60\x00"}),
    "history.indirect": lambda c: c.call_of("Settled", to=NOBODY),
    "history.unreadable": lambda c: c.call_of("Settled", input=b"1234"),
    "account.known": lambda c: c.edit("Deposited", account=NOBODY),
    "account.own": lambda c: c.call_of("WithdrawalRequested", sender=NOBODY),
    "market.known": lambda c: c.edit("TariffSet", -1, market=b"\x01" * 32),
    "market.number": lambda c: c.edit("MarketOpened", number=7),
    "market.owner": lambda c: c.call_of("MarketOpened", sender=NOBODY),
    "market.validators": lambda c: c.edit("MarketOpened", 1, approvals_needed=3),
    "owner.follows": lambda c: c.edit("OwnershipTransferred", -1, previous_owner=NOBODY),
    "owner.accepts": lambda c: c.call_of("OwnershipTransferred", -1, sender=NOBODY),
    "role.holder": lambda c: c.call_of("RoleOffered", sender=NOBODY),
    "role.offered": lambda c: c.edit("RoleOffered", account=NOBODY),
    "role.accepts": lambda c: c.call_of("RoleTaken", sender=NOBODY),
    "role.seat": lambda c: c.edit("RoleTaken", 3, role=20),
    "tariff.utility": lambda c: c.call_of("TariffSet", -1, sender=NOBODY),
    "tariff.notice": lambda c: c.shift("TariffSet", 20 * DAY_S, -1),
    "tariff.prices": lambda c: c.edit("TariffSet", -1, tariff=lambda t: {**t, "feed_in_price": 2**31}),
    "freeze.owner": lambda c: c.call_of("Frozen", -1, sender=NOBODY),
    "unfreeze.owner": lambda c: c.call_of("Unfrozen", sender=NOBODY),
    "unfreeze.frozen": lambda c: c.drop("Frozen", -1),
    "member.once": lambda c: c.repeat("MemberRegistered", 1),
    "member.registrar": lambda c: c.call_of("MemberRegistered", 1, sender=NOBODY),
    "member.utility": lambda c: c.edit("MemberRegistered", 0, account=NOBODY),
    "utility.role": lambda c: c.edit("UtilityMoved", utility=NOBODY),
    "utility.free": lambda c: c.edit("UtilityMoved", utility=member(c.world, 0)),
    "withdraw.request": lambda c: c.edit("WithdrawalRequested", amount=MANY),
    "withdraw.notice": lambda c: c.edit("WithdrawalRequested", ready_at=plus(1)),
    "withdraw.time": lambda c: c.shift("Withdrawn", -20 * DAY_S),
    "withdraw.debt": lambda c: c.edit("Withdrawn", 1, debt_paid=0),
    "withdraw.amount": lambda c: c.edit("Withdrawn", amount=plus(-1)),
    "epoch.grows": lambda c: c.edit("EpochRaised", epoch=5),
    "epoch.slot": lambda c: c.edit("EpochRaised", from_slot=plus(900)),
    "epoch.once": lambda c: c.repeat("EpochRaised"),
    "escrow.negative": lambda c: c.drop("Deposited"),
    "post.digest": lambda c: c.edit("OrderPosted", digest=b"\x01" * 32),
    "post.account": lambda c: c.edit("OrderPosted", account=NOBODY),
    "post.signature": lambda c: c.edit("OrderPosted", order=lambda o: {**o, "r": o["r"] ^ 1}),
    "post.member": lambda c: c.edit("OrderPosted", order=lambda o: {**o, "who": o["who"] ^ 1}),
    "post.epoch": lambda c: c.edit("OrderPosted", order=terms(lambda word: word | 1 << 64)),
    "post.expiry": lambda c: c.edit("OrderPosted", order=terms(without(40, 96))),
    "post.form": lambda c: c.edit("OrderPosted", order=terms(lambda word: word | 5 << 146)),
    "post.time": lambda c: c.shift("OrderPosted", DAY_S),
    "post.priority": lambda c: c.edit("MarketOpened", terms=lambda t: {**t, "grid_limits": True}),
    "post.once": lambda c: c.repeat("OrderPosted"),
    "post.number": posted_often,
    "slot.aligned": lambda c: c.edit("Voided", -1, slot=plus(1)),
    "slot.over": lambda c: c.repeat("BookCommitted", after=("OwnershipTransferred", -1)),
    "commit.operator": lambda c: c.call_of("BookCommitted", sender=NOBODY),
    "commit.frozen": lambda c: c.insert("markets", "Frozen", ("OrderPosted", 1), market=MARKET),
    "commit.time": lambda c: c.shift("BookCommitted", -DAY_S),
    "commit.once": lambda c: c.repeat("BookCommitted"),
    "settle.operator": lambda c: c.call_of("Settled", sender=NOBODY),
    "settle.frozen": lambda c: c.insert("markets", "Frozen", ("Overdrawn", 0), market=MARKET),
    "settle.time": lambda c: c.shift("Settled", 2 * DAY_S),
    "settle.once": lambda c: c.repeat("Settled"),
    "settle.book": lambda c: c.drop("BookCommitted"),
    "settle.more": lambda c: c.calldata("Settled", put("more", True)),
    "settle.batch": lambda c: c.calldata("Settled", put("fills", lambda fills: fills * 513)),
    "settle.size": lambda c: c.edit("BookCommitted", size=0),
    "settle.form": lambda c: c.calldata("Settled", fill(lambda word: word | 1 << 230, "who")),
    "settle.unique": lambda c: c.calldata("Settled", put("fills", lambda fills: fills[::-1])),
    "settle.signature": lambda c: c.calldata("Settled", fill(flip, "r")),
    "settle.member": lambda c: c.drop("MemberRegistered", 1),
    "settle.epoch": lambda c: c.calldata("Settled", fill(lambda word: word | 1 << 64)),
    "settle.expiry": lambda c: c.calldata("Settled", fill(without(40, 96))),
    "settle.quantity": lambda c: c.calldata("Settled", fill(plus(1 << 146))),
    "settle.limit": lambda c: c.calldata("Settled", put("price", 1)),
    "settle.amount": lambda c: c.calldata("Settled", fill(lambda word: word | 5 << 178)),
    "settle.priority": lambda c: c.calldata("Settled", fill(plus(-1 << 146))),
    "settle.set_aside": lambda c: c.drop("OrderPosted"),
    "settle.posted": lambda c: c.edit("OrderPosted", 1, order=terms(repriced(400_000))),
    "settle.price": lambda c: c.edit("Settled", price=plus(1)),
    "settle.orders": lambda c: c.edit("Settled", orders=plus(1)),
    "settle.bought": lambda c: c.edit("Settled", bought_wh=plus(1)),
    "settle.energy": lambda c: c.calldata("Settled", fill(plus(-1 << 146))),
    "settle.credits": lambda c: c.calldata("Settled", fill(plus(-1 << 178)), 1),
    "settle.approval": lambda c: c.calldata("Settled", first("approvals", r=flip), 1),
    "settle.approvals": lambda c: c.calldata("Settled", put("approvals", []), 1),
    "chunk.number": lambda c: c.edit("ChunkSettled", 1, chunk=5),
    "chunk.many": lambda c: c.edit("ChunkSettled", 1, chunk=63),
    "chunk.empty": lambda c: c.calldata("ChunkSettled", put("fills", [])),
    "chunk.price": lambda c: c.calldata("ChunkSettled", put("price", plus(1)), 1),
    "chunk.orders": lambda c: c.edit("ChunkSettled", orders=plus(1)),
    "unfinished.settle": lambda c: c.repeat("Settled", 3, after=("ChunkSettled", 0)),
    "unfinished.deliver": lambda c: c.repeat("Delivered", 5, after=("ChunkSettled", 0)),
    "unfinished.withdraw": lambda c: c.repeat("Withdrawn", after=("ChunkSettled", -1), account=member(c.world, 0)),
    "unfinished.post": lambda c: c.repeat("OrderPosted", after=("ChunkSettled", -1), slot=LATER),
    "unfinished.utility": lambda c: c.repeat("UtilityMoved", after=("ChunkSettled", 0)),
    "void.time": lambda c: c.shift("Voided", -2 * DAY_S),
    "void.open": lambda c: c.repeat("Voided"),
    "unwind.voided": lambda c: c.drop("Voided"),
    "unwind.chunk": lambda c: c.edit("ChunkUnwound", chunk=5),
    "deliver.meter_authority": lambda c: c.call_of("Delivered", sender=NOBODY),
    "deliver.state": lambda c: c.repeat("Delivered"),
    "deliver.over": lambda c: c.shift("Delivered", -DAY_S),
    "deliver.start": lambda c: c.edit("Delivered", 3, start=1),
    "deliver.count": lambda c: c.edit("Delivered", members=plus(1)),
    "deliver.member": lambda c: c.calldata("Delivered", put("readings", lambda words: [words[0] ^ 1, *words[1:]])),
    "deliver.members": lambda c: c.edit("Delivered", 2, complete=True),
    "bond.operator": lambda c: c.call_of("BondReleased", sender=NOBODY),
    "bond.notice": lambda c: c.edit("BondReleaseRequested", ready_at=plus(1)),
    "bond.time": lambda c: c.shift("BondReleased", -9 * DAY_S),
    "bond.challenged": lambda c: c.drop("Dismissed"),
    "bond.amount": lambda c: c.edit("BondReleased", amount=plus(1)),
    "overdrawn.operator": lambda c: c.call_of("Overdrawn", sender=NOBODY),
    "overdrawn.open": lambda c: c.drop("BookCommitted"),
    "overdrawn.bids": lambda c: c.calldata("Overdrawn", first("bids", r=flip)),
    "overdrawn.places": lambda c: c.calldata("Overdrawn", first("places", index=plus(1))),
    "overdrawn.cost": lambda c: c.calldata("Overdrawn", first("bids", terms=repriced(1))),
    "challenge.number": lambda c: c.edit("Challenged", number=9),
    "challenge.kind": lambda c: c.edit("Challenged", kind=7),
    "challenge.time": lambda c: c.shift("Challenged", 30 * DAY_S),
    "challenge.once": challenged_twice,
    "challenge.due": lambda c: c.drop("BookCommitted", of(slot=c.event("Challenged")[2]["slot"])),
    "challenge.open": lambda c: c.repeat("Dismissed"),
    "upheld.time": lambda c: c.shift("Upheld", -DAY_S),
    "upheld.paid": lambda c: c.edit("Upheld", paid=plus(1)),
    "upheld.frozen": lambda c: c.drop("Frozen"),
    "storage.balance": lambda c: c.answer("exchange", "account_of", lambda a: {**a, "balance": 1}),
    "storage.debt": lambda c: c.answer("exchange", "account_of", lambda a: {**a, "debt": 1}),
    "storage.epoch": lambda c: c.answer("exchange", "account_of", lambda a: {**a, "epoch": 9}),
    "storage.market": lambda c: c.answer("exchange", "account_of", lambda a: {**a, "market_number": 9}),
    "storage.position": lambda c: c.answer("exchange", "position_of", plus(1)),
    "storage.slot": lambda c: c.answer("exchange", "slot_of", lambda s: {**s, "state": 5}),
    "storage.price": lambda c: c.answer("exchange", "slot_of", lambda s: {**s, "price": 1}),
    "storage.book": lambda c: c.answer("exchange", "books", lambda _: b"\x01" * 32),
    "storage.fills": lambda c: c.answer("exchange", "fills_hashes", lambda _: b"\x01" * 32),
    "storage.owner": lambda c: c.answer("markets", "owner", lambda _: NOBODY),
    "storage.role": lambda c: c.answer("markets", "holder_of", lambda _: NOBODY),
    "storage.frozen": lambda c: c.answer("markets", "is_frozen", lambda _: True),
    "storage.unfinished": lambda c: c.answer("exchange", "unfinished_slot", plus(900)),
    "storage.members": lambda c: c.answer("escrow", "member_count", plus(1)),
    "storage.bond": lambda c: c.answer("challenges", "bonds", plus(1)),
    "storage.challenges": lambda c: c.answer("challenges", "open_challenges", plus(1)),
    "storage.escrow": lambda c: c.answer("credit", "balanceOf", lambda _: 0),
    "storage.stakes": lambda c: c.answer("credit", "balanceOf", lambda _: 0),
    **ORIGIN_TAMPERINGS,
}

# Other ways to break some of them.
MORE_TAMPERINGS: list[tuple[str, Tampering]] = [
    ("role.holder", lambda c: c.drop("Unfrozen", -1)),
    ("post.form", lambda c: c.edit("OrderPosted", order=terms(lambda word: without(32, 0)(word) | 1_000_001))),
    ("unfinished.post", lambda c: c.repeat("OrderPosted", -1, after=("ChunkSettled", -1), slot=LATER)),
    ("settle.member", lambda c: c.edit("MarketOpened", terms=lambda t: {**t, "utility": member(c.world, 0)})),
    ("bond.time", lambda c: c.shift("BondReleased", 2 * DAY_S)),
    ("overdrawn.bids", lambda c: c.shift("Overdrawn", 2**40)),
    ("overdrawn.places", lambda c: c.calldata("Overdrawn", first("places", size=plus(1)))),
    ("overdrawn.places", lambda c: c.calldata("Overdrawn", put("places", []))),
    ("storage.balance", lambda c: c.edit("OrderPosted", -1, order=terms(repriced(99_999)))),
]


def test_the_honest_history_breaks_no_rule(recording: Recording) -> None:
    report = audited(EditedChain(recording))
    assert report.findings == ()
    assert report.checks > 1_900


@pytest.mark.parametrize("rule", RULES)
def test_a_history_that_breaks_a_rule_is_found(recording: Recording, rule: str) -> None:
    chain = EditedChain(recording)
    TAMPERINGS[rule](chain)
    assert rule in {finding.rule for finding in audited(chain).findings}


@pytest.mark.parametrize(("rule", "tamper"), MORE_TAMPERINGS)
def test_there_is_more_than_one_way_to_break_some_rules(
    recording: Recording, rule: str, tamper: Tampering
) -> None:
    chain = EditedChain(recording)
    tamper(chain)
    assert rule in {finding.rule for finding in audited(chain).findings}


@pytest.mark.parametrize("has_lapsed", [False, True])
def test_what_an_account_asked_to_withdraw_makes_it_overdrawn_until_the_request_lapses(
    recording: Recording, has_lapsed: bool
) -> None:
    """Its bid of a million Wh costs exactly the thousand credits that it has."""
    chain = EditedChain(recording)
    chain.calldata("Overdrawn", first("bids", terms=repriced(1_000_000)))
    ready_at = FIRST - 300 - 7 * DAY_S + (-1 if has_lapsed else 1)
    poor = member(chain.world, 3)
    chain.insert("escrow", "WithdrawalRequested", ("OrderPosted", 1), account=poor, amount=1, ready_at=ready_at)
    assert ("overdrawn.cost" in {finding.rule for finding in audited(chain).findings}) is has_lapsed


@pytest.mark.parametrize(
    ("event", "nth"), [("Settled", 0), ("Settled", 2), ("ChunkSettled", 0), ("ChunkSettled", 3), ("Delivered", 2)]
)
def test_what_was_sent_through_another_contract_is_named_and_the_rest_still_audited(
    recording: Recording, event: str, nth: int
) -> None:
    chain = EditedChain(recording)
    chain.call_of(event, nth, to=NOBODY)
    findings = audited(chain).findings
    assert {finding.rule for finding in findings} == {"history.indirect"}
    assert any("not auditable from calldata" in each.found and NOBODY.hex() in each.found for each in findings)


def test_every_rule_in_the_code_has_a_meaning_and_a_history_that_breaks_it() -> None:
    used: set[str] = set()
    for source in Path(ledger.audit.__path__[0]).glob("*.py"):
        if source.name != "rules.py":
            named = re.sub(r"^    code = .*$", "", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
            used |= set(re.findall(r'"([a-z]+\.[a-z_]+)"', named))
    assert used == set(RULES) == set(TAMPERINGS)


def test_the_documentation_lists_every_rule_with_its_meaning() -> None:
    page = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z._]+)` \| (.*) \|$", page, re.MULTILINE))
    assert listed == RULES | NODE_RULES
