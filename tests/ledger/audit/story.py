"""An honest history with every event in it, on two markets: what the tampered histories are made from.

Market one has one price and priority; the second has an amount for each fill, and validators.
"""

from dataclasses import asdict, replace

from ledger import merkle
from ledger.batches import FilledOrder, MemberReading, posted_words, unwind_calldata
from ledger.challenges import report_overdrawn_calldata
from ledger.deployment import Roles, open_market, transact
from ledger.eip712 import Receipt, receipt_hash
from ledger.keys import Key
from ledger.settlement import approval_hash
from tests.contracts.devices import DEVICE, LOAD, add_area, certify, register
from tests.ledger.audit import origins
from tests.world import MARKET, ONE_CREDIT, SLOT, TARIFF, TERMS, World

OTHER_MARKET = b"pergola".ljust(32, b"\0")
OTHER_DEVICE = 9
HOME = 8
PRICE = 150_000
DAY_S = 86_400
FIRST, CHUNKED, VOIDED, EMPTY, LATER = (SLOT + 900 * number for number in range(5))


def tell(world: World) -> origins.Town:
    """Let everything happen once; returns what of the certificates' history is not on chain."""
    world.time.now += 1
    others = second_market(world)
    first_slot(world)
    second_markets_slot(others)
    chunked_slot(world)
    voided_slots(world)
    withdrawals(world)
    challenges(world)
    town = origins.tell(world)
    post_offer(world)
    handovers(world)
    return town


def readings(world: World, **metered: tuple[int, int]) -> list[MemberReading]:
    """(consumption, generation) by member; zero for the others."""
    return [
        MemberReading(key.address, *metered.get(f"m{number}", (0, 0))) for number, key in enumerate(world.members)
    ]


def signature_words(signature: bytes) -> tuple[int, int, int]:
    return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")


def second_market(world: World) -> World:
    keys = world.keys
    people, validators = world.strangers[:2], sorted(world.strangers[2:4], key=lambda key: key.address)
    utility = world.strangers[4]
    roles = Roles(
        **{name: key.address for name, key in keys.items() if name not in ("deployer", "utility")},
        utility=utility.address,
    )
    terms = replace(TERMS, uniform_price=False)
    open_market(
        world.contracts, keys["owner"], OTHER_MARKET, roles=roles, terms=terms, tariff=TARIFF,
        validators=[key.address for key in validators], approvals_needed=1,
    )  # fmt: skip
    world.act("registrar", "register", OTHER_MARKET, [key.address for key in people])
    world.fund_all([*(key.address for key in people), utility.address], 100 * ONE_CREDIT)
    return replace(
        world, members=people, strangers=validators, market=OTHER_MARKET, keys={**keys, "utility": utility}
    )


def first_slot(world: World) -> None:
    """A posted bid is filled, another is not worth the price; delivered at once, certified."""
    register(world, DEVICE, world.members[1].address)
    register(world, HOME, world.members[0].address, kind=LOAD)
    posted, unfilled = world.bid(0, 300, 200_000), world.bid(2, 50, 100_000)
    offer, poor = world.offer(1, 300, 100_000), world.bid(3, 1_000_000, 4_000_000)
    for signed in (posted, unfilled):
        world.send(
            world.members[0 if signed is posted else 2],
            world.contracts.escrow,
            "post_order",
            MARKET,
            FIRST,
            posted_words(signed),
        )
    hashes = sorted(signed.hash for signed in (posted, unfilled, offer, poor))
    world.close_gate(FIRST)
    world.act("operator", "commit_book", MARKET, FIRST, merkle.root(hashes), len(hashes))
    report = report_overdrawn_calldata([poor], hashes)
    transact(world.contracts.challenges, world.keys["operator"], report)
    world.settle([FilledOrder(posted, 300, is_posted=True), FilledOrder(offer, 300)], PRICE, slot=FIRST)
    world.deliver(readings(world, m0=(400, 0), m1=(0, 500)), slot=FIRST)
    certify(world, [(DEVICE, 500)], [(HOME, 400)], matches=[(DEVICE, HOME, 300)], slot=FIRST)
    world.send(
        world.members[1],
        world.contracts.certificates,
        "safeTransferFrom",
        world.members[1].address,
        world.members[2].address,
        (1 << 136) | (DEVICE << 72) | (FIRST // 300 << 8),
        50,
        b"",
    )


def second_markets_slot(others: World) -> None:
    area = add_area(others, OTHER_MARKET)
    register(others, OTHER_DEVICE, others.members[1].address, area=area)
    bid = others.bid(0, 200, 200_000, slot=CHUNKED, market=OTHER_MARKET)
    offer = others.offer(1, 200, 100_000, slot=CHUNKED, market=OTHER_MARKET)
    hashes = sorted((bid.hash, offer.hash))
    others.close_gate(CHUNKED)
    others.act("operator", "commit_book", OTHER_MARKET, CHUNKED, merkle.root(hashes), 2)
    fills = [FilledOrder(each, 200, 200 * PRICE) for each in (bid, offer)]
    book = merkle.commitment(merkle.root(hashes), 2)
    digest = approval_hash(others.domain, market=OTHER_MARKET, slot=CHUNKED, book=book, price=0, fills=fills)
    others.settle(fills, 0, slot=CHUNKED, approvals=[others.strangers[0].sign(digest)])
    others.deliver(readings(others, m0=(200, 0), m1=(0, 200)), slot=CHUNKED)
    moves = [(OTHER_DEVICE, others.members[0].address, 200)]
    certify(others, [(OTHER_DEVICE, 200)], moves=moves, market=OTHER_MARKET, slot=CHUNKED)


def chunked_slot(world: World) -> None:
    orders = [world.bid(0, 100, 200_000, slot=CHUNKED), world.offer(1, 100, 100_000, slot=CHUNKED)]
    orders += [world.bid(2, 100, 200_000, slot=CHUNKED), world.offer(1, 100, 100_000, slot=CHUNKED)]
    orders.sort(key=lambda signed: signed.hash)
    world.close_gate(CHUNKED)
    world.act("operator", "commit_book", MARKET, CHUNKED, merkle.root([each.hash for each in orders]), 4)
    fills = [FilledOrder(signed, 100) for signed in orders]
    world.settle(fills[:1], PRICE, slot=CHUNKED, more=True)
    world.settle(fills[1:3], PRICE, slot=CHUNKED, more=True)
    world.settle(fills[3:], PRICE, slot=CHUNKED)
    metered = sorted(readings(world, m0=(100, 0), m2=(100, 0)), key=lambda each: each.account)
    world.deliver(metered[:3], slot=CHUNKED)
    world.deliver(metered[3:], slot=CHUNKED)


def voided_slots(world: World) -> None:
    """One in two chunks, which are taken back; one without anything."""
    bids = [world.bid(member, 100, 200_000, slot=VOIDED) for member in (0, 2)]
    bids.sort(key=lambda signed: signed.hash)
    world.close_gate(VOIDED)
    world.act("operator", "commit_book", MARKET, VOIDED, merkle.root([each.hash for each in bids]), 2)
    for bid in bids:
        world.settle([FilledOrder(bid, 100)], PRICE, slot=VOIDED, more=True)
    world.time.now = EMPTY + TERMS.settle_within_s + 1
    anybody = world.strangers[5]
    world.act(anybody, "void", MARKET, VOIDED)
    for bid in reversed(bids):
        data = unwind_calldata(
            world.exchange.interface.selector("unwind"), MARKET, VOIDED, [FilledOrder(bid, 100)]
        )
        transact(world.exchange, anybody, data)
    world.act(anybody, "void", MARKET, EMPTY)
    for slot in (VOIDED, EMPTY):
        world.deliver(readings(world), slot=slot)


def withdrawals(world: World) -> None:
    """Member 3 takes everything out, consumes, owes, pays in again, and pays its debt as it takes it out."""
    member, escrow = world.members[3], world.contracts.escrow
    world.send(member, escrow, "cancel_all")
    slot = (world.time.now // 900 + 4) * 900
    for amount in (world.balance(member.address), ONE_CREDIT):
        world.send(member, escrow, "request_withdrawal", amount)
        world.time.now = world.chain.head().timestamp + escrow.read("withdrawal_notice_s")
        world.send(member, escrow, "withdraw")
        if amount > ONE_CREDIT:
            world.commit(slot)
            world.settle([], PRICE, slot=slot)
            world.deliver(readings(world, m3=(1_000, 0)), slot=slot)
            world.fund(member.address, 5 * ONE_CREDIT)


def challenges(world: World) -> None:
    """One answered and one upheld, for receipts of orders that were, and were not, in a book."""
    contracts, treasurer, challenger = world.contracts, world.keys["treasurer"], world.strangers[5]
    for key in (treasurer, challenger):
        world.send("treasurer", contracts.credit, "mint", key.address, 100 * ONE_CREDIT)
        world.send(key, contracts.credit, "approve", contracts.challenges.address, 100 * ONE_CREDIT)
    world.act("treasurer", "post_bond", MARKET, 5 * ONE_CREDIT)
    slot = (world.time.now // 900 + 4) * 900
    taken, missing = world.bid(0, 10, 200_000, slot=slot), world.bid(2, 10, 200_000, slot=slot)
    offer = world.offer(1, 10, 100_000, slot=slot)
    book = sorted((taken.hash, offer.hash))
    world.close_gate(slot)
    world.act("operator", "commit_book", MARKET, slot, merkle.root(book), 2)
    world.settle([FilledOrder(taken, 10), FilledOrder(offer, 10)], PRICE, slot=slot)
    for index, signed in enumerate((taken, missing)):
        receipt = Receipt(signed.hash, MARKET, slot, index, slot - 1_000)
        signature = world.keys["operator"].sign(receipt_hash(world.domain, receipt))
        words = {"order": signed.hash, "index": index, "received_at": slot - 1_000}
        v, r, s = signature_words(signature)
        world.act(challenger, "challenge_missing", MARKET, slot, words, {"v": v, "r": r, "s": s})
    place = {
        "root": merkle.root(book),
        "size": 2,
        "index": book.index(taken.hash),
        "path": [merkle.root([offer.hash])],
    }
    world.act("operator", "answer_in_book", 1, place)
    world.time.now = world.chain.head().timestamp + DAY_S + 1
    world.act(challenger, "uphold", 2)
    world.send("owner", contracts.markets, "unfreeze", MARKET)
    world.act("operator", "request_bond_release", MARKET)
    world.time.now = world.chain.head().timestamp + 8 * DAY_S + 1
    world.act("operator", "release_bond", MARKET)
    world.act("treasurer", "post_bond", MARKET, ONE_CREDIT)


def post_offer(world: World) -> None:
    """It stays open to the end, and what may make up for it stays set aside."""
    slot = (world.time.now // 900 + 4) * 900
    offer = world.offer(2, 30, 100_000, slot=slot)
    world.act(world.members[2], "post_order", MARKET, slot, posted_words(offer))


def handovers(world: World) -> None:
    """Tariff, freezing, and every kind of role."""
    markets, devices, keys = world.contracts.markets, world.contracts.devices, world.keys
    tariff = asdict(TARIFF) | {"from_slot": (world.time.now // 900 + 900) * 900}
    world.send("utility", markets, "set_tariff", MARKET, tariff)
    world.send("owner", markets, "freeze", MARKET)
    world.send("owner", markets, "unfreeze", MARKET)
    heir = world.strangers[5]
    for role, former in ((0, "operator"), (1, "meter_authority"), (3, "utility")):
        world.send(former, markets, "offer_role", MARKET, role, heir.address)
        world.send(heir, markets, "accept_role", MARKET, role)
    seat = min(world.strangers[2:4], key=lambda key: key.address)
    world.send(seat, markets, "offer_role", OTHER_MARKET, 16, heir.address)
    world.send(heir, markets, "accept_role", OTHER_MARKET, 16)
    for role, former in ((0, "issuer"), (1, "registrar")):
        world.send(former, devices, "offer_role", role, heir.address)
        world.send(heir, devices, "accept_role", role)
    world.send(keys["owner"], markets, "transfer_ownership", heir.address)
    world.send(heir, markets, "accept_ownership")


def heir_of(world: World) -> Key:
    """Who has taken over the roles in the end."""
    return world.strangers[5]
